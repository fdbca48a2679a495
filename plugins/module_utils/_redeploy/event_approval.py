# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scheduled Events seen from outside: which started VMs wait for theirs, and its approval through Resource Manager.

A guest that listens to Scheduled Events makes its own redeploy wait for approval, or 10 to 15 minutes. Azure publishes such
events to Resource Graph where that is switched on (scheduledEventsPolicy); approving takes the role Scheduled Events Contributor.
"""

from __future__ import annotations

import typing as t
import uuid

from .._arm.client import Arm
from .._arm.rate_limit import Clock
from .._azure.vm import BadVmId, VmId
from .._errors import AzureError
from .watch import Watched

GRAPH = "2021-03-01"
ACKNOWLEDGE = "2023-10-01-preview"
_QUERY = "maintenanceresources | where type =~ 'microsoft.maintenance/scheduledevents' | project id, name, properties"
_EVERY = 10.0
_LATER = 60.0
_TRIES = 3


class Event(t.NamedTuple):
    """A scheduled event that a user's own operation raised; ``resources`` are lower-case names, ``target`` an ARM id."""

    id: str
    target: str
    resources: frozenset[str]
    not_before: str


class Approvals:
    """Looks for the events of VMs under way, notes them, and with ``approve`` acknowledges them."""

    def __init__(self, arm: Arm, clock: Clock, approve: bool) -> None:
        self._arm, self._clock, self._approve = arm, clock, approve
        self._next = 0.0
        self._silent = False
        self._tries: dict[str, int] = {}
        self._refusals: dict[str, str] = {}

    def look(self, running: t.Mapping[str, Watched]) -> None:
        """``running`` are VMs by name whose operation has not ended. Sets the note of those that wait for an event."""
        now = self._clock.monotonic()
        running = {name.lower(): item for name, item in running.items() if now > item.begun and item.url}
        if self._silent or not running or now < self._next:
            return
        self._next = now + _EVERY
        for event in self._events(sorted({item.vm.subscription_id for item in running.values()})):
            own = [item for name, item in running.items() if name in event.resources and _meant(item.vm, event)]
            if own:
                # An approval counts for all that the event names; VMs that this call did not start are not its to give up.
                note = self._acknowledge(event, own[0].vm) if self._approve and event.resources <= running.keys() else self._waits(event)
                for item in own:
                    item.note = note

    def _events(self, subscriptions: t.Sequence[str]) -> list[Event]:
        body = {"subscriptions": subscriptions, "query": _QUERY, "options": {"$top": 1000, "resultFormat": "objectArray"}}
        try:
            answer = self._arm.query("/providers/Microsoft.ResourceGraph/resources", GRAPH, "look for scheduled events", body, once=True)
        except AzureError as error:
            # The wait shows itself in the time it takes; what passes is looked for again, later.
            self._silent = error.status is not None and error.status < 500 and error.status not in (408, 429)
            self._next = self._clock.monotonic() + max(_LATER, error.retry_after or 0.0)
            return []
        rows = answer.get("data") if isinstance(answer.get("data"), list) else []
        return [event for row in rows if (event := _event(row)) is not None]

    def _waits(self, event: Event) -> str:
        advice = "" if self._approve else "; approve_scheduled_events would cut this short"
        return f"it waits for its Scheduled Event {event.id} (not before {event.not_before or 'any moment'}){advice}"

    def _acknowledge(self, event: Event, vm: VmId) -> str:
        if event.id in self._refusals:
            return self._refusals[event.id]
        if self._tries.get(event.id, 0) >= _TRIES:
            return self._waits(event)
        self._tries[event.id] = self._tries.get(event.id, 0) + 1
        path = f"{event.target or vm}/providers/Microsoft.Maintenance/scheduledevents/{event.id}/acknowledge"
        try:
            answer = self._arm.post(path, ACKNOWLEDGE, str(uuid.uuid4()))
        except AzureError as error:
            return f"{self._waits(event)}; it could not be approved: {error}"
        if answer.kind == "accepted":
            return f"its Scheduled Event {event.id} was approved"
        said = f"its Scheduled Event {event.id} could not be approved (HTTP {answer.status} {answer.code}: {answer.message})"
        if answer.status in (401, 403):
            said += "; approving takes the role Scheduled Events Contributor; without it the redeploy begins by itself in 10 to 15 minutes"
            self._refusals[event.id] = said
        return said


def _event(row: t.Any) -> Event | None:
    """A row of Resource Graph; None for what is not a scheduled redeploy or reboot that a user asked for."""
    if not isinstance(row, dict) or not isinstance(row.get("properties"), dict):
        return None
    known = {str(key).lower(): value for key, value in row["properties"].items()}

    def word(name: str) -> str:
        return str(known.get(name) or "")

    if word("eventstatus").lower() != "scheduled" or word("eventtype").lower() not in ("redeploy", "reboot"):
        return None
    if word("eventsource").lower() not in ("user", ""):
        return None
    resources = known.get("resources") if isinstance(known.get("resources"), list) else []
    return Event(word("eventid") or str(row.get("name")), word("targetresourceid"), frozenset(str(name).lower() for name in resources), word("notbefore"))


def _meant(vm: VmId, event: Event) -> bool:
    """Whether the event is of this VM and not of a namesake: by the VM's id, else by the group of its set."""
    try:
        return VmId.parse(event.target) == vm
    except BadVmId:
        group = f"/subscriptions/{vm.subscription_id}/resourcegroups/{vm.resource_group}/".lower()
        return event.target.lower().startswith(group)
