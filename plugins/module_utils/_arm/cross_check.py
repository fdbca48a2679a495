# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Azure's other lists of VMs with maintenance ahead, compared with what the instance views say.

Resource Graph (table maintenanceresources) is minutes old and hides what the identity may not read; Service Health names
impacted resources per event. Neither decides anything here: differences are shown.
"""

from __future__ import annotations

import typing as t

from .._azure.vm import BadVmId, VmId
from .._errors import AzureError
from .client import Arm

_GRAPH, _HEALTH = "2021-03-01", "2025-05-01"
_PAGE = 1000
_MOST_SUBSCRIPTIONS = 1000
_MAX_PAGES = 1000
# Statuses that leave the customer nothing to do.
_SETTLED = ("InProgress", "RetryLater", "NoUpdatesPending", "Completed")
_QUERY = ("maintenanceresources | where type =~ 'microsoft.maintenance/updates' | mv-expand update = properties.value "
          f"| where isnotempty(update.notificationId) and tostring(update.status) !in~ ({', '.join(repr(word) for word in _SETTLED)}) "
          "| project id, target = name, status = tostring(update.status)")


def second_opinion(arm: Arm, source: str, subscriptions: t.Sequence[str], wanted_group: t.Callable[[str], bool],
                   due: t.Collection[str]) -> dict[str, t.Any]:
    """``{source, only_there: [ids], only_here: [ids]}``, lower-case ids in order; ``due`` are those that the views show under
    announced maintenance that is not completed. Raises AzureError when the source cannot be read."""
    theirs: set[str] = set()
    for text in _graph(arm, subscriptions) if source == "resource_graph" else _health(arm, subscriptions):
        vm_id = _vm_of(text)
        if vm_id and wanted_group(vm_id.resource_group.lower()):
            theirs.add(vm_id.key)
    return {"source": source, "only_there": sorted(theirs.difference(due)), "only_here": sorted(set(due) - theirs)}


def _vm_of(text: str) -> VmId | None:
    """The VM that an id names or lies under; None for other kinds of resources."""
    try:
        return VmId.parse(text.lower().split("/providers/microsoft.maintenance/")[0])
    except BadVmId:
        return None


def _graph(arm: Arm, subscriptions: t.Sequence[str]) -> t.Iterator[str]:
    for at in range(0, len(subscriptions), _MOST_SUBSCRIPTIONS):
        options: dict[str, t.Any] = {"$top": _PAGE, "resultFormat": "objectArray"}
        for dummy in range(_MAX_PAGES):
            body = {"subscriptions": list(subscriptions[at:at + _MOST_SUBSCRIPTIONS]), "query": _QUERY, "options": options}
            answer = arm.query("/providers/Microsoft.ResourceGraph/resources", _GRAPH, "ask Resource Graph for pending maintenance", body)
            rows = answer.get("data")
            if not isinstance(rows, list):
                raise AzureError("ask Resource Graph for pending maintenance", "the answer has no rows")
            for row in rows:
                # The row's own id lies under the VM in some answers, and its name is the VM's id in others.
                yield next((text for text in (row.get("target"), row.get("id")) if text and _vm_of(text)), "")
            token = answer.get("$skipToken")
            if not token:
                break
            options = {**options, "$skipToken": token}


def _health(arm: Arm, subscriptions: t.Sequence[str]) -> t.Iterator[str]:
    for subscription in subscriptions:
        events = f"/subscriptions/{subscription}/providers/Microsoft.ResourceHealth/events"
        query = {"$filter": "eventType eq 'PlannedMaintenance' and status eq 'Active'"}
        for event in arm.list(events, _HEALTH, f"list health events of subscription {subscription}", query):
            about = event.get("properties") or {}
            if about.get("eventType") != "PlannedMaintenance" or about.get("status") != "Active":
                continue
            doing = f"list the resources that event {event['name']} touches"
            for resource in arm.list(f"{events}/{event['name']}/impactedResources", _HEALTH, doing):
                yield str((resource.get("properties") or {}).get("targetResourceId") or "")
