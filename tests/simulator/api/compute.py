# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What compute lets one read: VMs, their views, availability sets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..fleet.model import AvailabilitySet, Vm
from ..wire.messages import ArmError, Request, Response
from .lookup import COMPUTE, find_vm, metered, need_group, not_found
from .paging import page
from .routing import Route, route

if TYPE_CHECKING:
    from .world import World

_SUB = "/subscriptions/{subscription}"
_GROUP = _SUB + "/resourceGroups/{group}"
_COMPUTE = f"/providers/{COMPUTE}"
_OF_SCALE_SET = re.compile(r"\s*'?virtualMachineScaleSet/id'?\s+eq\s+'([^']*)'\s*", re.IGNORECASE)


def routes(world: World) -> list[Route]:
    """Return the routes of this part."""
    part = Compute(world)
    vms, sets = f"{_COMPUTE}/virtualMachines", f"{_COMPUTE}/availabilitySets"
    return [
        route("GET", _SUB + vms, part.list_all),
        route("GET", _GROUP + vms, part.list_group),
        route("GET", f"{_GROUP}{vms}/{{name}}", part.get),
        route("GET", f"{_GROUP}{vms}/{{name}}/instanceView", part.instance_view),
        route("GET", _SUB + sets, part.sets),
        route("GET", _GROUP + sets, part.sets_of_group),
        route("GET", f"{_GROUP}{sets}/{{name}}", part.set),
    ]


class Compute:
    """Answers for Microsoft.Compute."""

    def __init__(self, world: World) -> None:
        self.world, self.fleet = world, world.fleet

    def list_all(self, request: Request, subscription: str) -> Response:
        """All VMs of a subscription; statusOnly=true gives their run-time status."""
        status_only = request.query.get("statusonly", "").lower() == "true"
        return self._list(request, subscription, self.fleet.listed(subscription), "status" if status_only else None)

    def list_group(self, request: Request, subscription: str, group: str) -> Response:
        """The VMs of a resource group, with views if expanded."""
        need_group(self.world, subscription, group)
        return self._list(request, subscription, self.fleet.listed(subscription, group))

    def _list(self, request: Request, subscription: str, found: list[Vm], kind: str | None = None) -> Response:
        if "$filter" in request.query:
            match = _OF_SCALE_SET.fullmatch(request.query["$filter"])
            if not match:
                raise ArmError(400, "BadRequest", f"The filter '{request.query['$filter']}' is not supported.")
            found = [vm for vm in found if vm.scale_set and vm.scale_set.id.lower() == match[1].lower()]
        kind = kind or ("expanded" if request.query.get("$expand", "").lower() == "instanceview" else "model")
        view = self.world.view
        render = {"status": view.status_only, "expanded": view.expanded, "model": view.listed}[kind]
        return metered(
            self.world,
            "HighCostGet",
            subscription,
            lambda: page(self.world, request, found, self.world.items.keeper(kind, render)),
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
        return metered(self.world, "HighCostGet", subscription, lambda: page(self.world, request, found, render))

    def set(self, request: Request, subscription: str, group: str, name: str) -> Response:
        """One availability set."""
        need_group(self.world, subscription, group)
        found = [item for item in self._sets_in(subscription, group) if item.name.lower() == name.lower()]
        if found:
            render = self.world.view.models.availability_set
            return metered(self.world, "LowCostGet", subscription, lambda: Response(200, render(found[0])), found[0].id)
        raise not_found(f"{COMPUTE}/availabilitySets", name, group)
