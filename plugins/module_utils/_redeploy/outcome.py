# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Per-VM outcomes of a redeploy: their names, what to do next, how what Azure shows maps to one of them, and the results that collect them. Pure."""

from __future__ import annotations

import datetime as dt
import typing as t
from dataclasses import dataclass

from .._arm.client import PostResult
from .._azure import error_codes
from .._azure.maintenance import UNKNOWN_ATTEMPT, MaintenanceStatus, format_time, parse_time
from .._azure.vm import Vm, VmId

ADVICE = {
    "would_start": "Nothing was started; a run that may start would start it.",
    "started": "Run the module again with wait to learn how it ends.",
    "succeeded": "Return the VM to service.",
    "already_done": "Nothing to do; the maintenance of this VM was already done.",
    "not_allowed": "Do not start it: read its state.",
    "refused": "Nothing was started. Mend what the reason names, or consent to the hazard that it names, and run again.",
    "retry_later": "The VM was not changed. Run again in some hours while Azure still allows it.",
    "aborted": "The VM was not changed and its attempt is used. A new iteration may bring another one.",
    "failed": "Look at the VM in Azure before anything else; its attempt may be spent.",
    "still_running": "Leave the VM drained and run again: the run waits for the same operation and does not start it again.",
    "still_due": "The VM was moved to another host that is due for maintenance too. It is up; plan it again when a new window begins.",
    "unknown": "Leave the VM drained and run again later: it is read again, and never started while its result is unknown.",
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
    on its way), ``settle`` (the maintenance status may lag), or None (final). ``code`` is Azure's, of an operation that failed."""

    outcome: str
    reason: str
    wait_for: str | None = None
    code: str | None = None


@dataclass(frozen=True)
class Ended:
    """How an operation ended: ``state`` is succeeded, failed, canceled, or None when only the view can tell (no URL, or
    forgotten). ``proof`` is a text: what else shows that a forgotten one succeeded."""

    state: str | None = None
    code: str | None = None
    message: str | None = None
    proof: str | None = None

    @property
    def error(self) -> str:
        return f"{self.code}: {self.message}" if self.code else ""


def judge(operation: str, ended: Ended, window_start: dt.datetime | None, after: Vm) -> Verdict:
    """The verdict on one VM from the end of its operation and its own view.

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
            return Verdict("unknown", f"the operation cannot be polled any more, and nothing else shows how it ended. {_WAY_OUT}", "settle")
        reason = f"the operation ended with {ended.error}" if late else ended.proof or f"{operation} succeeded"
        return _guest(after, reason, late)
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
    """The verdict when the maintenance status shows that Azure tried and left the VM as it was."""
    message = ((status.message if status else None) or otherwise or "no message").rstrip(".")
    if status and status.code == "MaintenanceAborted":
        return Verdict("aborted", f"Azure aborted the maintenance: {message}")
    if status and status.code == "RetryLater":
        return Verdict("retry_later", f"Azure asks to retry later: {message}")
    return None


def _unchanged(ended: Ended, window_start: dt.datetime | None, after: Vm) -> Verdict:
    """The maintenance status shows no result: lag, another host that is due, or nothing ever happened."""
    status = after.status
    window = status.self_service_window
    later = bool(window and window_start and window.start > window_start)
    if later and not status.allowed:
        return _guest(after, "a later wave is announced for it", ended.state == "failed")
    if (ended.state == "succeeded" or ended.proof) and status.allowed:
        return Verdict("still_due", "the operation succeeded, but the host it is on now is due for maintenance", None if later else "settle")
    error = f"; the operation ended with {ended.error}" if ended.code else ""
    return Verdict("unknown", f"the maintenance block did not change{error}", "settle", ended.code)


def _after_failure(ended: Ended, kind: str, after: Vm) -> Verdict:
    tried = _tried(after.status, ended.error)
    if tried:
        return tried
    end = f"the operation {ended.state}: {ended.error}".rstrip(": ")
    if after.status and after.status.completed:
        return _guest(after, f"Azure reports MaintenanceCompleted although {end}", False)
    if kind == error_codes.RETRY and after.power_state == "running":
        return Verdict("retry_later", end, code=ended.code)
    down = "" if after.power_state == "running" else f"; its power state is {after.power_state}"
    return Verdict("failed", f"{end}{down}", code=ended.code)


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


def refusal_of(answer: PostResult) -> str:
    """Azure's refusal of a start, for a reason."""
    status = f"HTTP {answer.status} " if answer.status else ""
    return f"Azure refused it ({status}{answer.code}): {answer.message}"


class Results:
    """One result per VM, of one shape on every path and from the first moment on, by VM key. ``now`` is Azure's clock; ``before`` holds the VMs as
    they were last read before a start."""

    def __init__(self, now: t.Callable[[], dt.datetime], vms: t.Sequence[str], operation: str) -> None:
        self._now, self._given, self._operation = now, list(vms), operation
        self.ids = {VmId.parse(text).key: VmId.parse(text) for text in vms}
        self._text = {VmId.parse(text).key: text for text in vms}
        self.before: dict[str, Vm] = {}
        self.attempts = dict.fromkeys(self.ids, 0)
        """Starts sent in this call, by VM key."""
        self._results: dict[str, dict[str, t.Any]] = {}
        self._remarks: dict[str, list[str]] = {}
        self._alarms: list[str] = []

    def __contains__(self, key: str) -> bool:
        return key in self._results

    def __getitem__(self, key: str) -> dict[str, t.Any]:
        return self._results[key]

    def record(self, key: str, outcome: str, reason: str, attempt: t.Mapping[str, t.Any] | None = None, answer: PostResult | None = None) -> None:
        """Record the outcome of a VM, in place of an earlier one. ``attempt`` is its entry of the journal, ``answer`` Azure's to the POST."""
        vm, attempt, now = self.before.get(key), attempt or {}, self._now()
        state = vm.state(now) if vm else None
        code = answer.code if answer and answer.kind != "accepted" else None
        self._results[key] = {
            "id": self._text[key], "name": vm.name if vm else self.ids[key].name, "outcome": outcome, "reason": reason,
            "advice": advise(outcome, code, vm.status if vm else None, now), "operation": self._operation, "code": code,
            "availability_set": vm.availability_set if vm else None, "scale_set": vm.scale_set if vm else None,
            "update_domain": vm.update_domain if vm else None, "state_before": state, "state_after": state, "attempts": 0,
            "started_at": attempt.get("intent_at"), "ended_at": None, "elapsed_seconds": None,
            "client_request_id": attempt.get("client_request_id"), "request_id": answer.request_id if answer else None,
            "before": vm.to_record(now) if vm else None, "after": None,
        }

    def amend(self, key: str, outcome: str, reason: str, code: str | None = None) -> None:
        """Another outcome for a VM whose result already describes its attempt."""
        result, vm = self._results[key], self.before.get(key)
        advice = advise(outcome, code, vm.status if vm else None, self._now())
        result.update(outcome=outcome, reason=reason, code=code, advice=advice)

    def add(self, key: str, reason: str) -> None:
        """Add to the reason."""
        self._results[key]["reason"] += f"; {reason}"

    def remark(self, key: str, text: str, loud: bool) -> None:
        """A text that the reason ends with, whatever becomes of the VM; ``loud`` ones fail the call and are a warning."""
        self._remarks.setdefault(key, []).append(text)
        if loud:
            self._alarms.append(f"{self._results[key]['name']}: {text}")

    def seen(self, key: str, after: Vm | None, final: bool) -> None:
        """How the VM is now, and with ``final`` that its attempt has ended."""
        result, now = self._results[key], self._now()
        if final:
            elapsed = (now - parse_time(result["started_at"])).total_seconds()
            result.update(ended_at=format_time(now), elapsed_seconds=int(elapsed))
        if after is not None:
            advice = advise(result["outcome"], result["code"], after.status, now)
            result.update(state_after=after.state(now), after=after.to_record(now), advice=advice)

    def module_result(self, changed: bool) -> dict[str, t.Any]:
        """The module result, keyed by the ids as they were given."""
        full = {key: {**result, "attempts": self.attempts[key], "reason": "; ".join([result["reason"], *self._remarks.get(key, ())])}
                for key, result in self._results.items()}
        folded = fold({text: {**full[VmId.parse(text).key], "id": text} for text in self._given}, changed)
        if not self._alarms:
            return folded
        return {**folded, "failed": True, "warnings": list(self._alarms), "msg": "; ".join([*self._alarms[:_NAMED], folded["msg"]])}
