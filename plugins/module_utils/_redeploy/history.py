# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What earlier runs did to a VM, by the journal and Azure's traces: may it be started, is it done, is it under way?

"Never twice" is decided here. The key of an attempt is (VM, operation, iteration); the iteration of a maintenance is the
start of its self-service window, so the next wave brings a new attempt.
"""

from __future__ import annotations

import datetime as dt
import typing as t
from concurrent.futures import ThreadPoolExecutor

from .._arm import activity_log
from .._arm.activity_log import ActivityLog
from .._azure.maintenance import UNKNOWN_ATTEMPT, format_time, parse_time
from .._azure.vm import Vm
from .._errors import AzureError
from .journal import NOT_EXECUTED
from .session import Session

MAINTENANCE = "perform_maintenance"
_WORKERS = 12
_HISTORY = dt.timedelta(days=1)
_LOG_LAG = dt.timedelta(hours=1)


class Attempt(t.TypedDict):
    """One entry of the journal; times are ISO-8601 UTC, ``outcome`` None means unsettled. ``accepted`` is the HTTP status with which Azure
    accepted it, ``seen`` says in words what a run saw of one that has no operation to poll."""

    operation: str
    iteration: str | None
    client_request_id: str
    intent_at: str
    code_before: str | None
    accepted: int | None
    seen: str | None
    operation_url: str | None
    location_url: str | None
    outcome: str | None
    reason: str | None
    ended_at: str | None


class Past(t.NamedTuple):
    """``attach`` is an attempt that is under way; else ``outcome`` and ``reason`` say why nothing may be started. With
    ``doubt`` it may have reached Azure, and a little time will tell."""

    outcome: str
    reason: str
    attach: Attempt | None = None
    doubt: bool = False


def iteration_of(vm: Vm, operation: str, since: dt.datetime | None) -> str | None:
    """The iteration a start now would belong to."""
    if operation != MAINTENANCE:
        return format_time(since)
    window = vm.status.self_service_window if vm.status else None
    return format_time(window.start) if window else None


class History:
    """Looks at earlier attempts of one operation; ``patience.settle`` is how long an unanswered start stays in doubt."""

    def __init__(self, session: Session) -> None:
        self._arm, self._journal, self._reader, self._clock = session.arm, session.journal, session.reader, session.clock
        self._patience, self._operation, self._since = session.patience, session.operation, session.order.since
        self._log = ActivityLog(session.arm)
        self.waited = False
        """Whether settling attempts took time, so that views read before are old."""

    def pasts(self, vms: t.Sequence[Vm], accept: t.Collection[str], check: bool) -> dict[str, Past]:
        """By VM key what an earlier run did; VMs that are not in the answer may be started as far as their past goes.

        Writes to the journal unless ``check``. Waits, at most to the deadline, for attempts that are in doubt.
        """
        found = self._ask(vms, accept, check)
        while (doubtful := [vm for vm in vms if (past := found.get(vm.id.key)) and past.doubt]) and not check:
            rest = self._patience.deadline - self._clock.monotonic()
            if rest <= 0 or self._patience.stopping():
                break
            self.waited = True
            self._clock.sleep(min(self._patience.interval, self._patience.settle, rest))
            again = self._ask(self._again(doubtful), accept, check)
            found = {key: past for key, past in found.items() if not past.doubt} | again
        return found

    def _ask(self, vms: t.Sequence[Vm], accept: t.Collection[str], check: bool) -> dict[str, Past]:
        with ThreadPoolExecutor(_WORKERS) as pool:
            answers = list(pool.map(lambda vm: self._past_of(vm, accept, check), vms))
        return {vm.id.key: past for vm, past in zip(vms, answers) if past is not None}

    def _again(self, vms: t.Sequence[Vm]) -> list[Vm]:
        """The VMs as they are now; one that cannot be read, or is gone, as it was."""
        def read(vm: Vm) -> Vm:
            try:
                return self._reader.vm(vm.id) or vm
            except AzureError:
                return vm

        with ThreadPoolExecutor(_WORKERS) as pool:
            return list(pool.map(read, vms))

    def _past_of(self, vm: Vm, accept: t.Collection[str], check: bool) -> Past | None:
        try:
            return self._past(vm, accept, check)
        except Exception as error:  # whatever it is, it is this VM's alone; while it lasts nothing is started
            return Past("unknown", f"what earlier runs did to it is not known, so nothing was started: {error or type(error).__name__}")

    def _past(self, vm: Vm, accept: t.Collection[str], check: bool) -> Past | None:
        attempt = self._journal.last(vm.id, self._operation)
        if attempt is not None and attempt["outcome"] is None and not self._superseded(vm, attempt, check):
            past = self._unsettled(vm, attempt, check)
            if past is None or UNKNOWN_ATTEMPT not in accept or not self._never_known(vm, attempt):
                return past
            if not check:
                self.forget(vm, attempt, "unknown", f"no result is known and none will be; given up by consent (accept: {UNKNOWN_ATTEMPT})")
        if self._operation != MAINTENANCE:
            return self._past_redeploy(vm, attempt)
        return self._past_maintenance(vm, attempt, accept) if attempt is not None else None

    def _past_maintenance(self, vm: Vm, attempt: Attempt, accept: t.Collection[str]) -> Past | None:
        iteration = iteration_of(vm, self._operation, None)
        # The block vanishes after success, and with it the window: then the newest attempt is the one meant.
        if iteration is not None and attempt["iteration"] != iteration:
            return None
        allowed = bool(vm.status and vm.status.allowed)
        if attempt["outcome"] in ("succeeded", "already_done", "still_due"):
            if allowed and not vm.status.completed:
                return Past("still_due", f"it was redeployed at {attempt['intent_at']} in this iteration and is due again; it is not started twice")
            # still_due was a success of the operation; once Azure asks no more, the VM is done. Consent to one that is completed
            # and yet allowed is for a new iteration, not for doing this one twice.
            return Past("already_done", f"succeeded in an earlier run ({attempt['ended_at']})")
        again = {"retry_later": True, "aborted": "retry_after_abort" in accept}
        if not allowed or again.get(attempt["outcome"], False):
            return None  # the guards judge by what Azure says now
        return Past("refused", f"its attempt of this iteration was made at {attempt['intent_at']} and ended {attempt['outcome']} "
                               f"({attempt['reason']}); it is not made twice")

    def _past_redeploy(self, vm: Vm, attempt: Attempt | None) -> Past | None:
        """A success since the time of the mail is enough, whoever started it."""
        if attempt is not None and attempt["outcome"] == "succeeded" and parse_time(attempt["intent_at"]) >= self._since:
            return Past("already_done", f"succeeded in an earlier run ({attempt['ended_at']})")
        events = self._log.events(vm.id, self._operation, self._since) or ()
        if any(event.status == "succeeded" for event in events):
            return Past("already_done", f"the activity log shows a successful {self._operation} since {format_time(self._since)}")
        own = attempt and attempt["client_request_id"]
        if activity_log.under_way((event for event in events if event.client_request_id != own), self._arm.now()):
            return Past("refused", f"the activity log shows a {self._operation} of it that this run did not start and that still runs. "
                                   "Run again when it has ended")
        return None

    def _superseded(self, vm: Vm, attempt: Attempt, check: bool) -> bool:
        """An unsettled attempt of an older iteration, long over: history, not a reason to hold the VM for ever."""
        old = self._age(attempt) > _HISTORY
        same = attempt["iteration"] == iteration_of(vm, self._operation, self._since)
        if same or not old or vm.busy:
            return False
        if not check:
            self.forget(vm, attempt, "unknown", "never settled; a later iteration began")
        return True

    def _unsettled(self, vm: Vm, attempt: Attempt, check: bool) -> Past | None:
        """Attach to an attempt without an outcome, or prove that it was never executed (None: it may be started).

        Silence proves it only for a start that got no answer. Of one that Azure answered with success, but without an operation to poll, the
        complete activity log and the VM's own view both have to be silent.
        """
        under_way = Past("started", f"attached to the attempt of {attempt['intent_at']}", attempt)
        if attempt.get("operation_url") or attempt.get("location_url"):
            return under_way
        events = self._log.events(vm.id, self._operation, parse_time(attempt["intent_at"]))
        if activity_log.ending(events or (), attempt["client_request_id"]) == "refused":
            return self._never_executed(vm, attempt, "the activity log shows that Azure refused it", check)
        if events == [] and self._age(attempt) > _LOG_LAG and self._operation != MAINTENANCE and not vm.busy:
            return self._never_executed(vm, attempt, "the activity log has nothing of it", check)
        if attempt.get("seen") or self._shows_trace(vm, attempt) or activity_log.ending(events or ()):
            return under_way
        if attempt.get("accepted"):
            silent = events == [] and self._age(attempt) > _LOG_LAG and vm.provisioned_at is not None
            said = "Azure answered it with success, and neither the VM nor the complete activity log shows it"
            return self._never_executed(vm, attempt, said, check) if silent else under_way
        if self._in_doubt(attempt):
            return under_way if check else Past(
                "unknown", f"an attempt of {attempt['intent_at']} may have reached Azure; too little time has passed to tell", doubt=True)
        if events:
            return Past("unknown", f"the activity log shows an attempt of {attempt['intent_at']}, neither it nor the VM shows how it ended")
        return self._never_executed(vm, attempt, "no trace of it in Azure", check)

    def _never_known(self, vm: Vm, attempt: Attempt) -> bool:
        """Whether nothing moves on the VM, and nothing will ever tell how this attempt ended. Never so for the one attempt of a maintenance."""
        at_rest = not vm.busy and vm.power_state == "running" and vm.agent != "not_ready" and not self._in_doubt(attempt)
        if self._operation == MAINTENANCE or not at_rest or self._log.events(vm.id, self._operation, parse_time(attempt["intent_at"])) is not None:
            return False
        urls = [url for url in (attempt.get("operation_url"), attempt.get("location_url")) if url]
        try:
            return all(self._arm.operation(url).state == "forgotten" for url in urls)
        except AzureError:
            return False

    def _never_executed(self, vm: Vm, attempt: Attempt, reason: str, check: bool) -> None:
        if not check:
            self.forget(vm, attempt, NOT_EXECUTED, reason)

    def _age(self, attempt: Attempt) -> dt.timedelta:
        return self._arm.now() - parse_time(attempt["intent_at"])

    def _in_doubt(self, attempt: Attempt) -> bool:
        return self._age(attempt).total_seconds() < self._patience.settle

    def _shows_trace(self, vm: Vm, attempt: Attempt) -> bool:
        """The view shows that the attempt may have done something: busy, an operation that ended after it, another result, no longer
        allowed, or another window. Any change counts: an attempt must not be made twice."""
        if vm.busy or (vm.provisioned_at and vm.provisioned_at > parse_time(attempt["intent_at"])):
            return True
        if self._operation != MAINTENANCE:
            return False
        unchanged = vm.status and vm.status.allowed and vm.status.code == attempt["code_before"]
        return not (unchanged and iteration_of(vm, self._operation, None) == attempt["iteration"])

    def forget(self, vm: Vm, attempt: t.Mapping[str, t.Any], outcome: str, reason: str) -> None:
        """Settle an attempt in the journal that did not become a result."""
        self._journal.note(vm.id, attempt["client_request_id"], outcome=outcome, reason=reason, ended_at=format_time(self._arm.now()))
