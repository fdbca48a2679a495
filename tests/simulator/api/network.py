# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network provider, as far as VMs' addresses need it: network interfaces and public addresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..fleet.model import Vm
from ..views import network
from ..wire.messages import Request, Response
from .lookup import need_group, not_found
from .paging import page
from .routing import Route, route

if TYPE_CHECKING:
    from .world import World

_SUB = "/subscriptions/{subscription}"
_GROUP = _SUB + "/resourceGroups/{group}"
_NETWORK = "/providers/Microsoft.Network"


def routes(world: World) -> list[Route]:
    """Return the routes of this part."""
    nics = Kind(world, "networkInterfaces", "nic", network.nic, lambda vm: True)
    addresses = Kind(world, "publicIPAddresses", "ip", network.public_ip, lambda vm: vm.has_public)
    found = []
    for kind in (nics, addresses):
        found += [
            route("GET", f"{_SUB}{_NETWORK}/{kind.name}", kind.list_all),
            route("GET", f"{_GROUP}{_NETWORK}/{kind.name}", kind.list_group),
            route("GET", f"{_GROUP}{_NETWORK}/{kind.name}/{{name}}", kind.get),
        ]
    return found


class Kind:
    """One resource type, of which each VM has at most one, named <vm>-<suffix>."""

    def __init__(
        self, world: World, name: str, suffix: str, render: Callable[[Vm], dict[str, Any]], has: Callable[[Vm], bool]
    ) -> None:
        self.world, self.name, self.suffix, self.render, self.has = world, name, suffix, render, has

    def list_all(self, request: Request, subscription: str) -> Response:
        """All of a subscription."""
        return self._page(request, [vm for vm in self.world.fleet.listed(subscription) if self.has(vm)])

    def list_group(self, request: Request, subscription: str, group: str) -> Response:
        """Those of a resource group."""
        return self._page(request, self._of_group(subscription, group))

    def get(self, request: Request, subscription: str, group: str, name: str) -> Response:
        """One by name."""
        for vm in self._of_group(subscription, group):
            if f"{vm.name}-{self.suffix}".lower() == name.lower():
                body = self.render(vm)
                return Response(200, body, {"ETag": body["etag"]})
        raise not_found(f"Microsoft.Network/{self.name}", name, group)

    def _page(self, request: Request, vms: list[Vm]) -> Response:
        return page(self.world, request, vms, self.world.items.keeper(self.suffix, self.render))

    def _of_group(self, subscription: str, group: str) -> list[Vm]:
        need_group(self.world, subscription, group)
        return [vm for vm in self.world.fleet.listed(subscription, group) if self.has(vm)]
