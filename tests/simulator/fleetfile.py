# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a fleet file (see README.md beside this file) into a Fleet."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from . import fleetvms, schema
from .clock import parse_when
from .faults import check_fault
from .model import AvailabilitySet, Fleet, Region, Wave, guid
from .schema import FleetError
from .transitions import check_operations

_WINDOW = schema.keys({"start": schema.anything, "end": schema.anything}, ("start", "end"))
_TOP: dict[str, schema.Check] = {
    "clock": schema.anything,
    "tenant": schema.text,
    "credentials": schema.list_of(
        schema.keys(
            {
                "client_id": schema.text,
                "client_secret": schema.text,
                "object_id": schema.text,
                "subscriptions": schema.list_of(schema.text),
                "role": schema.one_of("contributor", "reader", "none"),
            },
            ("client_id", "client_secret"),
        )
    ),
    "subscriptions": schema.list_of(schema.keys({"id": schema.text, "name": schema.text}, ("id",))),
    "regions": schema.map_of(
        schema.maybe(
            schema.keys(
                {
                    "display": schema.text,
                    "paired": schema.list_of(schema.text),
                    "zones": schema.whole(0),
                    "type": schema.one_of("Physical", "Logical"),
                    "geography": schema.text,
                }
            )
        )
    ),
    "waves": schema.map_of(schema.keys({"self_service": _WINDOW, "scheduled": _WINDOW}, ("self_service", "scheduled"))),
    "resource_groups": schema.map_of(schema.keys({"region": schema.text, "subscription": schema.text}, ("region",))),
    "availability_sets": schema.list_of(
        schema.keys(
            {
                "name": schema.text,
                "resource_group": schema.text,
                "region": schema.text,
                "subscription": schema.text,
                "update_domains": schema.whole(1),
                "fault_domains": schema.whole(1),
                "sku": schema.one_of("Aligned", "Classic"),
                "tags": schema.map_of(schema.text),
                "concurrent_redeploys": schema.whole(1),
            },
            ("name", "resource_group", "region"),
        )
    ),
    "vms": schema.list_of(fleetvms.check_vm),
    "defaults": fleetvms.check_defaults,
    "operations": check_operations,
    "faults": schema.list_of(check_fault),
    "status_only": schema.one_of("full", "lean", "minimal"),
    "page_size": schema.whole(1),
    "limits": schema.flag,
    "agent_after_seconds": schema.seconds,
    "identity_header": schema.text,
    "quirks": schema.keys(
        {
            "upper_case_ids": schema.flag,
            "null_message": schema.flag,
            "empty_first_page": schema.flag,
            "power_in_motion": schema.one_of("missing", "running", "starting", "stopped"),
        }
    ),
}
_QUIRKS = {"upper_case_ids": True, "null_message": False, "empty_first_page": False, "power_in_motion": "starting"}
DEFAULT_CREDENTIAL = {
    "client_id": "11111111-1111-4111-8111-111111111111",
    "client_secret": "simulated-secret",  # noqa: S105 - a made-up value, valid only on loopback
}


def read(source: str | Path | dict[str, Any]) -> dict[str, Any]:
    """Return a fleet file's content as checked data; raises FleetError naming the wrong key."""
    if isinstance(source, dict):
        data = source
    else:
        try:
            data = yaml.safe_load(Path(source).read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise FleetError(f"{source}: {error}") from None
    return schema.keys(_TOP, ("vms",))("", data)


def digest(data: dict[str, Any]) -> str:
    """Return a fingerprint of the content, to recognise a state saved from the same fleet."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()


def start_time(data: dict[str, Any], real: datetime) -> datetime:
    """Return what the clock shows at the first start."""
    try:
        return parse_when(data.get("clock", "now"), real)
    except ValueError as error:
        raise FleetError(f"clock: {error}") from None


def build(data: dict[str, Any], epoch: datetime) -> Fleet:
    """Make the Fleet of checked data; relative times count from the epoch."""
    subscriptions = {item["id"].lower(): item.get("name", "Simulated") for item in data.get("subscriptions", [])}
    subscriptions = subscriptions or {guid("subscription"): "Simulated"}
    regions = _regions(data)
    first = next(iter(subscriptions))
    fleet = Fleet(
        tenant=data.get("tenant", guid("tenant")).lower(),
        credentials=_credentials(data, subscriptions),
        subscriptions=subscriptions,
        regions=regions,
        waves=_waves(data, epoch),
        sets=[
            _set(index, item, regions, subscriptions, first)
            for index, item in enumerate(data.get("availability_sets", []))
        ],
        vms={},
        groups={},
        operations=data.get("operations", {}),
        faults=data.get("faults", []),
        status_only=data.get("status_only", "full"),
        page_size=data.get("page_size", 200),
        limits=data.get("limits", False),
        quirks={**_QUIRKS, **data.get("quirks", {})},
        agent_after_seconds=data.get("agent_after_seconds", 1.0),
        identity_header=data.get("identity_header", "simulated-header"),
    )
    for index, item in enumerate(data["vms"]):
        merged = fleetvms.merge(data.get("defaults", {}), item)
        vm = fleetvms.build_vm(f"vms[{index}]", index, merged, fleet, epoch - timedelta(days=90))
        if vm.key in fleet.vms:
            raise FleetError(f"vms[{index}].name: {vm.name!r} is there twice in {vm.resource_group}")
        fleet.add(vm)
    _groups(fleet, data, first)
    return fleet


def _regions(data: dict[str, Any]) -> dict[str, Region]:
    given = data.get("regions") or {"westeurope": {"display": "West Europe"}}
    regions = {}
    for name, item in given.items():
        item = item or {}
        regions[name] = Region(
            name,
            item.get("display", name),
            tuple(item.get("paired", ())),
            item.get("zones", 3),
            item.get("type", "Physical"),
            item.get("geography", "Europe"),
        )
    return regions


def _credentials(data: dict[str, Any], subscriptions: dict[str, str]) -> list[dict[str, Any]]:
    credentials = []
    for index, item in enumerate(data.get("credentials") or [DEFAULT_CREDENTIAL]):
        named = [
            subscription(f"credentials[{index}].subscriptions", name, subscriptions)
            for name in item.get("subscriptions", subscriptions)
        ]
        credentials.append(
            {
                "client_id": item["client_id"].lower(),
                "client_secret": item["client_secret"],
                "object_id": item.get("object_id", guid("principal", item["client_id"])),
                "subscriptions": named,
                "role": item.get("role", "contributor"),
            }
        )
    return credentials


def subscription(where: str, name: str, subscriptions: dict[str, str]) -> str:
    """Return the id of a subscription given by id or display name."""
    for key, display in subscriptions.items():
        if name.lower() == key or name == display:
            return key
    raise FleetError(f"{where}: no subscription {name!r}")


def _waves(data: dict[str, Any], epoch: datetime) -> dict[str, Wave]:
    epoch = epoch.replace(second=0, microsecond=0)
    waves = {}
    for name, item in data.get("waves", {}).items():
        windows = {}
        for part in ("self_service", "scheduled"):
            try:
                windows[part] = tuple(parse_when(item[part][edge], epoch) for edge in ("start", "end"))
            except ValueError as error:
                raise FleetError(f"waves.{name}.{part}: {error}") from None
            if windows[part][0] >= windows[part][1]:
                raise FleetError(f"waves.{name}.{part}: ends before it starts")
        waves[name] = Wave(name, windows["self_service"], windows["scheduled"])
    return waves


def _set(
    index: int, item: dict[str, Any], regions: dict[str, Region], subscriptions: dict[str, str], first: str
) -> AvailabilitySet:
    where = f"availability_sets[{index}]"
    if item["region"] not in regions:
        raise FleetError(f"{where}.region: no region {item['region']!r}")
    owner = (
        subscription(f"{where}.subscription", item["subscription"], subscriptions) if "subscription" in item else first
    )
    return AvailabilitySet(**{**item, "subscription": owner})


def _groups(fleet: Fleet, data: dict[str, Any], first: str) -> None:
    for name, item in data.get("resource_groups", {}).items():
        where = f"resource_groups.{name}"
        if item["region"] not in fleet.regions:
            raise FleetError(f"{where}.region: no region {item['region']!r}")
        named = item.get("subscription")
        owner = subscription(f"{where}.subscription", named, fleet.subscriptions) if named else first
        fleet.groups[owner, name.lower()] = (name, item["region"])
    for thing in (*fleet.vms.values(), *fleet.sets):
        fleet.groups.setdefault(
            (thing.subscription, thing.resource_group.lower()), (thing.resource_group, thing.region)
        )
