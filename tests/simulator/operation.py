# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One long-running operation: its record, its status document, its saved form."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from .clock import iso, precise
from .transitions import Transition

_TIMES = ("start", "left", "end")


@dataclass
class Operation:
    """A running or ended operation. Phases: waiting, halting, moving, booting, done."""

    id: str
    kind: str
    vm: str
    subscription: str
    region: str
    start: datetime
    transition: Transition
    entry: int
    down: bool
    phase: str = "waiting"
    polls: int = 0
    left: datetime | None = None
    end: datetime | None = None
    status: str = "InProgress"
    error: dict[str, str] | None = None
    token: str = field(default_factory=lambda: str(uuid.uuid4()))

    def document(self) -> dict[str, Any]:
        """Return the status document that Compute serves."""
        body: dict[str, Any] = {"startTime": precise(self.start)}
        if self.end:
            body["endTime"] = precise(self.end)
        body |= {"status": self.status, "name": self.id}
        if self.error:
            body["error"] = self.error
        return body

    def as_dict(self) -> dict[str, Any]:
        """Return the operation with ISO times."""
        times = {name: iso(getattr(self, name)) for name in _TIMES}
        return {**asdict(self), **times, "transition": self.transition.as_dict()}

    @classmethod
    def restore(cls, saved: dict[str, Any]) -> Operation:
        """Take over what as_dict once returned; a phase that needed a thread goes back to moving."""
        phase = {"halting": "moving", "booting": "moving"}.get(saved["phase"], saved["phase"])
        times = {name: saved[name] and datetime.fromisoformat(saved[name]) for name in _TIMES}
        return cls(**{**saved, **times, "phase": phase, "transition": Transition(**saved["transition"])})
