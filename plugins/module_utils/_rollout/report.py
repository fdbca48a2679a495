# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of every planned VM, in words and as the report of a run. Standard library only; no I/O, no clock."""

from __future__ import annotations

import collections
import datetime as dt
import typing as t

_Json = t.Mapping[str, t.Any]
GOOD = ("succeeded", "already_done", "recovered")
"""Outcomes of VMs with which nothing is left to do."""
FORECASTS = ("would_start", "would_recover")
NOT_STARTED = "the run ended before its wave was started"


# -- the report ----------------------------------------------------------------------------------------------------------


def report(plan: _Json, hosts: t.Sequence[_Json], run_id: str, ended: dt.datetime, command: str | None) -> dict[str, t.Any]:
    """The report of a run, see docs/planning.md.

    ``plan`` is the plan of the run, ``hosts`` the variables of its hosts, in the order of the plan; ``command`` is what goes on with the rest.
    """
    queued = [(vm, wave["number"], host) for wave in plan["waves"] for vm in wave["vms"] for host in hosts if host["inventory_hostname"] == vm["host"]]
    fates = [_fate(host, vm, number) for vm, number, host in queued]
    lost, left_out = ([host for host in hosts if host.get(name)] for name in ("__rollout_lost_words", "__rollout_left_out"))
    stops = [str(host["__rollout_stopped"]) for host in hosts if host.get("__rollout_stopped")]
    totals = collections.Counter(fate["outcome"] for fate in fates)
    return {
        "run_id": run_id, "plan": plan, "begin": _begin(hosts), "end": _time(ended.timestamp()), "hosts": fates,
        "totals": {"planned": len(fates), **dict(totals), "skipped": len(plan["skipped"])},
        "next": command if set(totals) - set(GOOD) else None,
        "vms": [host["redeploy_result"] for host in hosts if host.get("redeploy_result")],
        "not_started": [host["inventory_hostname"] for host in hosts if not host.get("redeploy_result")],
        "left_out": {host["inventory_hostname"]: host["__rollout_left_out"] for host in left_out},
        "lost": {host["inventory_hostname"]: host["__rollout_lost_words"] for host in lost},
        "addresses": {host["inventory_hostname"]: host["ansible_host"] for host in hosts if host.get("verify_address_before")},
        "stopped": stops[0] if stops else None,
    }


def _fate(host: _Json, vm: _Json, wave: int) -> dict[str, t.Any]:
    outcome, reason = _outcome(host)
    return {"host": host["inventory_hostname"], "vm": vm["name"], "id": vm["id"], "wave": wave, "update_domain": vm["update_domain"],
            "outcome": outcome, "reason": reason, "steps": _steps(host)}


def _outcome(host: _Json) -> tuple[str, str]:
    if host.get("__rollout_lost_words"):
        return "lost", str(host["__rollout_lost_words"])
    if host.get("__rollout_left_out"):
        return "left_out", str(host["__rollout_left_out"])
    result = host.get("redeploy_result") or (host.get("redeploy_forecast") if host.get("__rollout_done") else None)
    return (result["outcome"], result["reason"]) if result else ("not_started", why_not_started(host.get("__rollout_stopped")))


def _steps(host: _Json) -> dict[str, dict[str, str | None]]:
    """When each step of a host began and ended, where it did: the redeploy by Azure's clock, the others by the controller's."""
    result = host.get("redeploy_result") or {}
    steps = {
        "drain": (_time(host.get("__rollout_drain_at")), _time(host.get("__rollout_drained_at"))),
        "redeploy": (result.get("started_at"), result.get("ended_at")),
        "return": (_time(host.get("__redeploy_over_at")), _time(host.get("__rollout_back_at"))),
    }
    return {name: {"begin": begin, "end": end} for name, (begin, end) in steps.items() if begin}


def _begin(hosts: t.Iterable[_Json]) -> str | None:
    begun = [float(host["rollout_queued_at"]) for host in hosts if host.get("rollout_queued_at")]
    return _time(min(begun)) if begun else None


def _time(seconds: t.Any) -> str | None:
    """Seconds since 1970, also as text, as ISO 8601 in UTC."""
    return dt.datetime.fromtimestamp(int(float(seconds)), dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else None


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
