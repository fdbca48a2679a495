# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a plan still holds: as a whole when it is applied, and wave by wave while it runs. It only ever shrinks.

Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import typing as t

from .._azure.availability import Availability
from .._azure.maintenance import format_time
from .._azure.vm import Vm
from . import error_budget
from .attributes import with_services
from .plan import PERFORM_MAINTENANCE, Plan, PlanError, PlannedVm, Skip, Wave, changes
from .policy import Policy


class PlanChanged(PlanError):
    """The plan does not hold any more; ``differences`` says per VM, by its name, what was and what is."""

    def __init__(self, differences: t.Mapping[str, str]) -> None:
        self.differences = dict(differences)
        shown = list(self.differences.values())[:10]
        more = [f"and {len(self.differences) - len(shown)} more VMs"] if len(self.differences) > len(shown) else []
        super().__init__(f"the plan does not hold any more: {'; '.join([*shown, *more])}; make the plan again")


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Which VMs of a wave go (ids), which are left out (id -> why), or why the run stops before it, if it does."""

    go: tuple[str, ...] = ()
    left_out: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    stop: str | None = None
    not_before: dt.datetime | None = None


# -- applying a reviewed plan ----------------------------------------------------------------------------------------


def select_lane(plan: Plan, lane: int | None, lanes: int | None) -> Plan:
    """The waves of one lane. Raises PlanError when the plan has another number of lanes, or none of this number."""
    if lanes not in (None, 1, plan.lanes):
        raise PlanError(f"this plan has {_lanes(plan.lanes)} and rollout_lanes is {lanes}; plan again to change that")
    if lane is None:
        if plan.lanes > 1:
            raise PlanError(f"this plan has {_lanes(plan.lanes)}, each of which is a run of its own; say which with "
                            f"rollout_lane: 1 to {plan.lanes}")
        return plan
    if not 1 <= lane <= plan.lanes:
        raise PlanError(f"there is no lane {lane}: this plan has {_lanes(plan.lanes)}, counted from 1")
    return dataclasses.replace(plan, waves=tuple(wave for wave in plan.waves if wave.lane == lane))


def apply(plan: Plan, vms: t.Sequence[Vm], now: dt.datetime) -> Plan:
    """What is left of a plan: without VMs that are done and VMs whose host is not in this run; ``skipped`` has them.

    ``vms`` is the fleet as it is now, with hosts. Raises :class:`PlanChanged` when a fact of another VM changed, and
    :class:`PlanError` when a self-service window has closed since.
    """
    vms = with_services(vms, plan.policy, now)
    fresh = {vm.id.key: vm for vm in vms}
    skipped = list(plan.skipped)
    left = {}
    for planned in plan.vms:
        vm = fresh.get(planned.id.lower())
        reason = _not_needed(planned, vm, plan.operation, now) if vm else None
        if reason:
            skipped.append(Skip(planned.id, planned.name, planned.host, *reason))
        else:
            left[planned.id.lower()] = dataclasses.replace(planned, host=vm.host if vm else planned.host)
    rest = dataclasses.replace(plan, waves=_only(plan.waves, left), skipped=tuple(skipped))
    # A window that had closed when the plan was made is not news: Azure allowed the start all the same.
    closed = [vm for vm in rest.vms if vm.deadline and plan.created < vm.deadline <= now]
    if closed:
        more = f" and {len(closed) - 1} more" if len(closed) > 1 else ""
        raise PlanError(f"the plan has expired: the self-service window of {closed[0].name}{more} ended "
                        f"{format_time(closed[0].deadline)}; make the plan again")
    differences = changes(rest, vms, now)
    if differences:
        raise PlanChanged({vm.name: differences[vm.id] for vm in rest.vms if vm.id in differences})
    return dataclasses.replace(rest, warnings=(*rest.warnings, *_late(rest, now)))


def _done_since(planned: PlannedVm, vm: Vm | None, operation: str, now: dt.datetime) -> bool:
    return operation == PERFORM_MAINTENANCE and vm is not None and planned.state != "done" and vm.state(now) == "done"


def _not_needed(planned: PlannedVm, vm: Vm, operation: str, now: dt.datetime) -> tuple[str, str] | None:
    if _done_since(planned, vm, operation, now):
        return "done", "its maintenance was completed after the plan was made; nothing to do"
    if operation == PERFORM_MAINTENANCE and vm.state(now) == "not_scheduled":
        return "not_scheduled", "not in a maintenance wave any more since the plan was made; nothing to do"
    if vm.host is None and planned.host is not None:
        return "not_in_run", "planned, but its host is not among those of this run: a limit, or another inventory"
    return None


def _only(waves: t.Iterable[Wave], left: t.Mapping[str, PlannedVm]) -> tuple[Wave, ...]:
    """The waves with the VMs that are left, numbered again within their lane."""
    count: dict[int, int] = collections.Counter()
    found = []
    for wave in waves:
        vms = tuple(left[vm.id.lower()] for vm in wave.vms if vm.id.lower() in left)
        if vms:
            count[wave.lane] += 1
            found.append(dataclasses.replace(wave, vms=vms, number=count[wave.lane]))
    return tuple(found)


def _late(plan: Plan, now: dt.datetime) -> t.Iterator[str]:
    """What the time since the plan was made costs: VMs that would have been in time then and are not now."""
    delay = max(now - plan.waves[0].starts_at, dt.timedelta()) if plan.waves else dt.timedelta()
    late = [(vm, wave.ends_at + delay) for wave in plan.waves for vm in wave.vms
            if vm.deadline and wave.ends_at <= vm.deadline < wave.ends_at + delay]
    if not late:
        return
    first, end = late[0]
    more = f", and {len(late) - 1} more VMs likewise" if len(late) > 1 else ""
    words = (f"DEADLINE: begun now, {first.name} would be done {format_time(end)}, after its self-service window ends "
             f"{format_time(first.deadline)}{more}")
    if plan.policy.on_deadline == "refuse":
        raise PlanError(f"{words}; make the plan again, or begin earlier")
    yield words


# -- before a wave ---------------------------------------------------------------------------------------------------


def recheck(plan: Plan, lane: int, number: int, vms: t.Sequence[Vm], now: dt.datetime, lost: t.Collection[str],
            failed: t.Collection[str] = (), budget: error_budget.Budget = error_budget.Budget()) -> Verdict:
    """Whether a wave may begin as planned.

    ``vms`` is the whole fleet as it is now, with hosts; ``lost`` holds keys of VMs that this run lost or still has
    drained: they count as unavailable in their set, however well Azure thinks they are. ``failed`` holds keys of VMs
    whose host this run lost in earlier waves, in service again or not: they eat the ``budget``. Only VMs with a host
    are judged.
    Raises PlanError when there is no such wave.
    """
    wave = next((wave for wave in plan.waves if (wave.lane, wave.number) == (lane, number)), None)
    if wave is None:
        raise PlanError(f"the plan has no wave {number} in lane {lane}")
    minutes = wave.end_minutes - wave.start_minutes
    names = {vm.id.lower(): vm.host or vm.name for vm in plan.vms if vm.id.lower() in failed}
    spent = error_budget.exceeded(plan, lane, budget, names)
    stop = Verdict(stop=spent) if spent else _closed(plan, now, minutes)
    if stop:
        return stop
    fleet = with_services(vms, plan.policy, now)
    fresh = {vm.id.key: vm for vm in fleet}
    # A VM whose host is not in the batch is not asked about; one that vanished is, for its host is.
    asked = [vm for vm in wave.vms if vm.id.lower() not in fresh or fresh[vm.id.lower()].host]
    # Those that are done by now stay in: the redeploy finds that out itself and leaves them alone.
    due = [vm for vm in asked if not _done_since(vm, fresh.get(vm.id.lower()), plan.operation, now)]
    differences = changes(dataclasses.replace(plan, waves=(dataclasses.replace(wave, vms=tuple(due)),)), fleet, now)
    left_out = {**error_budget.held_sets(plan, due, budget, names), **error_budget.held_regions(plan, due, fleet, lost),
                **_too_late(plan, due, now, minutes), **differences}
    going = [fresh[vm.id.lower()] for vm in due if vm.id not in left_out]
    left_out.update(_without_room(plan.policy, going, fleet, lost, {vm.id.lower(): vm.id for vm in due}))
    return Verdict(tuple(vm.id for vm in asked if vm.id not in left_out), left_out)


def _closed(plan: Plan, now: dt.datetime, minutes: int) -> Verdict | None:
    if plan.policy.calendar is None:
        return None
    start = plan.policy.calendar.next_start(now, minutes)
    if start is not None and start <= now:
        return None
    when = f"it could begin {format_time(start)}" if start else "no open stretch is long enough for it within 60 days"
    return Verdict(stop=f"the calendar is closed: this wave takes {minutes} minutes, and {when}", not_before=start)


def _too_late(plan: Plan, due: t.Iterable[PlannedVm], now: dt.datetime, minutes: int) -> dict[str, str]:
    if plan.policy.on_deadline != "refuse":
        return {}
    end = now + dt.timedelta(minutes=minutes)
    return {vm.id: f"{vm.name}: begun now it would be done {format_time(end)}, after its self-service window ends "
                   f"{format_time(vm.deadline)}" for vm in due if vm.deadline and vm.deadline < end}


def _without_room(policy: Policy, going: t.Sequence[Vm], fleet: t.Iterable[Vm], lost: t.Collection[str],
                  ids: t.Mapping[str, str]) -> dict[str, str]:
    """VMs that their set cannot spare now (id as in the plan -> why); of a set that can spare some, the first go."""
    rule = Availability.parse(policy.max_unavailable, policy.min_available)
    together: dict[str, list[Vm]] = collections.defaultdict(list)
    for vm in going:
        if vm.set_key is not None:
            together[vm.set_key].append(vm)
    members: dict[str, list[Vm]] = {key: [] for key in together}
    for vm in fleet:
        if vm.set_key in members:
            members[vm.set_key].append(vm)
    held = {}
    for key, moving in together.items():
        why, count = None, len(moving)
        while count and (found := rule.held_back(members[key], {vm.id.key for vm in moving[:count]}, lost)):
            why, count = found, count - 1
        held.update({ids[vm.id.key]: f"{vm.name}: {why}" for vm in moving[count:]})
    return held


def _lanes(count: int) -> str:
    return f"{count} lane{'' if count == 1 else 's'}"
