# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's copy of a host's mark: a file of its own for each host."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from ...module_utils._guest.mark_file import MarkError, MarkFile


class ControllerCopy:
    """The copy at ``path``."""

    def __init__(self, path: str) -> None:
        self.file = MarkFile(path)

    def put(self, mark: dict[str, t.Any]) -> None:
        """Replace whatever copy is there. Raises MarkError."""
        self.make_room()
        self.file.replace(mark)

    def make_room(self) -> None:
        """Make its directory. Raises MarkError."""
        try:
            os.makedirs(os.path.dirname(self.file.path), mode=0o700, exist_ok=True)
        except OSError as error:
            raise MarkError(f"there is no room for the controller's copy of the mark, {self.file.path}: {error}; see drain_marks_dir") from None

    def clear(self, run_id: str, before: str) -> None:
        """The host has none of ours any more, so this one has had its day, whoever's it was; unless another run put it here just now (``before`` is a time)."""
        self.file.clear(run_id, before)


def copy_of(folder: str | None, host: str) -> ControllerCopy | None:
    """The copy of the host's mark in this folder; None without a folder."""
    return ControllerCopy(str(Path(folder).expanduser() / f"{host}.json")) if folder else None
