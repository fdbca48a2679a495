# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Activity-log alerts and action groups: created, read, listed and deleted as Azure Monitor does it, defaults and quirks included."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..wire.messages import ArmError, Request, Response
from .lookup import need_group, not_found
from .paging import page
from .routing import Route, route

if TYPE_CHECKING:
    from .world import World

_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Insights"
_SUBSCRIPTION = "/subscriptions/{subscription}/providers/Microsoft.Insights"
_LOCATIONS = ("global", "westeurope", "northeurope")
_RECEIVERS = {
    "emailReceivers": "Email",
    "smsReceivers": "Sms",
    "webhookReceivers": "Webhook",
    "eventHubReceivers": "EventHub",
    "itsmReceivers": "Itsm",
    "azureAppPushReceivers": "AzureAppPush",
    "automationRunbookReceivers": "AutomationRunbook",
    "voiceReceivers": "Voice",
    "logicAppReceivers": "LogicApp",
    "azureFunctionReceivers": "AzureFunction",
    "armRoleReceivers": "ArmRole",
}


def routes(world: World) -> list[Route]:
    """Return the routes of this part."""
    found = []
    for part in (Alerts(world), ActionGroups(world)):
        one = f"{_GROUP}/{part.kind}/{{name}}"
        found += [
            route("GET", f"{_SUBSCRIPTION}/{part.kind}", part.list),
            route("GET", f"{_GROUP}/{part.kind}", part.list),
            route("GET", one, part.get),
            route("PUT", one, part.put),
            route("DELETE", one, part.delete),
        ]
    return found


class MonitorError(ArmError):
    """An error of Azure Monitor: names begin with capitals, and there is no wrapper."""

    def response(self) -> Response:
        """Render the error."""
        return Response(self.status, {"Code": self.code, "Message": self.message})


class _Kind:
    """What both kinds of resource have in common. ``world.insights`` holds their bodies by lower-cased id."""

    kind = ""
    shown_type = ""

    def __init__(self, world: World) -> None:
        self.world = world

    def check(self, subscription: str, body: dict[str, Any]) -> None:
        """Raise ArmError for what Azure refuses."""
        raise NotImplementedError

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the properties as Azure answers them."""
        raise NotImplementedError

    def list(self, request: Request, subscription: str, group: str = "") -> Response:
        """All of a subscription, or of one resource group."""
        if group:
            need_group(self.world, subscription, group)
        below = f"/subscriptions/{subscription}/".lower() + (f"resourcegroups/{group}/".lower() if group else "")
        kind = f"/{self.kind}/".lower()
        keys = [key for key in self.world.insights if key.startswith(below) and kind in key]
        return page(self.world, request, keys, lambda key: self.world.insights[key])

    def get(self, request: Request, subscription: str, group: str, name: str) -> Response:
        """One of them."""
        need_group(self.world, subscription, group)
        key = self._id(subscription, group, name).lower()
        if key not in self.world.insights:
            raise not_found(f"Microsoft.Insights/{self.kind}", name, group)
        return Response(200, self.world.insights[key])

    def put(self, request: Request, subscription: str, group: str, name: str) -> Response:
        """Create or replace it: 201 or 200."""
        need_group(self.world, subscription, group)
        body = request.json() or {}
        if not body.get("location"):
            raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
        if body["location"].replace(" ", "").lower() not in _LOCATIONS:
            raise ArmError(
                400,
                "LocationNotAvailableForResourceType",
                f"The provided location '{body['location']}' is not available for resource type "
                f"'microsoft.insights/{self.kind}'. List of available regions for the resource type is 'global'.",
            )
        self.check(subscription, body)
        resource_id = self._id(subscription, group, name)
        old = self.world.insights.get(resource_id.lower())
        if old and old["location"].lower() != body["location"].lower():
            raise ArmError(
                409,
                "InvalidResourceLocation",
                f"The resource '{name}' already exists in location '{old['location']}' in resource group '{group}'. A resource with the "
                f"same name cannot be created in location '{body['location']}'. Please select a new resource name.",
            )
        self.world.insights[resource_id.lower()] = answer = {
            "id": old["id"] if old else resource_id,
            "type": self.shown_type,
            "name": old["name"] if old else name,
            "location": body["location"],
            "kind": None,
            "tags": body.get("tags") or {},
            "properties": self.complete(body),
        }
        return self._written(request, resource_id, 200 if old else 201, "updated" if old else "created", answer)

    def delete(self, request: Request, subscription: str, group: str, name: str) -> Response:
        """Delete it: 200, or 204 when there is none."""
        need_group(self.world, subscription, group)
        resource_id = self._id(subscription, group, name)
        old = self.world.insights.pop(resource_id.lower(), None)
        return self._written(request, resource_id, 200 if old else 204, "deleted" if old else "absent", None)

    def _id(self, subscription: str, group: str, name: str) -> str:
        """The provider's name comes back in lower case."""
        group = self.world.fleet.groups[(subscription.lower(), group.lower())][0]
        return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/microsoft.insights/{self.kind}/{name}"

    def _written(self, request: Request, resource_id: str, status: int, outcome: str, body: Any) -> Response:
        self.world.ledger.write(
            at=self.world.clock.now(),
            method=request.method,
            operation=f"Microsoft.Insights/{self.kind}",
            status=status,
            outcome=outcome,
            id=resource_id,
            caller=request.caller.client_id,
            client_request_id=request.headers.get("x-ms-client-request-id"),
        )
        self.world.engine.writes += 1
        return Response(status, body)


class ActionGroups(_Kind):
    """Whom an alert is sent to."""

    kind = "actionGroups"
    shown_type = "Microsoft.Insights/ActionGroups"

    def check(self, subscription: str, body: dict[str, Any]) -> None:
        """Short name, and each receiver's name and address."""
        properties = body.get("properties") or {}
        short = properties.get("groupShortName")
        if not short:
            raise _bad("GroupShortNameIsNullOrEmpty")
        if len(short) > 12:
            raise _bad("GroupShortNameIsTooLong")
        seen: set[str] = set()
        for kind, word in _RECEIVERS.items():
            for receiver in properties.get(kind) or ():
                name = receiver.get("name")
                if not name:
                    raise _bad(f"{word}ReceiverNameIsNullOrEmpty")
                if name.lower() in seen:
                    raise _bad("ReceiverNameIsNotUnique")
                seen.add(name.lower())
        for receiver in properties.get("emailReceivers") or ():
            if not re.fullmatch(r"[^@\s]+@[^@\s]+", receiver.get("emailAddress") or ""):
                raise _bad("EmailReceiverEmailAddressIsInvalid")
        for receiver in properties.get("webhookReceivers") or ():
            if not re.match(r"https?://[^/]", receiver.get("serviceUri") or ""):
                raise _bad("WebhookReceiverServiceUriIsInvalid")

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """Every kind of receiver is there, mail addresses have a status, webhooks say that they use no directory."""
        given = body["properties"]
        shown = {"groupShortName": given["groupShortName"], "enabled": given.get("enabled", True)}
        shown |= {kind: [dict(item) for item in given.get(kind) or ()] for kind in _RECEIVERS}
        for item in shown["emailReceivers"]:
            item.setdefault("useCommonAlertSchema", False)
            item["status"] = "Enabled"
        for item in shown["webhookReceivers"]:
            item |= {"useCommonAlertSchema": item.get("useCommonAlertSchema", False), "useAadAuth": item.get("useAadAuth", False)}
        shown["emailReceivers"].reverse()
        return shown


class Alerts(_Kind):
    """Which events an alert is about, and where it is sent."""

    kind = "activityLogAlerts"
    shown_type = "Microsoft.Insights/ActivityLogAlerts"

    def check(self, subscription: str, body: dict[str, Any]) -> None:
        """Scopes, condition, and action groups that exist."""
        properties = body.get("properties") or {}
        scopes = properties.get("scopes") or []
        if not scopes or any(scope.split("/")[2:3] != [subscription.lower()] for scope in map(str.lower, scopes)):
            raise ArmError(400, "BadRequest", "The scopes have to be resources of the alert rule's own subscription.")
        leaves = (properties.get("condition") or {}).get("allOf") or []
        parts = [part for leaf in leaves for part in leaf.get("anyOf") or [leaf]]
        if not any(part.get("field") == "category" for part in parts):
            raise ArmError(400, "BadRequest", "The alert rule condition has to contain the field 'category'.")
        if any(not part.get("field") or ("equals" in part) == ("containsAny" in part) for part in parts):
            raise ArmError(400, "BadRequest", "Each condition needs a field and either 'equals' or 'containsAny'.")
        for action in (properties.get("actions") or {}).get("actionGroups") or []:
            if action.get("actionGroupId", "").lower() not in self.world.insights:
                raise ArmError(400, "ActionGroupNotFound", f"The action group '{action.get('actionGroupId')}' was not found.")

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """Conditions come back with every field, in another order; ids of action groups in lower case."""
        given = body["properties"]
        fields = ("field", "equals", "containsAny", "anyOf")
        groups = (given.get("actions") or {}).get("actionGroups") or []
        return {
            "scopes": given["scopes"],
            "condition": {"allOf": [{name: leaf.get(name) for name in fields} for leaf in reversed(given["condition"]["allOf"])]},
            "actions": {
                "actionGroups": [
                    {"actionGroupId": item["actionGroupId"].lower(), "webhookProperties": item.get("webhookProperties") or {}}
                    for item in groups
                ]
            },
            "enabled": given.get("enabled", True),
            "description": given.get("description") or "",
        }


def _bad(code: str) -> MonitorError:
    return MonitorError(400, code, code)
