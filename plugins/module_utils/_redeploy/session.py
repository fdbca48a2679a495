# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call of vm_redeploy: what was asked for, how long it may take, the clock that a signal wakes, and what every part of it works with."""

from __future__ import annotations

import datetime as dt
import os
import signal
import time
import typing as t
from dataclasses import dataclass

from .._arm.client import Arm
from .._arm.rate_limit import Clock
from .._fleet.vm_reader import BulkReader, VmReader
from . import guards
from .journal import Journal
from .outcome import Results
from .retry_queue import Queue

_SLICE = 0.2


@dataclass(frozen=True)
class Order:
    """What was asked for. ``vms`` are ids as the caller spelled them; ``since`` is the time of the mail for plain redeploys;
    without ``start`` the call only attaches to what is under way; ``approve`` cuts waits for Scheduled Events short."""

    vms: t.Sequence[str]
    policy: guards.Policy
    since: dt.datetime | None = None
    start: bool = True
    wait: bool = True
    check: bool = False
    approve: bool = False


@dataclass(frozen=True)
class Patience:
    """``interval`` seconds between two polls, ``deadline`` on the clock for the whole call, and ``settle`` seconds for which
    a maintenance status may lag behind its operation, or the result of a start without an answer is unknown. ``stopping`` tells that
    the call is to end now, leaving everything as it is. ``retries`` and ``retry_pause`` say how often and how late a VM is tried again."""

    interval: float
    deadline: float
    settle: float
    stopping: t.Callable[[], bool] = lambda: False
    retries: int = 2
    retry_pause: float = 600.0


class InterruptibleClock:
    """Monotonic seconds, and a sleep that SIGTERM or Ctrl-C ends early: the call then ends after its next poll, with every outcome reported and
    the journal right. A second signal ends the process as if this were not there."""

    def __init__(self) -> None:
        self.stopped = False

    def watch_signals(self) -> None:
        """From now on; only the main thread may call it."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, dummy: object) -> None:
        if self.stopped:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.stopped = True

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        time.sleep(min(seconds, _SLICE))  # also when stopped: what waits for a turn must not spin
        while not self.stopped and (rest := end - time.monotonic()) > 0:
            time.sleep(min(rest, _SLICE))

    def stopping(self) -> bool:
        return self.stopped


@dataclass(frozen=True)
class Session:
    """What the parts of one call share. ``results`` has the outcome of every VM, ``queue`` those that are to be started later."""

    arm: Arm
    journal: Journal
    clock: Clock
    patience: Patience
    order: Order
    reader: VmReader
    bulk: BulkReader
    results: Results
    queue: Queue

    @classmethod
    def begin(cls, arm: Arm, journal: Journal, clock: Clock, patience: Patience, order: Order) -> "Session":
        """A session of which no VM has been read yet."""
        reader = VmReader(arm)
        return cls(arm, journal, clock, patience, order, reader, BulkReader(arm, reader, "dynamic_public_ip" in order.policy.refuse),
                   Results(arm.now, order.vms, order.policy.operation), Queue(patience.retries))

    @property
    def operation(self) -> str:
        """perform_maintenance, redeploy or reapply."""
        return self.order.policy.operation
