# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VM entries of a fleet file: their keys, and how one becomes a Vm."""

from __future__ import annotations

import ipaddress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from . import schema
from .model import AvailabilitySet, Fleet, Vm, VmState
from .schema import FleetError
from .transitions import POWERS, check_operations

if TYPE_CHECKING:
    from collections.abc import Mapping


def _address(where: str, value: Any) -> str:
    try:
        return str(ipaddress.IPv4Address(value))
    except ValueError:
        raise FleetError(f"{where}: {value!r} is not an IPv4 address") from None


def _code(where: str, value: Any) -> str:
    return "None" if value is None else schema.text(where, value)


EXTENSION = schema.keys(
    {
        "name": schema.text,
        "type": schema.text,
        "version": schema.text,
        "status": schema.one_of("succeeded", "failed", "updating"),
        "message": schema.text,
    },
    ("name",),
)
# What the control path may change in a living VM.
STATE: dict[str, schema.Check] = {
    "power": schema.one_of(*POWERS),
    "agent": schema.one_of("ready", "not_ready", "absent"),
    "provisioning": schema.text,
    "wave": schema.maybe(schema.text),
    "allowed": schema.maybe(schema.flag),
    "code": _code,
    "message": schema.maybe(schema.text),
    "tags": schema.map_of(schema.text),
    "extensions": schema.list_of(EXTENSION),
    "operations": check_operations,
}
_KEYS: dict[str, schema.Check] = {
    **STATE,
    "name": schema.text,
    "resource_group": schema.text,
    "subscription": schema.text,
    "region": schema.text,
    "availability_set": schema.maybe(schema.text),
    "update_domain": schema.maybe(schema.whole(0)),
    "fault_domain": schema.maybe(schema.whole(0)),
    "zone": schema.maybe(schema.text),
    "size": schema.text,
    "os": schema.one_of("Linux", "Windows"),
    "ephemeral_os": schema.flag,
    "priority": schema.one_of("Regular", "Spot"),
    "data_disks": schema.whole(0),
    "addresses": schema.keys({"private": _address, "public": schema.maybe(_address), "dynamic": schema.flag}),
    "guest": schema.maybe(schema.map_of(schema.anything)),
}
check_vm = schema.keys(_KEYS, ("name",))
check_defaults = schema.keys({key: check for key, check in _KEYS.items() if key != "name"})


def merge(defaults: Mapping[str, Any], item: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a VM's keys over the defaults; tags, operations and guest are merged key by key."""
    merged = {**defaults, **item}
    for key in ("tags", "operations", "guest"):
        if key in defaults and isinstance(item.get(key), dict):
            merged[key] = {**(defaults[key] or {}), **item[key]}
    return merged


def build_vm(where: str, index: int, item: dict[str, Any], fleet: Fleet, created: datetime) -> Vm:
    """Make a Vm of merged, checked keys; raises FleetError for references that lead nowhere."""
    owner = _subscription(where, item, fleet)
    group = _set(where, item, fleet, owner)
    region = item.get("region") or (group.region if group else None)
    resource_group = item.get("resource_group") or (group.resource_group if group else None)
    if not resource_group:
        raise FleetError(f"{where}.resource_group: missing")
    if region not in fleet.regions:
        raise FleetError(f"{where}.region: no region {region!r}")
    addresses = item.get("addresses", {})
    guest = item.get("guest")
    vm = Vm(
        name=item["name"],
        resource_group=resource_group,
        subscription=owner,
        region=region,
        index=index,
        size=item.get("size", "Standard_D2s_v5"),
        os=item.get("os", "Linux"),
        set=group,
        update_domain=_domain(where, "update_domain", item, group, group.update_domains if group else 0, fleet),
        fault_domain=_domain(where, "fault_domain", item, group, group.fault_domains if group else 0, fleet),
        zone=item.get("zone"),
        ephemeral_os=item.get("ephemeral_os", False),
        priority=item.get("priority", "Regular"),
        dynamic=addresses.get("dynamic", False),
        has_public=bool(addresses.get("public") or addresses.get("dynamic")),
        data_disks=item.get("data_disks", 0),
        guest=guest,
        created=created,
        state=_state(where, index, item, fleet, created),
    )
    if guest and guest.get("reach") not in (None, "private", "public"):
        raise FleetError(f"{where}.guest.reach: {guest['reach']!r} is none of private, public")
    vm.initial = vm.state.as_dict()
    return vm


def _subscription(where: str, item: dict[str, Any], fleet: Fleet) -> str:
    named = item.get("subscription")
    for key, display in fleet.subscriptions.items():
        if named is None or named.lower() == key or named == display:
            return key
    raise FleetError(f"{where}.subscription: no subscription {named!r}")


def _set(where: str, item: dict[str, Any], fleet: Fleet, owner: str) -> AvailabilitySet | None:
    name = item.get("availability_set")
    if name is None:
        return None
    found = [
        group
        for group in fleet.sets
        if group.name.lower() == name.lower()
        and group.subscription == owner
        and group.resource_group.lower() == item.get("resource_group", group.resource_group).lower()
    ]
    if len(found) != 1:
        raise FleetError(f"{where}.availability_set: {name!r} names {len(found)} availability sets")
    return found[0]


def _domain(
    where: str, key: str, item: dict[str, Any], group: AvailabilitySet | None, count: int, fleet: Fleet
) -> int | None:
    if group is None:
        if item.get(key) is not None:
            raise FleetError(f"{where}.{key}: only members of an availability set have one")
        return None
    value = item.get(key)
    if value is None:
        value = len(fleet.members(group)) % count
    if value >= count:
        raise FleetError(f"{where}.{key}: {value} is not below the {count} of the set")
    return value


def _state(where: str, index: int, item: dict[str, Any], fleet: Fleet, created: datetime) -> VmState:
    wave = item.get("wave")
    if wave is not None and wave not in fleet.waves:
        raise FleetError(f"{where}.wave: no wave {wave!r}")
    addresses = item.get("addresses", {})
    number = index + 4
    return VmState(
        power=item.get("power", "running"),
        agent=item.get("agent", "ready"),
        provisioning=item.get("provisioning", "succeeded"),
        wave=wave,
        allowed=item.get("allowed"),
        code=item.get("code", "None"),
        message=item.get("message"),
        tags=item.get("tags", {}),
        extensions=item.get("extensions", []),
        operations=item.get("operations", {}),
        private=addresses.get("private", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"),
        public=addresses.get("public"),
        changed=created,
    )
