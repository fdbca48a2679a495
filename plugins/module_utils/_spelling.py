# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which known name was probably meant by one that is not known. Standard library only."""

from __future__ import annotations

import difflib
import typing as t

CLOSE = 0.6
"""Of 1: how much two names must have in common; that of :mod:`difflib`."""


def closest(name: object, known: t.Iterable[str], most: int = 1, close: float = CLOSE) -> list[str]:
    """At most so many known names that resemble ``name``, the best first."""
    return difflib.get_close_matches(str(name), list(known), most, close)


def did_you_mean(name: object, known: t.Iterable[str], most: int = 1) -> str:
    """The question ``did you mean a or b?``; empty when no known name resembles ``name``."""
    near = closest(name, known, most)
    return f"did you mean {' or '.join(near)}?" if near else ""
