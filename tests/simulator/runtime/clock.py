# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """Real time plus an offset in seconds that can be moved."""

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset

    def timestamp(self) -> float:
        """Return the simulated time as seconds since 1970."""
        return time.time() + self.offset

    def now(self) -> datetime:
        """Return the simulated time, aware, in UTC."""
        return datetime.fromtimestamp(self.timestamp(), UTC)

    def advance(self, seconds: float) -> None:
        """Move the clock by a number of seconds (negative: back)."""
        self.offset += seconds

    def move_to(self, when: datetime) -> None:
        """Set the clock to an aware datetime."""
        self.offset = when.timestamp() - time.time()
