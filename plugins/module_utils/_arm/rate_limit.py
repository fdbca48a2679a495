# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast a subscription may be read: Resource Manager's token bucket, and one wait for all when Azure says so.

Microsoft documents, per subscription and caller, 250 reads at once and 25 a second after that. Compute's own buckets
(900 lists and 300 a minute, 24,000 single reads and 8,000 a minute) are wider for what this collection asks.
"""

from __future__ import annotations

import threading
import time
import typing as t

BURST = 250.0
PER_SECOND = 25.0
UNSAID_WAIT = 60.0
"""Seconds to wait after a 429 that names none: Compute's buckets are refilled every minute."""


class Clock(t.Protocol):
    """What ``time`` offers: monotonic seconds, and a sleep."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class Abandoned(Exception):
    """Nobody waits for what a thread was about to read any more."""


class WallClock:
    """Real time. Once it is abandoned, everybody who asks for the time or sleeps gets Abandoned: a thread that waits out a
    429 would otherwise keep the process alive for minutes after Ctrl-C."""

    def __init__(self) -> None:
        self._abandoned = threading.Event()

    def monotonic(self) -> float:
        self.sleep(0)
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        if self._abandoned.wait(seconds):
            raise Abandoned

    def abandon(self) -> None:
        self._abandoned.set()


class TooLong(Exception):
    """A wait that nobody has the time for; ``seconds`` is how long it would be."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{seconds:.0f} s")
        self.seconds = seconds


class Budget:
    """The reads of one subscription, shared by all threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._tokens, self._at, self._closed_until = BURST, clock.monotonic(), 0.0

    def take(self, patient: bool = True, worthwhile: t.Callable[[float], bool] = lambda seconds: True) -> None:
        """Wait for the turn of one read; raises TooLong when so many seconds are not ``worthwhile``.

        Pages of lists are not ``patient``: they are few and each waits for the one before, so they come about as fast as the
        bucket fills; they count, but wait only for what Azure has closed.
        """
        while (seconds := self._wait(patient)) > 0:
            if not worthwhile(seconds):
                raise TooLong(seconds)
            self._clock.sleep(seconds)

    def _wait(self, patient: bool) -> float:
        """Seconds until a read may be tried again; 0 when it may go, and then it is counted."""
        with self._lock:
            now = self._clock.monotonic()
            if now < self._closed_until:
                return self._closed_until - now
            self._tokens = min(BURST, self._tokens + max(0.0, now - self._at) * PER_SECOND)
            self._at = now
            if patient and self._tokens < 1:
                return (1 - self._tokens) / PER_SECOND + 0.001
            self._tokens = max(-BURST, self._tokens - 1)
            return 0.0

    def close(self, seconds: float | None) -> float:
        """Azure refused a read (429): nobody reads for so long (None: it did not say). The seconds that are now to wait.

        Answers that come in together tell of the same wait; it is not added up.
        """
        seconds = UNSAID_WAIT if seconds is None else seconds
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock.monotonic() + seconds)
        return seconds

    def left(self, tokens: float) -> None:
        """Azure says that so many reads are left: others may be using the same budget."""
        with self._lock:
            self._tokens = min(self._tokens, tokens)


class Pacing:
    """The budgets of all subscriptions, by the path of a request."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._budgets: dict[str, Budget] = {}

    def of(self, path: str) -> Budget:
        """The budget of the subscription that a path such as ``/subscriptions/S/...`` names; others share one."""
        parts = path.lower().split("/", 3)
        key = parts[2] if len(parts) > 2 and parts[1] == "subscriptions" else ""
        with self._lock:
            return self._budgets.setdefault(key, Budget(self._clock))
