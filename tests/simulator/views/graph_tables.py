# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of Resource Graph that concern VMs and their maintenance, as rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from .health import Health, Impact, notification_id, update
from .kql import Row
from .kql_run import Table
from .vms import View

_EVENT = "microsoft.resourcehealth/events"


def tables(view: View, health: Health, subscriptions: list[str], now: datetime) -> dict[str, Table]:
    """Return the tables by name, in lower case, with the rows of these subscriptions."""
    return {
        "resources": lambda: _resources(view, subscriptions),
        "maintenanceresources": lambda: _updates(health, subscriptions),
        "servicehealthresources": lambda: _health(health, subscriptions, now),
    }


def _row(identity: str, kind: str, subscription: str, properties: dict[str, Any], **more: Any) -> Row:
    parts = identity.split("/")
    group = parts[4].lower() if len(parts) > 4 and parts[3].lower() == "resourcegroups" else ""
    row = {"id": identity, "name": parts[-1], "type": kind, "subscriptionId": subscription, "resourceGroup": group}
    return {**row, "location": "", **more, "properties": properties}


def _resources(view: View, subscriptions: list[str]) -> Iterator[Row]:
    """VMs and scale sets. VMs carry the power state, minutes old in truth, and not the maintenance block."""
    for subscription in subscriptions:
        for vm in view.fleet.listed(subscription):
            model = view.model(vm)
            power = {"code": f"PowerState/{vm.state.power}", "displayStatus": f"VM {vm.state.power}", "level": "Info"}
            view_of = {"powerState": power, "computerName": vm.computer_name, "hyperVGeneration": "V2"}
            properties = {**model["properties"], "extended": {"instanceView": view_of}}
            more = {"location": vm.region, "tags": vm.state.tags or None, "zones": [vm.zone] if vm.zone else None}
            yield _row(vm.id, "microsoft.compute/virtualmachines", subscription, properties, **more)
        for group in view.fleet.scale_sets_in(subscription):
            model = view.scale_sets.scale_set(group)
            more = {"location": group.region, "tags": group.tags or None, "sku": model["sku"]}
            kind = "microsoft.compute/virtualmachinescalesets"
            yield _row(group.id, kind, subscription, model["properties"], **more)


def _updates(health: Health, subscriptions: list[str]) -> Iterator[Row]:
    """Each VM's pending updates; the row is named by the VM's whole id."""
    for impact in health.impacts():
        if impact.subscription in subscriptions:
            identity = f"{impact.id}/providers/microsoft.maintenance/updates/default"
            row = _row(identity, "microsoft.maintenance/updates", impact.subscription, {"value": [_value(impact)]})
            yield row | {"name": impact.id, "location": impact.region}


def _value(impact: Impact) -> dict[str, Any]:
    planned = {
        "resourceId": impact.id,
        "plannedMaintenanceId": notification_id(impact.wave),
        "plannedMaintenanceStatus": impact.status,
    }
    shown = update(impact)
    end = impact.wave.scheduled[1].strftime("%Y-%m-%dT%H:%M:%SZ")
    return {**shown, "notificationId": notification_id(impact.wave), "endTimeUtc": end, "properties": planned}


def _health(health: Health, subscriptions: list[str], now: datetime) -> Iterator[Row]:
    """Events, with the names of their properties in capitals, and the resources they name."""
    for subscription in subscriptions:
        for event in health.events(subscription, now):
            properties = {key[:1].upper() + key[1:]: value for key, value in event["properties"].items()}
            properties["TrackingId"] = event["name"]
            yield _row(event["id"], _EVENT, subscription, properties)
            for item in health.impacted(subscription, event["name"]):
                yield _row(item["id"], f"{_EVENT}/impactedresources", subscription, item["properties"])
