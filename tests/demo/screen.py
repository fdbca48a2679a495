# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the watcher sees: headlines, commands, notes, ticks and crosses, a table."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Mapping, Sequence

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
    """Each promise with a tick or a cross, and its proof; on one line where both fit."""
    for promise in kept:
        mark = _paint("✓", _GREEN) if promise.kept else _paint("✗", _RED)
        first, *more = textwrap.wrap(f"{promise.text}: {promise.proof}", WIDTH - 4)
        print(f"  {mark} {first}")
        for line in more:
            print(_paint(f"      {line}", _DIM))
    sys.stdout.flush()


def groups(members: Mapping[str, Sequence[str]]) -> None:
    """A line for each group: name, number of hosts, hosts, as far as the line goes."""
    width = max(map(len, members))
    for name, hosts in members.items():
        line = f"  {name:<{width}}  {len(hosts):>2}  {' '.join(hosts)}"
        print(line if len(line) <= WIDTH else f"{line[:WIDTH - 1]}…")
    sys.stdout.flush()
