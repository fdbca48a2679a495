# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource Manager's own routes: cloud metadata, tenants, subscriptions, locations, resource groups, batch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..fleet.model import Region, guid
from ..wire.messages import ArmError, Request, Response
from .lookup import no_group
from .metadata import cloud
from .paging import page
from .routing import Route, route

if TYPE_CHECKING:
    from .world import World

_SUB = "/subscriptions/{subscription}"
_TYPE_IS = re.compile(r"resourceType eq '([^']+)'", re.IGNORECASE)


def routes(world: World) -> list[Route]:
    """Return the routes of this part."""
    part = Resources(world)
    return [
        route("GET", "/metadata/endpoints", part.endpoints, is_open=True),
        route("GET", "/tenants", part.tenants),
        route("GET", "/subscriptions", part.subscriptions),
        route("GET", _SUB, part.subscription),
        route("GET", _SUB + "/locations", part.locations),
        route("GET", _SUB + "/resources", part.resources),
        route("GET", _SUB + "/resourceGroups", part.groups),
        route("GET", _SUB + "/resourceGroups/{group}", part.group),
        route("POST", "/batch", part.batch),
    ]


class Resources:
    """Renders what is above the resource providers."""

    def __init__(self, world: World) -> None:
        self.world = world

    def endpoints(self, request: Request) -> Response:
        """The cloud's metadata, in the shape of the api-version."""
        return Response(
            200, cloud(self.world.url, self.world.fleet.tenant, request.query.get("api-version", "2015-01-01"))
        )

    def tenants(self, request: Request) -> Response:
        """The one tenant."""
        tenant = self.world.fleet.tenant
        return Response(
            200,
            {
                "value": [
                    {
                        "id": f"/tenants/{tenant}",
                        "tenantId": tenant,
                        "tenantCategory": "Home",
                        "countryCode": "NL",
                        "displayName": "Simulated",
                        "domains": ["simulated.example"],
                        "defaultDomain": "simulated.example",
                        "tenantType": "AAD",
                    }
                ]
            },
        )

    def subscriptions(self, request: Request) -> Response:
        """The subscriptions the caller sees."""
        seen = [key for key in self.world.fleet.subscriptions if request.caller.sees(key)]
        return page(self.world, request, seen, self._subscription)

    def subscription(self, request: Request, subscription: str) -> Response:
        """One subscription."""
        return Response(200, self._subscription(subscription.lower()))

    def _subscription(self, key: str) -> dict[str, Any]:
        return {
            "id": f"/subscriptions/{key}",
            "authorizationSource": "RoleBased",
            "managedByTenants": [],
            "subscriptionId": key,
            "tenantId": self.world.fleet.tenant,
            "displayName": self.world.fleet.subscriptions[key],
            "state": "Enabled",
            "subscriptionPolicies": {
                "locationPlacementId": "Public_2014-09-01",
                "quotaId": "PayAsYouGo_2014-09-01",
                "spendingLimit": "Off",
            },
        }

    def locations(self, request: Request, subscription: str) -> Response:
        """Regions; metadata with pairs came with later api-versions than 2015 to 2018."""
        rich = request.query["api-version"] >= "2019-11-01"
        return Response(
            200, {"value": [self._location(subscription, item, rich) for item in self.world.fleet.regions.values()]}
        )

    def _location(self, subscription: str, region: Region, rich: bool) -> dict[str, Any]:
        base = f"/subscriptions/{subscription}/locations"
        body: dict[str, Any] = {"id": f"{base}/{region.name}", "name": region.name}
        if not rich:
            return body | {"displayName": region.display, "longitude": "4.9", "latitude": "52.3667"}
        body |= {
            "type": "Region",
            "displayName": region.display,
            "regionalDisplayName": f"({region.geography}) {region.display}",
        }
        metadata: dict[str, Any] = {
            "regionType": region.type,
            "regionCategory": "Recommended",
            "geography": region.geography,
            "geographyGroup": region.geography,
            "longitude": "4.9",
            "latitude": "52.3667",
            "physicalLocation": region.display,
        }
        if region.type == "Logical":
            return body | {"metadata": {"regionType": "Logical", "regionCategory": "Other"}}
        metadata["pairedRegion"] = [{"name": name, "id": f"{base}/{name}"} for name in region.paired]
        body["metadata"] = metadata
        if region.zones:
            body["availabilityZoneMappings"] = [
                {"logicalZone": str(zone), "physicalZone": f"{region.name}-az{zone}"}
                for zone in range(1, region.zones + 1)
            ]
        return body

    def resources(self, request: Request, subscription: str) -> Response:
        """Ids, names and types of VMs and scale sets; only a filter by resource types is known."""
        text = request.query.get("$filter", "")
        wanted = {kind.lower() for kind in _TYPE_IS.findall(text)}
        if not wanted or _TYPE_IS.sub("", text).replace(" or ", "").strip():
            raise ArmError(400, "InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string.")
        fleet = self.world.fleet
        found = [("virtualMachines", vm) for vm in fleet.listed(subscription.lower())]
        found += [("virtualMachineScaleSets", group) for group in fleet.scale_sets_in(subscription.lower(), None)]
        found = [(kind, item) for kind, item in found if f"microsoft.compute/{kind}".lower() in wanted]
        return page(self.world, request, found, self._resource)

    def _resource(self, kind_and_item: tuple[str, Any]) -> dict[str, Any]:
        kind, item = kind_and_item
        return {"id": item.id, "name": item.name, "type": f"Microsoft.Compute/{kind}", "location": item.region}

    def groups(self, request: Request, subscription: str) -> Response:
        """The resource groups of a subscription."""
        keys = [key for key in self.world.fleet.groups if key[0] == subscription.lower()]
        return page(self.world, request, keys, self._group)

    def group(self, request: Request, subscription: str, group: str) -> Response:
        """One resource group."""
        key = (subscription.lower(), group.lower())
        if key not in self.world.fleet.groups:
            raise no_group(group)
        return Response(200, self._group(key))

    def _group(self, key: tuple[str, str]) -> dict[str, Any]:
        name, region = self.world.fleet.groups[key]
        return {
            "id": f"/subscriptions/{key[0]}/resourceGroups/{name}",
            "name": name,
            "type": "Microsoft.Resources/resourceGroups",
            "location": region,
            "properties": {"provisioningState": "Succeeded"},
        }

    def batch(self, request: Request) -> Response:
        """Relay the parts of a batch; the answers come in another order than the questions."""
        body = request.json() or {}
        parts = body.get("requests")
        if not isinstance(parts, list) or len(parts) > 500:
            raise ArmError(400, "InvalidBatchRequest", "The batch needs a list of at most 500 requests.")
        return Response(200, {"responses": [self._part(request, part) for part in reversed(parts)]})

    def _part(self, request: Request, part: dict[str, Any]) -> dict[str, Any]:
        headers = {name: value for name, value in request.headers.items() if name == "authorization"}
        target = str(part.get("url", "")).removeprefix(self.world.url)
        inner = Request.parse(str(part.get("httpMethod", "GET")).upper(), target, headers)
        fault = self.world.faults.meet(inner)
        response = self.world.handle(inner, fault)
        return {
            "name": part.get("name", guid(target)),
            "httpStatusCode": response.status,
            "headers": response.headers,
            "content": response.plain(),
            "contentLength": 0,
        }
