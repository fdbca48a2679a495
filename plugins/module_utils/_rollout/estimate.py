# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which VMs would end after their deadline, and what would make them fit; while a rollout runs, how long it will take yet.

Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import datetime as dt
import typing as t
from dataclasses import dataclass

from .._azure.maintenance import format_time
from .candidates import Candidate
from .policy import Policy
from .wave_builder import TimedWave


@dataclass(frozen=True)
class Miss:
    """A VM whose wave would end after its own self-service window."""

    candidate: Candidate
    number: int
    ends_at: dt.datetime
    waits_for: tuple[str, ...]

    def text(self, created: dt.datetime, policy: Policy) -> str:
        """A sentence that says how to make it fit."""
        one = self.candidate
        return (f"{one.vm.name} would be done {format_time(self.ends_at)} (wave {self.number}), after its self-service "
                f"window ends {format_time(one.deadline)}; {_remedy(self, created, policy)}")


def misses(waves: t.Sequence[TimedWave], policy: Policy, pairs: t.Mapping[str, t.Collection[str]]) -> list[Miss]:
    """VMs of one lane that would not be done by their deadline."""
    first: dict[str, int] = {}
    found = []
    for number, wave in enumerate(waves, 1):
        for one in wave.vms:
            begun = first.setdefault(one.region, number)
            if one.deadline and one.deadline < wave.ends_at:
                others = pairs.get(one.region, ()) if policy.region_pairs == "serial" else ()
                found.append(Miss(one, number, wave.ends_at, tuple(sorted(
                    other for other in others if first.get(other, begun) < begun))))
    return found


def summary(late: t.Sequence[Miss], planned: int) -> t.Iterator[str]:
    """One sentence ahead of the single misses, when there are many."""
    if len(late) > 1:
        yield (f"DEADLINE: {len(late)} of {planned} planned VMs would be done after their self-service window ends; "
               "rollout_on_deadline: refuse leaves them out")


def seconds_left(waves: t.Sequence[t.Mapping[str, t.Any]], soak_minutes: int, number: int, ended: t.Mapping[int, float]) -> float:
    """Seconds from the end of wave ``number`` to the end of the last one, at the pace so far and with the soak that sets have to come.

    ``waves`` are those of one lane as the plan file has them; ``ended`` is when waves ended, this one too, in seconds from the beginning.
    """
    back: dict[str, dict[tuple, float]] = {}  # by set and failure domain
    now = worked = planned = 0.0
    for wave in waves:
        places = {(vm["set"] or vm["service"], (vm["update_domain"], vm["zone"]) if (vm["update_domain"], vm["zone"]) != (None, None) else (vm["name"],))
                  for vm in wave["vms"] if vm["set"] or vm["service"] is not None}
        others = [moment + soak_minutes * 60 for in_set, place in places for other, moment in back.get(in_set, {}).items() if other != place]
        start, minutes = max([now, *others]), wave["estimate_minutes"] * 60
        if wave["number"] <= number:
            if wave["number"] not in ended:
                continue  # all its hosts were left out
            now = max(now, ended[wave["number"]])
            worked, planned = worked + max(now - start, 0), planned + minutes
        else:
            now = start + minutes * (worked / planned if planned else 1)
        for in_set, place in places:
            back.setdefault(in_set, {})[place] = now
    return now - ended[number]


def _remedy(miss: Miss, created: dt.datetime, policy: Policy) -> str:
    minutes = policy.overhead_minutes + miss.candidate.minutes
    fitting = int((miss.candidate.deadline - created) / dt.timedelta(minutes=minutes))
    if fitting < 1:
        return (f"not even one wave of {minutes} minutes fits before that: unless the minutes are set too "
                "high, leave it to Azure's own window")
    fit = "1 wave fits" if fitting == 1 else f"{fitting} waves fit"
    remedies = [f"plan it earlier, alone or with few others, by limiting the run ({fit})"]
    if miss.waits_for:
        remedies.append(f"do not wait for {', '.join(miss.waits_for)} (rollout_region_pairs: parallel)")
    remedies += [f"raise rollout_{name} ({value})" for name, value in (
        ("max_parallel", policy.max_parallel), ("per_region", policy.per_region),
        ("max_unavailable", policy.max_unavailable)) if value is not None]
    if policy.calendar:
        remedies.append("open more hours in rollout_calendar")
    if policy.soak_minutes:
        remedies.append(f"lower rollout_soak_minutes ({policy.soak_minutes})")
    if policy.scheduled_events_minutes:
        remedies.append("if no guest waits for Scheduled Events, set rollout_scheduled_events_minutes: 0 "
                        f"(now {policy.scheduled_events_minutes})")
    return f"to make it fit: {'; or '.join(remedies)}"
