# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The activity log of one VM: did a start reach Azure, was it refused, how did it end?

The log is minutes late and may be closed to the caller, so its silence proves nothing. Makes only GET requests.
"""

from __future__ import annotations

import datetime as dt
import typing as t

from .._azure.maintenance import format_time, parse_time
from .._azure.vm import VmId
from .._errors import AzureError
from .client import ACTIVITY_LOG, Arm

# A refusal is answered at once; an operation that was taken on and failed ends later than that.
_AT_ONCE = dt.timedelta(seconds=30)
# One that was accepted longer ago has ended, whether the log heard of it or not.
_LONGEST = dt.timedelta(minutes=90)
# HTTP status of a refusal, as the log spells it. 5xx is none: it may have been executed.
_REFUSALS = ("badrequest", "unauthorized", "forbidden", "notfound", "methodnotallowed", "conflict", "preconditionfailed", "toomanyrequests",
             "429", "locked")


class Event(t.NamedTuple):
    """``status`` is started, accepted, succeeded, failed or canceled; ``http`` the HTTP status in words, lower-case."""

    status: str
    when: dt.datetime
    client_request_id: str
    http: str


class ActivityLog:
    """Reads what Azure Monitor keeps of the operations on a VM."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    def events(self, vm_id: VmId, operation: str, since: dt.datetime) -> list[Event] | None:
        """Events of this operation on this VM since then, oldest first; None when they cannot be read."""
        text = format_time(since)
        query = {"$filter": f"eventTimestamp ge '{text}' and resourceUri eq '{vm_id}'"}
        path = f"/subscriptions/{vm_id.subscription_id}/providers/Microsoft.Insights/eventtypes/management/values"
        kind = "virtualmachinescalesets/virtualmachines" if vm_id.scale_set else "virtualmachines"
        action = f"microsoft.compute/{kind}/{operation.replace('_', '')}/action"
        try:
            items = self._arm.list(path, ACTIVITY_LOG, f"read the activity log of {vm_id}", query)
            found = [_event(item) for item in items if _value(item, "operationName") == action]
        except (AzureError, ValueError, AttributeError):  # a log nobody can read says nothing
            return None
        return sorted((event for event in found if event), key=lambda event: event.when)


def ending(events: t.Iterable[Event], client_request_id: str | None = None) -> str | None:
    """How it ended by the log: succeeded, failed, canceled, ``refused`` (certainly never executed), or None.

    With a client request id only its own events count. ``refused`` takes all of: an answer at once, with the status of a
    refusal, and no sign that it was accepted.
    """
    own = [event for event in events if client_request_id in (None, event.client_request_id)]
    by_status = {event.status: event for event in own}
    last = next((by_status[word] for word in ("succeeded", "canceled", "failed") if word in by_status), None)
    if last is None or last.status != "failed" or "accepted" in by_status:
        return last.status if last else None
    at_once = "started" in by_status and last.when - by_status["started"].when <= _AT_ONCE
    if at_once and last.http in _REFUSALS and client_request_id is not None:
        return "refused"
    return None  # failed without having been accepted: neither is certain


def under_way(events: t.Iterable[Event], now: dt.datetime) -> bool:
    """Whether one was accepted not long ago and nothing tells that it ended."""
    ends: dict[str, set[str]] = {}
    for event in events:
        if event.status != "accepted" or now - event.when < _LONGEST:
            ends.setdefault(event.client_request_id, set()).add(event.status)
    return any("accepted" in statuses and not statuses & {"succeeded", "failed", "canceled"} for statuses in ends.values())


def _event(item: t.Mapping[str, t.Any]) -> Event | None:
    when = parse_time(item.get("eventTimestamp"))
    if when is None:
        return None
    request = str((item.get("httpRequest") or {}).get("clientRequestId") or "")
    http = str((item.get("properties") or {}).get("statusCode") or "").replace(" ", "").lower()
    return Event(_value(item, "status"), when, request, http)


def _value(item: t.Mapping[str, t.Any], field: str) -> str:
    """A localisable field of an event, lower-case."""
    return str((item.get(field) or {}).get("value", "")).lower()
