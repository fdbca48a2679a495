# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Per-VM outcomes of a redeploy: their names, what to do next, and how what was seen maps to one of them. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.vm import Vm

ADVICE = {
    "would_start": "Nothing was started; a run that may start would start it.",
    "started": "Run the module again with wait to learn how it ends.",
    "succeeded": "Return the VM to service.",
    "already_done": "Nothing to do; the maintenance of this VM was already done.",
    "not_allowed": "Do not start it: read its state. Azure will restart the VM in its scheduled window if it is still in the wave.",
    "refused": "Nothing was started. Mend what the reason names, or give the consent it names, and run again.",
    "retry_later": "The VM is untouched. Run again in some hours while Azure still allows it; else Azure does it in the scheduled window.",
    "aborted": "The VM is untouched and its attempt is spent. Azure will restart it in its scheduled window, or a later wave brings a new attempt.",
    "failed": "Look at the VM in Azure before anything else; its attempt may be spent.",
    "still_running": "Leave the VM drained and run again: the operation is attached to, not started again.",
    "still_due": "The VM was moved to another host that is due for maintenance too. It is up; plan it again when a new window begins.",
    "unknown": "Leave the VM drained and run again later: it is looked at again and never started while in doubt.",
}
GOOD = frozenset({"would_start", "started", "succeeded", "already_done"})
UNTOUCHED = frozenset({"not_allowed", "refused", "retry_later", "aborted"})
# An operation that gave up waiting although the platform may still finish the move by itself.
_LATE = frozenset({"vmredeploymenttimedout", "vmstarttimedout", "osprovisioningtimedout"})


@dataclass(frozen=True)
class Verdict:
    """What the sources say now. ``wait_for`` tells how long a better one is worth waiting for: ``deadline`` (the guest is
    on its way), ``settle`` (the block may lag), or None (final)."""

    outcome: str
    reason: str
    wait_for: str | None = None


def judge(operation: str, op_state: str | None, op_error: str, window_start: t.Any, after: Vm) -> Verdict:
    """The verdict on one VM from the end of its operation and its live view.

    ``op_state`` is succeeded, failed, canceled, or None when only the view can tell (no URL, or forgotten);
    ``window_start`` is the start of the self-service window the attempt belongs to (None for a plain redeploy).
    """
    if after.provisioning_state in ("updating", "creating", "migrating"):
        return Verdict("still_running", f"provisioning state is {after.provisioning_state}", "deadline")
    if op_state in ("failed", "canceled") and not _is_late(op_error):
        return _after_failure(op_state, op_error, after)
    if operation != "perform_maintenance":
        if op_state is None:
            return Verdict("unknown", "the operation cannot be asked after any more", "settle")
        return _guest(after, f"{operation} succeeded")
    status = after.status
    if status is None:
        return _guest(after, "Azure reports no maintenance for it any more")
    if status.completed:
        return _guest(after, "Azure reports MaintenanceCompleted")
    if status.code == "MaintenanceAborted":
        return Verdict("aborted", f"Azure aborted the maintenance: {status.message or 'no message'}")
    if status.code == "RetryLater":
        return Verdict("retry_later", f"Azure asks to retry later: {status.message or 'no message'}")
    if status.code != "None":
        return Verdict("unknown", f"Azure reports a result this version does not know: {status.code} {status.message or ''}".rstrip())
    return _unchanged(op_state, op_error, window_start, after)


def _unchanged(op_state: str | None, op_error: str, window_start: t.Any, after: Vm) -> Verdict:
    """The block shows no result: lag, another host that is due, or nothing ever happened."""
    status = after.status
    window = status.self_service_window
    later = bool(window and window_start and window.start > window_start)
    if later and not status.allowed:
        return _guest(after, "a later wave is announced for it")
    if op_state == "succeeded" and status.allowed:
        return Verdict("still_due", "the operation succeeded, but the host it is on now is due for maintenance", None if later else "settle")
    said = f"; the operation ended with {op_error}" if op_error else ""
    return Verdict("unknown", f"the maintenance block did not change{said}", "settle")


def _after_failure(op_state: str, op_error: str, after: Vm) -> Verdict:
    code = after.status.code if after.status else None
    if code == "MaintenanceAborted":
        return Verdict("aborted", f"Azure aborted the maintenance: {after.status.message or op_error}")
    if code == "RetryLater":
        return Verdict("retry_later", f"Azure asks to retry later: {after.status.message or op_error}")
    if code == "MaintenanceCompleted":
        return _guest(after, f"Azure reports MaintenanceCompleted although the operation {op_state}: {op_error}")
    return Verdict("failed", f"the operation {op_state}: {op_error}")


def _guest(after: Vm, reason: str) -> Verdict:
    """Moved; it counts as succeeded once it runs and its agent, if it has one, is ready."""
    if after.power_state != "running":
        return Verdict("failed", f"{reason}, but its power state is {after.power_state}", "deadline")
    if after.agent == "not_ready":
        return Verdict("still_running", f"{reason}, but its guest agent is not ready", "deadline")
    return Verdict("succeeded", reason)


def _is_late(op_error: str) -> bool:
    return op_error.split(":")[0].strip().lower() in _LATE


def fold(results: t.Mapping[str, t.Mapping[str, t.Any]], changed: bool) -> dict[str, t.Any]:
    """A module result from per-VM results: every outcome is in it, also when the task fails."""
    counts: dict[str, int] = {}
    for result in results.values():
        counts[result["outcome"]] = counts.get(result["outcome"], 0) + 1
    bad = [r for r in results.values() if r["outcome"] not in GOOD]
    folded = {"changed": changed, "vms": dict(results), "counts": counts}
    if bad:
        folded.update(failed=True, msg="; ".join(f"{r['name']}: {r['outcome']}: {r['reason']}" for r in bad))
    return folded
