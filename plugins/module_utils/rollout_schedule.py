# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of a rollout: candidates into as few waves as the rules allow, and the number of waves no order can beat.

Within a set one wave touches one failure domain; the set with the most waves left is served first, for it decides when
the rollout ends. Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import collections
import datetime as dt
import heapq
import math
import typing as t

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_candidates import Candidate
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_policy import Policy
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.vm import Vm, normal_location

_NEVER = dt.datetime.max.replace(tzinfo=dt.timezone.utc)


class Chain:
    """What is left of one set: its failure domains in order, the one begun first.

    ``room`` is the number of well members that may go in one wave, ``width`` the number of any (both may be infinite).
    """

    def __init__(self, members: t.Sequence[Candidate], room: float, width: float) -> None:
        self.key, self.name, self.region = members[0].set_key, members[0].set_name, min(c.region for c in members)
        self.room, self.width = room, width
        domains: dict[str, list[Candidate]] = collections.defaultdict(list)
        for candidate in members:
            domains[candidate.domain].append(candidate)
        ordered = sorted((sorted(domain, key=_inside) for domain in domains.values()), key=_domain_order)
        self.domains = collections.deque(ordered)
        self.size = len(members)
        self.waves = sum(self._waves(domain) for domain in ordered)
        self.deadline = min(_deadline(candidate) for candidate in members)

    def _waves(self, domain: t.Sequence[Candidate]) -> int:
        well = sum(candidate.well for candidate in domain)
        return max(1, math.ceil(len(domain) / self.width), math.ceil(well / self.room) if well else 0)

    def take(self, limit: float) -> list[Candidate]:
        """Remove and return the next VMs to go together, at most ``limit``; they share one failure domain."""
        domain = self.domains.popleft()
        self.waves -= self._waves(domain)
        taken: list[Candidate] = []
        rest: list[Candidate] = []
        well = 0
        for candidate in domain:
            if len(taken) < limit and (not candidate.well or well < self.room):
                taken.append(candidate)
                well += candidate.well
            else:
                rest.append(candidate)
        if rest:
            self.domains.appendleft(rest)
            self.waves += self._waves(rest)
        self.size -= len(taken)
        return taken


class Regions:
    """Who waits for whom: of two paired regions the one with the earlier deadline, then more work, is done first."""

    def __init__(self, chains: t.Iterable[Chain], pairs: t.Mapping[str, t.Container[str]], per_region: float) -> None:
        self.chains: dict[str, list[Chain]] = collections.defaultdict(list)
        for chain in chains:
            self.chains[chain.region].append(chain)
        work = {region: sum(chain.size for chain in group) for region, group in self.chains.items()}
        first = {region: min(chain.deadline for chain in group) for region, group in self.chains.items()}
        order = sorted(self.chains, key=lambda region: (first[region], -work[region], region))
        self.before = {region: [other for other in order[:rank] if other in pairs.get(region, ())]
                       for rank, region in enumerate(order)}
        self.waves = {region: max(math.ceil(work[region] / per_region), *(chain.waves for chain in group))
                      for region, group in self.chains.items()}
        self.tail = dict.fromkeys(order, 0)
        for region in reversed(order):
            for earlier in self.before[region]:
                self.tail[earlier] = max(self.tail[earlier], self.waves[region] + self.tail[region])

    def lower_bound(self) -> int:
        """Waves that every order needs: those of any region, or of any two that must not overlap."""
        pairs = (self.waves[region] + self.waves[other] for region, others in self.before.items() for other in others)
        return max((*self.waves.values(), *pairs), default=0)


def region_pairs(vms: t.Iterable[Vm]) -> dict[str, set[str]]:
    """Regions that must not be worked on together; Azure lists some pairs at one end only, they count both ways."""
    pairs: dict[str, set[str]] = collections.defaultdict(set)
    for region, others in {(normal_location(vm.location), vm.paired_regions) for vm in vms}:
        for other in map(normal_location, others):
            if other != region:
                pairs[region].add(other)
                pairs[other].add(region)
    return pairs


def schedule(candidates: t.Sequence[Candidate], rooms: t.Mapping[str, int | None], pairs: t.Mapping[str, set[str]],
             policy: Policy, *, by_deadline: bool = False) -> tuple[list[list[Candidate]], int]:
    """Waves in order, and the lower bound of their number.

    ``rooms`` says how many well members of a set may go in one wave (None or no entry: a whole failure domain).
    ``by_deadline`` serves the earliest deadline first instead of the set with the most waves left.
    """
    total = policy.max_parallel or math.inf
    per_region = min(policy.per_region or math.inf, total)
    members: dict[str, list[Candidate]] = collections.defaultdict(list)
    for candidate in candidates:
        members[candidate.set_key].append(candidate)
    chains = [Chain(group, math.inf if (room := rooms.get(key)) is None else room, per_region)
              for key, group in members.items()]
    regions = Regions(chains, pairs if policy.region_pairs == "serial" else {}, per_region)
    bound = max(regions.lower_bound(), math.ceil(len(candidates) / total))
    return list(_waves(regions, total, per_region, by_deadline)), bound


def _waves(regions: Regions, total: float, per_region: float, by_deadline: bool) -> t.Iterator[list[Candidate]]:
    def entry(chain: Chain) -> tuple:
        longest = -(chain.waves + regions.tail[chain.region])
        first = min(map(_deadline, chain.domains[0]))
        rank = (first, longest) if by_deadline else (longest, first)
        return (*rank, -chain.size, chain.name, chain.key, chain)

    heaps = {region: [entry(chain) for chain in group] for region, group in regions.chains.items()}
    for heap in heaps.values():
        heapq.heapify(heap)
    while heaps:
        wave: list[Candidate] = []
        left = {region: per_region for region in heaps if not any(other in heaps for other in regions.before[region])}
        served: list[Chain] = []
        while len(wave) < total:
            ready = [region for region, room in left.items() if room and heaps[region]]
            if not ready:
                break
            region = min(ready, key=lambda name: heaps[name][0])
            chain = heapq.heappop(heaps[region])[-1]
            taken = chain.take(min(left[region], total - len(wave)))
            left[region] -= len(taken)
            wave += taken
            served.append(chain)
        for chain in served:
            if chain.domains:
                heapq.heappush(heaps[chain.region], entry(chain))
        heaps = {region: heap for region, heap in heaps.items() if heap}
        yield sorted(wave, key=lambda c: (c.region, c.set_name, c.set_key, c.vm.name.lower(), c.key))


def _deadline(candidate: Candidate) -> dt.datetime:
    return candidate.deadline or _NEVER


def _inside(candidate: Candidate) -> tuple:
    """Within a domain: first those that need the set's room, for members that are down anyway fit beside them."""
    return (not candidate.well, _deadline(candidate), candidate.vm.name.lower(), candidate.key)


def _domain_order(domain: t.Sequence[Candidate]) -> tuple:
    number = domain[0].vm.update_domain
    return (min(map(_deadline, domain)), math.inf if number is None else number, domain[0].domain)
