# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated Azure without its sockets: takes a Request, gives a Response, keeps every record."""

from __future__ import annotations

import uuid
from collections import deque
from pathlib import Path
from typing import Any

from ..fleet import build_load_balancers
from ..fleet.fleet import Fleet
from ..fleet.model import Vm
from ..imds.events import EventBook
from ..runtime.clock import Clock
from ..runtime.engine import Engine
from ..runtime.guest_link import NoGuests
from ..runtime.ledger import Ledger
from ..views.items import Items
from ..views.vms import View
from ..wire.messages import ArmError, Request, Response
from ..wire.times import http_date, iso
from . import (
    alerts,
    compute,
    health,
    identity,
    load_balancers,
    locks,
    monitor,
    network,
    operations,
    resources,
    scale_sets,
    scheduled_events,
)
from .faults import Dropped, Fault, Faults, distort
from .paging import same_page
from .rates import Rates
from .routing import Router
from .tokens import Identity

# Whose routes there are; the first that matches a request answers it.
_PARTS = (
    identity,
    resources,
    compute,
    scale_sets,
    health,
    operations,
    network,
    load_balancers,
    monitor,
    scheduled_events,
    locks,
    alerts,
)
_WRITES = ("POST", "PUT", "PATCH", "DELETE")
_ACTIONS = {"GET": "read", "HEAD": "read", "POST": "action", "DELETE": "delete", "PUT": "write", "PATCH": "write"}


class World:
    """One fleet with everything that acts on it. ``url`` is set once the port is known."""

    def __init__(self, fleet: Fleet, directory: Path, clock: Clock, guests: NoGuests) -> None:
        self.fleet, self.clock, self.guests = fleet, clock, guests
        self.url = ""
        self.ledger = Ledger()
        self.insights: dict[str, dict[str, Any]] = {}
        self.engine = Engine(fleet, clock, self.ledger, guests)
        self.lock = self.engine.lock
        self.events = EventBook(fleet, clock, self.engine, fleet.imds)
        self.view = View(fleet, self.engine)
        self.items = Items(fleet, clock)
        self.identity = Identity(fleet, directory)
        self.faults = Faults(fleet.faults)
        self.rates = Rates(fleet.limits)
        self.requests: deque[dict[str, Any]] = deque(maxlen=200_000)
        self.router = Router(found for part in _PARTS for found in part.routes(self))

    def handle(self, request: Request, fault: Fault | None) -> Response:
        """Answer a request, as its fault wants it; raises Dropped where the connection is to end."""
        drop = fault.spec.get("drop") if fault else None
        before = len(self.ledger.entries)
        if fault:
            self._prepare(request, fault)
        if drop == "before" or (fault and fault.answers and not fault.spec.get("executed")):
            response = fault.response() if drop is None else None
        else:
            response = self.dispatch(request)
            if fault and fault.answers:
                response = fault.response()
        if fault and response:
            response = distort(fault, response, same_page(self, request))
        self._record(request, None if drop else response, before)
        if drop or response is None:
            raise Dropped
        return self._finish(request, response)

    def _prepare(self, request: Request, fault: Fault) -> None:
        """Do what a fault does to the fleet before the request is answered."""
        with self.lock:
            if fault.spec.get("expire_token"):
                self.identity.expire(request)
            for vm in self.fleet.named(fault.spec.get("delete_vm", "")):
                self.engine.remove(vm)
            if "load_balancer" in fault.spec:
                build_load_balancers.change(self.fleet, fault.spec["load_balancer"]["name"], fault.spec["load_balancer"])

    def dispatch(self, request: Request) -> Response:
        """Answer a request without faults; used for the parts of a batch too."""
        with self.lock:
            self.engine.catch_up()
            try:
                return self._answer(request)
            except ArmError as error:
                return error.response()

    def _answer(self, request: Request) -> Response:
        found = self.router.find(request.method, request.path)
        if found and found[0].open:
            return found[0].handler(request, **found[1])
        request.caller = self.identity.caller(request, self.url)
        if "api-version" not in request.query:
            raise ArmError(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        if request.path.lower().startswith("/subscriptions/"):
            self._authorize(request)
        if not found:
            raise ArmError(
                404,
                "InvalidResourceType",
                f"The resource type could not be found for '{request.path}'.",
                {"x-ms-failure-cause": "gateway"},
            )
        return found[0].handler(request, **found[1])

    def _authorize(self, request: Request) -> None:
        subscription = request.path.split("/")[2].lower()
        if subscription not in self.fleet.subscriptions:
            raise ArmError(
                404, "SubscriptionNotFound", f"The subscription '{request.path.split('/')[2]}' could not be found."
            )
        caller = request.caller
        if not caller.may(request.method, subscription):
            action = _ACTIONS[request.method]
            raise ArmError(
                403,
                "AuthorizationFailed",
                f"The client '{caller.client_id}' with object id "
                f"'{caller.object_id}' does not have authorization to perform action '{_type(request.path)}/{action}' "
                f"over scope '{request.path}' or the scope is invalid. If access was recently granted, please "
                "refresh your credentials.",
            )

    def _record(self, request: Request, response: Response | None, before: int) -> None:
        status = response.status if response else None
        now = self.clock.now()
        with self.lock:
            client = request.headers.get("x-ms-client-request-id")
            self.requests.append(
                {
                    "method": request.method,
                    "path": request.target,
                    "time": iso(now),
                    "status": status,
                    "client_request_id": client,
                }
            )
            is_write = request.method in _WRITES and request.path.lower().startswith("/subscriptions/")
            if is_write and len(self.ledger.entries) == before:
                vm, target, operation = self._target(request)
                self.ledger.write(
                    at=now,
                    method=request.method,
                    operation=operation,
                    status=status,
                    outcome="refused" if status else "dropped",
                    vm=vm,
                    id=target,
                    client_request_id=client,
                )
                self.engine.writes += 1

    def _target(self, request: Request) -> tuple[Vm | None, str, str]:
        parent, dummy, action = request.path.rstrip("/").rpartition("/")
        vm = self.fleet.vms.get(parent.lower())
        if vm or parent.lower() in self.fleet.scale_sets:
            return vm, parent, action
        return None, request.path, _type(request.path)

    def _finish(self, request: Request, response: Response) -> Response:
        request_id = str(uuid.uuid4())
        now = self.clock.now()
        region = next(iter(self.fleet.regions)).upper()
        counter = "reads" if request.method == "GET" else "writes"
        response.headers = {
            "Cache-Control": "no-cache",
            "Pragma": "no-cache",
            "Expires": "-1",
            "Date": http_date(now),
            "x-ms-request-id": request_id,
            "x-ms-correlation-request-id": request.headers.get("x-ms-correlation-request-id", request_id),
            "x-ms-routing-request-id": f"{region}:{now:%Y%m%dT%H%M%SZ}:{request_id}",
            f"x-ms-ratelimit-remaining-subscription-{counter}": "249" if counter == "reads" else "199",
            f"x-ms-ratelimit-remaining-subscription-global-{counter}": "3749" if counter == "reads" else "2999",
            "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
            "X-Content-Type-Options": "nosniff",
            **response.headers,
        }
        if "x-ms-client-request-id" in request.headers:
            response.headers["x-ms-client-request-id"] = request.headers["x-ms-client-request-id"]
        return response


def _type(path: str) -> str:
    parts = path.strip("/").split("/")
    if "providers" not in [part.lower() for part in parts]:
        return "Microsoft.Resources/subscriptions" + ("/resourceGroups" if len(parts) > 2 else "")
    at = [part.lower() for part in parts].index("providers")
    return "/".join(parts[at + 1 : at + 2] + parts[at + 2 :: 2])
