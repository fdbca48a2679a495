# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as JSON that a person can review and a later run can apply, and the way back, with checks that need no Azure.

Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import hashlib
import json
import typing as t

from .._azure.maintenance import format_time, parse_time
from .._azure.vm import BadVmId, VmId
from .plan import OPERATIONS, Plan, PlanError, PlannedVm, Skip, Wave
from .policy import Policy, PolicyError

VERSION = 2
_AGAIN = "make the plan again"


def to_json(plan: Plan) -> dict[str, t.Any]:
    """The plan in JSON types, as docs/plan-schema.json describes them; times are ISO-8601 UTC, minutes whole numbers.

    ``fingerprint`` is a hash of what the plan was made from: operation, policy and the facts of its VMs. ``checksum``
    is one of the whole document, so that nobody moves a VM to another wave by hand.
    """
    document = {
        "version": VERSION, "operation": plan.operation, "created": format_time(plan.created),
        "subscriptions": list(plan.subscriptions),
        "lanes": plan.lanes, "lanes_possible": plan.lanes_possible, "policy": plan.policy.to_record(),
        "waves": [{
            "lane": wave.lane, "number": wave.number, "vms": [_vm_to_json(vm) for vm in wave.vms],
            "deadline": format_time(wave.deadline), "estimate_minutes": wave.end_minutes - wave.start_minutes,
            "starts_at": format_time(wave.starts_at), "ends_at": format_time(wave.ends_at),
        } for wave in plan.waves],
        "skipped": [dataclasses.asdict(skip) for skip in plan.skipped],
        "counts": plan.counts(), "lower_bound": plan.lower_bound, "estimate_minutes": plan.estimate_minutes,
        "expected_end": format_time(plan.expected_end), "warnings": list(plan.warnings),
        "fingerprint": plan.fingerprint,
    }
    return {**document, "checksum": _checksum(document)}


def _checksum(document: t.Mapping[str, t.Any]) -> str:
    rest = {key: value for key, value in document.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def from_json(data: t.Any) -> Plan:
    """The plan that :func:`to_json` wrote; whether it still holds is for recheck to say.

    Raises :class:`PlanError`, naming place and remedy: not a plan, another version, a missing key or a wrong type,
    or edited after it was written.
    """
    root = _Reader(data, "the plan")
    if root.take("version", int) != VERSION:
        raise PlanError(f"this plan has version {data['version']}, this release reads {VERSION}; {_AGAIN} with it")
    if root.take("operation", str) not in OPERATIONS:
        raise PlanError(f"the plan's operation {data['operation']!r} is not known; {_AGAIN}")
    created, lanes = root.time("created"), root.take("lanes", int)
    try:
        policy = Policy.from_options(root.take("policy", dict))
    except PolicyError as error:
        raise PlanError(f"the plan's policy cannot be read: {error}; {_AGAIN}") from error
    skipped = tuple(Skip(item.id(), item.take("name", str), item.maybe("host", str), item.take("reason", str),
                         item.take("detail", str)) for item in root.items("skipped"))
    plan = Plan(
        operation=data["operation"], created=created, policy=policy, waves=_waves_from_json(root, created, lanes),
        skipped=skipped, lower_bound=root.take("lower_bound", int), fleet_size=root.inner("counts").take("fleet", int),
        warnings=tuple(root.take("warnings", list)), lanes=lanes, lanes_possible=root.take("lanes_possible", int),
        subscriptions=tuple(root.take("subscriptions", list)))
    _check(plan, root)
    return plan


def _check(plan: Plan, root: "_Reader") -> None:
    ids = [vm.id.lower() for vm in plan.vms]
    if len(set(ids)) < len(ids):
        twice = collections.Counter(ids).most_common(1)[0][0]
        raise PlanError(f"{VmId.parse(twice).name} is in the plan twice; {_AGAIN}")
    root.take("fingerprint", str)
    if root.take("checksum", str) != _checksum(root.data):
        raise PlanError("the plan was changed after it was written (its checksum does not fit its contents); "
                        f"{_AGAIN}, and leave VMs out with a limit or an opt-out")


def _vm_to_json(vm: PlannedVm) -> dict[str, t.Any]:
    times = {"window_start": format_time(vm.window_start), "deadline": format_time(vm.deadline)}
    return {**dataclasses.asdict(vm), **times}


def _waves_from_json(root: "_Reader", created: dt.datetime, lanes: int) -> tuple[Wave, ...]:
    expected: dict[int, int] = collections.defaultdict(lambda: 1)
    waves = []
    for item in root.items("waves"):
        lane, number = item.take("lane", int), item.take("number", int)
        if not 1 <= lane <= lanes:
            raise PlanError(f"{item.where}.lane is {lane}, expected 1 to {lanes}; {_AGAIN}")
        if number != expected[lane]:
            raise PlanError(f"{item.where}.number is {number}, expected {expected[lane]}: the waves of a lane count "
                            f"from 1 in order; {_AGAIN}")
        expected[lane] += 1
        waves.append(_wave_from_json(item, lane, number, created))
    return tuple(waves)


def _wave_from_json(item: "_Reader", lane: int, number: int, created: dt.datetime) -> Wave:
    starts_at, ends_at = item.time("starts_at"), item.time("ends_at")
    vms = tuple(_vm_from_json(vm) for vm in item.items("vms"))
    if not vms:
        raise PlanError(f"{item.where}.vms is empty; {_AGAIN}")
    start, end = (int((moment - created).total_seconds()) // 60 for moment in (starts_at, ends_at))
    return Wave(number, vms, start, end, starts_at, ends_at, lane=lane)


def _vm_from_json(vm: "_Reader") -> PlannedVm:
    return PlannedVm(
        id=vm.id(), name=vm.take("name", str), host=vm.maybe("host", str), set=vm.maybe("set", str),
        service=vm.maybe("service", str), update_domain=vm.maybe("update_domain", int), zone=vm.maybe("zone", str),
        region=vm.take("region", str), tier=vm.maybe("tier", (int, float, str)), canary=vm.take("canary", bool),
        minutes=vm.take("minutes", int), state=vm.take("state", str), window_start=vm.maybe_time("window_start"),
        deadline=vm.maybe_time("deadline"), reason=vm.take("reason", str))


class _Reader:
    """A JSON mapping that names the place when something is missing or of the wrong type."""

    def __init__(self, data: t.Any, where: str) -> None:
        if not isinstance(data, t.Mapping):
            raise PlanError(f"{where} is not a mapping; is this a plan file? If so, {_AGAIN}")
        self.data, self.where = data, where

    def take(self, key: str, kind: type | tuple[type, ...]) -> t.Any:
        if key not in self.data:
            raise PlanError(f"{self.where} has no {key!r}; is this a plan file? If so, {_AGAIN}")
        value, kinds = self.data[key], kind if isinstance(kind, tuple) else (kind,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            expected = " or ".join(one.__name__ for one in kinds)
            raise PlanError(f"{self.where}.{key} is {value!r}, expected {expected}; {_AGAIN}")
        return value

    def maybe(self, key: str, kind: type | tuple[type, ...]) -> t.Any:
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
