# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of every planned VM, in words and as the report of a run. Standard library only; no I/O, no clock."""

from __future__ import annotations

import collections
import datetime as dt
import typing as t

from .run_state import UNFINISHED, Host, RunState

_Json = t.Mapping[str, t.Any]
GOOD = ("succeeded", "already_done", "recovered")
"""Outcomes of VMs with which nothing is left to do."""
FORECASTS = ("would_start", "would_recover")
NOT_STARTED = "the run ended before its wave was started"


# -- the report ----------------------------------------------------------------------------------------------------------


def report(plan: _Json, state: RunState, run_id: str, ended: dt.datetime, command: str | None) -> dict[str, t.Any]:
    """The report of a run, see docs/planning.md.

    ``plan`` is the plan of the run, ``state`` what the run has come to; ``command`` is what goes on with the rest.
    """
    vms = {vm["host"]: vm for wave in plan["waves"] for vm in wave["vms"]}
    fates = [_fate(host, vms[host.name], state.stopped) for host in state.hosts]
    totals = collections.Counter(fate["outcome"] for fate in fates)
    results = {host.name: host.said("result") for host in state.hosts if host.phase != "already_done"}
    return {
        "run_id": run_id, "plan": plan, "begin": _time(state.begun), "end": _time(ended.timestamp()), "hosts": fates,
        "totals": {"planned": len(fates), **dict(totals), "skipped": len(plan["skipped"])},
        "next": command if set(totals) - set(GOOD) else None,
        "vms": [result for result in results.values() if result],
        "not_started": [host.name for host in state.hosts if not results.get(host.name)],
        "left_out": {host.name: host.words for host in state.hosts if host.phase == "left_out"},
        "lost": {host.name: host.words for host in state.hosts if host.failed},
        "addresses": {host.name: host.said("address") for host in state.hosts if host.said("address_before")},
        "stopped": state.stopped,
    }


def _fate(host: Host, vm: _Json, stopped: str | None) -> dict[str, t.Any]:
    outcome, reason = _outcome(host, stopped)
    return {"host": host.name, "vm": vm["name"], "id": vm["id"], "wave": host.wave, "update_domain": vm["update_domain"],
            "outcome": outcome, "reason": reason, "steps": _steps(host)}


def _outcome(host: Host, stopped: str | None) -> tuple[str, str]:
    if host.failed or host.phase == "left_out":
        return "lost" if host.failed else "left_out", host.words
    if host.phase in UNFINISHED:
        return "unfinished", f"the run ended in its phase {host.phase}"
    result = host.said("result")
    return (result["outcome"], result["reason"]) if result else ("not_started", why_not_started(stopped))


def _steps(host: Host) -> dict[str, dict[str, str | None]]:
    """When each step of a host began and ended, where it did: the redeploy by Azure's clock, the others by the controller's."""
    result = host.said("result") or {}
    steps = {
        "drain": (_time(host.at.get("draining")), _time(host.at.get("drained"))),
        "redeploy": (result.get("started_at"), result.get("ended_at")),
        "return": (_time(host.at.get("azure_done")), _time(host.at.get("in_service"))),
    }
    return {name: {"begin": begin, "end": end} for name, (begin, end) in steps.items() if begin}


def _time(seconds: float | None) -> str | None:
    """Seconds since 1970 as ISO 8601 in UTC."""
    return dt.datetime.fromtimestamp(int(seconds), dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds is not None else None


# -- in words ------------------------------------------------------------------------------------------------------------


def why_not_started(stop: t.Any) -> str:
    """The reason of a host that was not started; ``stop`` is what the run said when it stopped, if it did."""
    return str(stop).partition(". Not started:")[0] if stop else NOT_STARTED


def ending(outcomes: t.Sequence[str], skipped: int, command: str) -> str:
    """:func:`totals` and :func:`next_step`, on one line where there is nothing left to do."""
    step = next_step(outcomes, command)
    return totals(outcomes, skipped) + ("\n" if "\n" in step else ". ") + step


def totals(outcomes: t.Sequence[str], skipped: int) -> str:
    """How many VMs had which outcome, in the order in which they come."""
    counts = collections.Counter(outcomes)
    words = ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in counts.items())
    return f"Totals: {len(outcomes)} VM{'' if len(outcomes) == 1 else 's'}: {words}" + (f"; the plan skipped {skipped} more" if skipped else "")


def next_step(outcomes: t.Collection[str], command: str) -> str:
    """What to do after a run with these outcomes; ``command`` is this run's, without ``--check``."""
    rest = set(outcomes) - set(GOOD)
    if not rest:
        return "Next: nothing left to do."
    if rest <= set(FORECASTS):
        return f"Next: nothing was changed. To do it:\n  {command}"
    if rest <= {"not_started"}:
        return f"Next: run again once what stopped the run is over; VMs that are done are left alone:\n  {command}"
    return f"Next: mend what the table names, then run again; VMs that are done are left alone:\n  {command}"
