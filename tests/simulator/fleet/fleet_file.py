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

from ..wire.times import parse_when
from . import build_load_balancers, build_sets, build_vms, schema
from .build_vms import subscription
from .fleet import Fleet
from .keys import DEFAULT_CREDENTIAL, QUIRKS, TOP
from .model import Region, Wave, guid
from .schema import FleetError
# The one in C takes a tenth of the time and memory; PyYAML may have been built without it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(source: str | Path | dict[str, Any]) -> dict[str, Any]:
    """Return a fleet file's content as checked data; raises FleetError naming the wrong key."""
    if isinstance(source, dict):
        data = source
    else:
        try:
            data = _parse(Path(source).read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise FleetError(f"{source}: {error}") from None
    return schema.keys(TOP, ("vms",))("", data)


def _parse(text: str) -> Any:
    try:
        return json.loads(text)  # JSON is YAML too, but read as such a big fleet takes no time
    except ValueError:
        return yaml.load(text, _LOADER)  # noqa: S506 - a safe one


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
    fleet = Fleet(
        tenant=data.get("tenant", guid("tenant")).lower(),
        credentials=_credentials(data, subscriptions),
        subscriptions=subscriptions,
        regions=regions,
        waves=_waves(data, epoch),
        sets=build_sets.availability_sets(data, regions, subscriptions),
        vms={},
        groups={},
        operations=data.get("operations", {}),
        faults=data.get("faults", []),
        locks=list(data.get("locks", [])),
        status_only=data.get("status_only", "full"),
        page_size=data.get("page_size", 200),
        limits=data.get("limits", False),
        quirks={**QUIRKS, **data.get("quirks", {})},
        agent_after_seconds=data.get("agent_after_seconds", 1.0),
        identity_header=data.get("identity_header", "simulated-header"),
        latency_ms=data.get("latency_ms", 0.0),
        token_seconds=data.get("token_seconds", 3599),
        service_health=data.get("service_health", {}),
        imds=data.get("imds"),
    )
    created = epoch - timedelta(days=90)
    build_sets.add_scale_sets(data, fleet, created)
    for index, item in enumerate(data["vms"]):
        merged = build_vms.merge(data.get("defaults", {}), item)
        vm = build_vms.build_vm(f"vms[{index}]", index, merged, fleet, created)
        if vm.key in fleet.vms:
            raise FleetError(f"vms[{index}].name: {vm.name!r} is there twice in {vm.resource_group}")
        fleet.add(vm)
    build_sets.add_instances(data, fleet)
    build_load_balancers.add_load_balancers(data, fleet)
    _groups(fleet, data)
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
                "roles": {
                    subscription(f"credentials[{index}].roles", name, subscriptions): role
                    for name, role in item.get("roles", {}).items()
                },
            }
        )
    return credentials


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


def _groups(fleet: Fleet, data: dict[str, Any]) -> None:
    for name, item in data.get("resource_groups", {}).items():
        where = f"resource_groups.{name}"
        if item["region"] not in fleet.regions:
            raise FleetError(f"{where}.region: no region {item['region']!r}")
        owner = subscription(f"{where}.subscription", item.get("subscription"), fleet.subscriptions)
        fleet.groups[owner, name.lower()] = (name, item["region"])
    for thing in (*fleet.vms.values(), *fleet.sets, *fleet.scale_sets.values(), *fleet.load_balancers.values()):
        fleet.groups.setdefault(
            (thing.subscription, thing.resource_group.lower()), (thing.resource_group, thing.region)
        )
