# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A clock that a signal wakes: SIGTERM and Ctrl-C end a call after its next look, with every outcome told and the journal right."""

from __future__ import annotations

import os
import signal
import time

_SLICE = 0.2


class InterruptibleClock:
    """Monotonic seconds and a sleep that ends early once a signal came. A second signal ends the process as if this were not there."""

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
        time.sleep(min(seconds, _SLICE))  # also when stopped: who waits for a turn must not spin
        while not self.stopped and (rest := end - time.monotonic()) > 0:
            time.sleep(min(rest, _SLICE))

    def stopping(self) -> bool:
        return self.stopped
