# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many long-running operations at once against one deadline; no outcome is lost.

Each watched VM goes through two phases: its operation is asked after until it ends, then its live view is read until it
settles. One that ends badly, or cannot be read, never hides or delays another.
"""

from __future__ import annotations

import datetime as dt
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.arm import Arm
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.errors import AzureError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.live import LiveReader
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.outcome import Verdict, judge
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.vm import Vm, VmId

_WORKERS = 16


class Clock(t.Protocol):
    """Monotonic seconds and sleeping, so that tests need not wait."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


@dataclass
class Watched:
    """One VM whose operation is under way. ``ended`` and ``after`` are filled in while watching."""

    vm: VmId
    operation: str
    window_start: dt.datetime | None
    url: str | None
    op_state: str | None = None
    op_error: str = ""
    ended: float | None = None
    after: Vm | None = None
    verdict: Verdict | None = None
    trouble: str = ""


@dataclass(frozen=True)
class Patience:
    """``interval`` seconds between two looks, ``deadline`` on the clock for the whole call, and ``settle`` seconds for which
    a block may lag behind its operation, or a start without an answer stays in doubt."""

    interval: float
    deadline: float
    settle: float


class Watch:
    """Watches many VMs to their verdicts."""

    def __init__(self, arm: Arm, live: LiveReader, clock: Clock, patience: Patience) -> None:
        self._arm, self._live, self._clock, self._patience = arm, live, clock, patience

    def run(self, watched: t.Sequence[Watched], on_verdict: t.Callable[[Watched], None],
            on_look: t.Callable[[t.Sequence[Watched]], None]) -> None:
        """Give every item a verdict by the deadline; ``on_verdict`` is called for each as soon as it is final, ``on_look``
        after each round with those that are still open."""
        deadline = self._patience.deadline
        open_items = list(watched)
        with ThreadPoolExecutor(_WORKERS) as pool:
            while open_items:
                last_look = self._clock.monotonic() >= deadline
                still_open = []
                for item, final in zip(open_items, list(pool.map(self._look, open_items))):
                    if final or last_look:
                        item.verdict = item.verdict or self._no_answer(item)
                        on_verdict(item)
                    else:
                        still_open.append(item)
                open_items = still_open
                on_look(open_items)
                if open_items:
                    self._clock.sleep(min(self._patience.interval, max(0.0, deadline - self._clock.monotonic())))

    def _look(self, item: Watched) -> bool:
        """One look; True when the verdict is final."""
        try:
            if item.ended is None and not self._operation_ended(item):
                item.verdict = Verdict("still_running", "the operation is still running", "deadline")
                return False
            item.after = self._live.vm(item.vm)
        except AzureError as error:
            item.trouble = str(error)
            return False
        if item.after is None:
            item.verdict = Verdict("failed", "the VM no longer exists")
        else:
            item.verdict = judge(item.operation, item.op_state, item.op_error, item.window_start, item.after)
        return self._final(item)

    def _operation_ended(self, item: Watched) -> bool:
        if item.url:
            status = self._arm.operation(item.url)
            if status.state == "running":
                return False
            item.op_state = None if status.state == "forgotten" else status.state
            item.op_error = f"{status.code}: {status.message}" if status.code else ""
        item.ended = self._clock.monotonic()
        return True

    def _final(self, item: Watched) -> bool:
        if item.verdict is None or item.verdict.wait_for == "deadline":
            return False
        if item.verdict.wait_for == "settle":
            return self._clock.monotonic() - item.ended >= self._patience.settle
        return True

    @staticmethod
    def _no_answer(item: Watched) -> Verdict:
        return Verdict("unknown", f"Azure gave no answer by the deadline: {item.trouble}")
