# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as JSON that a person can review and a later run can apply, and the way back, with checks that need no Azure.

Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.maintenance import format_time, parse_time
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_policy import Policy, PolicyError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_records import (
    OPERATIONS, Plan, PlanError, PlannedVm, Skip, Wave)
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.vm import BadVmId, VmId

VERSION = 1
_AGAIN = "make the plan again"


def to_json(plan: Plan) -> dict[str, t.Any]:
    """The plan in JSON types; times are ISO-8601 UTC, minutes whole numbers."""
    return {
        "version": VERSION, "operation": plan.operation, "created": format_time(plan.created),
        "policy": plan.policy.to_record(),
        "waves": [{
            "number": wave.number, "vms": [_vm_to_json(vm) for vm in wave.vms], "deadline": format_time(wave.deadline),
            "estimate_minutes": wave.end_minutes - wave.start_minutes,
            "starts_at": format_time(wave.starts_at), "ends_at": format_time(wave.ends_at),
        } for wave in plan.waves],
        "skipped": [dataclasses.asdict(skip) for skip in plan.skipped],
        "counts": plan.counts(), "lower_bound": plan.lower_bound, "estimate_minutes": plan.estimate_minutes,
        "expected_end": format_time(plan.expected_end), "warnings": list(plan.warnings),
        "fingerprint": plan.fingerprint,
    }


def from_json(data: t.Any, now: dt.datetime) -> Plan:
    """The plan that :func:`to_json` wrote, if it may still be applied at ``now``.

    Raises :class:`PlanError`, naming place and remedy: not a plan, another version, a missing key or a wrong type,
    edited after it was written, or expired (a self-service window has closed since).
    """
    root = _Reader(data, "the plan")
    if root.take("version", int) != VERSION:
        raise PlanError(f"this plan has version {data['version']}, this release reads {VERSION}; {_AGAIN} with it")
    if root.take("operation", str) not in OPERATIONS:
        raise PlanError(f"the plan's operation {data['operation']!r} is not known; {_AGAIN}")
    created = root.time("created")
    try:
        policy = Policy.from_options(root.take("policy", dict))
    except PolicyError as error:
        raise PlanError(f"the plan's policy cannot be read: {error}; {_AGAIN}") from error
    waves = tuple(_wave_from_json(item, number, created) for number, item in enumerate(root.items("waves"), 1))
    skipped = tuple(Skip(item.id(), item.take("name", str), item.maybe("host", str), item.take("reason", str),
                         item.take("detail", str)) for item in root.items("skipped"))
    plan = Plan(
        operation=data["operation"], created=created, policy=policy, waves=waves, skipped=skipped,
        lower_bound=root.take("lower_bound", int), fleet_size=root.inner("counts").take("fleet", int),
        warnings=tuple(root.take("warnings", list)))
    _check(plan, root.take("fingerprint", str), now)
    return plan


def _check(plan: Plan, fingerprint: str, now: dt.datetime) -> None:
    ids = [vm.id.lower() for vm in plan.vms]
    if len(set(ids)) < len(ids):
        twice = next(vm.name for vm in plan.vms if ids.count(vm.id.lower()) > 1)
        raise PlanError(f"{twice} is in the plan twice; {_AGAIN}")
    if plan.fingerprint != fingerprint:
        raise PlanError("the plan was changed after it was written (its fingerprint does not fit its contents); "
                        f"{_AGAIN}, and leave VMs out with a limit or an opt-out")
    # A window that had closed when the plan was made is not news: Azure allowed the start all the same.
    closed = [vm for vm in plan.vms if vm.deadline and plan.created < vm.deadline <= now]
    if closed:
        more = f" and {len(closed) - 1} more" if len(closed) > 1 else ""
        raise PlanError(f"the plan has expired: the self-service window of {closed[0].name}{more} ended "
                        f"{format_time(closed[0].deadline)}; {_AGAIN}")


def _vm_to_json(vm: PlannedVm) -> dict[str, t.Any]:
    times = {"window_start": format_time(vm.window_start), "deadline": format_time(vm.deadline)}
    return {**dataclasses.asdict(vm), **times}


def _wave_from_json(item: "_Reader", number: int, created: dt.datetime) -> Wave:
    found = item.take("number", int)
    if found != number:
        raise PlanError(f"{item.where}.number is {found}, expected {number}: waves count from 1 in order; {_AGAIN}")
    starts_at, ends_at = item.time("starts_at"), item.time("ends_at")
    vms = tuple(PlannedVm(
        id=vm.id(), name=vm.take("name", str), host=vm.maybe("host", str), set=vm.maybe("set", str),
        update_domain=vm.maybe("update_domain", int), zone=vm.maybe("zone", str), region=vm.take("region", str),
        state=vm.take("state", str), window_start=vm.maybe_time("window_start"), deadline=vm.maybe_time("deadline"),
        reason=vm.take("reason", str)) for vm in item.items("vms"))
    if not vms:
        raise PlanError(f"{item.where}.vms is empty; {_AGAIN}")
    minutes = [int((moment - created).total_seconds()) // 60 for moment in (starts_at, ends_at)]
    return Wave(number, vms, *minutes, starts_at, ends_at)


class _Reader:
    """A JSON mapping that names the place when something is missing or of the wrong type."""

    def __init__(self, data: t.Any, where: str) -> None:
        if not isinstance(data, t.Mapping):
            raise PlanError(f"{where} is not a mapping; is this a plan file? If so, {_AGAIN}")
        self.data, self.where = data, where

    def take(self, key: str, kind: type) -> t.Any:
        if key not in self.data:
            raise PlanError(f"{self.where} has no {key!r}; is this a plan file? If so, {_AGAIN}")
        value = self.data[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise PlanError(f"{self.where}.{key} is {value!r}, expected {kind.__name__}; {_AGAIN}")
        return value

    def maybe(self, key: str, kind: type) -> t.Any:
        return None if key in self.data and self.data[key] is None else self.take(key, kind)

    def inner(self, key: str) -> "_Reader":
        return _Reader(self.take(key, dict), f"{self.where}.{key}")

    def items(self, key: str) -> list["_Reader"]:
        return [_Reader(item, f"{self.where}.{key}[{index}]") for index, item in enumerate(self.take(key, list))]

    def time(self, key: str) -> dt.datetime:
        try:
            moment = parse_time(self.take(key, str))
        except ValueError as error:
            raise PlanError(f"{self.where}.{key}: {error}; {_AGAIN}") from error
        if moment is None:
            raise PlanError(f"{self.where}.{key} is empty, expected a time; {_AGAIN}")
        return moment

    def maybe_time(self, key: str) -> dt.datetime | None:
        return None if key in self.data and self.data[key] is None else self.time(key)

    def id(self) -> str:
        try:
            VmId.parse(self.take("id", str))
        except BadVmId as error:
            raise PlanError(f"{self.where}.id: {error}; {_AGAIN}") from error
        return self.data["id"]
