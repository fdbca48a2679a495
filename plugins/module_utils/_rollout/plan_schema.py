# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan file holds, as a JSON schema: the one that reading checks, and that docs/plan-schema.json and docs/planning.md are made of.

Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping

from .._azure.maintenance import parse_time
from .._azure.vm import VmId
from .plan import OPERATIONS, PlanError
from .policy import Policy

VERSION = 2
AGAIN = "make the plan again"
_Schema = Mapping[str, t.Any]


def _object(**properties: _Schema) -> dict[str, t.Any]:
    return {"type": "object", "required": list(properties), "additionalProperties": False, "properties": properties}


def _list(items: _Schema, description: str = "", **more: t.Any) -> dict[str, t.Any]:
    return {"type": "array", "items": items, **more, **({"description": description} if description else {})}


def _time(description: str, *or_null: str) -> dict[str, t.Any]:
    return {"type": ["string", *or_null] if or_null else "string", "format": "date-time", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$",
            "description": description}


def _text(description: str, *or_null: str) -> dict[str, t.Any]:
    return {"type": ["string", *or_null] if or_null else "string", "description": description}


def _count(description: str, least: int = 0) -> dict[str, t.Any]:
    return {"type": "integer", "minimum": least, "description": description}


def _sha256(description: str) -> dict[str, t.Any]:
    return {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": description}


_ID = {"type": "string", "format": "azure-vm-id", "description": "ARM id of the VM."}
_NAME = _text("Name of the VM.")
_HOST = _text("Inventory host that stands for it; null only with include_unlisted.", "null")
VM = _object(
    id=_ID, name=_NAME, host=_HOST,
    set=_text("Id of its availability set or scale set.", "null"),
    update_domain={"type": ["integer", "null"], "minimum": 0, "description": "Its update domain in that set."},
    zone=_text("Its availability zone.", "null"), region=_text("Its region."),
    state=_text("Its maintenance state when the plan was made."),
    window_start=_time("Start of its self-service window.", "null"), deadline=_time("End of its self-service window.", "null"),
    reason=_text("Why it is in the plan, and why there."),
    service=_text("What the policy's service gives for it, outside sets.", "null"),
    tier={"type": ["integer", "number", "string", "null"], "description": "The tier it was ordered by."},
    canary={"type": "boolean", "description": "Whether it goes first, as a canary."},
    minutes=_count("What its redeploy alone is expected to take."),
)
WAVE = _object(
    lane=_count("The lane it is in.", 1), number=_count("Counts from 1 in each lane.", 1),
    vms=_list(VM, "The VMs that are redeployed together.", minItems=1),
    deadline=_time("The earliest end of a self-service window among its VMs.", "null"), estimate_minutes=_count("How long it is expected to take."),
    starts_at=_time("When it would begin."), ends_at=_time("When it would end."),
)
SKIP = _object(id=_ID, name=_NAME, host=_HOST, reason=_text("One word, for programs."), detail=_text("A sentence, with what to do."))
COUNTS = _object(
    fleet=_count("VMs known."), planned=_count("VMs in waves."), skipped=_count("VMs in no wave."), waves=_count("Waves."),
    skipped_by_reason={"type": "object", "additionalProperties": _count("Skipped VMs."), "description": "Skipped VMs by reason."},
)


def _plan(policy: _Schema) -> dict[str, t.Any]:
    return _object(
        version={"type": "integer", "const": VERSION, "description": "Version of this format."},
        operation={"type": "string", "enum": list(OPERATIONS), "description": "What the waves are for."},
        created=_time("When it was made, by Azure's clock."),
        subscriptions=_list({"type": "string"}, "Subscriptions that were read for it; applying it reads them, too."),
        lanes=_count("Parts that have no set, region pair or tier in common; each is applied by a run of its own.", 1),
        lanes_possible=_count("How many lanes this rollout could have at most."),
        policy={**policy, "description": "The policy it was made with."},
        waves=_list(WAVE, "The waves of a lane run one after another."),
        skipped=_list(SKIP, "VMs that are in no wave, each with the reason."),
        counts={**COUNTS, "description": "How many VMs and waves there are."},
        lower_bound=_count("No order needs fewer waves in the longest lane."),
        estimate_minutes=_count("Expected length of the whole rollout."), expected_end=_time("When it would end if begun at once."),
        warnings=_list({"type": "string"}, "Deadlines that are missed, VMs that look done and yet allow a start, VMs that gain nothing."),
        fingerprint=_sha256("Hash of what the plan was made from: operation, policy, and the facts of the VMs in it."),
        checksum=_sha256("Hash of all the rest of this document, as JSON with sorted keys and without white space. An edited plan is refused."),
    )


SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A plan of fleetops.azure_maintenance",
    "description": "What the playbook plan writes and rollout_plan_file applies. Times are ISO-8601 UTC, minutes whole numbers.",
    **_plan(Policy.schema()),
}
"""The content of docs/plan-schema.json."""
# An option of the policy says best itself what is wrong with its value.
_CHECKED = _plan({"type": "object"})
_KINDS = {"integer": int, "number": (int, float), "string": str, "boolean": bool, "array": list, "object": Mapping, "null": type(None)}
_SHOWN = {"integer": "int", "number": "float", "string": "str", "boolean": "bool", "array": "list", "object": "dict"}


def check(document: t.Any) -> None:
    """Raises :class:`PlanError`, naming place and remedy, for what does not fit the schema. Of the policy only that it is a mapping is checked."""
    _check(document, _CHECKED, "the plan")


def _check(value: t.Any, schema: _Schema, where: str) -> None:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(isinstance(value, _KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool)) for kind in kinds):
        if kinds == ["object"]:
            raise PlanError(f"{where} is not a mapping; is this a plan file? If so, {AGAIN}")
        raise PlanError(f"{where} is {value!r}, expected {' or '.join(_SHOWN[kind] for kind in kinds if kind != 'null')}; {AGAIN}")
    if isinstance(value, str):
        _check_text(value, schema, where)
    elif isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            raise PlanError(f"{where} is empty; {AGAIN}")
        for index, item in enumerate(value):
            _check(item, schema["items"], f"{where}[{index}]")
    elif isinstance(value, Mapping):
        _check_object(value, schema, where)
    elif value is not None:
        _check_number(value, schema, where)


def _check_object(value: Mapping[str, t.Any], schema: _Schema, where: str) -> None:
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for key, inner in properties.items():
        if key not in value:
            raise PlanError(f"{where} has no {key!r}; is this a plan file? If so, {AGAIN}")
        _check(value[key], inner, f"{where}.{key}")
    for key in value:
        if key not in properties and others is False:
            raise PlanError(f"{where} has {key!r}, which a plan does not have; {AGAIN}")
        if key not in properties and others is not True:
            _check(value[key], others, f"{where}.{key}")


def _check_number(value: t.Any, schema: _Schema, where: str) -> None:
    if value != schema.get("const", value):
        place, dummy, key = where.rpartition(".")
        raise PlanError(f"{place} has {key} {value!r}, this release reads {schema['const']}; {AGAIN} with it")
    if value < schema.get("minimum", value):
        raise PlanError(f"{where} is {value!r}, expected at least {schema['minimum']}; {AGAIN}")


def _check_text(value: str, schema: _Schema, where: str) -> None:
    if value not in schema.get("enum", [value]):
        raise PlanError(f"{where}: {value!r} is not known, only {', '.join(schema['enum'])}; {AGAIN}")
    try:
        empty = schema.get("format") == "date-time" and parse_time(value) is None
        if schema.get("format") == "azure-vm-id":
            VmId.parse(value)
    except ValueError as error:
        raise PlanError(f"{where}: {error}; {AGAIN}") from error
    if empty:
        raise PlanError(f"{where} is empty, expected a time; {AGAIN}")
    if not re.search(schema.get("pattern", ""), value):
        raise PlanError(f"{where} is {value!r}, expected {schema['pattern']}; {AGAIN}")
