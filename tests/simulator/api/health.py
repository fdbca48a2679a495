# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource Graph, Service Health and Azure Maintenance: who else knows which VMs have maintenance ahead."""

from __future__ import annotations

import base64
import re
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..fleet.model import Vm
from ..views import health, kql_run
from ..views.graph_tables import tables
from ..views.kql import BadQuery
from ..wire.messages import ArmError, Request, Response
from ..wire.times import parse_when, precise
from . import scheduled_events
from .lookup import find_instance, find_vm
from .paging import page
from .routing import Route, route
from .scale_sets import INSTANCE

if TYPE_CHECKING:
    from .world import World

_EVENTS = "/subscriptions/{subscription}/providers/Microsoft.ResourceHealth/events"
_VM = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}"
_UPDATES = "/providers/Microsoft.Maintenance/updates"
_CLAUSE = re.compile(r"\s*(?:properties/)?(eventType|status)\s+eq\s+'([^']*)'\s*", re.IGNORECASE)
_MOST_ROWS = 1000
_INVALID = (
    "Query is invalid. Please refer to the documentation for the Azure Resource Graph service and fix the error before "
    "retrying."
)


def routes(world: World) -> list[Route]:
    """Return the routes of this part."""
    part = HealthRoutes(world)
    return [
        route("POST", "/providers/Microsoft.ResourceGraph/resources", part.graph),
        route("GET", _EVENTS, part.events),
        route("GET", f"{_EVENTS}/{{tracking}}", part.event),
        route("GET", f"{_EVENTS}/{{tracking}}/impactedResources", part.impacted),
        route("GET", _VM + _UPDATES, part.updates_of_vm),
        route("GET", INSTANCE + _UPDATES, part.updates_of_instance),
    ]


class HealthRoutes:
    """Answers from what the waves are."""

    def __init__(self, world: World) -> None:
        self.world, self.health = world, health.Health(world.fleet)

    def graph(self, request: Request) -> Response:
        """Run a query over the subscriptions asked for, as far as the caller sees them."""
        body = request.json() or {}
        options = body.get("options") or {}
        seen = [key for key in self.world.fleet.subscriptions if request.caller.may("GET", key)]
        asked = [str(key).lower() for key in body.get("subscriptions") or seen]
        chosen = [key for key in seen if key in asked]
        if not chosen:
            given = "', '".join(asked)
            message = "There must be at least one subscription that is eligible to contain resources."
            raise self._bad("NoValidSubscriptionsInQueryRequest", f"{message} Given: '{given}'.")
        found = tables(self.world.view, self.health, chosen, self.world.clock.now())
        updates = found["maintenanceresources"]
        found["maintenanceresources"] = lambda: [*updates(), *scheduled_events.events(self.world, chosen)]
        try:
            rows = kql_run.run(str(body.get("query") or ""), found)
        except kql_run.UnknownTable as error:
            message = f"Table {error.args[0]} is invalid, unsupported or disallowed."
            raise self._bad("DisallowedLogicalTableName", message) from None
        except BadQuery as error:
            raise self._bad("ParserFailure", str(error)) from None
        except (TypeError, ValueError, AttributeError, LookupError) as error:
            raise self._bad("InvalidQuery", str(error)) from None
        return self._rows(rows, options)

    def _rows(self, rows: list[dict[str, Any]], options: dict[str, Any]) -> Response:
        """Return a page; without an id in the rows there is no next one."""
        size = min(int(options.get("$top") or _MOST_ROWS), _MOST_ROWS)
        start = _offset(options.get("$skipToken")) or int(options.get("$skip") or 0)
        shown = rows[start : start + size]
        more = start + size < len(rows)
        body: dict[str, Any] = {
            "totalRecords": len(rows),
            "count": len(shown),
            "data": shown,
            "facets": [],
            "resultTruncated": "true" if more else "false",
        }
        if options.get("resultFormat", "objectArray") == "table":
            names = list(shown[0]) if shown else []
            columns = [{"name": name, "type": _column_type(shown[0][name])} for name in names]
            body["data"] = {"columns": columns, "rows": [[row.get(name) for name in names] for row in shown]}
        if more and "id" in shown[0]:
            body["$skipToken"] = base64.b64encode(f"row={start + size}".encode()).decode()
        headers = {
            "x-ms-user-quota-remaining": "14",
            "x-ms-user-quota-resets-after": "00:00:05",
            "x-ms-tenant-subscription-limit-hit": "false",
        }
        return Response(200, body, headers)

    def _bad(self, code: str, message: str) -> ArmError:
        details = [{"code": code, "message": message}]
        if code == "ParserFailure":
            details.insert(0, {"code": "InvalidQuery", "message": _INVALID})
        stamp = f"timestamp = {precise(self.world.clock.now())[:-6]}Z, correlationId = {uuid.uuid4()}."
        outer = f"Please provide below info when asking for support: {stamp}"
        return ArmError(400, "BadRequest", outer, details=details)

    def events(self, request: Request, subscription: str) -> Response:
        """The events of a subscription, by $filter and queryStartTime (of their last update)."""
        now = self.world.clock.now()
        found = self.health.events(subscription.lower(), now)
        text = request.query.get("$filter", "")
        for clause in re.split(r"\s+and\s+", text, flags=re.IGNORECASE) if text else []:
            match = _CLAUSE.fullmatch(clause)
            if not match:
                raise ArmError(400, "BadRequest", f"The filter clause '{clause}' is not supported.")
            name = {"eventtype": "eventType", "status": "status"}[match[1].lower()]
            found = [event for event in found if event["properties"][name].lower() == match[2].lower()]
        if "querystarttime" in request.query:
            since = _start(request.query["querystarttime"], now)
            found = [item for item in found if datetime.fromisoformat(item["properties"]["lastUpdateTime"]) >= since]
        return page(self.world, request, found, lambda event: event)

    def event(self, request: Request, subscription: str, tracking: str) -> Response:
        """One event."""
        return Response(200, self._one(subscription, tracking))

    def _one(self, subscription: str, tracking: str) -> dict[str, Any]:
        for event in self.health.events(subscription.lower(), self.world.clock.now()):
            if event["name"].lower() == tracking.lower():
                return event
        raise ArmError(404, "ResourceNotFound", f"The event '{tracking}' was not found.")

    def impacted(self, request: Request, subscription: str, tracking: str) -> Response:
        """The resources that an event names."""
        event = self._one(subscription, tracking)
        return page(self.world, request, self.health.impacted(subscription.lower(), event["name"]), lambda item: item)

    def updates_of_vm(self, request: Request, **where: str) -> Response:
        """A VM's pending updates."""
        return self._updates(find_vm(self.world, **where))

    def updates_of_instance(self, request: Request, **where: str) -> Response:
        """An instance's pending updates."""
        return self._updates(find_instance(self.world, **where))

    def _updates(self, vm: Vm) -> Response:
        found = [impact for impact in self.health.impacts(vm.subscription) if impact.id.lower() == vm.key]
        return Response(200, {"value": [health.update(impact) for impact in found]})


def _offset(token: Any) -> int:
    if not token:
        return 0
    try:
        return int(base64.b64decode(str(token)).decode().removeprefix("row="))
    except ValueError:
        raise ArmError(400, "BadRequest", "The $skipToken is not valid.") from None


def _column_type(value: Any) -> str:
    return {str: "string", int: "integer", float: "number", bool: "boolean"}.get(type(value), "object")


def _start(text: str, now: datetime) -> datetime:
    """Read an ISO time, or the month/day/year that the documentation shows."""
    match = re.fullmatch(r"(\d+)/(\d+)/(\d{4})", text)
    try:
        return parse_when(f"{match[3]}-{int(match[1]):02d}-{int(match[2]):02d}" if match else text, now)
    except ValueError:
        raise ArmError(400, "BadRequest", f"queryStartTime '{text}' is not a time.") from None
