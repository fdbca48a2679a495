# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several providers' routes share: finding what a path names, and counting calls against the rate limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..fleet.model import ScaleSet, Vm
from ..wire.messages import ArmError, Response

if TYPE_CHECKING:
    from .world import World

COMPUTE = "Microsoft.Compute"


def no_group(group: str) -> ArmError:
    """Return the error for a resource group that is not there."""
    headers = {"x-ms-failure-cause": "gateway"}
    return ArmError(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.", headers)


def not_found(kind: str, name: str, group: str) -> ArmError:
    """Return the error for a resource that is not there; kind is its full type."""
    message = (
        f"The Resource '{kind}/{name}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    )
    return ArmError(404, "ResourceNotFound", message, {"x-ms-failure-cause": "gateway"})


def need_group(world: World, subscription: str, group: str) -> None:
    """Raise ArmError 404 unless the resource group is there."""
    if (subscription.lower(), group.lower()) not in world.fleet.groups:
        raise no_group(group)


def find_vm(world: World, subscription: str, group: str, name: str) -> Vm:
    """Return the VM; raises ArmError 404."""
    need_group(world, subscription, group)
    key = f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{COMPUTE}/virtualMachines/{name}".lower()
    if key not in world.fleet.vms:
        raise not_found(f"{COMPUTE}/virtualMachines", name, group)
    return world.fleet.vms[key]


def find_scale_set(world: World, subscription: str, group: str, name: str) -> ScaleSet:
    """Return the scale set; raises ArmError 404."""
    need_group(world, subscription, group)
    key = f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{COMPUTE}/virtualMachineScaleSets/{name}"
    if key.lower() not in world.fleet.scale_sets:
        raise not_found(f"{COMPUTE}/virtualMachineScaleSets", name, group)
    return world.fleet.scale_sets[key.lower()]


def find_parent(world: World, subscription: str, group: str, name: str) -> ScaleSet:
    """Return the scale set that a path goes through; raises ArmError 404 as Azure does for a missing parent."""
    try:
        return find_scale_set(world, subscription, group, name)
    except ArmError as error:
        if error.code == "ResourceGroupNotFound":
            raise
        message = (
            "Failed to perform 'read' on resource(s) of type 'virtualMachineScaleSets/virtualMachines', because the "
            f"parent resource '/subscriptions/{subscription}/resourceGroups/{group}/providers/{COMPUTE}"
            f"/virtualMachineScaleSets/{name}' could not be found."
        )
        raise ArmError(404, "ParentResourceNotFound", message, {"x-ms-failure-cause": "gateway"}) from None


def find_instance(world: World, subscription: str, group: str, name: str, instance: str) -> Vm:
    """Return an instance of a uniform scale set; raises ArmError 404, or 400 for what is no number."""
    found = find_parent(world, subscription, group, name)
    if not instance.isdecimal():
        message = "Virtual Machine Scale Set VM instanceId must be a number."
        raise ArmError(400, "InvalidParameter", message, target="instanceId")
    key = f"{found.id}/virtualMachines/{int(instance)}".lower()
    if key not in world.fleet.vms:
        raise ArmError(404, "NotFound", "The entity was not found in this Azure location.")
    return world.fleet.vms[key]


def metered(
    world: World, policy: str, subscription: str, answer: Callable[[], Response], resource: str = ""
) -> Response:
    """Answer at the cost of one token; with limits in force and no token left, answer 429 instead."""
    header, throttled = world.rates.spend(policy, subscription.lower(), resource)
    response = throttled or answer()
    response.headers["x-ms-ratelimit-remaining-resource"] = header
    return response
