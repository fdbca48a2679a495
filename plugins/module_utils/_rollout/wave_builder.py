# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One pass over a phase by one rule: wave after wave, each filled from the regions that may be worked on.

The chain whose set (or region, or the region that waits for it) has most waves left comes first, for it decides when
the rollout ends. Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import datetime as dt
import heapq
import math
import random
import typing as t
from dataclasses import dataclass

from .calendar import HORIZON_DAYS
from .candidates import Candidate
from .chains import Chain
from .options import PolicyError
from .policy import Policy
from .regions import Regions

# Chains passed over in one wave because they would only waste its last places.
_MOST_PASSED = 40
_Pick = tuple[Chain, tuple[int, int]]


class TimedWave(t.NamedTuple):
    """VMs that go together, and when."""

    starts_at: dt.datetime
    ends_at: dt.datetime
    vms: list[Candidate]


@dataclass(frozen=True)
class Rule:
    """A way to choose: ``before`` names the regions to be finished before each, ``fit`` passes over pieces that leave
    as many waves as before while others fit, ``patient`` waits for the set that decides, ``noise`` blurs the order."""

    before: t.Mapping[str, t.Sequence[str]]
    by_deadline: bool = False
    patient: bool = False
    fit: bool = False
    largest_first: bool = False
    noise: float = 0.0
    draw: random.Random | None = None


class Soak:
    """When each set has rested: ``minutes`` after a wave that touched another of its failure domains."""

    def __init__(self, minutes: int, last: t.Mapping[str, tuple[str | None, dt.datetime]] | None = None) -> None:
        self.minutes, self._last = minutes, dict(last or {})

    def copy(self) -> "Soak":
        return Soak(self.minutes, self._last)

    def ready(self, chain: Chain) -> dt.datetime | None:
        """Earliest start of the chain's next piece; None for any time."""
        found = self._last.get(chain.set_key)
        if found is None or (found[0] is not None and found[0] == chain.block.domain):
            return None
        return found[1] + dt.timedelta(minutes=self.minutes)

    def touch(self, chain: Chain, ends_at: dt.datetime) -> None:
        if self.minutes:
            self._last[chain.set_key] = (chain.block.domain, ends_at)


class _Filling:
    """A wave that is being filled: seats left by region and in all, what takes them, and who must wait."""

    def __init__(self, room: dict[str, float], total: float) -> None:
        self.room, self.left = room, total
        self.picks: list[_Pick] = []
        self.passed: list[Chain] = []
        self.waiting: list[dt.datetime] = []
        self._busy: set[str] = set()

    def piece(self, chain: Chain) -> tuple[int, int]:
        """What could go now; nothing if another region's part of the set goes."""
        busy = chain.shared and chain.set_key in self._busy
        return (0, 0) if busy else chain.piece(min(self.room[chain.region], self.left))

    def put(self, chain: Chain, piece: tuple[int, int]) -> int:
        """Take the piece in, or note that the chain has to wait; the number of VMs."""
        size = sum(piece)
        if size:
            self.picks.append((chain, piece))
            self._busy.add(chain.set_key)
            self.room[chain.region] -= size
            self.left -= size
        else:
            self.passed.append(chain)
        return size


class Sweep:
    """A pass over the chains of one phase."""

    def __init__(self, regions: Regions, policy: Policy, total: float, start: dt.datetime, soak: Soak,
                 rule: Rule) -> None:
        self._regions, self._policy, self._total, self._rule = regions, policy, total, rule
        self._now, self.soak, self.pieces = start, soak.copy(), 0
        self._tails = regions.tails(rule.before)
        self._left = dict(regions.work)
        self._level: dict[str, int] = {}
        self._heaps: dict[str, list[tuple]] = {}
        for region, chains in regions.chains.items():
            for chain in chains:
                chain.reset(self._blocks(chain))
                self._level[chain.set_key] = self._level.get(chain.set_key, 0) + chain.waves
            self._heaps[region] = []
        for region, chains in regions.chains.items():
            self._heaps[region] = [self._entry(chain) for chain in chains]
            heapq.heapify(self._heaps[region])

    def run(self, most: float) -> list[TimedWave] | None:
        """The waves, or None as soon as there would be more than ``most``."""
        waves: list[TimedWave] = []
        while any(self._left.values()):
            if len(waves) >= most:
                return None
            waves.append(self._wave())
        return waves

    def _wave(self) -> TimedWave:
        while True:
            wave = self._compose()
            begin = self._now
            if wave.waiting and (self._rule.patient or not wave.picks):
                begin = max(wave.waiting) if wave.picks else min(wave.waiting)
            if begin <= self._now:
                minutes = self._policy.overhead_minutes + max(
                    one.minutes for chain, piece in wave.picks for one in chain.members(piece))
                begin = self._open(minutes)
            if begin <= self._now:
                return self._commit(wave, minutes)
            self._now = begin  # by then others may be ready, too
            self._return([chain for chain, piece in wave.picks] + wave.passed)

    def _open(self, minutes: int) -> dt.datetime:
        calendar = self._policy.calendar
        begin = calendar.next_start(self._now, minutes) if calendar else self._now
        if begin is None:
            raise PolicyError("calendar", calendar.to_record(), (
                f"after {self._now:%Y-%m-%d %H:%M} UTC there is no open stretch of {minutes} minutes, which a wave "
                f"takes, within {HORIZON_DAYS} days; open longer hours, or lower minutes_per_vm, "
                "scheduled_events_minutes or drain_minutes"))
        return begin

    def _compose(self) -> "_Filling":
        """The pieces of a wave that would start now, and the chains that could not go with it."""
        room = {region: self._regions.per_region for region, left in self._left.items()
                if left and not any(self._left[other] for other in self._rule.before[region])}
        wave, work = _Filling(room, self._total), dict(self._left)
        fronts = [self._front(region, work) for region in room if self._heaps[region]]
        heapq.heapify(fronts)
        wasteful: list[Chain] = []
        while fronts and wave.left:
            region = heapq.heappop(fronts)[-1]
            chain = heapq.heappop(self._heaps[region])[-1]
            ready = self.soak.ready(chain) if self.soak.minutes else None
            piece = wave.piece(chain)
            if ready and ready > self._now:
                wave.waiting.append(ready)
                wave.passed.append(chain)
            elif self._rule.fit and len(wasteful) < _MOST_PASSED and any(piece) and not chain.helps(piece):
                wasteful.append(chain)
            else:
                work[region] -= wave.put(chain, piece)
            if room[region] and self._heaps[region]:
                heapq.heappush(fronts, self._front(region, work))
        for chain in wasteful:
            wave.put(chain, wave.piece(chain))
        return wave

    def _commit(self, wave: "_Filling", minutes: int) -> TimedWave:
        starts_at, self._now = self._now, self._now + dt.timedelta(minutes=minutes)
        vms: list[Candidate] = []
        for chain, piece in wave.picks:
            vms += chain.members(piece)
            self.soak.touch(chain, self._now)
            self._level[chain.set_key] -= chain.waves
            chain.take(piece)
            self._level[chain.set_key] += chain.waves
            self._left[chain.region] -= sum(piece)
        self.pieces += len(wave.picks) + len(wave.passed)
        self._return([chain for chain, piece in wave.picks if chain.block] + wave.passed)
        vms.sort(key=lambda one: (one.region, one.set_name, one.set_key, one.vm.name.lower(), one.key))
        return TimedWave(starts_at, self._now, vms)

    def _return(self, chains: t.Iterable[Chain]) -> None:
        for chain in chains:
            heapq.heappush(self._heaps[chain.region], self._entry(chain))

    def _entry(self, chain: Chain) -> tuple:
        """Place of a chain among those of its region."""
        level = -self._level[chain.set_key]
        if self._rule.noise:
            level += self._rule.draw.random() * self._rule.noise
        rank = (chain.block.deadline, level) if self._rule.by_deadline else (level, chain.block.deadline)
        return (*rank, -chain.size, chain.number, chain)

    def _front(self, region: str, work: t.Mapping[str, int]) -> tuple:
        """Place of a region's first chain among the regions: by what is to come after, there or in its pair."""
        first = self._heaps[region][0]
        by_deadline = self._rule.by_deadline
        level = min(first[1] if by_deadline else first[0], -math.ceil(work[region] / self._regions.per_region))
        level -= self._tails[region]
        deadline = first[0] if by_deadline else first[1]
        return (*((deadline, level) if by_deadline else (level, deadline)), *first[2:-1], region)

    def _blocks(self, chain: Chain) -> list:
        """Blocks of a chain in the order of the rule; those of an earlier sequence always come first."""
        if not self._rule.largest_first and self._rule.draw is None:
            return chain.blocks
        blocks = []
        for run in chain.orders():
            if self._rule.draw:
                self._rule.draw.shuffle(run)
            else:
                run.sort(key=lambda block: (-block.size, block.order))
            blocks += run
        return blocks
