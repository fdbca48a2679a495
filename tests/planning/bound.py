# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waves that no order of a fleet can beat, from the rules alone: nothing of the planner is used here."""

from __future__ import annotations

import collections
import itertools
import math
import typing as t

from planning.fleets import PAIRS, FleetSpec, SetSpec


def lower_bound(fleet: FleetSpec) -> int:
    """Tiers follow each other, so their bounds add up."""
    tiers: dict[int, list[SetSpec]] = collections.defaultdict(list)
    for one in fleet.sets:
        tiers[one.tier].append(one)
    return sum(tier_bound(sets, fleet) for sets in tiers.values())


def tier_bound(sets: t.Sequence[SetSpec], fleet: FleetSpec) -> int:
    """The most of: what one set or one region takes, all VMs through the cap, and what order the paired regions force."""
    total = fleet.max_parallel or math.inf
    seats = min(total, fleet.per_region or math.inf)
    room = min(seats, fleet.max_unavailable or math.inf)
    regions: dict[str, list[SetSpec]] = collections.defaultdict(list)
    for one in sets:
        regions[one.region].append(one)
    work = {region: sum(one.size for one in group) for region, group in regions.items()}
    alone = {region: max(_through(work[region], seats), *(chain(one, room) for one in group)) for region, group in regions.items()}
    pairs = [(a, b) for a in alone for b in alone if fleet.serial_pairs and a < b and paired(a, b)]
    waves = max(*alone.values(), *(alone[a] + alone[b] for a, b in pairs), _through(sum(work.values()), total))
    orders = [[(b, a) if turn else (a, b) for (a, b), turn in zip(pairs, turns)] for turns in itertools.product((False, True), repeat=len(pairs))]
    while not any(_may_fit(waves, order, alone, work, total) for order in orders):
        waves += 1
    return waves


def _may_fit(waves: int, order: t.Sequence[tuple[str, str]], alone: t.Mapping[str, int], work: t.Mapping[str, int], total: float) -> bool:
    """Whether, with the first of each pair done before the second, no stretch of waves has to hold more than the cap lets through."""
    begins = {region: _longest(region, [(after, before) for before, after in order], alone, len(order)) for region in alone}
    ends = {region: waves - _longest(region, order, alone, len(order)) for region in alone}
    if any(ends[region] - begins[region] < alone[region] for region in alone):
        return False
    return all(sum(work[region] for region in alone if begins[region] >= first and ends[region] <= last) <= total * (last - first)
               for first in set(begins.values()) for last in set(ends.values()) if last > first)


def _longest(region: str, order: t.Sequence[tuple[str, str]], alone: t.Mapping[str, int], deep: int) -> float:
    """Waves of the regions that follow one after another behind this one; no order at all if they go round in a circle."""
    if deep < 0:
        return math.inf
    return max((alone[after] + _longest(after, order, alone, deep - 1) for before, after in order if before == region), default=0)


def chain(one: SetSpec, room: float) -> int:
    """Waves of one set: its domains one after another, each in pieces of at most ``room``."""
    return sum(_through(size, room) for size in one.domains)


def paired(one: str, other: str) -> bool:
    return other in PAIRS[one] or one in PAIRS[other]


def _through(size: int, seats: float) -> int:
    return max(1, math.ceil(size / seats))
