# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VM entries of a fleet file: their keys, and how one becomes a Vm."""

from __future__ import annotations

import ipaddress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from . import domains, schema
from .fleet import Fleet
from .model import AvailabilitySet, ScaleSet, Vm, VmState
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
# What the VMs of one scale set have in common, and may have of their own.
MEMBER: dict[str, schema.Check] = {
    "os": schema.one_of("Linux", "Windows"),
    "ephemeral_os": schema.flag,
    "priority": schema.one_of("Regular", "Spot"),
    "data_disks": schema.whole(0),
    "guest": schema.maybe(schema.map_of(schema.anything)),
}
ADDRESSES = schema.keys({"private": _address, "public": schema.maybe(_address), "dynamic": schema.flag})
_KEYS: dict[str, schema.Check] = {
    **STATE,
    **MEMBER,
    "name": schema.text,
    "resource_group": schema.text,
    "subscription": schema.text,
    "region": schema.text,
    "availability_set": schema.maybe(schema.text),
    "scale_set": schema.maybe(schema.text),
    "update_domain": schema.maybe(schema.whole(0)),
    "fault_domain": schema.maybe(schema.whole(0)),
    "zone": schema.maybe(schema.text),
    "size": schema.text,
    "addresses": ADDRESSES,
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


def build_vm(
    where: str,
    index: int,
    item: dict[str, Any],
    fleet: Fleet,
    created: datetime,
    home: ScaleSet | None = None,
    number: int = 0,
) -> Vm:
    """Make a Vm of merged, checked keys; raises FleetError for references that lead nowhere.

    ``home`` is the scale set that makes it, as the member of this number.
    """
    owner = subscription(f"{where}.subscription", item.get("subscription"), fleet.subscriptions)
    group = _set(where, item, fleet, owner)
    home = home or _flexible(where, item, fleet, owner)
    region, resource_group = _place(where, item, group or home, fleet)
    addresses = item.get("addresses", {})
    vm = Vm(
        name=item["name"],
        resource_group=resource_group,
        subscription=owner,
        region=region,
        index=index,
        size=item.get("size", "Standard_D2s_v5"),
        os=item.get("os", "Linux"),
        set=group,
        zone=item.get("zone"),
        ephemeral_os=item.get("ephemeral_os", False),
        priority=item.get("priority", "Regular"),
        dynamic=addresses.get("dynamic", False),
        has_public=bool(addresses.get("public") or addresses.get("dynamic")),
        data_disks=item.get("data_disks", 0),
        guest=item.get("guest"),
        created=created,
        state=_state(where, index, item, fleet, created),
        scale_set=home,
        instance_id=str(number) if home and home.uniform else None,
        latest_model=item.get("latest_model", True),
    )
    domains.place(where, vm, item, fleet, number)
    vm.initial = {"public": vm.state.public, "operations": vm.state.operations}
    return vm


def _place(
    where: str, item: dict[str, Any], near: AvailabilitySet | ScaleSet | None, fleet: Fleet
) -> tuple[str, str]:
    """Return region and resource group: those given, else those of the set; and check where the guest is."""
    region = item.get("region") or (near.region if near else None)
    resource_group = item.get("resource_group") or (near.resource_group if near else None)
    if not resource_group:
        raise FleetError(f"{where}.resource_group: missing")
    if region not in fleet.regions:
        raise FleetError(f"{where}.region: no region {region!r}")
    reach = (item.get("guest") or {}).get("reach")
    if reach not in (None, "private", "public"):
        raise FleetError(f"{where}.guest.reach: {reach!r} is none of private, public")
    return region, resource_group


def subscription(where: str, name: str | None, subscriptions: dict[str, str]) -> str:
    """Return the id of a subscription given by id or display name (None: the first)."""
    for key, display in subscriptions.items():
        if name is None or name.lower() == key or name == display:
            return key
    raise FleetError(f"{where}: no subscription {name!r}")


def _set(where: str, item: dict[str, Any], fleet: Fleet, owner: str) -> AvailabilitySet | None:
    return _only(f"{where}.availability_set", item, item.get("availability_set"), fleet, AvailabilitySet, owner)


def _flexible(where: str, item: dict[str, Any], fleet: Fleet, owner: str) -> ScaleSet | None:
    found = _only(f"{where}.scale_set", item, item.get("scale_set"), fleet, ScaleSet, owner)
    if found and found.uniform:
        raise FleetError(f"{where}.scale_set: {found.name!r} is uniform: it makes its own instances")
    if found and item.get("availability_set"):
        raise FleetError(f"{where}.scale_set: a VM is in an availability set or in a scale set, not in both")
    return found


def _only(where: str, item: dict[str, Any], name: str | None, fleet: Fleet, kind: type, owner: str) -> Any:
    """Return the one set of this kind and name, in the VM's resource group if it has one; None without a name."""
    if name is None:
        return None
    found = [
        group
        for group in fleet.sets_by_name.get(name.lower(), ())
        if isinstance(group, kind)
        and group.subscription == owner
        and group.resource_group.lower() == item.get("resource_group", group.resource_group).lower()
    ]
    if len(found) != 1:
        raise FleetError(f"{where}: {name!r} names {len(found)} {where.rpartition('.')[2].replace('_', ' ')}s")
    return found[0]


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
