# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens after the first starts: watching, starting those that had to wait, and the end of the call."""

from __future__ import annotations

import typing as t

from .._azure.maintenance import format_time
from .._azure.vm import Vm
from .._errors import AzureError, OptionsError
from .event_approval import Approvals
from .retry_queue import Waiting
from .session import Session
from .start import Starter
from .watch import Watch, Watched

_OF_THE_ATTEMPT = ("ended_at", "elapsed_seconds", "after", "state_after", "state_before", "before")
Clear = t.Callable[[t.Sequence[Vm], t.Collection[str]], list[Vm]]


class Supervisor:
    """Follows everything that was started, and starts what had to wait, until all is through or the time limit comes."""

    def __init__(self, session: Session, starter: Starter, clear: Clear) -> None:
        self._arm, self._journal, self._bulk, self._clock = session.arm, session.journal, session.bulk, session.clock
        self._patience, self._order, self._results, self._queue = session.patience, session.order, session.results, session.queue
        self._starter, self._clear = starter, clear
        self._watch = Watch(session, self._witness)
        self._approvals = Approvals(session.arm, session.clock, session.order.approve)
        self._total, self._looked_at = 0, 0.0

    def run(self) -> None:
        """Until nothing is under way or waits, or the deadline. Every VM has its outcome then."""
        try:
            while not self._through():
                self._tell_onlookers()
                self._clock.sleep(self._pause())
                self._start_those_whose_turn_it_is()
        finally:
            self._journal.progress(0, [])
        for item in self._queue.rest():
            self._results.add(item.vm.id.key, "the time limit or an interruption came first")

    def _through(self) -> bool:
        """One look at what is under way; True when this was the last."""
        stopping, self._looked_at = self._patience.stopping(), self._clock.monotonic()
        last = stopping or self._looked_at >= self._patience.deadline
        under_way = list(self._starter.open.values()) if self._order.wait else []
        if under_way:
            self._approvals.look({self._results.before[item.vm.key].name: item for item in under_way if item.ended is None})
            for item in self._watch.look(under_way, last):
                del self._starter.open[item.vm.key]
                self._tell_safely(item, stopping)
        if not self._order.wait:
            self._give_up_on_sets()
        waiting = len(self._queue) and not last
        return not waiting and (last or not self._order.wait or not self._starter.open)

    def _pause(self) -> float:
        """Seconds to the next look, or to the next turn."""
        now = self._clock.monotonic()
        moving = self._starter.moving_sets()
        times = [self._patience.deadline - now]
        if self._order.wait and self._starter.open:
            times.append(max(self._patience.interval / 5, self._looked_at + self._patience.interval - now))  # a look at many takes its time
        turn = self._queue.next_at(moving)
        if turn is not None:
            times.append(turn - now)
        return max(0.0, min(times))

    def _start_those_whose_turn_it_is(self) -> None:
        """Each as it is now and behind its guards: a wait lies behind it."""
        turn = {item.vm.id.key: item for item in self._queue.take(self._clock.monotonic(), self._starter.moving_sets())}
        if not turn or self._patience.stopping():
            return
        before = {key: dict(self._results[key]) for key in turn if key in self._results}
        cleared = self._clear([item.vm for item in turn.values()], frozenset(self._starter.open))
        for key in turn.keys() - {vm.id.key for vm in cleared}:
            self._not_again(turn[key], before.get(key))
        self._starter.start(cleared)

    def _not_again(self, item: Waiting, before: dict[str, t.Any] | None) -> None:
        """A guard holds it back now. What was tried stays its outcome; what was never executed is as the guard says."""
        key = item.vm.id.key
        said = self._results[key]
        if not (item.tried and before):
            self._results.record(key, said["outcome"], said["reason"], item.attempt, item.answer)
            return
        self._results.record(key, before["outcome"], f"{before['reason']}; not tried again: {said['reason']}", item.attempt, item.answer)
        self._results[key].update({name: before[name] for name in _OF_THE_ATTEMPT})

    def _give_up_on_sets(self) -> None:
        """Without waiting nobody sees when the one before is through."""
        moving = self._starter.moving_sets()
        for item in self._queue.rest():
            if item.behind in moving and item.behind is not None:
                words = f"{item.words}; run again when the others of its set are through"
                self._results.record(item.vm.id.key, "retry_later", words, item.attempt, item.answer)
            else:
                self._queue.put(item)

    def _witness(self, item: Watched) -> None:
        """What was seen of a start that nothing else tells of, on disk before anything is decided by it."""
        try:
            self._journal.note(item.vm, item.client_request_id, seen=item.seen)
        except OptionsError as error:
            self._results.add(item.vm.key, str(error))

    def _tell_safely(self, item: Watched, stopping: bool) -> None:
        try:
            self._tell(item, stopping)
        except Exception as error:  # its attempt stays open in the journal, and the other VMs have their outcome
            self._results.amend(item.vm.key, "unknown", f"its end is not known: {error or type(error).__name__}")

    def _tell(self, item: Watched, stopping: bool) -> None:
        """The verdict on a VM, in its result and, if it is final, in the journal; or another try."""
        key, verdict = item.vm.key, item.verdict
        words = "; ".join(filter(None, [verdict.reason, item.note, "interrupted" if stopping and verdict.wait_for else ""]))
        self._results.amend(key, verdict.outcome, words, verdict.code)
        final = verdict.outcome not in ("still_running", "unknown")
        self._results.seen(key, item.after or self._as_it_is(item), final)
        if not final:
            return
        try:
            now = format_time(self._arm.now())
            self._journal.note(item.vm, item.client_request_id, outcome=verdict.outcome, reason=verdict.reason, ended_at=now)
        except OptionsError as error:  # the outcome of this VM, and those still open, are worth more than their note
            self._results.add(key, str(error))
        if not stopping:
            self._try_again(item)

    def _as_it_is(self, item: Watched) -> Vm | None:
        """A VM whose operation still runs, which shows whether it ever went down."""
        try:
            after = self._bulk.vm(item.vm, self._bulk.network([]))
        except AzureError:
            return None
        if after and not item.note and after.power_state == "running" and after.agent == "ready" and item.ended is None:
            self._results.add(item.vm.key, "the VM is still up: it may be waiting for its Scheduled Event")
        return after

    def _try_again(self, item: Watched) -> None:
        """After RetryLater while Azure still allows it, and after an abort if that was asked for by name."""
        key, status = item.vm.key, item.after.status if item.after else None
        accepted = "retry_after_abort" in self._order.policy.accept
        if item.verdict.outcome not in ("retry_later", "aborted") or (item.verdict.outcome == "aborted" and not accepted):
            return
        at = self._clock.monotonic() + self._patience.retry_pause
        if not (status and status.allowed) or not self._order.start or at > self._patience.deadline or not self._queue.may_retry(key):
            return
        result = self._results[key]
        attempt = {"intent_at": result["started_at"], "client_request_id": result["client_request_id"]}
        self._results.add(key, f"tried again in {self._patience.retry_pause:.0f} s")
        self._queue.put(Waiting(item.after, result["reason"], at, tried=True, attempt=attempt))

    def _tell_onlookers(self) -> None:
        names = [self._results.before[key].name for key in self._starter.open] if self._order.wait else []
        notes = {self._results.before[key].name: item.note for key, item in self._starter.open.items() if item.note}
        waiting = self._queue.names()
        self._total = max(self._total, len(names) + len(waiting))
        self._journal.progress(self._total, [*names, *waiting], {**notes, **waiting})
