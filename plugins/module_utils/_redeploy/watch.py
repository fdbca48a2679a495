# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many long-running operations at once against one deadline; no outcome is lost.

Each watched VM goes through two phases: its operation is asked after until it ends, then its live view is read until it
settles. One that ends badly, or cannot be read, never hides or delays another. One list of the subscription tells for many
VMs at once which are still in motion, so that their operations need not be asked after one by one.
"""

from __future__ import annotations

import collections
import datetime as dt
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from .._arm import activity_log
from .._arm.activity_log import ActivityLog
from .._azure.maintenance import format_time
from .._azure.vm import Vm, VmId
from .._errors import AzureError
from .._fleet.vm_reader import Network
from .outcome import Ended, Verdict, judge
from .session import Session

_WORKERS = 16
# What Compute allows a minute of one operation and of one VM's view; a short poll interval must not outrun it.
_POLLS_A_MINUTE = 15
_VIEWS_A_MINUTE = 12
# The list of many may be old: an operation is asked after itself at least this often.
_LONGEST_TRUST = 60.0
_RUNNING = Verdict("still_running", "the operation is still running", "deadline")


@dataclass
class Watched:
    """One VM whose operation is under way. ``monitor``: its URL is one that tells of a failure by HTTP status. ``since`` is when it was
    started, ``accepted`` the HTTP status with which Azure did; ``begun`` and ``not_before``, on the clock, are when it was taken up and
    when it is first looked at; the rest is filled in while watching. ``seen`` says in words what was seen of one without a URL."""

    vm: VmId
    operation: str
    window_start: dt.datetime | None
    url: str | None
    monitor: bool
    since: dt.datetime
    client_request_id: str | None = None
    code_before: str | None = None
    accepted: int | None = None
    begun: float = 0.0
    not_before: float = 0.0
    ended: Ended | None = None
    ended_at: float = 0.0
    after: Vm | None = None
    verdict: Verdict | None = None
    trouble: str = ""
    note: str = ""
    seen: str | None = None
    polls: collections.deque[float] = field(default_factory=lambda: collections.deque(maxlen=_POLLS_A_MINUTE))
    views: collections.deque[float] = field(default_factory=lambda: collections.deque(maxlen=_VIEWS_A_MINUTE))


class Watch:
    """Watches many VMs to their verdicts. ``witness`` is told once of each in which something was seen that a later look may not show."""

    def __init__(self, session: Session, witness: t.Callable[[Watched], None]) -> None:
        self._arm, self._bulk, self._clock, self._patience = session.arm, session.bulk, session.clock, session.patience
        self._witness, self._log = witness, ActivityLog(session.arm)

    def look(self, items: t.Sequence[Watched], last: bool = False) -> list[Watched]:
        """One look at all of them; those whose verdict is final now. ``last``: there is no later look, every verdict is."""
        now = self._clock.monotonic()
        due = [item for item in items if now >= item.not_before or last]
        running = [item for item in due if item.ended is None]
        trusted = [] if last else [item for item in running if item.url and now - max([item.begun, *item.polls]) < _LONGEST_TRUST]
        in_motion = self._bulk.in_motion([item.vm for item in trusted])
        for item in trusted:
            item.verdict = _RUNNING if in_motion.get(item.vm.key) else item.verdict
        over = [item for item in due if item.ended is not None]
        seen = [item for item in trusted if in_motion.get(item.vm.key) is False and item.operation == "perform_maintenance"]
        network = self._bulk.network([item.vm for item in over + seen])
        with ThreadPoolExecutor(_WORKERS) as pool:
            final = self._final(pool, seen, lambda item: self._shows_end(item, network))
            asked = [item for item in running if item.ended is None and not in_motion.get(item.vm.key)]
            self._final(pool, asked, self._poll)
            # Nothing is to be learnt of the operation: the VM itself may show that it is done.
            mute = [item for item in asked if item.ended is None and item.trouble and item.operation == "perform_maintenance"]
            final |= self._final(pool, mute, lambda item: self._shows_end(item, network))
            over += [item for item in asked if item.ended is not None and item not in mute]
            network = network if network.listed else self._bulk.network([item.vm for item in over])
            final |= self._final(pool, over, lambda item: self._view(item, network))
        if not last:
            return [item for item in items if item.vm.key in final]
        for item in items:
            item.verdict = item.verdict or Verdict("unknown", f"Azure gave no answer by the deadline: {item.trouble or 'it was not asked'}")
        return list(items)

    def _final(self, pool: ThreadPoolExecutor, items: t.Sequence[Watched], look: t.Callable[[Watched], bool | None]) -> set[str]:
        """Keys of those for which a look is true. A look that fails, foreseen or not, is the trouble of its VM alone."""
        def safely(item: Watched) -> bool | None:
            try:
                return look(item)
            except AzureError as error:
                item.trouble = str(error)
            except Exception as error:
                item.trouble = f"{type(error).__name__}: {error}"
            return None

        return {item.vm.key for item, is_final in zip(items, pool.map(safely, items)) if is_final}

    def _allowed(self, calls: collections.deque[float]) -> bool:
        """Whether one more call keeps within a minute's allowance; then it is counted."""
        now = self._clock.monotonic()
        if len(calls) == calls.maxlen and now - calls[0] < 60:
            return False
        calls.append(now)
        return True

    def _poll(self, item: Watched) -> None:
        """Poll the operation; ``ended`` is set once it is over. Raises AzureError when there is no answer now."""
        if not item.url:
            item.ended = Ended()
        elif self._allowed(item.polls):
            status = self._arm.operation(item.url, item.monitor)
            item.trouble, item.verdict = "", _RUNNING if status.state == "running" else None
            if status.state != "running":
                item.ended = Ended(None if status.state == "forgotten" else status.state, status.code, status.message)
        item.ended_at = self._clock.monotonic()

    def _shows_end(self, item: Watched, network: Network) -> bool | None:
        """A list shows that it is no longer worked on. None: its operation has to be asked. Else the VM itself says that its maintenance is
        done, which is the end of the operation; True when the verdict is final too."""
        if item.code_before == "MaintenanceCompleted" or not self._allowed(item.views):
            return None
        try:
            after = self._bulk.vm(item.vm, network)
        except AzureError:
            return None
        if after is None or after.status is None or not after.status.completed or after.busy:
            return None
        item.ended, item.ended_at, item.after = Ended(), self._clock.monotonic(), after
        return self._settled(item, network)

    def _view(self, item: Watched, network: Network) -> bool:
        """Read the VM and judge; True when the verdict is final. Raises AzureError when it cannot be read now."""
        if not self._allowed(item.views):
            return False
        item.after = self._bulk.vm(item.vm, network)
        if item.after is None:
            item.verdict = Verdict("failed", "the VM no longer exists")
            return True
        if not item.url and not item.seen and item.after.busy:
            item.seen = f"provisioning state {item.after.provisioning_state}"
            self._witness(item)
        return self._settled(item, network)

    def _settled(self, item: Watched, network: Network) -> bool:
        """Judge the VM as it was read; True when the verdict is final."""
        item.verdict = self._judge(item)
        waited = self._clock.monotonic() - item.ended_at
        wait_for, status = item.verdict.wait_for, item.after.status
        tried = item.verdict.outcome in ("retry_later", "aborted") and item.ended.state != "failed"
        if tried and status and status.code == item.code_before:
            wait_for = "settle"  # what the block said before the attempt may not be its answer yet
        final = wait_for is None or (wait_for == "settle" and waited >= self._patience.settle)
        if final:
            item.after = self._bulk.with_addresses(item.after, network)
        return final

    def _judge(self, item: Watched) -> Verdict:
        verdict = judge(item.operation, item.ended, item.window_start, item.after)
        if verdict.outcome == "unknown" and item.ended.state is None and verdict.wait_for == "settle":
            learnt = self._learn(item)
            if learnt is not None:
                item.ended = learnt
                return judge(item.operation, item.ended, item.window_start, item.after)
        return verdict

    def _learn(self, item: Watched) -> Ended | None:
        """How a forgotten operation ended, by other traces; None when they do not tell."""
        events = self._log.events(item.vm, item.operation, item.since) or ()
        word = activity_log.ending(events, item.client_request_id) or activity_log.ending(events)
        if word in ("succeeded", "failed", "canceled"):
            return Ended(word, message=None, proof=f"the activity log shows that it {word}" if word == "succeeded" else None)
        at = item.after.provisioned_at
        if (item.url or item.accepted) and item.operation != "perform_maintenance" and item.after.provisioning_state == "succeeded" and at and at > item.since:
            return Ended(proof=f"Azure accepted it, and the VM's last operation succeeded at {format_time(at)}")
        # An answer of 200 or 201 without a URL is no proof that anything was executed: it may come from anything on the way.
        return None
