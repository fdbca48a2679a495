# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sets of a fleet file: availability sets, scale sets and the members that scale sets make."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from . import build_vms, schema
from .build_vms import MEMBER, STATE, subscription
from .fleet import Fleet
from .model import AvailabilitySet, Region, ScaleSet, Vm, guid
from .schema import FleetError

_PLACE: dict[str, schema.Check] = {
    "name": schema.text,
    "resource_group": schema.text,
    "region": schema.text,
    "subscription": schema.text,
    "update_domains": schema.whole(1),
    "fault_domains": schema.whole(1),
    "tags": schema.map_of(schema.text),
    "concurrent_redeploys": schema.whole(1),
}
_REQUIRED = ("name", "resource_group", "region")
check_set = schema.keys({**_PLACE, "sku": schema.one_of("Aligned", "Classic")}, _REQUIRED)
_OWN: dict[str, schema.Check] = {
    **_PLACE,
    "orchestration": schema.one_of("uniform", "flexible"),
    "zones": schema.list_of(schema.text),
    "size": schema.text,
    "upgrade": schema.one_of("Manual", "Automatic", "Rolling"),
    "provisioning": schema.text,
    "capacity": schema.whole(0),
}
_INSTANCE = schema.keys(
    {
        **STATE,
        **MEMBER,
        "id": schema.whole(0),
        "name": schema.text,
        "latest_model": schema.flag,
        "size": schema.text,
        "update_domain": schema.whole(0),
        "fault_domain": schema.whole(0),
        "zone": schema.text,
        "addresses": build_vms.ADDRESSES,
    }
)
_TEMPLATE = {key: check for key, check in {**STATE, **MEMBER}.items() if key != "provisioning"}
check_scale_set = schema.keys({**_TEMPLATE, **_OWN, "instances": schema.list_of(_INSTANCE)}, _REQUIRED)


def availability_sets(
    data: dict[str, Any], regions: dict[str, Region], subscriptions: dict[str, str]
) -> list[AvailabilitySet]:
    """Make the availability sets of checked data."""
    return [
        AvailabilitySet(**{**item, "subscription": _place(f"availability_sets[{index}]", item, regions, subscriptions)})
        for index, item in enumerate(data.get("availability_sets", []))
    ]


def _place(where: str, item: dict[str, Any], regions: dict[str, Region], subscriptions: dict[str, str]) -> str:
    """Check the region, return the subscription."""
    if item["region"] not in regions:
        raise FleetError(f"{where}.region: no region {item['region']!r}")
    return subscription(f"{where}.subscription", item.get("subscription"), subscriptions)


def add_scale_sets(data: dict[str, Any], fleet: Fleet, created: datetime) -> None:
    """Give the fleet its scale sets, without members."""
    for index, item in enumerate(data.get("scale_sets", [])):
        where = f"scale_sets[{index}]"
        owner = _place(where, item, fleet.regions, fleet.subscriptions)
        zones = tuple(item.get("zones", ()))
        own = {key: value for key, value in item.items() if key in _OWN and key not in ("capacity", "zones")}
        flexible = item.get("orchestration") == "flexible"
        if flexible and "update_domains" in item:
            raise FleetError(f"{where}.update_domains: a flexible scale set has none")
        own.setdefault("fault_domains", 1 if zones or flexible else 5)
        group = ScaleSet(**{**own, "subscription": owner, "zones": zones}, created=created)
        group.template = {key: value for key, value in item.items() if key in (*_TEMPLATE, "size")}
        if group.id.lower() in fleet.scale_sets:
            raise FleetError(f"{where}.name: {group.name!r} is there twice in {group.resource_group}")
        fleet.scale_sets[group.id.lower()] = group


def add_instances(data: dict[str, Any], fleet: Fleet) -> None:
    """Give the scale sets their members: those listed, then more until the capacity is reached."""
    for index, item in enumerate(data.get("scale_sets", [])):
        where = f"scale_sets[{index}]"
        owner = subscription(where, item.get("subscription"), fleet.subscriptions)
        group = next(
            found
            for found in fleet.scale_sets_in(owner, item["resource_group"].lower())
            if found.name.lower() == item["name"].lower()
        )
        defaults = data.get("defaults", {})
        base = {key: value for key, value in defaults.items() if key in (*_TEMPLATE, "size")}
        group.template = build_vms.merge(base, group.template)
        group.size = group.template.get("size", group.size)
        for position, given in enumerate(item.get("instances", ())):
            add_instance(f"{where}.instances[{position}]", fleet, group, given)
        for _number in range(item.get("capacity", 0) - len(fleet.members(group))):
            add_instance(where, fleet, group, {})
        members = fleet.members(group)
        members.sort(key=lambda vm: int(vm.instance_id or 0))
        group.next_number = max([group.next_number, *(int(vm.instance_id) + 1 for vm in members if vm.instance_id)])


def add_instance(where: str, fleet: Fleet, group: ScaleSet, given: dict[str, Any]) -> None:
    """Add a member: an instance with the next free number, or a VM of a flexible scale set."""
    taken = {member.instance_id for member in fleet.members(group)}
    if "id" in given:
        number = given["id"]
    else:
        number = next(number for number in range(group.next_number, 1 << 30) if str(number) not in taken)
        group.next_number = number + 1
    merged = build_vms.merge(group.template, {key: value for key, value in given.items() if key != "id"})
    fallback = f"{group.name}_{number if group.uniform else guid('member', group.id, number)[:8]}"
    item = {"name": fallback, **merged, "resource_group": group.resource_group, "subscription": group.subscription}
    if group.uniform and "name" in given:
        raise FleetError(f"{where}.name: instances of a uniform scale set are named by their id")
    if not group.uniform and "id" in given:
        raise FleetError(f"{where}.id: VMs of a flexible scale set have names, not ids")
    vm = build_vms.build_vm(where, len(fleet.vms), item, fleet, group.created, group, number)
    if vm.key in fleet.vms:
        raise FleetError(f"{where}: {vm.name!r} is there twice")
    fleet.add(vm)


def resize(fleet: Fleet, group: ScaleSet, capacity: int) -> list[Vm]:
    """Scale out with numbers never used before, or return the members that have to go: the latest."""
    members = sorted(fleet.members(group), key=lambda vm: (int(vm.instance_id or 0), vm.index))
    leaving = members[capacity:]
    for _number in range(capacity - len(members)):
        add_instance(group.name, fleet, group, {})
    return leaving
