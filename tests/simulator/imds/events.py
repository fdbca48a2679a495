# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scheduled Events: who listens, which events there are for a VM, what an approval does.

An operation that waits is an event of source User. Events of source Platform are raised on the control path; they begin
when they are approved, or when somebody reads at or after their time.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

from ..fleet import schema
from ..fleet.fleet import Fleet
from ..fleet.model import Vm, guid
from ..fleet.schema import FleetError
from ..fleet.transitions import Transition
from ..runtime.clock import Clock
from ..runtime.engine import Engine
from ..runtime.operation import Operation

TYPES = ("Freeze", "Reboot", "Redeploy", "Preempt", "Terminate")
_LISTENS = timedelta(hours=24)
_ANNOUNCED = {"performMaintenance": "Redeploy", "redeploy": "Redeploy", "restart": "Reboot"}
_WORDS = {"Redeploy": "redeployed", "Reboot": "restarted"}

check_event = schema.keys(
    {
        "type": schema.one_of(*TYPES),
        "notice_seconds": schema.seconds,
        "duration_seconds": schema.whole(-1),
        "linger_seconds": schema.seconds,
        "with": schema.list_of(schema.text),
        "description": schema.text,
        "cancel": schema.flag,
    }
)


@dataclass
class PlatformEvent:
    """An event that Azure raises. ``until`` is when it vanishes, once that is known."""

    type: str
    vms: list[Vm]
    not_before: datetime
    duration: int
    linger: float
    description: str
    status: str = "Scheduled"
    until: datetime | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


class EventBook:
    """All events of a world. Callers hold the lock. What it knows is forgotten when the simulator ends."""

    def __init__(self, fleet: Fleet, clock: Clock, engine: Engine, settings: dict[str, Any] | None) -> None:
        self.fleet, self.clock, self.engine = fleet, clock, engine
        self.settings = settings
        self.approvals: list[dict[str, Any]] = []
        self._heard: dict[str, tuple[datetime, datetime]] = {}
        self._platform: list[PlatformEvent] = []
        self._seen: dict[str, tuple[int, str]] = {}
        if settings is not None:
            engine.with_notice = self.with_notice

    # -- listening ----------------------------------------------------------------------------------------------------

    def listen(self, vm: Vm) -> None:
        """Note a read: it turns the service on for the VM's whole set, or keeps it on."""
        now = self.clock.now()
        since, last = self._heard.get(_circle(vm), (now, now))
        self._heard[_circle(vm)] = (now if now - last > _LISTENS else since, now)

    def listens(self, vm: Vm) -> bool:
        """Say whether Azure gives notice to this VM's set."""
        settings = self.settings or {}
        if settings.get("listening", False):
            return True
        now = self.clock.now()
        since, last = self._heard.get(_circle(vm), (None, None))
        if since is None or last is None or now - last > _LISTENS:
            return False
        return now >= since + timedelta(seconds=settings.get("enabling_seconds", 0.0))

    def with_notice(self, vm: Vm, kind: str, transition: Transition) -> Transition:
        """Return how an operation goes that begins now: it waits only if somebody listens and it restarts the VM."""
        if kind not in _ANNOUNCED or not self.listens(vm) or vm.state.power != "running":
            return replace(transition, waits_seconds=0.0)
        waits = transition.waits_seconds or (self.settings or {}).get("notice_seconds", 600.0)
        return replace(transition, waits_seconds=waits)

    # -- events -------------------------------------------------------------------------------------------------------

    def document(self, vm: Vm, version: str) -> dict[str, Any]:
        """Return what this VM is shown: the events of its whole set."""
        self._catch_up()
        events = [self._shown(event, version) for event in self._of_users(vm)] if self.listens(vm) else []
        if self.listens(vm):
            events += [self._shown(self._as_dict(event), version) for event in self._platform if _sees(vm, event.vms)]
        print_ = hashlib.sha256(json.dumps(events, sort_keys=True).encode()).hexdigest()
        number, last = self._seen.get(_circle(vm), (0, ""))
        if print_ != last:
            number += 1
            self._seen[_circle(vm)] = (number, print_)
        return {"DocumentIncarnation": number, "Events": events}

    def approve(self, vm: Vm, event_ids: list[str]) -> bool:
        """Let events go ahead, as seen by this VM; False, and nothing done, if one of them is not known."""
        self._catch_up()
        users = {event_id(operation): operation for operation in self._operations(vm)}
        platform = {event.id: event for event in self._platform if _sees(vm, event.vms)}
        wanted = [item.lower() for item in event_ids]
        if not set(wanted) <= {*users, *platform}:
            return False
        for item in wanted:
            self.approvals.append({"event": item, "by": vm.name, "at": self.clock.now().isoformat()})
            if item in users:
                self.engine.approve(self.engine.vm(users[item]))
            elif platform[item].status == "Scheduled":
                self._start(platform[item])
        return True

    def raise_event(self, vm: Vm, given: dict[str, Any]) -> dict[str, Any]:
        """Raise an event of source Platform for a VM (and others ``with`` it), or cancel those it has. Raises FleetError."""
        if given.get("cancel"):
            self._platform = [event for event in self._platform if vm not in event.vms or event.status != "Scheduled"]
            return {"cancelled": True}
        others = [found for name in given.get("with", []) for found in self.fleet.named(name)]
        if len(others) != len(given.get("with", [])):
            raise FleetError("event.with: names a VM that is not there, or not unique")
        event = PlatformEvent(
            given.get("type", "Redeploy"),
            [vm, *others],
            self.clock.now() + timedelta(seconds=given.get("notice_seconds", 600.0)),
            given.get("duration_seconds", -1),
            given.get("linger_seconds", 0.0),
            given.get("description", "Host server is undergoing maintenance."),
        )
        self._platform.append(event)
        return {"id": event.id}

    def _of_users(self, vm: Vm) -> list[dict[str, Any]]:
        events = []
        for operation in self._operations(vm):
            kind, scheduled = _ANNOUNCED[operation.kind], operation.phase == "waiting"
            due = operation.start + timedelta(seconds=operation.transition.waits_seconds)
            words = f"Virtual machine is being {_WORDS[kind]} as requested by authorized user."
            status, when = ("Scheduled", due) if scheduled else ("Started", None)
            vms = [self.engine.vm(operation)]
            events.append(_event(event_id(operation), kind, vms, status, when, words, "User", -1))
        return events

    def _operations(self, vm: Vm) -> list[Operation]:
        """The operations of its set that wait, or went ahead after a wait and are under way."""
        return [
            operation
            for operation in self.engine.running.values()
            if operation.kind in _ANNOUNCED and operation.transition.waits_seconds and _sees(vm, [self.engine.vm(operation)])
        ]

    def _as_dict(self, event: PlatformEvent) -> dict[str, Any]:
        when = event.not_before if event.status == "Scheduled" else None
        return _event(event.id, event.type, event.vms, event.status, when, event.description, "Platform", event.duration)

    @staticmethod
    def _shown(event: dict[str, Any], version: str) -> dict[str, Any]:
        """The event as this api-version has it."""
        shown = dict(event)
        for name, since in (("Description", "2019-04-01"), ("EventSource", "2019-08-01"), ("DurationInSeconds", "2020-07-01")):
            if version < since:
                del shown[name]
        if version == "2017-03-01":
            shown["Resources"] = [f"_{name}" for name in shown["Resources"]]
        return shown

    # -- what Azure does ----------------------------------------------------------------------------------------------

    def _catch_up(self) -> None:
        self.engine.catch_up()
        now = self.clock.now()
        for event in self._platform:
            if event.status == "Scheduled" and now >= event.not_before:
                self._start(event)
        self._platform = [event for event in self._platform if event.until is None or now < event.until]

    def _start(self, event: PlatformEvent) -> None:
        event.status = "Started"
        self.engine.writes += 1
        if event.type == "Freeze":
            event.until = self.clock.now() + timedelta(seconds=max(event.duration, 0) + event.linger)
        else:
            self.engine.guests.run(lambda: self._move(event))

    def _move(self, event: PlatformEvent) -> None:
        """Take the VMs down and, unless they are gone for good, up again; in a thread of its own with real guests."""
        guests, stays = self.engine.guests, event.type in ("Reboot", "Redeploy")
        for vm in event.vms:
            guests.halt(vm)
        boots = {vm.key: guests.boot(vm) for vm in event.vms} if stays else {}
        with self.engine.lock:
            for vm in event.vms:
                vm.state.boot_id = boots.get(vm.key)
                vm.state.power = "running" if stays else "deallocated"
                vm.state.etag += 1
            event.until = self.clock.now() + timedelta(seconds=event.linger)
            self.engine.writes += 1


def event_id(operation: Operation) -> str:
    """Return the id of the event that an operation raises."""
    return guid("scheduled event", operation.id)


def _circle(vm: Vm) -> str:
    """Those who see each other's events: a set, or a VM alone."""
    return vm.group.id.lower() if vm.group else vm.key


def _sees(vm: Vm, vms: list[Vm]) -> bool:
    return any(_circle(other) == _circle(vm) for other in vms)


def _event(
    number: str, kind: str, vms: list[Vm], status: str, when: datetime | None, words: str, source: str, duration: int
) -> dict[str, Any]:
    return {
        "EventId": number,
        "EventType": kind,
        "ResourceType": "VirtualMachine",
        "Resources": [vm.name for vm in vms],
        "EventStatus": status,
        "NotBefore": format_datetime(when, usegmt=True) if when else "",
        "Description": words,
        "EventSource": source,
        "DurationInSeconds": duration,
    }
