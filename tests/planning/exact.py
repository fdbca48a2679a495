# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fewest waves of a small fleet, found by trying all orders that matter. Nothing of the planner is used here."""

from __future__ import annotations

import collections
import math
import typing as t

from planning.bound import paired, tier_bound
from planning.fleets import FleetSpec, SetSpec

_State = tuple[tuple[int, ...], ...]  # of each set what is left of each domain, largest first


def fewest_waves(fleet: FleetSpec) -> int:
    """Exact; takes seconds beyond some 15 VMs."""
    tiers: dict[int, list[SetSpec]] = collections.defaultdict(list)
    for one in fleet.sets:
        tiers[one.tier].append(one)
    return sum(_Search(sets, fleet).fewest() for sets in tiers.values())


class _Search:
    """Depth-first with a rising limit, over what is left of each set; dead ends are remembered."""

    def __init__(self, sets: t.Sequence[SetSpec], fleet: FleetSpec) -> None:
        self.total = fleet.max_parallel or math.inf
        self.per_region = fleet.per_region or math.inf
        self.room = fleet.max_unavailable or math.inf
        self.regions = [one.region for one in sets]
        self.start: _State = tuple(tuple(sorted(one.domains, reverse=True)) for one in sets)
        self.whole = self._left(self.start)
        self.foes = {region: [other for other in self.whole if fleet.serial_pairs and paired(region, other)] for region in self.whole}
        self.bound = tier_bound(sets, fleet)
        self.dead: dict[_State, int] = {}

    def fewest(self) -> int:
        waves = self.bound
        while not self._fits(self.start, waves):
            waves += 1
        return waves

    def _left(self, state: _State) -> dict[str, int]:
        left: dict[str, int] = collections.Counter()
        for region, domains in zip(self.regions, state):
            left[region] += sum(domains)
        return left

    def _fits(self, state: _State, waves: int) -> bool:
        left = self._left(state)
        if not any(left.values()):
            return True
        longest = max(sum(math.ceil(size / min(self.room, self.total, self.per_region)) or 1 for size in domains) for domains in state)
        if waves < max(longest, math.ceil(sum(left.values()) / self.total)) or self.dead.get(state, -1) >= waves:
            return False
        if any(self._fits(after, waves - 1) for after in self._moves(state, left)):
            return True
        self.dead[state] = waves
        return False

    def _moves(self, state: _State, left: t.Mapping[str, int]) -> set[_State]:
        """States after one wave, for every choice of regions to work on, each filled until nothing more goes in."""
        open_regions = [region for region in left if left[region] and not any(0 < left[foe] < self.whole[foe] for foe in self.foes[region])]
        found: set[_State] = set()
        for mask in range(1, 1 << len(open_regions)):
            chosen = {region for at, region in enumerate(open_regions) if mask >> at & 1}
            if not any(foe in chosen for region in chosen for foe in self.foes[region]):
                self._fill(state, 0, chosen, collections.Counter(), [], found)
        return found

    def _fill(self, state: _State, at: int, chosen: set[str], used: collections.Counter, after: list[tuple[int, ...]], found: set[_State]) -> None:
        if at == len(state):
            if self._is_full(state, after, chosen, used):
                found.add(tuple(after))
            return
        region, domains = self.regions[at], state[at]
        self._fill(state, at + 1, chosen, used, [*after, domains], found)
        if region not in chosen:
            return
        seats = min(self.room, self.per_region - used[region], self.total - used.total())
        for size in set(domains):
            for count in range(1, int(min(size, seats)) + 1):
                rest = list(domains)
                rest.remove(size)
                rest = tuple(sorted([*rest, *([size - count] if size > count else [])], reverse=True))
                used[region] += count
                self._fill(state, at + 1, chosen, used, [*after, rest], found)
                used[region] -= count

    def _is_full(self, state: _State, after: t.Sequence[tuple[int, ...]], chosen: set[str], used: collections.Counter) -> bool:
        """Doing more in a wave never hurts, so waves that leave out a whole set which has a seat are not looked at."""
        if not used.total():
            return False
        return not any(before == now and now and region in chosen and used[region] < self.per_region and used.total() < self.total
                       for region, before, now in zip(self.regions, state, after))
