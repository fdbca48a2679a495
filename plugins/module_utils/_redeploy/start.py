# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The start of VMs: intent on disk, one POST, and what its answer means. Many at once; what goes wrong stays with its VM."""

from __future__ import annotations

import threading
import typing as t
import uuid
from concurrent.futures import ThreadPoolExecutor

from .._arm.client import COMPUTE, PostResult
from .._azure import error_codes
from .._azure.maintenance import format_time, parse_time
from .._azure.vm import Vm
from .._errors import AzureError, OptionsError
from .concurrent_starts import ConcurrentStarts
from .history import MAINTENANCE, History, iteration_of
from .journal import NOT_EXECUTED
from .outcome import refusal_of
from .retry_queue import Waiting
from .session import Session
from .watch import Watched

_WORKERS = 16
_THROTTLE_SECONDS = 60.0
_SHORTEST_PAUSE = 1.0
# Starts that are not out so long after the guards have spoken wait for them to speak again.
_FRESH_SECONDS = 60.0
ACTIONS = {"perform_maintenance": "performMaintenance", "redeploy": "redeploy", "reapply": "reapply"}


class Starter:
    """Starts VMs that all guards let pass. ``open`` are those under way, ``posted`` those that were or may have been started."""

    def __init__(self, session: Session, history: History, others: ConcurrentStarts) -> None:
        self._arm, self._journal, self._reader, self._clock = session.arm, session.journal, session.reader, session.clock
        self._results, self._queue, self._patience = session.results, session.queue, session.patience
        self._operation, self._since = session.operation, session.order.since
        self._history, self._others = history, others
        self.open: dict[str, Watched] = {}
        self.posted: set[str] = set()
        self._one_by_one: set[str] = set()
        self._sent: dict[str, str] = {}
        """Set keys by key of the VMs of which the answer to the start is not dealt with yet."""
        self._stale_at = 0.0
        self._lock = threading.Lock()

    def start(self, vms: t.Sequence[Vm]) -> None:
        """Start them all, now that the guards let them pass; each is then under way, in the queue, or settled."""
        self._stale_at = self._clock.monotonic() + _FRESH_SECONDS
        self._others.begin(vms, self.posted)
        with ThreadPoolExecutor(_WORKERS) as pool:
            list(pool.map(self._start_safely, vms))
        for key, (words, loud) in self._others.after(self.posted).items():
            self._results.remark(key, words, loud)

    def attach(self, vm: Vm, attempt: t.Mapping[str, t.Any], pause: float = 0.0) -> None:
        """Watch an attempt that is under way, the first time after ``pause`` seconds."""
        window_start = parse_time(attempt["iteration"]) if self._operation == MAINTENANCE and attempt["iteration"] else None
        url, monitor = attempt.get("operation_url"), attempt.get("location_url")
        now = self._clock.monotonic()
        self.open[vm.id.key] = Watched(vm.id, self._operation, window_start, url or monitor, not url, parse_time(attempt["intent_at"]),
                                       attempt["client_request_id"], attempt["code_before"], attempt.get("accepted"), now, now + pause)

    def moving_sets(self) -> set[str]:
        """Keys of the sets of which a member is under way."""
        return {self._results.before[key].failure_domain.set_key for key in self.open}

    def _start_safely(self, vm: Vm) -> None:
        try:
            self._start(vm)
        except (AzureError, OptionsError) as error:
            if vm.id.key in self.posted:  # only its URL is not on disk; the intent is
                self._results.add(vm.id.key, str(error))
            else:
                self._results.record(vm.id.key, "refused", str(error))
        except Exception as error:  # whatever it is, it is this VM's alone; it may have come after the start
            self._results.record(vm.id.key, "unknown", f"its start broke off, and it may have reached Azure: {type(error).__name__}: {error}")

    def _start(self, vm: Vm) -> None:
        """Intent, POST, answer; or the queue, when Azure has just said that it is too much."""
        late = self._clock.monotonic() >= self._patience.deadline
        if late or self._patience.stopping():
            self._leave(vm.id.key, "the time limit came before it was started" if late else "interrupted before it was started")
            return
        if waiting := self._not_now(vm):
            self._wait(waiting, "refused")
            return
        attempt = {"operation": self._operation, "iteration": iteration_of(vm, self._operation, self._since),
                   "client_request_id": str(uuid.uuid4()), "intent_at": format_time(self._arm.now()),
                   "code_before": vm.status.code if vm.status else None}
        self._journal.intend(vm.id, attempt)
        if reason := self._overtaken(vm):
            self._history.forget(vm, attempt, NOT_EXECUTED, reason)
            self._leave(vm.id.key, reason)
            return
        with self._lock:
            self._sent[vm.id.key] = vm.failure_domain.set_key
        try:
            self._send(vm, attempt)
        finally:
            with self._lock:
                del self._sent[vm.id.key]

    def _send(self, vm: Vm, attempt: dict[str, t.Any]) -> None:
        """The POST and what its answer means."""
        try:
            answer = self._arm.post(f"{vm.id}/{ACTIONS[self._operation]}", COMPUTE, attempt["client_request_id"])
        except AzureError as error:  # signing in failed: nothing was sent
            self._history.forget(vm, attempt, NOT_EXECUTED, str(error))
            raise
        self._results.attempts[vm.id.key] += 1
        word = error_codes.meaning(answer.code, answer.status).start
        if answer.kind == "throttled" or (answer.kind == "refused" and word != error_codes.IN_DOUBT):
            self._history.forget(vm, attempt, NOT_EXECUTED, f"HTTP {answer.status} {answer.code}: {answer.message}")
            self._refused(vm, attempt, answer, word)
        else:
            self._begun(vm, attempt, answer)

    def _overtaken(self, vm: Vm) -> str | None:
        """Why the VM is not started although it passed the guards: its set has changed since, or cannot be read any more."""
        try:
            reason = self._others.before(vm)
        except AzureError as error:
            return f"its set could not be read again directly before the start: {error}"
        return f"its set has changed since the preflight checks passed: {reason}; run again when that has ended" if reason else None

    def _leave(self, key: str, words: str) -> None:
        """Not started; what an earlier try came to stays its outcome."""
        if key in self._results:
            self._results.add(key, words)
        else:
            self._results.record(key, "refused", words)

    def _not_now(self, vm: Vm) -> Waiting | None:
        """Whether another VM's answer, or the time it took, has shown meanwhile that this one must wait."""
        set_key, now = vm.failure_domain.set_key, self._clock.monotonic()
        with self._lock:
            if now > self._stale_at:
                return Waiting(vm, "its preflight checks are due again", now)
            if self._clock.monotonic() < self._queue.closed_until:
                return Waiting(vm, "Azure throttles", self._queue.closed_until)
            if set_key in self._one_by_one and set_key in self.moving_sets():
                return Waiting(vm, "its set goes one by one", self._clock.monotonic(), behind=set_key)
        return None

    def _begun(self, vm: Vm, attempt: dict[str, t.Any], answer: PostResult) -> None:
        key = vm.id.key
        self.posted.add(key)
        urls = {"operation_url": answer.operation_url, "location_url": answer.location_url,
                "accepted": answer.status if answer.kind == "accepted" else None}
        with self._lock:
            self.attach(vm, {**attempt, **urls}, self._patience.interval)
        if answer.kind == "accepted":
            self._results.record(key, "started", "Azure accepted it", attempt, answer)
        else:
            said = f"no clear answer to the start (HTTP {answer.status}, {answer.code}: {answer.message})"
            self._results.record(key, "unknown", said, attempt, answer)
        self._journal.note(vm.id, attempt["client_request_id"], **urls)

    def _refused(self, vm: Vm, attempt: dict[str, t.Any], answer: PostResult, word: str) -> None:
        """Not executed: it waits for its turn, or that was its answer."""
        key, now = vm.id.key, self._clock.monotonic()
        if answer.kind == "throttled":
            # Told to come back at once and refused again, it comes back ever later.
            least = min(_THROTTLE_SECONDS, _SHORTEST_PAUSE * 2.0 ** (self._results.attempts[key] - 1))
            pause = _THROTTLE_SECONDS if answer.retry_after is None else max(least, answer.retry_after)
            words = f"Azure throttles (HTTP 429, wait {pause:.0f} s){answer.wait_said}"
            with self._lock:
                self._queue.closed_until = max(self._queue.closed_until, now + pause)
            self._wait(Waiting(vm, words, now + pause, attempt=attempt, answer=answer), "refused")
        elif word == error_codes.ONE_BY_ONE:
            self._wait_for_the_set(vm, attempt, answer)
        elif word == error_codes.SIGN_IN and self._results.attempts[key] == 1:
            self._queue.put(Waiting(vm, refusal_of(answer), now + _SHORTEST_PAUSE, attempt=attempt, answer=answer))
            self._results.record(key, "refused", refusal_of(answer), attempt, answer)
        elif word == error_codes.LATER and self._queue.may_retry(key):
            words = f"{refusal_of(answer)}; tried again in {self._patience.retry_pause:.0f} s"
            self._wait(Waiting(vm, words, now + self._patience.retry_pause, attempt=attempt, answer=answer), "retry_later")
        else:
            self._results.record(key, *self._classify(vm, answer, word), attempt, answer)

    def _wait_for_the_set(self, vm: Vm, attempt: dict[str, t.Any], answer: PostResult) -> None:
        """Too many of its set at once: one after another, each when the one before is through."""
        set_key, now = vm.failure_domain.set_key, self._clock.monotonic()
        with self._lock:
            self._one_by_one.add(set_key)
            others_move = set_key in self.moving_sets() or any(key != vm.id.key and of == set_key for key, of in self._sent.items())
        if others_move:
            self._wait(Waiting(vm, refusal_of(answer), now, behind=set_key, attempt=attempt, answer=answer), "retry_later")
        elif self._queue.may_retry(vm.id.key):
            at = now + self._patience.retry_pause
            self._wait(Waiting(vm, refusal_of(answer), at, behind=set_key, attempt=attempt, answer=answer), "retry_later")
        else:
            self._results.record(vm.id.key, "retry_later", refusal_of(answer), attempt, answer)

    def _wait(self, item: Waiting, otherwise: str) -> None:
        """Into the queue, if its turn can come before the deadline; ``otherwise`` is its outcome when it never comes."""
        words = item.words
        if item.at <= self._patience.deadline:
            self._queue.put(item)
        else:
            words += "; the time limit comes first"
        if item.attempt or item.vm.id.key not in self._results:
            self._results.record(item.vm.id.key, otherwise, words, item.attempt, item.answer)

    def _classify(self, vm: Vm, answer: PostResult, word: str) -> tuple[str, str]:
        """By what the VM shows now, never by the message alone: one 409 code stands for many things."""
        said = refusal_of(answer)
        if word == error_codes.LATER:
            return "retry_later", said
        if word != error_codes.LOOK:
            return "refused", said
        try:
            now = self._reader.vm(vm.id)
        except AzureError as error:
            return "not_allowed", f"{said}; then {error}"
        if now is None:
            return "refused", f"{said}; the VM no longer exists"
        if self._operation == MAINTENANCE and (now.status is None or now.status.completed):
            return "already_done", f"{said}; Azure reports no maintenance to do"
        return ("refused" if now.busy else "not_allowed"), said
