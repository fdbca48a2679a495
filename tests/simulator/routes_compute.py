# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What compute lets one read: VMs, their views, availability sets, scale sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .lookup import COMPUTE, find_vm, metered, need_group, not_found
from .model import AvailabilitySet, Vm
from .paging import page
from .routing import ArmError, Request, Response, Route, route

if TYPE_CHECKING:
    from .world import World

_SUB = "/subscriptions/{subscription}"
_GROUP = _SUB + "/resourceGroups/{group}"
_COMPUTE = f"/providers/{COMPUTE}"


def routes(world: World) -> list[Route]:
    """Return the routes of this part."""
    part = Compute(world)
    vms, sets, scale = (
        f"{_COMPUTE}/{kind}" for kind in ("virtualMachines", "availabilitySets", "virtualMachineScaleSets")
    )
    return [
        route("GET", _SUB + vms, part.list_all),
        route("GET", _GROUP + vms, part.list_group),
        route("GET", f"{_GROUP}{vms}/{{name}}", part.get),
        route("GET", f"{_GROUP}{vms}/{{name}}/instanceView", part.instance_view),
        route("GET", _SUB + sets, part.sets),
        route("GET", _GROUP + sets, part.sets_of_group),
        route("GET", f"{_GROUP}{sets}/{{name}}", part.set),
        route("GET", _SUB + scale, part.no_scale_sets),
        route("GET", _GROUP + scale, part.no_scale_sets),
        route("GET", f"{_GROUP}{scale}/{{name}}", part.missing_scale_set),
    ]


class Compute:
    """Answers for Microsoft.Compute."""

    def __init__(self, world: World) -> None:
        self.world, self.fleet = world, world.fleet

    def list_all(self, request: Request, subscription: str) -> Response:
        """All VMs of a subscription; statusOnly=true gives their run-time status."""
        found = [vm for vm in self.fleet.vms.values() if vm.subscription == subscription.lower()]
        status_only = request.query.get("statusonly", "").lower() == "true"
        return self._list(request, subscription, found, self.world.view.status_only if status_only else None)

    def list_group(self, request: Request, subscription: str, group: str) -> Response:
        """The VMs of a resource group, with views if expanded."""
        need_group(self.world, subscription, group)
        found = [
            vm
            for vm in self.fleet.vms.values()
            if vm.subscription == subscription.lower() and vm.resource_group.lower() == group.lower()
        ]
        return self._list(request, subscription, found)

    def _list(
        self, request: Request, subscription: str, found: list[Vm], render: Callable[[Vm], dict[str, Any]] | None = None
    ) -> Response:
        view = self.world.view
        if "$filter" in request.query:
            if "virtualmachinescaleset/id" not in request.query["$filter"].lower():
                raise ArmError(400, "BadRequest", f"The filter '{request.query['$filter']}' is not supported.")
            found = []
        expand = request.query.get("$expand", "").lower() == "instanceview"
        render = render or ((lambda vm: _expanded(view.listed(vm), view.instance_view(vm))) if expand else view.listed)
        return metered(
            self.world,
            "HighCostGet",
            subscription,
            lambda: page(self.world, request, found, render),
        )

    def get(self, request: Request, subscription: str, group: str, name: str) -> Response:
        """One VM."""
        vm = find_vm(self.world, subscription, group, name)
        expand = "instanceview" in request.query.get("$expand", "").lower()
        return metered(
            self.world,
            "LowCostGet",
            subscription,
            lambda: Response(200, self.world.view.model(vm, expand=expand), {"ETag": f'"{vm.state.etag}"'}),
            vm.key,
        )

    def instance_view(self, request: Request, subscription: str, group: str, name: str) -> Response:
        """One VM's instance view."""
        vm = find_vm(self.world, subscription, group, name)
        return metered(
            self.world, "LowCostGet", subscription, lambda: Response(200, self.world.view.instance_view(vm)), vm.key
        )

    def sets(self, request: Request, subscription: str) -> Response:
        """All availability sets of a subscription."""
        found = [group for group in self.fleet.sets if group.subscription == subscription.lower()]
        return self._sets(request, subscription, found)

    def sets_of_group(self, request: Request, subscription: str, group: str) -> Response:
        """The availability sets of a resource group."""
        need_group(self.world, subscription, group)
        return self._sets(request, subscription, self._sets_in(subscription, group))

    def _sets_in(self, subscription: str, group: str) -> list[AvailabilitySet]:
        return [
            item
            for item in self.fleet.sets
            if item.subscription == subscription.lower() and item.resource_group.lower() == group.lower()
        ]

    def _sets(self, request: Request, subscription: str, found: list[AvailabilitySet]) -> Response:
        render = self.world.view.models.availability_set
        return metered(
            self.world,
            "HighCostGet",
            subscription,
            lambda: page(self.world, request, found, render),
        )

    def set(self, request: Request, subscription: str, group: str, name: str) -> Response:
        """One availability set."""
        need_group(self.world, subscription, group)
        found = [item for item in self._sets_in(subscription, group) if item.name.lower() == name.lower()]
        if found:
            render = self.world.view.models.availability_set
            return metered(self.world, "LowCostGet", subscription, lambda: Response(200, render(found[0])), found[0].id)
        raise not_found(f"{COMPUTE}/availabilitySets", name, group)

    def no_scale_sets(self, request: Request, subscription: str, group: str | None = None) -> Response:
        """The fleet has no scale sets."""
        if group:
            need_group(self.world, subscription, group)
        return metered(self.world, "HighCostGet", subscription, lambda: Response(200, {"value": []}))

    def missing_scale_set(self, request: Request, subscription: str, group: str, name: str) -> Response:
        """No scale set is ever found."""
        need_group(self.world, subscription, group)
        raise not_found(f"{COMPUTE}/virtualMachineScaleSets", name, group)


def _expanded(item: dict[str, Any], view: dict[str, Any]) -> dict[str, Any]:
    item["properties"]["instanceView"] = view
    return item
