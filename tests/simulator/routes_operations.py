# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compute's operations on VMs: the POST that starts one, and the URLs that tell how it fares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import guards
from .lookup import COMPUTE, find_vm, metered
from .model import Vm
from .operation import Operation
from .routing import ArmError, Handler, Request, Response, Route, route
from .transitions import KINDS

if TYPE_CHECKING:
    from .world import World

_SUB = "/subscriptions/{subscription}"
_VM = f"{_SUB}/resourceGroups/{{group}}/providers/{COMPUTE}/virtualMachines/{{name}}"
_POLICY = {"deallocate": "DeleteVM"}


def routes(world: World) -> list[Route]:
    """Return the routes of this part."""
    part = Operations(world)
    status = f"{_SUB}/providers/{COMPUTE}/locations/{{location}}/operations/{{operation}}"
    return [
        *(route("POST", f"{_VM}/{kind}", _action(part, kind)) for kind in KINDS),
        route("GET", status, part.status),
    ]


def _action(part: Operations, kind: str) -> Handler:
    return lambda request, **where: part.act(request, kind, **where)


class Operations:
    """Starts operations, or refuses them, and serves their status."""

    def __init__(self, world: World) -> None:
        self.world = world

    def act(self, request: Request, kind: str, subscription: str, group: str, name: str) -> Response:
        """Start an operation, or refuse it; both go to the ledger."""
        vm = find_vm(self.world, subscription, group, name)
        header, throttled = self.world.rates.spend(_POLICY.get(kind, "UpdateVM"), f"{subscription}/{vm.region}", vm.key)
        refused = guards.refusal(self.world.fleet, vm, kind, self.world.clock.now())
        if throttled or refused:
            answer = throttled or refused.response()
            self._refuse(request, vm, kind, answer, "TooManyRequests" if throttled else refused.code)
        else:
            operation = self.world.engine.begin(
                vm,
                kind,
                client_request_id=request.headers.get("x-ms-client-request-id"),
                caller=request.caller.client_id,
            )
            answer = Response(202, None, self._urls(operation, request.query["api-version"]))
        answer.headers["x-ms-ratelimit-remaining-resource"] = header
        return answer

    def _refuse(self, request: Request, vm: Vm, kind: str, answer: Response, code: str) -> None:
        self.world.ledger.write(
            at=self.world.clock.now(),
            method="POST",
            operation=kind,
            status=answer.status,
            vm=vm,
            outcome="refused",
            error=code,
            caller=request.caller.client_id,
            client_request_id=request.headers.get("x-ms-client-request-id"),
        )
        self.world.engine.writes += 1

    def _urls(self, operation: Operation, version: str) -> dict[str, str]:
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
