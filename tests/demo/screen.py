# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the watcher sees: headlines, commands, notes, ticks and crosses, a table."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Sequence

from demo.promises import Promise

WIDTH = 110
_BOLD, _GREEN, _RED, _DIM = "1", "32", "31", "2"


def _paint(text: str, code: str) -> str:
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\033[{code}m{text}\033[0m"


def headline(text: str) -> None:
    """A step begins."""
    print(f"\n{_paint(f'── {text} '.ljust(WIDTH, '─'), _BOLD)}", flush=True)


def command(text: str) -> None:
    """The command a user would type."""
    print(_paint(f"$ {text}", _BOLD), flush=True)


def note(text: str) -> None:
    """What happens, in a sentence."""
    print(textwrap.fill(text, WIDTH, initial_indent="  ", subsequent_indent="  "), flush=True)


def promises(kept: Sequence[Promise]) -> None:
    """Each promise with a tick or a cross, and its proof."""
    for promise in kept:
        mark = _paint("✓", _GREEN) if promise.kept else _paint("✗", _RED)
        print(f"  {mark} {promise.text}")
        print(_paint(textwrap.fill(promise.proof, WIDTH, initial_indent="      ", subsequent_indent="      "), _DIM))
    sys.stdout.flush()


def table(rows: Sequence[Sequence[str]]) -> None:
    """Rows of text, the first one the heading; columns as wide as they need to be."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        print(f"  {_paint(line, _BOLD) if number == 0 else line}")
    sys.stdout.flush()
