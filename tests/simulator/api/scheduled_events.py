# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scheduled Events as seen from outside: published to Resource Graph, acknowledged through Resource Manager."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from ..fleet.model import Vm
from ..imds.events import event_id
from ..runtime.operation import Operation
from ..wire.messages import ArmError, Request, Response
from ..wire.times import http_date
from .routing import Route, route

if TYPE_CHECKING:
    from .world import World

_COMPUTE = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute"
_EVENT = "/providers/Microsoft.Maintenance/scheduledevents/{event}/acknowledge"
_TARGETS = ("virtualMachines/{name}", "virtualMachineScaleSets/{set}/virtualMachines/{name}", "availabilitySets/{set}", "virtualMachineScaleSets/{set}")
_TYPES = {"performMaintenance": "Redeploy", "redeploy": "Redeploy", "restart": "Reboot"}


def routes(world: World) -> list[Route]:
    """Return the routes of this part."""
    acknowledge = partial(_acknowledge, world)
    return [
        route("POST", f"{_COMPUTE}/{target}{_EVENT}", acknowledge) for target in _TARGETS
    ]


def events(world: World, subscriptions: list[str]) -> list[dict[str, Any]]:
    """Return rows of Resource Graph's table maintenanceresources: one for each operation that waits and is published."""
    return [_row(world, operation) for operation in _waiting(world) if operation.subscription in subscriptions]


def _waiting(world: World) -> Iterator[Operation]:
    for operation in world.engine.running.values():
        transition = operation.transition
        if operation.phase == "waiting" and transition.waits_seconds and transition.published and operation.kind in _TYPES:
            yield operation


def _row(world: World, operation: Operation) -> dict[str, Any]:
    vm = world.engine.vm(operation)
    return {
        "id": f"{vm.id}/providers/Microsoft.Maintenance/scheduledevents/{event_id(operation)}",
        "name": event_id(operation),
        "type": "microsoft.maintenance/scheduledevents",
        "subscriptionId": vm.subscription,
        "resourceGroup": vm.resource_group.lower(),
        "location": vm.region,
        "properties": {
            "EventId": event_id(operation),
            "EventType": _TYPES[operation.kind],
            "EventStatus": "Scheduled",
            "EventSource": "User",
            "ResourceType": "VirtualMachine",
            "Resources": [vm.name],
            "NotBefore": http_date(world.engine.leaves_at(operation)),
            "Description": "Virtual machine is going to be redeployed as requested by authorized user.",
            "DurationInSeconds": -1,
            "TargetResourceId": vm.id,
        },
    }


def _acknowledge(world: World, request: Request, event: str, **where: str) -> Response:
    """Approve an event: the operation no longer waits. The target is the VM or its set."""
    target = request.path.lower().partition("/providers/microsoft.maintenance/")[0]
    operation = next((one for one in _waiting(world) if event_id(one) == event.lower()), None)
    vm = world.engine.vm(operation) if operation else None
    if vm is None or target not in (vm.key, vm.group.id.lower() if vm.group else ""):
        raise ArmError(404, "ResourceNotFound", f"The scheduled event '{event}' was not found.")
    _note(world, request, vm)
    world.engine.approve(vm)
    return Response(200, {"value": f"Successfully acknowledged scheduled event {event}"})


def _note(world: World, request: Request, vm: Vm) -> None:
    world.ledger.write(
        at=world.clock.now(),
        method="POST",
        operation="acknowledge",
        status=200,
        vm=vm,
        outcome="approved",
        caller=request.caller.client_id,
        client_request_id=request.headers.get("x-ms-client-request-id"),
    )
    world.engine.writes += 1
