# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as JSON that a person can review and a later run can apply, and the way back, with checks that need no Azure; and as a spreadsheet.

Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import collections
import csv
import dataclasses
import datetime as dt
import hashlib
import io
import json
import typing as t

from .._azure.maintenance import format_time, parse_time
from .._azure.vm import VmId
from .plan import Plan, PlanError, PlannedVm, Skip, Wave
from .plan_schema import AGAIN, VERSION, check
from .policy import Policy, PolicyError

COLUMNS = ("wave", "lane", "host", "name", "id", "set", "update_domain", "region", "zone", "tier", "starts_at",
           "ends_at", "deadline", "state", "reason")
# A spreadsheet runs a cell that begins like this as a formula; tags and tiers are anybody's text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_Json = t.Mapping[str, t.Any]


def to_json(plan: Plan) -> dict[str, t.Any]:
    """The plan in JSON types, as plan_schema describes them; times are ISO-8601 UTC, minutes whole numbers.

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


def _checksum(document: _Json) -> str:
    rest = {key: value for key, value in document.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def from_json(data: t.Any) -> Plan:
    """The plan that :func:`to_json` wrote; whether it still holds is for recheck to say.

    Raises :class:`PlanError`, naming place and remedy: not a plan, another version, a missing key or a wrong type,
    or edited after it was written.
    """
    check(data)
    try:
        policy = Policy.from_options(data["policy"])
    except PolicyError as error:
        raise PlanError(f"the plan's policy cannot be read: {error}; {AGAIN}") from error
    plan = Plan(
        operation=data["operation"], created=t.cast(dt.datetime, parse_time(data["created"])), policy=policy, waves=_waves_from_json(data),
        skipped=tuple(Skip(**skip) for skip in data["skipped"]), lower_bound=data["lower_bound"], fleet_size=data["counts"]["fleet"],
        warnings=tuple(data["warnings"]), lanes=data["lanes"], lanes_possible=data["lanes_possible"], subscriptions=tuple(data["subscriptions"]))
    ids = [vm.id.lower() for vm in plan.vms]
    if len(set(ids)) < len(ids):
        twice = collections.Counter(ids).most_common(1)[0][0]
        raise PlanError(f"{VmId.parse(twice).name} is in the plan twice; {AGAIN}")
    if data["checksum"] != _checksum(data):
        raise PlanError("the plan was changed after it was written (its checksum does not fit its contents); "
                        f"{AGAIN}, and leave VMs out with a limit or an opt-out")
    return plan


def _vm_to_json(vm: PlannedVm) -> dict[str, t.Any]:
    times = {"window_start": format_time(vm.window_start), "deadline": format_time(vm.deadline)}
    return {**dataclasses.asdict(vm), **times}


def _vm_from_json(vm: _Json) -> PlannedVm:
    times = {"window_start": parse_time(vm["window_start"]), "deadline": parse_time(vm["deadline"])}
    return PlannedVm(**{**vm, **times})


def _waves_from_json(data: _Json) -> tuple[Wave, ...]:
    created = t.cast(dt.datetime, parse_time(data["created"]))
    last: dict[int, int] = collections.defaultdict(int)
    waves = []
    for index, item in enumerate(data["waves"]):
        where, lane = f"the plan.waves[{index}]", item["lane"]
        if lane > data["lanes"]:
            raise PlanError(f"{where}.lane is {lane}, expected 1 to {data['lanes']}; {AGAIN}")
        last[lane] += 1
        if item["number"] != last[lane]:
            raise PlanError(f"{where}.number is {item['number']}, expected {last[lane]}: the waves of a lane count from 1 in order; {AGAIN}")
        starts_at, ends_at = (t.cast(dt.datetime, parse_time(item[key])) for key in ("starts_at", "ends_at"))
        start, end = (int((moment - created).total_seconds()) // 60 for moment in (starts_at, ends_at))
        waves.append(Wave(item["number"], tuple(map(_vm_from_json, item["vms"])), start, end, starts_at, ends_at, lane=lane))
    return tuple(waves)


def to_csv(plan: _Json) -> str:
    """CSV with a heading of a plan as ``to_json`` writes it; the waves in order, then the skipped VMs.

    ``set`` is the id of the set or ``service:<name>``; a skipped VM has no wave, its state is ``skipped`` and its
    reason begins with the word for it. What a VM does not have is empty.
    """
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for wave in plan["waves"]:
        when = {"wave": wave["number"], **{key: wave[key] for key in ("lane", "starts_at", "ends_at")}}
        for vm in wave["vms"]:
            service = f"service:{vm['service']}" if vm["service"] is not None else None
            writer.writerow(_safe({**vm, **when, "set": vm["set"] or service}))
    for skip in plan["skipped"]:
        writer.writerow(_safe({**skip, "state": "skipped", "reason": f"{skip['reason']}: {skip['detail']}"}))
    return file.getvalue()


def _safe(row: _Json) -> dict[str, t.Any]:
    return {key: f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
            for key, value in row.items()}
