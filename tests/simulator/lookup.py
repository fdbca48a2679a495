# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several providers' routes share: finding what a path names, and counting calls against the rate limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .model import Vm
from .routing import ArmError, Response

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


def metered(
    world: World, policy: str, subscription: str, answer: Callable[[], Response], resource: str = ""
) -> Response:
    """Answer at the cost of one token; with limits in force and no token left, answer 429 instead."""
    header, throttled = world.rates.spend(policy, subscription.lower(), resource)
    response = throttled or answer()
    response.headers["x-ms-ratelimit-remaining-resource"] = header
    return response
