# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the waves of a rollout run, which VMs would end after their deadline, and what would make them fit.

Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import datetime as dt
import typing as t
from dataclasses import dataclass

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.maintenance import format_time
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_candidates import Candidate
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_policy import Policy


@dataclass(frozen=True)
class Miss:
    """A VM whose wave would end after its own self-service window."""

    candidate: Candidate
    ends_at: dt.datetime
    text: str


def wave_times(number: int, created: dt.datetime, policy: Policy) -> tuple[int, int, dt.datetime, dt.datetime]:
    """Start and end of a wave, in minutes from ``created`` and as times; waves follow each other at once."""
    start, end = (number - 1) * policy.wave_minutes, number * policy.wave_minutes
    return start, end, created + dt.timedelta(minutes=start), created + dt.timedelta(minutes=end)


def misses(waves: t.Sequence[t.Sequence[Candidate]], created: dt.datetime, policy: Policy,
           pairs: t.Mapping[str, set[str]]) -> list[Miss]:
    """VMs that would not be done by their deadline, each with a sentence that says how to make it fit."""
    first: dict[str, int] = {}
    late = []
    for number, wave in enumerate(waves, 1):
        ends_at = wave_times(number, created, policy)[3]
        for candidate in wave:
            first.setdefault(candidate.region, number)
            if candidate.deadline and candidate.deadline < ends_at:
                late.append((number, candidate, ends_at))
    found = []
    for number, candidate, ends_at in late:
        missed = (f"{candidate.vm.name} would be done {format_time(ends_at)} (wave {number}), after its self-service "
                  f"window ends {format_time(candidate.deadline)}")
        before = _waited_for(candidate, first, pairs) if policy.region_pairs == "serial" else []
        found.append(Miss(candidate, ends_at, f"{missed}; {_remedy(candidate, created, policy, before)}"))
    return found


def summary(late: t.Sequence[Miss], planned: int) -> t.Iterator[str]:
    """One sentence ahead of the single misses, when there are many."""
    if len(late) > 1:
        yield (f"DEADLINE: {len(late)} of {planned} planned VMs would be done after their self-service window ends; "
               "rollout_on_deadline: refuse leaves them out")


def _waited_for(candidate: Candidate, first: t.Mapping[str, int], pairs: t.Mapping[str, set[str]]) -> list[str]:
    begun = first[candidate.region]
    return sorted(other for other in pairs.get(candidate.region, ()) if first.get(other, begun) < begun)


def _remedy(candidate: Candidate, created: dt.datetime, policy: Policy, waited_for: t.Sequence[str]) -> str:
    fitting = int((candidate.deadline - created) / dt.timedelta(minutes=policy.wave_minutes))
    if fitting < 1:
        return (f"not even one wave of {policy.wave_minutes} minutes fits before that: unless the minutes are set too "
                "high, leave it to Azure's own window")
    fit = "1 wave fits" if fitting == 1 else f"{fitting} waves fit"
    remedies = [f"plan it earlier, alone or with few others, by limiting the run ({fit})"]
    if waited_for:
        remedies.append(f"do not wait for {', '.join(waited_for)} (rollout_region_pairs: parallel)")
    remedies += [f"raise rollout_{name} ({value})" for name, value in (
        ("max_parallel", policy.max_parallel), ("per_region", policy.per_region),
        ("max_unavailable", policy.max_unavailable)) if value is not None]
    if policy.scheduled_events_minutes:
        remedies.append("if no guest waits for Scheduled Events, set rollout_scheduled_events_minutes: 0 "
                        f"(now {policy.scheduled_events_minutes})")
    return f"to make it fit: {'; or '.join(remedies)}"
