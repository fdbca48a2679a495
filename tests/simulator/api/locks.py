# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Management locks: their list, and what a read-only one forbids."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..fleet.fleet import Fleet
from ..fleet.model import Vm
from ..wire.messages import ArmError, Request, Response
from .routing import Route, route

if TYPE_CHECKING:
    from .world import World


def routes(world: World) -> list[Route]:
    """Return the routes of this part."""
    return [route("GET", "/subscriptions/{subscription}/providers/Microsoft.Authorization/locks", partial(_list, world))]


def refusal(fleet: Fleet, vm: Vm) -> ArmError | None:
    """Return why a lock forbids an operation on this VM, or None."""
    for lock in fleet.locks:
        scope = lock["scope"].lower().rstrip("/")
        if lock["level"] == "ReadOnly" and f"{vm.key}/".startswith(f"{scope}/"):
            message = f"The scope '{vm.id}' cannot perform write operation because following scope(s) are locked: '{lock['scope']}'."
            return ArmError(409, "ScopeLocked", f"{message} Please remove the lock and try again.")
    return None


def _list(world: World, request: Request, subscription: str) -> Response:
    """The locks of a subscription and of what is in it."""
    own = f"/subscriptions/{subscription}/".lower()
    return Response(200, {"value": [_body(lock) for lock in world.fleet.locks if f"{lock['scope']}/".lower().startswith(own)]})


def _body(lock: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"{lock['scope'].rstrip('/')}/providers/Microsoft.Authorization/locks/{lock['name']}",
        "type": "Microsoft.Authorization/locks",
        "name": lock["name"],
        "properties": {"level": lock["level"]},
    }
