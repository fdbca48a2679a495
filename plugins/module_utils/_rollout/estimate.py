# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a rollout takes: which VMs would end after their deadline, and what would make them fit; what is left while it runs; and minutes per VM
learnt from the report of an earlier one.

Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import datetime as dt
import math
import typing as t
from dataclasses import dataclass

from .._azure.maintenance import format_time
from .candidates import Candidate
from .plan import PlanError
from .policy import Policy
from .wave_builder import TimedWave

QUANTILE = 0.9


class Learnt(t.NamedTuple):
    """``minutes`` is the 90th percentile of the ``redeploys`` that succeeded, rounded up to whole minutes."""

    minutes: int
    redeploys: int


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


def learn(report: t.Any) -> Learnt:
    """Minutes per VM from a report as the playbook writes it (``vms`` with ``outcome`` and ``elapsed_seconds``).

    Raises :class:`PlanError` when it is no report, or no redeploy in it succeeded in a time that was measured.
    """
    vms = report.get("vms") if isinstance(report, t.Mapping) else None
    if not isinstance(vms, list) or not all(isinstance(vm, t.Mapping) for vm in vms):
        raise PlanError("it is not the report of a rollout; set the report.json that rolling_redeploy wrote")
    seconds = sorted(vm["elapsed_seconds"] for vm in vms if vm.get("outcome") == "succeeded" and _measured(vm))
    if not seconds:
        raise PlanError(f"none of the {len(vms)} VMs in it has a redeploy that succeeded in a measured time; "
                        "set another report, or minutes_per_vm")
    # Nearest rank: a time that was seen, and the longest one while there are fewer than ten.
    slow = seconds[math.ceil(QUANTILE * len(seconds)) - 1]
    return Learnt(max(1, math.ceil(slow / 60)), len(seconds))


def _measured(vm: t.Mapping[str, t.Any]) -> bool:
    value = vm.get("elapsed_seconds")
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


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
