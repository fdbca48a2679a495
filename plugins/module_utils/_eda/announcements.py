# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From one look at the fleet to the next: what is new about each VM's maintenance, said once.

Standard library only; no I/O, no clock. What was said is remembered per VM and wave in plain JSON (:class:`Memory`). A wave is
known by the start of its self-service window, as everywhere in this collection.
"""

from __future__ import annotations

import copy
import datetime as dt
import typing as t
from dataclasses import dataclass, field

from .._azure.maintenance import MaintenanceStatus, format_time, parse_time
from .._azure.vm import Vm, resource_name

Json = dict[str, t.Any]
KINDS = ("window_announced", "self_service_opened", "deadline_near", "scheduled_started", "completed", "cancelled")
"""In the order in which one look tells them."""
RUN = "fleetops.azure_maintenance.plan"
_CALLS_FOR_A_PLAN = KINDS[:3]
"""The others only want to be known. Nothing calls for a redeploy straight away: a person sees the plan first."""
_STILL_DUE = ("startable", "retry_later", "blocked")
_FORGET_AFTER = dt.timedelta(days=90)


@dataclass
class Memory:
    """What was said so far: id of a VM in lower case -> ``{wave, round, said, deadlines, vm}``, ``vm`` being the facts last seen."""

    vms: dict[str, Json] = field(default_factory=dict)


def announce(memory: Memory, vms: t.Iterable[Vm], now: dt.datetime, hours: t.Sequence[float],
             read: t.Container[str]) -> tuple[list[Json], Memory]:
    """Events that are new, in the order of :data:`KINDS` and then of ids, and what is to be remembered.

    ``hours`` are the distances to the end of the self-service window that are worth a ``deadline_near``. ``read`` tells the
    subscriptions (lower-case ids) that were read: a VM of another one that is missing proves nothing.
    """
    after = Memory(copy.deepcopy(memory.vms))
    events: list[Json] = []
    seen, vms = set(), list(vms)
    for vm in vms:
        seen.add(vm.id.key)
        events += _Look(after, vm, now, hours).events()
    for key in [key for key in after.vms if key not in seen and after.vms[key]["vm"]["subscription_id"].lower() in read]:
        events += _vanished(after.vms.pop(key), now)
    _forget(after, now, {vm.id.key for vm in vms if vm.status is not None})
    events.sort(key=lambda event: (KINDS.index(event["kind"]), event["vm"]["id"].lower()))
    return _counted(events), after


class _Look:
    """One look at one VM."""

    def __init__(self, memory: Memory, vm: Vm, now: dt.datetime, hours: t.Sequence[float]) -> None:
        self._memory, self._vm, self._now, self._hours = memory, vm, now, hours
        self._facts = facts_of(vm, now)
        self._known = memory.vms.get(vm.id.key)

    def events(self) -> list[Json]:
        status, state = self._vm.status, self._vm.state(self._now)
        if state == "not_hosted":  # without a host there is no block; what was said stays said
            return []
        if status is None:
            return self._block_gone()
        wave, end = wave_of(status), status.self_service_window.end if status.self_service_window else None
        # Completed and allowed may be a new wave that still shows the old code: it is announced, not taken for done.
        already_done = state == "done" and not status.allowed
        found = []
        if self._is_new(wave, state):
            previous, number = self._known, (self._known["round"] + 1 if self._known and self._known["wave"] == wave else 1)
            self._known = self._memory.vms[self._vm.id.key] = {"wave": wave, "round": number, "said": [], "deadlines": []}
            found = [] if already_done else self._say("window_announced", **self._moved(previous))
        self._known["vm"] = self._facts
        if state == "startable":
            found += self._say("self_service_opened")
        if state in _STILL_DUE and end:
            found += self._deadline(end)
        if state == "azure_controlled":
            found += self._say("scheduled_started")
        if already_done:
            found += self._say("completed", reason="Azure reports MaintenanceCompleted")
        return found

    def _is_new(self, wave: str, state: str) -> bool:
        """Another wave; or the same one again, after it was cancelled or the VM came to another host that is due."""
        if self._known is None or self._known["wave"] != wave:
            return True
        said = self._known["said"]
        return "cancelled" in said or ("completed" in said and state in ("upcoming", "startable"))

    @staticmethod
    def _moved(previous: Json | None) -> Json:
        """An announcement that follows another one, unfinished, is a move of the window."""
        if previous is None or {"completed", "cancelled"} & set(previous["said"]):
            return {}
        return {"reason": "another window than before", "previous_window": previous["vm"]["self_service_window"]}

    def _say(self, kind: str, **more: t.Any) -> list[Json]:
        if kind in self._known["said"]:
            return []
        self._known["said"].append(kind)
        return [_event(kind, self._facts, self._known, self._now, **more)]

    def _deadline(self, end: dt.datetime) -> list[Json]:
        """The nearest of the distances passed, unless it was said of this end; those farther off are past telling then."""
        left = (end - self._now).total_seconds() / 3600
        passed = [hours for hours in self._hours if 0 < left <= hours]
        said = {tuple(item) for item in self._known["deadlines"]}
        new = [hours for hours in passed if (hours, format_time(end)) not in said]
        if not new:
            return []
        self._known["deadlines"] += [[hours, format_time(end)] for hours in new]
        if min(new) > min(passed):  # a nearer one was told before this one was asked for
            return []
        return [_event("deadline_near", self._facts, self._known, self._now, hours=min(new))]

    def _block_gone(self) -> list[Json]:
        """The VM runs and is in no wave (any more)."""
        if self._known is None or {"completed", "cancelled"} & set(self._known["said"]):
            return []
        state = self._known["vm"]["state"]
        self._facts = {**self._known["vm"], **{name: self._facts[name] for name in ("power_state", "state")}}
        if state in ("done", "azure_controlled", "expired"):
            azure = "the maintenance block went away after the scheduled window began"
            return self._say("completed", reason="Azure had reported MaintenanceCompleted" if state == "done" else azure)
        return self._say("cancelled", reason="the maintenance block went away and nothing reported its completion: Azure cancelled or moved "
                                             "the maintenance, or the VM was moved by other means")


def _vanished(known: Json, now: dt.datetime) -> list[Json]:
    if {"completed", "cancelled"} & set(known["said"]):
        return []
    return [_event("cancelled", known["vm"], known, now, reason="the VM is gone")]


def _forget(memory: Memory, now: dt.datetime, present: t.Container[str]) -> None:
    """Drop what has been over for long, so that the memory does not grow for ever; not what Azure still shows: it would be news again."""
    for key, known in [item for item in memory.vms.items() if item[0] not in present]:
        window = known["vm"].get("scheduled_window") or known["vm"].get("self_service_window")
        if window and now - parse_time(window["end"]) > _FORGET_AFTER:
            del memory.vms[key]


def wave_of(status: MaintenanceStatus) -> str:
    """Start of the self-service window, else of the scheduled one, else ``unknown``."""
    window = status.self_service_window or status.scheduled_window
    return format_time(window.start) if window else "unknown"


def facts_of(vm: Vm, now: dt.datetime) -> Json:
    """The part of a VM's record that an event carries."""
    record = vm.to_record(now)
    maintenance = record["maintenance"]
    plain = ("id", "name", "resource_group", "subscription_id", "location", "zone", "tags", "update_domain", "power_state")
    return {
        **{name: record[name] for name in plain},
        "availability_set": resource_name(record["availability_set"]), "scale_set": resource_name(record["scale_set"]),
        **{name: maintenance[name] for name in ("state", "allowed", "self_service_window", "scheduled_window", "seconds_left")},
        "hazards": [hazard["name"] for hazard in record["hazards"]],
    }


def _event(kind: str, facts: Json, known: Json, now: dt.datetime, hours: float | None = None, reason: str | None = None,
           previous_window: Json | None = None) -> Json:
    wave = known["wave"]
    name = kind if hours is None else f"{kind}-{hours:g}h"
    again = f"/{known['round']}" if known["round"] > 1 else ""
    return {"kind": kind, "id": f"{facts['id'].lower()}/{wave}/{name}{again}", "time": format_time(now), "wave": wave, "vm": facts, "hours": hours,
            "reason": reason, "previous_window": previous_window, "run": RUN if kind in _CALLS_FOR_A_PLAN else None}


def _counted(events: list[Json]) -> list[Json]:
    """Say with each event how many of its kind still follow: a rule that asks for none runs once per look, not once per VM."""
    left = {kind: sum(1 for event in events if event["kind"] == kind) for kind in KINDS}
    for event in events:
        left[event["kind"]] -= 1
        event["more"] = left[event["kind"]]
    return events
