# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VMs that are to be started again, or not yet: who, how often, not before when, and who must be through first. No I/O."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._arm.client import PostResult
from .._azure.vm import Vm


@dataclass
class Waiting:
    """A VM that waits for its turn. ``at`` is on the clock; ``behind`` is the key of a set of which nothing may be in motion
    when it is started. ``tried``: an attempt was made and came to nothing; else none was executed. ``words`` say why it waits."""

    vm: Vm
    words: str
    at: float
    tried: bool = False
    behind: str | None = None
    attempt: t.Mapping[str, t.Any] | None = None
    answer: PostResult | None = None


class Queue:
    """Those that wait, by VM key. ``closed_until`` on the clock: Azure throttles, nobody is started before."""

    def __init__(self, retries: int) -> None:
        self._retries = retries
        self._waiting: dict[str, Waiting] = {}
        self._spent: dict[str, int] = {}
        self.closed_until = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, item: Waiting) -> None:
        self._waiting[item.vm.id.key] = item

    def may_retry(self, key: str) -> bool:
        """Whether one more try of this VM is within the cap; then it is counted."""
        if self._spent.get(key, 0) >= self._retries:
            return False
        self._spent[key] = self._spent.get(key, 0) + 1
        return True

    def take(self, now: float, moving: t.Collection[str]) -> list[Waiting]:
        """Those whose turn it is, taken out; of a set that goes one by one only one. ``moving`` are keys of sets in motion."""
        if now < self.closed_until:
            return []
        turn, sets = [], set(moving)
        for key, item in list(self._waiting.items()):
            if now < item.at or (item.behind is not None and item.behind in sets):
                continue
            if item.behind is not None:
                sets.add(item.behind)
            turn.append(self._waiting.pop(key))
        return turn

    def next_at(self, moving: t.Collection[str]) -> float | None:
        """When the next one's turn comes by time alone; None when all wait for others."""
        times = [item.at for item in self._waiting.values() if item.behind not in moving or item.behind is None]
        return max(min(times), self.closed_until) if times else None

    def rest(self) -> list[Waiting]:
        """All that still wait, taken out."""
        rest, self._waiting = list(self._waiting.values()), {}
        return rest

    def names(self) -> dict[str, str]:
        """Name and reason of those that wait, for onlookers."""
        return {item.vm.name: item.words for item in self._waiting.values()}
