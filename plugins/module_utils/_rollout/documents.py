# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents for people and later runs, on the controller: written whole or not at all, for their owner alone, and read."""

from __future__ import annotations

import typing as t
from pathlib import Path

from .. import _files
from .._bounds import loads
from .._errors import OptionsError


def read_json(path: str, what: str, ours: bool = False) -> t.Any:
    """The content of a JSON file; raises OptionsError naming it, also when ``ours`` and it is not."""
    try:
        return loads(_files.read(path, ours))
    except (OSError, ValueError) as error:
        raise OptionsError(f"the {what} {path} cannot be read: {error}") from error


def write_all(documents: t.Mapping[str, str]) -> bool:
    """Write text by path, with the folders that lack; whether any was another before. Raises OptionsError naming the path."""
    changed = [_write(Path(path), text) for path, text in documents.items()]
    return any(changed)


def _write(path: Path, text: str) -> bool:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _content(str(path)) == text.encode():
            return False
        _files.replace(str(path), text.encode())
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise OptionsError(f"{path} cannot be written: {said}. Set rollout_journal_dir to a folder that can be (or, where they are set, rollout_plan_out "
                           "and rollout_csv_out), and use the same one for every run; where the project is read-only, one outside of it") from error
    return True


def _content(path: str) -> bytes | None:
    try:
        return _files.read(path)
    except FileNotFoundError:
        return None
