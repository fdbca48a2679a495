# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The planner: a whole fleet and a policy in, waves and skipped VMs out; the same input gives the same plan.

Standard library only (JMESPath where an option is an expression); no I/O, and ``now`` is an argument. The parts:
attributes (service, tier and sequence of each VM), candidates (which may be planned), capacity (what sets can spare),
lanes (what is independent), scheduler with wave_builder (in which order), calendar (when), estimate (too late?),
explain (why there), plan (the plan itself).
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import math
import typing as t
from dataclasses import dataclass

from .._azure.vm import Vm, resource_name
from .attributes import doubtful_order, doubts, unused_names, with_services
from .candidates import Candidate, choose, hazards_of
from .capacity import SetHealth, hold, sets_of
from .estimate import Miss, misses, summary
from .explain import reasons
from .lanes import lanes_of, parts_of, share
from .plan import OPERATIONS, PERFORM_MAINTENANCE, Plan, PlanError, PlannedVm, Skip, Wave, whole_seconds
from .policy import Policy
from .regions import Pairs, region_pairs
from .scheduler import Schedule, schedule


def plan(vms: t.Iterable[Vm], policy: Policy, now: dt.datetime, operation: str = PERFORM_MAINTENANCE,
         excluded: t.Mapping[str, str] | None = None) -> Plan:
    """Order the redeployment of a fleet.

    ``vms`` is the whole known fleet, for members of a set count whether they are targets or not; targets are the VMs
    with a host. ``excluded`` maps :attr:`VmId.key` to the reason of an opt-out. Raises :class:`PlanError` for input
    that no plan can be made from and :class:`PolicyError` for a policy that does not fit the fleet; VMs that cannot be
    planned are no error, they are skipped with a reason.
    """
    created = whole_seconds(now)
    if operation not in OPERATIONS:
        raise PlanError(f"operation {operation!r} is not known; choose one of {', '.join(OPERATIONS)}")
    if policy.include_unlisted and operation != PERFORM_MAINTENANCE:
        raise PlanError(f"include_unlisted would {operation} every running VM of the fleet; name the hosts instead")
    fleet = with_services(_checked(vms), policy, created)
    candidates, skipped = choose(fleet, policy, created, operation, excluded or {})
    sets = sets_of(fleet, {candidate.set_key for candidate in candidates})
    task = _Task(sets, region_pairs(fleet), policy, created)
    order = task.order(candidates)
    refused: list[Skip] = []
    while policy.on_deadline == "refuse" and order.late:
        refused += [Skip.of(miss.candidate.vm, "deadline", miss.text(created, policy)) for miss in order.late]
        missed = {miss.candidate.key for miss in order.late}
        candidates = [candidate for candidate in candidates if candidate.key not in missed]
        order = task.order(candidates)
    warnings = (*_completed_but_allowed(fleet, operation, policy), *summary(order.late, order.size),
                *(miss.text(created, policy) for miss in order.late),
                *unused_names([one.vm for one in candidates], policy), *_no_canaries(order, task, fleet), *doubtful_order(fleet, policy, created),
                *_gains_nothing(order, operation))
    return Plan(
        operation=operation, created=created, policy=policy, fleet_size=len(fleet), warnings=warnings,
        lower_bound=max((lane.lower_bound for lane in order.lanes), default=0), waves=_waves(order, task, operation),
        skipped=tuple(sorted([*skipped, *order.held, *refused], key=lambda skip: (skip.name.lower(), skip.id.lower()))),
        lanes=policy.lanes, lanes_possible=order.lanes_possible)


@dataclass(frozen=True)
class _Order:
    """What is settled about the candidates: lanes in order, those held back, those that would be late."""

    lanes: tuple[Schedule, ...]
    held: tuple[Skip, ...]
    late: tuple[Miss, ...]
    lanes_possible: int

    @property
    def planned(self) -> t.Iterator[Candidate]:
        return (one for lane in self.lanes for wave in lane.waves for one in wave.vms)

    @property
    def size(self) -> int:
        return sum(1 for unused in self.planned)


@dataclass(frozen=True)
class _Task:
    """What an order is made for, whoever is left to be ordered."""

    sets: t.Mapping[str, SetHealth]
    pairs: Pairs
    policy: Policy
    created: dt.datetime

    def order(self, candidates: t.Sequence[Candidate]) -> _Order:
        smallest = share(self.policy, self.policy.lanes)
        most = min(smallest.max_parallel or math.inf, smallest.per_region or math.inf)
        going, held = hold(candidates, self.sets, self.policy, most)
        if isinstance(self.policy.canary, int):
            canaries = _first(going, self.policy.canary)
            going = [dataclasses.replace(one, terms=one.terms._replace(canary=one.key in canaries)) for one in going]
            going, more = hold(going, self.sets, self.policy, most)
            held += more
        parts = parts_of(going, self.pairs, self.policy)
        lanes = [self._lane(lane, share(self.policy, number))
                 for number, lane in enumerate(lanes_of(parts, self.policy), 1)]
        return _Order(tuple(lane for lane, late in lanes), tuple(held),
                      tuple(miss for lane, late in lanes for miss in late), max(1, len(parts)))

    def _lane(self, lane: t.Sequence[Candidate], policy: Policy) -> tuple[Schedule, list[Miss]]:
        """The shortest order, or the one by deadline when that one lets fewer VMs miss theirs."""
        rooms = {key: health.room(policy) for key, health in self.sets.items()}
        found = schedule(lane, rooms, self.pairs, policy, self.created)
        late = misses(found.waves, policy, self.pairs)
        if late:
            other = schedule(lane, rooms, self.pairs, policy, self.created, by_deadline=True)
            other_late = misses(other.waves, policy, self.pairs)
            if len(other_late) < len(late):
                return other, other_late
        return found, late


def _first(going: t.Sequence[Candidate], count: int) -> set[str]:
    """Keys of so many canaries: of the first tier, those first in their set, one of each set before a second."""
    seen: collections.Counter[str] = collections.Counter()
    ranked = []
    for one in sorted(going, key=lambda one: (one.terms.sequence, one.vm.update_domain or 0, one.domain, one.key)):
        terms, turn = one.terms, seen[one.set_key]
        ranked.append((terms.rank, terms.sequence, turn, one.set_name, one.vm.name.lower(), one.key))
        seen[one.set_key] += 1
    return {entry[-1] for entry in sorted(ranked)[:count]}


def _waves(order: _Order, task: _Task, operation: str) -> tuple[Wave, ...]:
    waves = []
    for lane, found in enumerate(order.lanes, 1):
        why = reasons(found.waves, task.pairs, share(task.policy, lane))
        for number, wave in enumerate(found.waves, 1):
            vms = tuple(PlannedVm.of(
                one.vm, task.created, operation, why[one.key], tier=one.terms.tier, canary=one.terms.canary,
                minutes=one.minutes) for one in wave.vms)
            minutes = [int((moment - task.created).total_seconds()) // 60 for moment in (wave.starts_at, wave.ends_at)]
            waves.append(Wave(number, vms, *minutes, wave.starts_at, wave.ends_at, lane))
    return tuple(waves)


def _checked(vms: t.Iterable[Vm]) -> list[Vm]:
    """The fleet in one fixed order; a VM or a host that is named twice would be redeployed in two waves."""
    fleet = sorted(vms, key=lambda vm: vm.id.key)
    hosts: dict[str, Vm] = {}
    for before, vm in zip([None, *fleet], fleet):
        if before and before.id == vm.id:
            raise PlanError(f"{vm.id} is in the fleet twice; a plan needs every VM once")
        if vm.host and hosts.setdefault(vm.host, vm) is not vm:
            raise PlanError(f"host {vm.host} stands for two VMs, {hosts[vm.host].id} and {vm.id}; name another host for one of them")
    return fleet


def _completed_but_allowed(fleet: t.Iterable[Vm], operation: str, policy: Policy) -> t.Iterator[str]:
    names = [vm.name for vm in fleet if (vm.host or policy.include_unlisted)
             and any(hazard.name == "completed_but_allowed" for hazard in hazards_of(vm, operation))]
    if names:
        fate = ("they are treated as due, by your consent" if "completed_but_allowed" in policy.accept else
                "they are skipped. Check them. If a new iteration has begun, consent with "
                "rollout_accept: [completed_but_allowed]")
        yield (f"COMPLETED BUT ALLOWED AGAIN: {', '.join(sorted(names))}: Azure reports the maintenance completed and "
               f"yet allows a start; {fate}")


def _no_canaries(order: _Order, task: _Task, fleet: t.Sequence[Vm]) -> t.Iterator[str]:
    canary = task.policy.canary
    none = canary is not None and order.lanes and order.size and not any(one.terms.canary for one in order.planned)
    words = doubts("canary", canary, fleet, task.created)
    if none:
        yield (f"rollout_canary {canary!r} is true for none of the planned VMs: the rollout begins without "
               f"canaries{words and f'; {words}'}")
    elif words:
        yield f"rollout_canary {canary!r}: {words}"


def _gains_nothing(order: _Order, operation: str) -> t.Iterator[str]:
    """Microsoft's advice against self-service where Azure already goes one update domain at a time."""
    if operation != PERFORM_MAINTENANCE:
        return
    sets = collections.Counter(one.set_key for one in order.planned if one.vm.availability_set)
    if sets:
        named = ", ".join(f"{resource_name(key)} ({count})" for key, count in sorted(sets.items())[:8])
        named += f" and {len(sets) - 8} more sets" if len(sets) > 8 else ""
        yield (f"GAIN: Microsoft advises against self-service for the {sum(sets.values())} planned VMs in availability "
               f"sets ({named}): Azure itself goes one update domain at a time, with 30 minutes between. They gain "
               "only if you need to choose time, order, deadline or the pause between update domains")
