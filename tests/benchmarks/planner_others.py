# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people do without a planner, on the same fleets: Ansible's own batches, and a barrier per update-domain number.

A batch breaks a set when it takes down two or more of its update domains, and a pair of regions when it takes VMs of
both. ``serial`` goes through the inventory in its order, here sorted by name as inventories are, and knows no rule at
all. The barrier is a careful operator's way: tier by tier, one region of a pair after the other, in each all VMs of
update domain 0, then all of 1, and so on, with the caps and max_unavailable kept; it breaks nothing.
"""

from __future__ import annotations

import collections
import math
import typing as t

from planning.bound import paired
from planning.fleets import FleetSpec, SetSpec

Vms = list[tuple[SetSpec, int]]  # each VM as its set and its update domain


class Batching(t.NamedTuple):
    """Batches of one fleet, and what they would have broken."""

    waves: int
    broken_sets: int
    broken_pairs: int


def serial(fleet: FleetSpec, batch: int) -> Batching:
    """Ansible's ``serial: <batch>``."""
    named = sorted(((f"{one.name}-{domain}-{index}", one, domain) for one in fleet.sets for domain, count in enumerate(one.domains)
                    for index in range(count)), key=lambda entry: entry[0])
    vms = [(one, domain) for name, one, domain in named]
    return _judged(fleet, [vms[at:at + batch] for at in range(0, len(vms), batch)])


def serial_share(fleet: FleetSpec, percent: int) -> Batching:
    """Ansible's ``serial: <percent>%``: rounded down, one at least."""
    return serial(fleet, max(1, fleet.size * percent // 100))


def barrier(fleet: FleetSpec) -> Batching:
    """One batch per update-domain number, in as many parts as the caps want."""
    batches: list[Vms] = []
    for tier in sorted({one.tier for one in fleet.sets}):
        for regions in _sides(fleet, tier):
            sets = [one for one in fleet.sets if one.tier == tier and one.region in regions]
            for domain in range(max((len(one.domains) for one in sets), default=0)):
                batches += _within_caps(fleet, [one for one in sets if domain < len(one.domains)], domain)
    return _judged(fleet, batches)


def _sides(fleet: FleetSpec, tier: int) -> list[set[str]]:
    """Regions in as few groups as pairs allow, when taken in the order of their names."""
    sides: list[set[str]] = []
    for region in sorted({one.region for one in fleet.sets if one.tier == tier}):
        free = (side for side in sides if not fleet.serial_pairs or not any(paired(region, other) for other in side))
        side = next(free, None)
        if side is None:
            sides.append(side := set())
        side.add(region)
    return sides


def _within_caps(fleet: FleetSpec, sets: t.Sequence[SetSpec], domain: int) -> t.Iterator[Vms]:
    left = {one.name: one.domains[domain] for one in sets}
    while any(left.values()):
        batch: Vms = []
        regions: collections.Counter[str] = collections.Counter()
        for one in sorted(sets, key=lambda one: -left[one.name]):
            count = int(min(left[one.name], fleet.max_unavailable or math.inf, (fleet.max_parallel or math.inf) - len(batch),
                            (fleet.per_region or math.inf) - regions[one.region]))
            left[one.name] -= count
            regions[one.region] += count
            batch += [(one, domain)] * count
        yield batch


def _judged(fleet: FleetSpec, batches: t.Sequence[Vms]) -> Batching:
    sets: set[str] = set()
    pairs: set[frozenset[str]] = set()
    for batch in batches:
        domains: dict[str, set[int]] = collections.defaultdict(set)
        for one, domain in batch:
            domains[one.name].add(domain)
        sets |= {name for name, touched in domains.items() if len(touched) > 1}
        regions = {one.region for one, domain in batch}
        pairs |= {frozenset((a, b)) for a in regions for b in regions if a < b and paired(a, b)}
    return Batching(len(batches), len(sets), len(pairs) if fleet.serial_pairs else 0)
