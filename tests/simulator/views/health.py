# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Service Health and Azure Maintenance know of the waves: events, impacted resources, pending updates.

They follow the views, but for the VMs that service_health of the fleet file adds or leaves out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ..fleet.fleet import Fleet
from ..fleet.model import Vm, Wave, guid
from ..wire.times import coarse
from .models import COMPUTE

_NOTICE = timedelta(days=30)
_STATUS = {"MaintenanceCompleted": "Completed", "RetryLater": "RetryLater"}


@dataclass(frozen=True)
class Impact:
    """One VM or instance that a wave moves, in one subscription; status as the updates call it."""

    wave: Wave
    id: str
    region: str
    status: str

    @property
    def subscription(self) -> str:
        return self.id.split("/")[2].lower()

    @property
    def group(self) -> str:
        return self.id.split("/")[4]

    @property
    def kind(self) -> str:
        return f"{COMPUTE}/virtualMachine" + ("ScaleSets/virtualMachines" if "caleSets/" in self.id else "s")


def tracking_id(wave: Wave) -> str:
    """Return the id under which Service Health speaks of a wave."""
    digits = guid("tracking", wave.name).upper()
    return f"{digits[:4]}-{digits[9:12]}"


def notification_id(wave: Wave) -> str:
    """Return the id under which Azure Maintenance speaks of a wave."""
    return f"PYN_-{guid('notification', wave.name).upper()[:3]}"


class Health:
    """Reads the fleet as it is at the moment of the call."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    def impacts(self, subscription: str | None = None) -> list[Impact]:
        """Return what the waves move, of all subscriptions or of one."""
        wanted = self.fleet.service_health
        hidden = {name.lower() for name in wanted.get("missing", ())}
        found = [
            Impact(self.fleet.waves[vm.state.wave], vm.id, vm.region, _status(vm))
            for vm in self.fleet.vms.values()
            if subscription in (None, vm.subscription)
            and vm.state.wave
            and vm.state.power != "deallocated"
            and not hidden & {vm.name.lower(), vm.key}
        ]
        found += self._extra({impact.id.lower() for impact in found})
        return [impact for impact in found if subscription in (None, impact.subscription)]

    def _extra(self, there: set[str]) -> Iterator[Impact]:
        """Yield those added: VMs of the fleet by name or id, else ids of VMs that are not (or no longer) there."""
        wave, region = next(iter(self.fleet.waves.values()), None), next(iter(self.fleet.regions), None)
        for name in self.fleet.service_health.get("extra", ()):
            found = [(vm.id, vm.region) for vm in self.fleet.named(name)] or [(name, region)]
            for identity, where in found:
                if wave and identity.startswith("/subscriptions/") and identity.lower() not in there:
                    yield Impact(wave, identity, where, "Pending")

    def events(self, subscription: str, now: datetime) -> list[dict[str, Any]]:
        """Return the events of a subscription as the API lists them, one for each wave that moves something there."""
        by_wave: dict[str, list[Impact]] = {}
        for impact in self.impacts(subscription):
            by_wave.setdefault(impact.wave.name, []).append(impact)
        return [self._event(subscription, found, now) for found in by_wave.values()]

    def _event(self, subscription: str, found: list[Impact], now: datetime) -> dict[str, Any]:
        wave = found[0].wave
        status = "Active" if now < wave.scheduled[1] else "Resolved"
        base = f"/subscriptions/{subscription}/providers/Microsoft.ResourceHealth/events/{tracking_id(wave)}"
        regions = sorted({impact.region for impact in found})
        touched = [
            {
                "impactedRegion": self.fleet.regions[region].display,
                "status": status,
                "impactedSubscriptions": [subscription],
                "impactedTenants": [],
                "lastUpdateTime": coarse(wave.self_service[0] - _NOTICE),
                "updates": [],
            }
            for region in regions
        ]
        properties = {
            "eventType": "PlannedMaintenance",
            "eventSource": "ServiceHealth",
            "status": status,
            "title": "Maintenance of virtual machines: start it yourself before it is scheduled",
            "summary": "<p>Some of your virtual machines have to be moved to updated hosts.</p>",
            "header": "Your service might be impacted by an Azure maintenance",
            "level": "Warning",
            "eventLevel": "Warning",
            "externalIncidentId": notification_id(wave),
            "article": {"articleContent": "<p>See the impacted resources.</p>"},
            "links": [],
            "impactStartTime": coarse(wave.self_service[0]),
            "impactMitigationTime": coarse(wave.scheduled[1]),
            "impact": [{"impactedService": "Virtual Machines", "impactedRegions": touched}],
            "isHIR": False,
            "priority": 10,
            "lastUpdateTime": coarse(wave.self_service[0] - _NOTICE),
            "platformInitiated": True,
        }
        body = {"id": base, "name": tracking_id(wave), "type": "Microsoft.ResourceHealth/events"}
        return body | {"properties": properties}

    def impacted(self, subscription: str, tracking: str) -> list[dict[str, Any]]:
        """Return the resources that an event names."""
        base = f"/subscriptions/{subscription}/providers/Microsoft.ResourceHealth/events/{tracking}/impactedResources"
        return [
            {
                "id": f"{base}/{guid('impacted', impact.id.lower())}",
                "name": guid("impacted", impact.id.lower()),
                "type": "Microsoft.ResourceHealth/events/impactedResources",
                "properties": {
                    "targetResourceType": impact.kind,
                    "targetResourceId": impact.id,
                    "targetRegion": impact.region,
                    "resourceName": impact.id.rsplit("/", 1)[1],
                    "resourceGroup": impact.group,
                    "status": impact.status,
                    "maintenanceStartTime": coarse(impact.wave.scheduled[0]),
                    "maintenanceEndTime": coarse(impact.wave.scheduled[1]),
                },
            }
            for impact in self.impacts(subscription)
            if tracking_id(impact.wave).lower() == tracking.lower()
        ]


def _status(vm: Vm) -> str:
    if vm.state.operation:
        return "InProgress"
    return _STATUS.get(vm.state.code, "Pending")


def update(impact: Impact) -> dict[str, Any]:
    """Return a pending update of a VM as Azure Maintenance shows it."""
    return {
        "maintenanceScope": "Host",
        "impactType": "Restart",
        "status": impact.status,
        "impactDurationInSec": 600,
        "notBefore": coarse(impact.wave.scheduled[0]),
        "properties": {"resourceId": impact.id},
    }
