# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which regions must not be worked on together, and which of them goes first.

Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import collections
import math
import typing as t

from .._azure.vm import Vm, normal_location
from .chains import Chain

Pairs = t.Mapping[str, t.Collection[str]]


def region_pairs(vms: t.Iterable[Vm]) -> dict[str, set[str]]:
    """Regions that must not be worked on together; Azure lists some pairs at one end only, they count both ways."""
    pairs: dict[str, set[str]] = collections.defaultdict(set)
    for location, others in {(vm.location, vm.paired_regions) for vm in vms}:
        region = normal_location(location)
        for other in map(normal_location, others):
            if other != region:
                pairs[region].add(other)
                pairs[other].add(region)
    return pairs


class Regions:
    """The regions of one phase: their chains, their work, and who of them waits for whom."""

    def __init__(self, chains: t.Iterable[Chain], pairs: Pairs, per_region: float) -> None:
        self.chains: dict[str, list[Chain]] = collections.defaultdict(list)
        for chain in chains:
            self.chains[chain.region].append(chain)
        self.per_region = per_region
        self.pairs = {region: sorted(other for other in pairs.get(region, ()) if other in self.chains)
                      for region in sorted(self.chains)}
        self.work = {region: sum(chain.size for chain in group) for region, group in self.chains.items()}
        self.first = {region: min(chain.deadline for chain in group) for region, group in self.chains.items()}
        self.waves = {region: max(math.ceil(self.work[region] / per_region), *(chain.waves for chain in group))
                      for region, group in self.chains.items()}
        self.groups = [group for group in self._sides() if len(group) > 1]

    def lower_bound(self) -> int:
        """Waves that every order needs: those of any region, or of any two that must not overlap."""
        both = (self.waves[region] + self.waves[other] for region, others in self.pairs.items() for other in others)
        return max((*self.waves.values(), *both), default=0)

    def order(self, flipped: t.Container[int] = ()) -> dict[str, list[str]]:
        """For each region those to be finished before: the sides of each group of paired regions in turn.

        With two sides no region waits for more than its own pair. The side with the earliest deadline, then with most
        work, goes first, unless the group's number is in ``flipped``.
        """
        rank = {region: (0, region) for region in self.chains}
        for number, sides in enumerate(self.groups):
            for place, side in enumerate(reversed(sides) if number in flipped else sides):
                rank.update({region: (place, "") for region in side})
        return self._before(rank)

    def by_deadline(self) -> dict[str, list[str]]:
        """As :meth:`order`, but every region by its own earliest deadline."""
        return self._before({region: (self.first[region], -self.work[region], region) for region in self.chains})

    def _before(self, rank: t.Mapping[str, tuple]) -> dict[str, list[str]]:
        return {region: [other for other in self.pairs[region] if rank[other] < rank[region]] for region in self.chains}

    def tails(self, before: t.Mapping[str, t.Sequence[str]]) -> dict[str, int]:
        """Waves that must still follow once a region is finished, for those that wait for it."""
        after: dict[str, list[str]] = {region: [] for region in before}
        for region, earlier in before.items():
            for other in earlier:
                after[other].append(region)
        tails: dict[str, int] = {}

        def tail(region: str) -> int:
            if region not in tails:
                tails[region] = max((self.waves[later] + tail(later) for later in after[region]), default=0)
            return tails[region]
        return {region: tail(region) for region in before}

    def _sides(self) -> t.Iterator[list[list[str]]]:
        """Groups of regions joined by pairs, each as sides without a pair inside: two, or more for odd circles."""
        side: dict[str, int] = {}
        for start in self.pairs:
            if start in side:
                continue
            side[start], group, reached = 0, [], collections.deque([start])
            while reached:
                region = reached.popleft()
                group.append(region)
                for other in self.pairs[region]:
                    if other not in side:
                        taken = {side.get(near) for near in self.pairs[other]}
                        side[other] = min(set(range(len(taken) + 1)) - taken)
                        reached.append(other)
            sides = [[region for region in group if side[region] == n] for n in range(1 + max(side[r] for r in group))]
            yield sorted(sides, key=lambda regions: (min(self.first[region] for region in regions),
                                                     -sum(self.work[region] for region in regions), sorted(regions)))
