# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Azure puts a member of a set: its zone, update domain and fault domain."""

from __future__ import annotations

from typing import Any

from .fleet import Fleet
from .model import AvailabilitySet, ScaleSet, Vm
from .schema import FleetError


def place(where: str, vm: Vm, item: dict[str, Any], fleet: Fleet, number: int) -> None:
    """Give a VM or instance its domains: those declared, else dealt out in turn.

    In a scale set with zones, members are dealt to the zones first, and to the domains within their zone.
    Flexible scale sets have no update domains, and fault domains only if they are spread over several.
    """
    group = vm.group
    if isinstance(group, AvailabilitySet):
        position = len(fleet.members(group))
        vm.update_domain = _domain(where, "update_domain", item, position, group.update_domains)
        vm.fault_domain = _domain(where, "fault_domain", item, position, group.fault_domains)
    elif group is not None:
        _place_in_scale_set(where, vm, item, group, number if group.uniform else len(fleet.members(group)))
    else:
        for key in ("update_domain", "fault_domain"):
            if item.get(key) is not None:
                raise FleetError(f"{where}.{key}: only members of an availability set or a scale set have one")


def _place_in_scale_set(where: str, vm: Vm, item: dict[str, Any], group: ScaleSet, position: int) -> None:
    if group.zones:
        vm.zone = vm.zone or group.zones[position % len(group.zones)]
        position //= len(group.zones)
    if vm.zone not in (group.zones or (None,)):
        raise FleetError(f"{where}.zone: {vm.zone!r} is none of the zones of {group.name!r}")
    if group.uniform:
        vm.update_domain = _domain(where, "update_domain", item, position, group.update_domains)
    elif item.get("update_domain") is not None:
        raise FleetError(f"{where}.update_domain: a flexible scale set has none")
    vm.pinned = item.get("fault_domain") is not None
    if group.uniform or group.fault_domains > 1 or vm.pinned:
        vm.fault_domain = _domain(where, "fault_domain", item, position, group.fault_domains)


def _domain(where: str, key: str, item: dict[str, Any], position: int, count: int) -> int:
    value = item.get(key)
    if value is None:
        return position % count
    if value >= count:
        raise FleetError(f"{where}.{key}: {value} is not below the {count} of the set")
    return value
