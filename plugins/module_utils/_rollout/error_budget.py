# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many hosts a rollout may lose before its next wave, one of its sets, or the other region of a pair does not go on.

A host is lost when it could not be redeployed or did not come back whole, also when it is in service again. Lost hosts keep
eating the budget for as long as the run lasts. Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import collections
import typing as t
from dataclasses import dataclass

from .._azure.availability import Limit
from .._azure.vm import Vm, normal_location, resource_name
from .plan import Plan, PlannedVm
from .regions import region_pairs

_NAME = "rollout_error_budget"
_KEYS = ("overall", "per_set")


@dataclass(frozen=True)
class Budget:
    """``overall`` of all planned VMs, ``per_set`` of the planned members of one set (None: no limit of its own)."""

    overall: Limit = Limit(0)
    per_set: Limit | None = None

    @classmethod
    def parse(cls, value: t.Any) -> "Budget":
        """From a count, a percentage, or a mapping of both kinds. Raises ValueError naming the option and what is wrong."""
        if not isinstance(value, t.Mapping):
            return cls(Limit.parse(value, _NAME) or Limit(0))
        unknown = sorted(map(str, set(value) - set(_KEYS)))
        if unknown:
            raise ValueError(f"{_NAME} has no {', '.join(unknown)}; it takes {' and '.join(_KEYS)}")
        return cls(Limit.parse(value.get("overall"), f"{_NAME}.overall") or Limit(0), Limit.parse(value.get("per_set"), f"{_NAME}.per_set"))

    def share(self, lane: int, lanes: int, planned: int) -> int:
        """Hosts that a lane may lose of its ``planned`` ones. A count is dealt out, what is over to the first lanes."""
        if self.overall.percent:
            return self.overall.of(planned, up=False)
        return self.overall.value // lanes + (1 if lane <= self.overall.value % lanes else 0)


def exceeded(plan: Plan, lane: int, budget: Budget, failed: t.Mapping[str, str]) -> str | None:
    """Why the run stops, naming the hosts; None when it may go on. ``failed`` has the name by VM key."""
    lost = [failed[vm.id.lower()] for vm in _of_lane(plan, lane) if vm.id.lower() in failed]
    allowed = budget.share(lane, plan.lanes, len(_of_lane(plan, lane)))
    if len(lost) <= allowed:
        return None
    words = f"{budget.overall}" + (f", {allowed} of {len(_of_lane(plan, lane))} hosts" if budget.overall.percent else "")
    return f"{', '.join(sorted(lost))} failed, and {_NAME} is {words}" + (f", {allowed} for this lane" if plan.lanes > 1 else "")


def held_sets(plan: Plan, wave: t.Iterable[PlannedVm], budget: Budget, failed: t.Mapping[str, str]) -> dict[str, str]:
    """VMs of a wave (id -> why) whose set has lost more than ``per_set`` allows."""
    if budget.per_set is None:
        return {}
    members: dict[str, list[PlannedVm]] = collections.defaultdict(list)
    for vm in plan.vms:
        if (key := _set_of(vm)) is not None:
            members[key].append(vm)
    held = {}
    for vm in wave:
        group = members.get(_set_of(vm) or "", [])
        lost = sorted(failed[member.id.lower()] for member in group if member.id.lower() in failed)
        if len(lost) > budget.per_set.of(len(group), up=False):
            held[vm.id] = (f"{vm.name}: of its set {_label(vm)} {', '.join(lost)} failed, and {_NAME}.per_set is {budget.per_set}")
    return held


def held_regions(plan: Plan, wave: t.Iterable[PlannedVm], fleet: t.Sequence[Vm], out: t.Collection[str]) -> dict[str, str]:
    """VMs of a wave (id -> why) while a host of the paired region, taken out by this run, is still out of service."""
    if plan.policy.region_pairs != "serial":
        return {}
    pairs = region_pairs(fleet)
    down: dict[str, list[str]] = collections.defaultdict(list)
    for vm in fleet:
        if vm.id.key in out:
            down[normal_location(vm.location)].append(vm.name)
    held = {}
    for vm in wave:
        for other in sorted(pairs.get(normal_location(vm.region), ())):
            if down.get(other):
                held[vm.id] = f"{vm.name}: {', '.join(sorted(down[other]))} in {other}, the pair of {vm.region}, is out of service"
    return held


def _of_lane(plan: Plan, lane: int) -> list[PlannedVm]:
    return [vm for wave in plan.waves if wave.lane == lane for vm in wave.vms]


def _set_of(vm: PlannedVm) -> str | None:
    if vm.set:
        return vm.set.lower()
    return f"service:{vm.service}" if vm.service is not None else None


def _label(vm: PlannedVm) -> str:
    return resource_name(vm.set).lower() if vm.set else f"service {vm.service}"
