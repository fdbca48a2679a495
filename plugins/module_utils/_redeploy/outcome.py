# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Per-VM outcomes of a redeploy: their names, what to do next, and how what was seen maps to one of them. Pure."""

from __future__ import annotations

import datetime as dt
import typing as t
from dataclasses import dataclass

from .._azure import error_codes
from .._azure.maintenance import UNKNOWN_ATTEMPT, MaintenanceStatus, format_time
from .._azure.vm import Vm

ADVICE = {
    "would_start": "Nothing was started; a run that may start would start it.",
    "started": "Run the module again with wait to learn how it ends.",
    "succeeded": "Return the VM to service.",
    "already_done": "Nothing to do; the maintenance of this VM was already done.",
    "not_allowed": "Do not start it: read its state.",
    "refused": "Nothing was started. Mend what the reason names, or give the consent it names, and run again.",
    "retry_later": "The VM is untouched. Run again in some hours while Azure still allows it.",
    "aborted": "The VM is untouched and its attempt is spent; a later wave may bring a new one.",
    "failed": "Look at the VM in Azure before anything else; its attempt may be spent.",
    "still_running": "Leave the VM drained and run again: the operation is attached to, not started again.",
    "still_due": "The VM was moved to another host that is due for maintenance too. It is up; plan it again when a new window begins.",
    "unknown": "Leave the VM drained and run again later: it is looked at again and never started while in doubt.",
}
GOOD = frozenset({"would_start", "started", "succeeded", "already_done"})
UNTOUCHED = frozenset({"not_allowed", "refused", "retry_later", "aborted"})
# Power states in which a VM stays unless somebody starts it; in all others it is on its way, or nobody says.
_AT_REST = ("stopped", "deallocated", "deallocating")
_NAMED = 5
_WAY_OUT = ("Where no activity log can be read from here, look in the portal at the VM's activity log and at its boot time: if it was carried out, "
            f"leave the VM out of the next run; if not, accept: [{UNKNOWN_ATTEMPT}] starts it again")


@dataclass(frozen=True)
class Verdict:
    """What the sources say now. ``wait_for`` tells how long a better one is worth waiting for: ``deadline`` (the guest is
    on its way), ``settle`` (the block may lag), or None (final). ``code`` is Azure's, of an operation that failed."""

    outcome: str
    reason: str
    wait_for: str | None = None
    code: str | None = None


@dataclass(frozen=True)
class Ended:
    """How an operation ended: ``state`` is succeeded, failed, canceled, or None when only the view can tell (no URL, or
    forgotten). ``proof`` is in words what else shows that a forgotten one succeeded."""

    state: str | None = None
    code: str | None = None
    message: str | None = None
    proof: str | None = None

    @property
    def error(self) -> str:
        return f"{self.code}: {self.message}" if self.code else ""


def judge(operation: str, ended: Ended, window_start: dt.datetime | None, after: Vm) -> Verdict:
    """The verdict on one VM from the end of its operation and its live view.

    ``window_start`` is the start of the self-service window the attempt belongs to (None for a plain redeploy).
    """
    if after.busy:
        return Verdict("still_running", f"provisioning state is {after.provisioning_state}", "deadline")
    kind = error_codes.meaning(ended.code).end
    if ended.state in ("failed", "canceled") and kind != error_codes.LATE:
        return _after_failure(ended, kind, after)
    late = ended.state == "failed"
    if operation != "perform_maintenance":
        if ended.state is None and ended.proof is None:
            return Verdict("unknown", f"the operation cannot be asked after any more, and nothing else shows how it ended. {_WAY_OUT}", "settle")
        said = f"the operation ended with {ended.error}" if late else ended.proof or f"{operation} succeeded"
        return _guest(after, said, late)
    status = after.status
    if status is None:
        return _guest(after, "Azure reports no maintenance for it any more", late)
    if status.completed:
        return _guest(after, "Azure reports MaintenanceCompleted", late)
    tried = _tried(status, "")
    if tried:
        return tried
    if status.code != "None":
        return Verdict("unknown", f"Azure reports a result this version does not know: {status.code} {status.message or ''}".rstrip())
    return _unchanged(ended, window_start, after)


def _tried(status: MaintenanceStatus | None, otherwise: str) -> Verdict | None:
    """The verdict when the block says that Azure tried and left the VM as it was."""
    message = ((status.message if status else None) or otherwise or "no message").rstrip(".")
    if status and status.code == "MaintenanceAborted":
        return Verdict("aborted", f"Azure aborted the maintenance: {message}")
    if status and status.code == "RetryLater":
        return Verdict("retry_later", f"Azure asks to retry later: {message}")
    return None


def _unchanged(ended: Ended, window_start: dt.datetime | None, after: Vm) -> Verdict:
    """The block shows no result: lag, another host that is due, or nothing ever happened."""
    status = after.status
    window = status.self_service_window
    later = bool(window and window_start and window.start > window_start)
    if later and not status.allowed:
        return _guest(after, "a later wave is announced for it", ended.state == "failed")
    if (ended.state == "succeeded" or ended.proof) and status.allowed:
        return Verdict("still_due", "the operation succeeded, but the host it is on now is due for maintenance", None if later else "settle")
    said = f"; the operation ended with {ended.error}" if ended.code else ""
    return Verdict("unknown", f"the maintenance block did not change{said}", "settle", ended.code)


def _after_failure(ended: Ended, kind: str, after: Vm) -> Verdict:
    tried = _tried(after.status, ended.error)
    if tried:
        return tried
    said = f"the operation {ended.state}: {ended.error}".rstrip(": ")
    if after.status and after.status.completed:
        return _guest(after, f"Azure reports MaintenanceCompleted although {said}", False)
    if kind == error_codes.RETRY and after.power_state == "running":
        return Verdict("retry_later", said, code=ended.code)
    down = "" if after.power_state == "running" else f"; its power state is {after.power_state}"
    return Verdict("failed", f"{said}{down}", code=ended.code)


def _guest(after: Vm, reason: str, late: bool) -> Verdict:
    """Moved; it counts as succeeded once it runs and its agent, if it has one, is ready. ``late``: Azure gave up waiting for it."""
    if after.power_state in _AT_REST:
        return Verdict("failed", f"{reason}, but its power state is {after.power_state}", "deadline" if late else "settle")
    if after.power_state != "running":
        return Verdict("still_running", f"{reason}, but its power state is {after.power_state}", "deadline")
    if after.agent == "not_ready":
        return Verdict("still_running", f"{reason}, but its guest agent is not ready", "deadline")
    return Verdict("succeeded", reason)


def advise(outcome: str, code: str | None, status: MaintenanceStatus | None, now: dt.datetime) -> str:
    """What to do next; for a VM that was left as it is, also what Azure will do."""
    remedy = error_codes.meaning(code).remedy if code and outcome not in GOOD else ""
    advice = remedy or ADVICE[outcome]
    window = status.scheduled_window if status and outcome in UNTOUCHED and not status.completed else None
    if window and now < window.end:
        advice += f" If nothing else happens Azure restarts it between {format_time(window.start)} and {format_time(window.end)}."
    return advice


def fold(results: t.Mapping[str, t.Mapping[str, t.Any]], changed: bool) -> dict[str, t.Any]:
    """A module result from per-VM results: every outcome is in it, also when the task fails; ``msg`` names the first few."""
    counts: dict[str, int] = {}
    for result in results.values():
        counts[result["outcome"]] = counts.get(result["outcome"], 0) + 1
    bad = [r for r in results.values() if r["outcome"] not in GOOD]
    folded: dict[str, t.Any] = {"changed": changed, "vms": dict(results), "counts": counts}
    if not bad:
        return {**folded, "msg": ", ".join(f"{count} {outcome}" for outcome, count in counts.items())}
    named = [f"{r['name']}: {r['outcome']}: {r['reason']}{_remedy(r)}" for r in bad[:_NAMED]]
    more = [f"and {len(bad) - _NAMED} more of {len(results)} (see vms)"] if len(bad) > _NAMED else []
    return {**folded, "failed": True, "msg": "; ".join(named + more)}


def _remedy(result: t.Mapping[str, t.Any]) -> str:
    """What a code of Azure calls for; the rest of the advice is in the result."""
    remedy = error_codes.meaning(result.get("code")).remedy
    return f" -- {remedy.rstrip('.')}" if remedy else ""
