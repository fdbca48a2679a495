# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random fleets for judging the planner, as plain numbers first, so that bounds and other batchings need no planner."""

from __future__ import annotations

import datetime as dt
import random
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.maintenance import MaintenanceStatus, Window
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import Vm, VmId
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.policy import Policy

NOW = dt.datetime(2026, 3, 10, 12, 0, tzinfo=dt.timezone.utc)
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
# As Azure lists them: brazilsouth's pair names another, southcentralus joins two pairs; polandcentral has none.
PAIRS = {"westeurope": ("northeurope",), "northeurope": ("westeurope",), "brazilsouth": ("southcentralus",), "brazilsoutheast": ("brazilsouth",),
         "southcentralus": ("northcentralus",), "northcentralus": ("southcentralus",), "polandcentral": (), "eastus": ("westus",), "westus": ("eastus",)}


@dataclass(frozen=True)
class SetSpec:
    """``domains``: VMs in each update domain; a VM outside sets is a set of one."""

    name: str
    region: str
    tier: int
    domains: tuple[int, ...]

    @property
    def size(self) -> int:
        return sum(self.domains)


@dataclass(frozen=True)
class FleetSpec:
    """Sets and the policy they are planned with; caps None: none."""

    sets: tuple[SetSpec, ...]
    max_parallel: int | None = None
    per_region: int | None = None
    max_unavailable: int | None = None
    serial_pairs: bool = True

    @property
    def size(self) -> int:
        return sum(one.size for one in self.sets)

    @property
    def policy(self) -> Policy:
        return Policy.from_options({
            "max_parallel": self.max_parallel, "per_region": self.per_region, "max_unavailable": self.max_unavailable,
            "region_pairs": "serial" if self.serial_pairs else "parallel", "tier": "tags.tier" if len({one.tier for one in self.sets}) > 1 else None})

    def vms(self) -> list[Vm]:
        """The fleet; VMs are named ``<set>-<domain>-<index>``, a single VM by its set's name."""
        return [vm for one in self.sets for vm in _vms(one)]


def _vms(one: SetSpec) -> t.Iterator[Vm]:
    status = MaintenanceStatus(True, Window(NOW - dt.timedelta(days=5), NOW + dt.timedelta(days=90)),
                               Window(NOW + dt.timedelta(days=91), NOW + dt.timedelta(days=98)), "None", None)
    shared = {"location": one.region, "status": status, "paired_regions": PAIRS[one.region], "tags": {"tier": str(one.tier)},
              "power_state": "running", "provisioning_state": "succeeded", "agent": "ready"}
    if one.size == 1:
        yield Vm(id=VmId(SUBSCRIPTION, "shop", one.name), host=one.name, **shared)
        return
    set_id = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Compute/availabilitySets/{one.name}"
    for domain, count in enumerate(one.domains):
        for index in range(count):
            name = f"{one.name}-{domain}-{index}"
            yield Vm(id=VmId(SUBSCRIPTION, "shop", name), availability_set=set_id, update_domain=domain, host=name, **shared)


def random_fleet(seed: int, sets: int = 40, members: int = 30, domains: t.Sequence[int] = (5, 20)) -> FleetSpec:
    """A fleet of up to so many sets with up to so many members each, and up to as many VMs outside sets as sets."""
    draw = random.Random(seed)
    regions = draw.sample(sorted(PAIRS), draw.randint(1, 6))
    tiers = draw.choice((1, 1, 1, 2, 3))
    even = draw.random() < 0.5
    found = []
    for number in range(draw.randint(1, sets)):
        count = draw.choice(domains)
        size = draw.randint(2, members)
        where = [at % count if even else draw.randrange(count) for at in range(size)]
        sizes = tuple(where.count(domain) for domain in range(count) if domain in where)
        found.append(SetSpec(f"set{number}", draw.choice(regions), draw.randrange(tiers), sizes))
    for number in range(draw.randint(0, sets)):
        found.append(SetSpec(f"one{number}", draw.choice(regions), draw.randrange(tiers), (1,)))
    fleet = FleetSpec(
        tuple(found), per_region=draw.choice((None, None, draw.randint(1, 25))), max_unavailable=draw.choice((None, None, draw.randint(1, 3))),
        serial_pairs=draw.random() < 0.7)
    return replace(fleet, max_parallel=draw.choice((None, draw.randint(1, 10), draw.randint(5, 60), tight_cap(fleet), tight_cap(fleet))))


def tight_cap(fleet: FleetSpec) -> int:
    """The hardest cap: the one with which the longest set and the number of VMs take about as many waves each."""
    longest = max(len(one.domains) for one in fleet.sets) * (2 if fleet.serial_pairs else 1)
    return max(1, -(-fleet.size // (longest * len({one.tier for one in fleet.sets}))))


def small_fleet(seed: int) -> FleetSpec:
    """A fleet of some 5 to 18 VMs, small enough for the exact solver, half of them with the hardest cap."""
    draw = random.Random(seed)
    regions = draw.sample(sorted(PAIRS), draw.randint(1, 4))
    if draw.random() < 0.5:
        regions = draw.sample(["westeurope", "northeurope", "brazilsoutheast", "brazilsouth", "southcentralus"], draw.randint(2, 5))
    tiers, wanted = draw.choice((1, 1, 2)), draw.randint(4, 14)
    found: list[SetSpec] = []
    while sum(one.size for one in found) < wanted and len(found) < 6:
        sizes = (1,) if draw.random() < 0.3 else tuple(draw.randint(1, 4) for unused in range(draw.randint(1, 4)))
        found.append(SetSpec(f"set{len(found)}", draw.choice(regions), draw.randrange(tiers), sizes))
    fleet = FleetSpec(tuple(found), per_region=draw.choice((None, None, 1, 2, 3)), max_unavailable=draw.choice((None, None, 1, 2)),
                      serial_pairs=draw.random() < 0.7)
    return replace(fleet, max_parallel=draw.choice((None, draw.randint(2, 5), tight_cap(fleet), tight_cap(fleet))))
