# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the log of an ansible-playbook run (ANSIBLE_LOG_PATH) says about time: when a play began, and which tasks took how long."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

_BANNER = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) .*?\b(PLAY|TASK|RUNNING HANDLER) (?:\[(.*)\]|RECAP) \*+$")


@dataclass(frozen=True)
class Share:
    """All runs of the tasks of one name: `seconds` together, and how often it was begun."""

    name: str
    seconds: float
    times: int


def play_began(log: Path, play: str) -> float:
    """When a play's first batch began, in seconds since 1970; ValueError if it never did."""
    for when, kind, name in _banners(log):
        if kind == "PLAY" and name == play:
            return when
    raise ValueError(f"{log}: no play {play!r}")


def profile(log: Path) -> list[Share]:
    """Where the time went by task name, the longest first. A task lasts until the next banner."""
    banners = _banners(log)
    spent: defaultdict[str, list[float]] = defaultdict(list)
    for (when, kind, name), (after, *_rest) in zip(banners, banners[1:], strict=False):
        if kind != "PLAY":
            spent[name].append(after - when)
    return sorted((Share(name, sum(times), len(times)) for name, times in spent.items()), key=lambda share: -share.seconds)


def _banners(log: Path) -> list[tuple[float, str, str]]:
    """Start, kind and name of every play and task; the recap is a play without a name."""
    found = map(_BANNER.match, log.read_text(encoding="utf-8", errors="replace").splitlines())
    return [(datetime.strptime(m[1], "%Y-%m-%d %H:%M:%S,%f").astimezone().timestamp(), m[2], m[3] or "") for m in found if m]
