# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The activity log: every write to a VM as Azure Monitor lists it, made from the ledger."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..fleet.model import guid
from ..runtime.ledger import Entry
from ..wire.messages import ArmError, Request, Response
from ..wire.times import parse_when, precise
from .paging import page
from .routing import Route, route

if TYPE_CHECKING:
    from .world import World

_VALUES = "/subscriptions/{subscription}/providers/Microsoft.Insights/eventtypes/management/values"
_CLAUSE = re.compile(r"\s*(\w+)\s+(ge|le|eq)\s+'([^']*)'\s*", re.IGNORECASE)
_ENDED = {"failed": "Failed", "aborted": "Failed", "canceled": "Canceled"}


def routes(world: World) -> list[Route]:
    """Return the routes of this part."""
    return [route("GET", _VALUES, ActivityLog(world).values)]


class ActivityLog:
    """Answers $filter by time, resource, group and caller; newest events first."""

    def __init__(self, world: World) -> None:
        self.world = world

    def values(self, request: Request, subscription: str) -> Response:
        """The events that match."""
        clauses = _parse(request.query.get("$filter", ""), self.world.clock.now())
        events = [
            event
            for entry in reversed(self.world.ledger.entries)
            for event in self._events(entry)
            if _matches(clauses, event, entry, subscription)
        ]
        return page(self.world, request, events, lambda event: event)

    def _events(self, entry: Entry) -> list[dict[str, Any]]:
        accepted = entry.accepted or entry.start
        if entry.status is None or not 200 <= entry.status < 300:
            return [
                self._event(entry, accepted, "Failed", _STATUS_TEXT.get(entry.status or 500, "")),
                self._event(entry, accepted, "Started", ""),
            ]
        events = [self._event(entry, accepted, "Accepted", "Accepted"), self._event(entry, accepted, "Started", "")]
        if entry.end:
            events.insert(0, self._event(entry, entry.end, _ENDED.get(entry.outcome or "", "Succeeded"), ""))
        return events

    def _event(self, entry: Entry, when: datetime, status: str, sub_status: str) -> dict[str, Any]:
        kind = "virtualMachineScaleSets/virtualMachines" if "/virtualmachinescalesets/" in entry.id.lower() else "virtualMachines"
        action = f"Microsoft.Compute/{kind}/{entry.operation}/action"
        dummy, dummy, subscription, dummy, group, *dummy = [*entry.id.split("/"), "", "", "", "", ""]
        identity, correlation = guid("event", entry.entry, status), guid("correlation", entry.entry)
        stamp = precise(when).replace("+00:00", "Z")
        return {
            "authorization": {"action": action, "scope": entry.id},
            "caller": entry.caller or "",
            "channels": "Operation",
            "claims": {"appid": entry.caller or ""},
            "correlationId": correlation,
            "description": "",
            "eventDataId": identity,
            "eventName": _both("BeginRequest" if status == "Started" else "EndRequest"),
            "category": _both("Administrative"),
            "httpRequest": {"clientRequestId": entry.client_request_id or "", "method": entry.method},
            "id": f"{entry.id}/events/{identity}/ticks/{int(when.timestamp() * 10_000_000)}",
            "level": "Error" if status == "Failed" else "Informational",
            "resourceGroupName": group,
            "resourceProviderName": _both("Microsoft.Compute"),
            "resourceId": entry.id,
            "resourceType": _both("Microsoft.Compute/virtualMachines"),
            "operationId": correlation,
            "operationName": _both(action),
            "properties": _properties(entry, action, status),
            "status": _both(status),
            "subStatus": _both(sub_status),
            "eventTimestamp": stamp,
            "submissionTimestamp": stamp,
            "subscriptionId": subscription,
            "tenantId": self.world.fleet.tenant,
        }


def _both(text: str) -> dict[str, str]:
    return {"value": text, "localizedValue": text}


def _properties(entry: Entry, action: str, status: str) -> dict[str, str]:
    properties = {
        "statusCode": _STATUS_TEXT.get(entry.status or 0, "OK"),
        "eventCategory": "Administrative",
        "entity": entry.id,
        "message": action,
    }
    if status == "Failed" and entry.error:
        properties["statusMessage"] = json.dumps({"error": {"code": entry.error}})
    return properties


_STATUS_TEXT = {
    202: "Accepted",
    400: "BadRequest",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    429: "TooManyRequests",
    500: "InternalServerError",
    503: "ServiceUnavailable",
    504: "GatewayTimeout",
}


def _parse(text: str, now: datetime) -> list[tuple[str, str, Any]]:
    clauses = []
    for part in re.split(r"\s+and\s+", text, flags=re.IGNORECASE) if text else []:
        match = _CLAUSE.fullmatch(part)
        name, operator, value = (match[1].lower(), match[2].lower(), match[3]) if match else ("", "", "")
        if name == "eventtimestamp" and operator in ("ge", "le"):
            try:
                clauses.append((name, operator, parse_when(value, now)))
                continue
            except ValueError:
                match = None
        if (
            not match
            or operator != "eq"
            or name not in ("resourceuri", "resourceid", "resourcegroupname", "caller", "status")
        ):
            raise ArmError(400, "BadRequest", f"The filter clause '{part}' is not supported.")
        clauses.append((name, operator, value.lower()))
    if not any(name == "eventtimestamp" and operator == "ge" for name, operator, dummy in clauses):
        raise ArmError(400, "BadRequest", "The start time of the query has to be given: eventTimestamp ge '...'.")
    return clauses


def _matches(clauses: list[tuple[str, str, Any]], event: dict[str, Any], entry: Entry, subscription: str) -> bool:
    if not entry.id.lower().startswith(f"/subscriptions/{subscription.lower()}/"):
        return False
    when = datetime.fromisoformat(event["eventTimestamp"])
    shown = {
        "resourceuri": entry.id,
        "resourceid": entry.id,
        "resourcegroupname": event["resourceGroupName"],
        "caller": event["caller"],
        "status": event["status"]["value"],
    }
    for name, operator, value in clauses:
        if name == "eventtimestamp":
            if (operator == "ge" and when < value) or (operator == "le" and when > value):
                return False
        elif shown[name].lower() != value:
            return False
    return True
