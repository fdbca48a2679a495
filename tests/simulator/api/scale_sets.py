# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What compute lets one read of scale sets: models, instances and their views, network interfaces."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ..fleet.model import ScaleSet, Vm
from ..views import network
from ..wire.messages import ArmError, Request, Response
from .lookup import COMPUTE, find_instance, find_parent, find_scale_set, metered, need_group
from .paging import page
from .routing import Route, route

if TYPE_CHECKING:
    from .world import World

SETS = f"/providers/{COMPUTE}/virtualMachineScaleSets"
ONE = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}{SETS}/{{name}}"
INSTANCE = f"{ONE}/virtualMachines/{{instance}}"
_LATEST = re.compile(r"\s*properties/latestModelApplied\s+eq\s+(true|false)\s*", re.IGNORECASE)
_POWER = re.compile(r"\s*startswith\(instanceView/statuses/code,\s*'PowerState'\)\s+eq\s+true\s*", re.IGNORECASE)


def routes(world: World) -> list[Route]:
    """Return the routes of this part."""
    part = ScaleSets(world)
    return [
        route("GET", f"/subscriptions/{{subscription}}{SETS}", part.list_sets),
        route("GET", f"/subscriptions/{{subscription}}/resourceGroups/{{group}}{SETS}", part.list_sets),
        route("GET", ONE, part.get),
        route("GET", f"{ONE}/instanceView", part.summary),
        route("GET", f"{ONE}/virtualMachines", part.instances),
        route("GET", INSTANCE, part.instance),
        route("GET", f"{INSTANCE}/instanceView", part.instance_view),
        route("GET", f"{ONE}/networkInterfaces", part.interfaces),
        route("GET", f"{INSTANCE}/networkInterfaces", part.interfaces),
        route("GET", f"{INSTANCE}/networkInterfaces/{{interface}}", part.interface),
        route("GET", f"{ONE}/publicIPAddresses", part.addresses),
    ]


def not_for(group: ScaleSet, operation: str) -> ArmError:
    """Return the refusal of what a flexible scale set does not offer: its VMs are to be asked themselves."""
    where = f"Virtual Machine Scale Set '{group.name}'"
    return ArmError(400, "BadRequest", f"Operation 'VirtualMachineScaleSets.{operation}' is not allowed on {where}.")


class ScaleSets:
    """Answers for scale sets and the instances of uniform ones."""

    def __init__(self, world: World) -> None:
        self.world, self.view = world, world.view

    def list_sets(self, request: Request, subscription: str, group: str | None = None) -> Response:
        """The scale sets of a subscription or resource group."""
        if group:
            need_group(self.world, subscription, group)
        found = self.world.fleet.scale_sets_in(subscription, group and group.lower())
        answer = partial(page, self.world, request, found, self.view.scale_sets.scale_set)
        return self._metered("HighCostGetVMScaleSet", subscription, "", answer)

    def get(self, request: Request, subscription: str, group: str, name: str) -> Response:
        """One scale set."""
        found = find_scale_set(self.world, subscription, group, name)
        body = self.view.scale_sets.scale_set(found)
        return self._metered("LowCostGetVMScaleSet", subscription, found.id, lambda: Response(200, body))

    def summary(self, request: Request, subscription: str, group: str, name: str) -> Response:
        """The instance view of a scale set: counts."""
        found = find_parent(self.world, subscription, group, name)
        if not found.uniform:
            raise not_for(found, "instanceView.GET")
        body = self.view.scale_sets.summary(found)
        return self._metered("HighCostGetVMScaleSet", subscription, found.id, lambda: Response(200, body))

    def instances(self, request: Request, subscription: str, group: str, name: str) -> Response:
        """The instances, with views if expanded; of a flexible scale set little more than the names."""
        found = find_parent(self.world, subscription, group, name)
        expand = "instanceview" in request.query.get("$expand", "").lower()
        if not found.uniform and expand:
            raise not_for(found, "virtualMachines.GET")
        members = _filtered(self.world.fleet.members(found), request.query.get("$filter", ""))
        kind, render = "bare", self.view.scale_sets.bare
        if found.uniform:
            kind, render = ("expanded", self.view.expanded_instance) if expand else ("model", self.view.instance)
        render = self.world.items.keeper(kind, render)
        answer = partial(page, self.world, request, members, render)
        return self._metered("HighCostGetVMScaleSet", subscription, found.id, answer)

    def instance(self, request: Request, **where: str) -> Response:
        """One instance."""
        vm = find_instance(self.world, **where)
        expand = "instanceview" in request.query.get("$expand", "").lower()
        body = self.view.expanded_instance(vm) if expand else self.view.instance(vm)
        headers = {"ETag": f'"{vm.state.etag}"'}
        return self._metered("GetVMScaleSetVM", vm.subscription, vm.key, lambda: Response(200, body, headers))

    def instance_view(self, request: Request, **where: str) -> Response:
        """One instance's view."""
        vm = find_instance(self.world, **where)
        body = self.view.instance_view(vm)
        return self._metered("GetVMScaleSetVM", vm.subscription, vm.key, lambda: Response(200, body))

    def interfaces(self, request: Request, instance: str | None = None, **where: str) -> Response:
        """The network interfaces of all instances, or of one."""
        members = [find_instance(self.world, **where, instance=instance)] if instance else self._members(**where)
        return page(self.world, request, members, self.world.items.keeper("nic", network.nic))

    def interface(self, request: Request, interface: str, **where: str) -> Response:
        """One network interface of an instance."""
        body = network.nic(find_instance(self.world, **where))
        if body["name"].lower() != interface.lower():
            raise ArmError(404, "NotFound", "The entity was not found in this Azure location.")
        return Response(200, body, {"ETag": body["etag"]})

    def addresses(self, request: Request, **where: str) -> Response:
        """The public addresses of all instances."""
        members = [vm for vm in self._members(**where) if vm.has_public]
        return page(self.world, request, members, network.public_ip)

    def _members(self, **where: str) -> list[Vm]:
        found = find_parent(self.world, **where)
        if not found.uniform:
            raise ArmError(404, "NotFound", "The entity was not found in this Azure location.")
        return self.world.fleet.members(found)

    def _metered(self, policy: str, subscription: str, resource: str, answer: Callable[[], Response]) -> Response:
        return metered(self.world, policy, subscription, answer, resource)


def _filtered(members: list[Vm], text: str) -> list[Vm]:
    """Apply one of the filters that the API knows; raises ArmError 400 for any other."""
    latest = _LATEST.fullmatch(text)
    if latest:
        return [vm for vm in members if vm.latest_model == (latest[1].lower() == "true")]
    if text and not _POWER.fullmatch(text):
        raise ArmError(400, "BadRequest", f"The filter '{text}' is not supported.")
    return members
