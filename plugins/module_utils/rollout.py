# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The planner: a whole fleet and a policy in, waves and skipped VMs out; the same input gives the same plan.

Standard library only; no I/O, and ``now`` is an argument. The parts: rollout_candidates (who may), rollout_health (what
each set can spare), rollout_schedule (in which order), rollout_estimate (when), rollout_records (the plan itself),
rollout_file (its JSON), rollout_text (its table).
"""

from __future__ import annotations

import collections
import datetime as dt
import typing as t

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_candidates import (
    Candidate, choose, hazards_of)
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_estimate import (
    Miss, misses, summary, wave_times)
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_health import hold, sets_of
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_policy import Policy
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_records import (
    OPERATIONS, PERFORM_MAINTENANCE, Plan, PlanError, PlannedVm, Skip, Wave, whole_seconds)
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_schedule import region_pairs, schedule
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.vm import Vm, resource_name


def plan(vms: t.Iterable[Vm], policy: Policy, now: dt.datetime, operation: str = PERFORM_MAINTENANCE,
         excluded: t.Mapping[str, str] | None = None) -> Plan:
    """Order the redeployment of a fleet.

    ``vms`` is the whole known fleet, for members of a set count whether they are targets or not; targets are the VMs
    with a host. ``excluded`` maps :attr:`VmId.key` to the reason of an opt-out. Raises :class:`PlanError` for input
    that no plan can be made from; VMs that cannot be planned are no error, they are skipped with a reason.
    """
    created = whole_seconds(now)
    if operation not in OPERATIONS:
        raise PlanError(f"operation {operation!r} is not known; choose one of {', '.join(OPERATIONS)}")
    if policy.include_unlisted and operation != PERFORM_MAINTENANCE:
        raise PlanError(f"include_unlisted would {operation} every running VM of the fleet; name the hosts instead")
    fleet = _checked(vms)
    candidates, skipped = choose(fleet, policy, created, operation, excluded or {})
    sets = sets_of(fleet, {candidate.set_key for candidate in candidates})
    going, held = hold(candidates, sets, policy)
    rooms = {key: health.room(policy) for key, health in sets.items()}
    waves, bound, late = _ordered(going, rooms, region_pairs(fleet), policy, created)
    refused = []
    if policy.on_deadline == "refuse":
        while late:
            refused += [Skip.of(miss.candidate.vm, "deadline", miss.text) for miss in late]
            missed = {miss.candidate.key for miss in late}
            going = [candidate for candidate in going if candidate.key not in missed]
            waves, bound, late = _ordered(going, rooms, region_pairs(fleet), policy, created)
    warnings = (*_completed_but_allowed(fleet, operation, policy), *summary(late, len(going)),
                *(miss.text for miss in late), *_gains_nothing(waves, operation))
    return Plan(
        operation=operation, created=created, policy=policy, lower_bound=bound, fleet_size=len(fleet),
        waves=tuple(_wave(number, wave, created, policy, operation) for number, wave in enumerate(waves, 1)),
        skipped=tuple(sorted([*skipped, *held, *refused], key=lambda skip: (skip.name.lower(), skip.id.lower()))),
        warnings=warnings)


def _checked(vms: t.Iterable[Vm]) -> list[Vm]:
    """The fleet in one fixed order; a VM or a host that is named twice would be redeployed in two waves."""
    fleet = sorted(vms, key=lambda vm: vm.id.key)
    hosts: dict[str, Vm] = {}
    for before, vm in zip([None, *fleet], fleet):
        if before and before.id == vm.id:
            raise PlanError(f"{vm.id} is in the fleet twice; a plan needs every VM once")
        if vm.host and hosts.setdefault(vm.host, vm) is not vm:
            raise PlanError(f"host {vm.host} stands for two VMs, {hosts[vm.host].id} and {vm.id}; give each its own")
    return fleet


def _ordered(going: t.Sequence[Candidate], rooms: t.Mapping[str, int | None], pairs: t.Mapping[str, set[str]],
             policy: Policy, created: dt.datetime) -> tuple[list[list[Candidate]], int, list[Miss]]:
    """The shortest order, or the one by deadline when that one lets fewer VMs miss theirs."""
    waves, bound = schedule(going, rooms, pairs, policy)
    late = misses(waves, created, policy, pairs)
    if late:
        other, unused = schedule(going, rooms, pairs, policy, by_deadline=True)
        other_late = misses(other, created, policy, pairs)
        if len(other_late) < len(late):
            return other, bound, other_late
    return waves, bound, late


def _wave(number: int, wave: t.Iterable[Candidate], created: dt.datetime, policy: Policy, operation: str) -> Wave:
    vms = tuple(PlannedVm.of(candidate.vm, created, operation, candidate.reason) for candidate in wave)
    return Wave(number, vms, *wave_times(number, created, policy))


def _completed_but_allowed(fleet: t.Iterable[Vm], operation: str, policy: Policy) -> t.Iterator[str]:
    names = [vm.name for vm in fleet if (vm.host or policy.include_unlisted)
             and any(hazard.name == "completed_but_allowed" for hazard in hazards_of(vm, operation))]
    if names:
        fate = ("they are treated as due, by your consent" if "completed_but_allowed" in policy.accept else
                "they are left alone; check them, and if a new wave has begun consent with "
                "rollout_accept: [completed_but_allowed]")
        yield (f"COMPLETED BUT ALLOWED AGAIN: {', '.join(sorted(names))}: Azure calls the maintenance completed and "
               f"yet allows a start; {fate}")


def _gains_nothing(waves: t.Iterable[t.Iterable[Candidate]], operation: str) -> t.Iterator[str]:
    """Microsoft's advice against self-service where Azure already goes one update domain at a time."""
    if operation != PERFORM_MAINTENANCE:
        return
    sets = collections.Counter(one.set_key for wave in waves for one in wave if one.vm.availability_set)
    if sets:
        named = ", ".join(f"{resource_name(key)} ({count})" for key, count in sorted(sets.items())[:8])
        named += f" and {len(sets) - 8} more sets" if len(sets) > 8 else ""
        yield (f"GAIN: Microsoft advises against self-service for the {sum(sets.values())} planned VMs in availability "
               f"sets ({named}): Azure itself goes one update domain at a time, with 30 minutes between. They gain "
               "only if you need to choose time, order, deadline or the pause between update domains")
