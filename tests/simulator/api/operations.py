# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compute's operations on VMs and scale sets: the POST that starts one, and the URLs that tell how it fares."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..fleet.model import Vm
from ..fleet.transitions import KINDS
from ..runtime.operation import Operation, SetOperation
from ..wire.messages import ArmError, Request, Response
from . import refusals
from .lookup import COMPUTE, find_instance, find_scale_set, find_vm, metered
from .routing import Route, route
from .scale_sets import INSTANCE, ONE, not_for

if TYPE_CHECKING:
    from .world import World

_SUB = "/subscriptions/{subscription}"
_VM = f"{_SUB}/resourceGroups/{{group}}/providers/{COMPUTE}/virtualMachines/{{name}}"
_POLICY = {"deallocate": "DeleteVM"}
# Compute counts moves of instances like calls to the whole set, by subscription only; what else is done to one, apart.
_INSTANCE_POLICY = {"performMaintenance": "UpdateVMScaleSet", "redeploy": "UpdateVMScaleSet"}
_OF_INSTANCES = tuple(kind for kind in KINDS if kind != "reapply")


def routes(world: World) -> list[Route]:
    """Return the routes of this part."""
    part = Operations(world)
    status = f"{_SUB}/providers/{COMPUTE}/locations/{{location}}/operations/{{operation}}"
    return [
        *(route("POST", f"{_VM}/{kind}", partial(part.act, kind=kind)) for kind in KINDS),
        *(route("POST", f"{INSTANCE}/{kind}", partial(part.act_on_instance, kind=kind)) for kind in _OF_INSTANCES),
        *(route("POST", f"{ONE}/{kind}", partial(part.act_on_set, kind=kind)) for kind in _OF_INSTANCES),
        route("GET", status, part.status),
    ]


class Operations:
    """Starts operations, or refuses them, and serves their status."""

    def __init__(self, world: World) -> None:
        self.world = world

    def act(self, request: Request, kind: str, **where: str) -> Response:
        """Start an operation on a VM, or refuse it; both go to the ledger."""
        vm = find_vm(self.world, **where)
        return self._start(request, kind, [vm], _POLICY.get(kind, "UpdateVM"), vm.key)

    def act_on_instance(self, request: Request, kind: str, **where: str) -> Response:
        """Start an operation on an instance of a uniform scale set."""
        vm = find_instance(self.world, **where)
        policy = _INSTANCE_POLICY.get(kind, "UpdateVMScaleSetVM")
        return self._start(request, kind, [vm], policy, vm.key)

    def act_on_set(self, request: Request, kind: str, **where: str) -> Response:
        """Start an operation on the instances the body names. Without a body: on every instance."""
        group = find_scale_set(self.world, **where)
        if not group.uniform:
            raise not_for(group, f"{kind}.POST")
        named = (request.json() or {}).get("instanceIds")
        members = self.world.fleet.members(group)
        if named is not None:
            members = [find_instance(self.world, **where, instance=str(number)) for number in named]
        if not members:
            message = "The value of parameter instanceIds is invalid."
            raise ArmError(400, "InvalidParameter", message, target="instanceIds")
        via = "all" if named is None else "instances"
        return self._start(request, kind, members, "UpdateVMScaleSet", group.id, via)

    def _start(
        self, request: Request, kind: str, vms: list[Vm], policy: str, resource: str, via: str = "vm"
    ) -> Response:
        """Start it on all or, if it is refused for one, on none."""
        header, throttled = self.world.rates.spend(policy, f"{vms[0].subscription}/{vms[0].region}", resource)
        now = self.world.clock.now()
        reasons = ((vm, refusals.refusal(self.world.fleet, vm, kind, now)) for vm in vms)
        vm, refused = next(((vm, reason) for vm, reason in reasons if reason), (vms[0], None))
        sent = {
            "client_request_id": request.headers.get("x-ms-client-request-id"),
            "caller": request.caller.client_id,
            "via": via,
        }
        if throttled or refused:
            answer = throttled or refused.response()
            self._refuse(vm, kind, answer, "TooManyRequests" if throttled else refused.code, sent)
        else:
            begin = self.world.engine.begin
            operation = begin(vms[0], kind, **sent) if via == "vm" else self.world.engine.begin_many(vms, kind, **sent)
            answer = Response(202, None, self._urls(operation, request.query["api-version"]))
        answer.headers["x-ms-ratelimit-remaining-resource"] = header
        return answer

    def _refuse(self, vm: Vm, kind: str, answer: Response, code: str, sent: dict[str, Any]) -> None:
        self.world.ledger.write(
            at=self.world.clock.now(),
            method="POST",
            operation=kind,
            status=answer.status,
            vm=vm,
            outcome="refused",
            error=code,
            **sent,
        )
        self.world.engine.writes += 1

    def _urls(self, operation: Operation | SetOperation, version: str) -> dict[str, str]:
        base = (
            f"{self.world.url}/subscriptions/{operation.subscription}/providers/{COMPUTE}/locations/{operation.region}"
            f"/operations/{operation.id}?p={operation.token}"
        )
        headers = {
            "Azure-AsyncNotification": "Enabled",
            "Azure-AsyncOperation": f"{base}&api-version={version}",
            "Location": f"{base}&monitor=true&api-version={version}",
        }
        if operation.transition.retry_after is not None:
            headers["Retry-After"] = str(operation.transition.retry_after)
        return headers

    def status(self, request: Request, subscription: str, location: str, operation: str) -> Response:
        """The status document, or with monitor=true the final answer."""
        found = self.world.engine.operations.get(operation.lower())
        if (
            found is None
            or found.subscription != subscription.lower()
            or found.region != location.lower()
            or found.transition.result == "forgotten"
        ):
            raise ArmError(404, "NotFound", "The entity was not found in this Azure location.")
        self.world.engine.poll(found)
        monitor = request.query.get("monitor", "").lower() == "true"
        headers = {}
        if found.status == "InProgress" and found.transition.retry_after is not None:
            headers["Retry-After"] = str(found.transition.retry_after)

        def answer() -> Response:
            if not monitor:
                return Response(200, found.document(), headers)
            if found.status == "InProgress":
                return Response(202, None, headers | self._urls(found, request.query["api-version"]))
            if found.error:
                raise ArmError(409, found.error["code"], found.error["message"])
            return Response(200, None)

        return metered(self.world, "GetOperation", subscription, answer, found.id)
