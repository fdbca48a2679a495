# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is affected, until when, can I start now: a fleet in a few numbers and one sentence. Pure."""

from __future__ import annotations

import collections
import datetime as dt
import typing as t

from .._azure.maintenance import STATES, format_time
from .._azure.vm import Vm

_STILL_TO_START = ("startable", "upcoming", "retry_later")
"""Now, or later in the same window; an aborted attempt, one that Azure blocks and what is not understood wait for Azure or for a person."""


def summarize(vms: t.Sequence[Vm], now: dt.datetime, unmatched: int = 0) -> dict[str, t.Any]:
    """``states`` (number of VMs by state), ``startable`` (names of those that may be started now and need no consent), ``need_consent``
    (names of startable ones with a blocking hazard), ``next_deadline`` (end of the self-service window that ends first among
    VMs that can still be started, now or later, as ISO time, or None), ``next_deadline_vms`` (their names) and ``text`` (one sentence).
    ``unmatched`` is the number of VMs of which the query matched none."""
    states = collections.Counter(vm.state(now) for vm in vms)
    startable = [vm for vm in vms if vm.state(now) == "startable"]
    consent = [vm for vm in startable if vm.blocking_hazards]
    ends = collections.defaultdict(list)
    for vm in vms:
        if vm.status and vm.state(now) in _STILL_TO_START and vm.status.self_service_window and vm.status.self_service_window.end > now:
            ends[vm.status.self_service_window.end].append(vm.name)
    deadline = min(ends, default=None)
    return {
        "states": {state: states[state] for state in STATES if states[state]},
        "startable": [vm.name for vm in startable if vm not in consent], "need_consent": [vm.name for vm in consent],
        "next_deadline": format_time(deadline), "next_deadline_vms": ends[deadline] if deadline else [],
        "text": f"The query matched none of {unmatched} VMs." if unmatched else _sentence(len(vms), states, len(consent), deadline, now),
    }


def _sentence(total: int, states: t.Mapping[str, int], consent: int, deadline: dt.datetime | None, now: dt.datetime) -> str:
    affected = total - states["not_hosted"] - states["not_scheduled"]
    words = f"{affected} of {total} VM{'' if total == 1 else 's'} affected, {states['startable']} may be started now"
    if consent:
        words += f" ({consent} of them only with consent)"
    if states["done"]:
        words += f", {states['done']} done"
    if deadline:
        left = deadline - now
        span = f"{left.days} days" if left.days else f"{left.seconds // 3600} hours"
        words += f"; self-service ends first at {format_time(deadline)} (in {span})"
    return words + "."
