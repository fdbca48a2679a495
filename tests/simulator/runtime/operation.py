# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long-running operations, on one VM or on many of a scale set: record, status document, saved form."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from ..fleet.transitions import Transition
from ..wire.times import iso, precise

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


@dataclass
class SetOperation:
    """What one call has begun on several instances: running while any of them is, failed if any of them failed."""

    id: str
    kind: str
    subscription: str
    region: str
    parts: list[Operation]
    token: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def transition(self) -> Transition:
        return self.parts[0].transition

    @property
    def status(self) -> str:
        seen = {part.status for part in self.parts}
        return next((status for status in ("InProgress", "Failed", "Canceled") if status in seen), "Succeeded")

    @property
    def error(self) -> dict[str, str] | None:
        return None if self.status != "Failed" else next(part.error for part in self.parts if part.error)

    def document(self) -> dict[str, Any]:
        """Return the status document that Compute serves."""
        body: dict[str, Any] = {"startTime": precise(min(part.start for part in self.parts))}
        if self.status != "InProgress":
            body["endTime"] = precise(max(part.end for part in self.parts if part.end))
        body |= {"status": self.status, "name": self.id}
        if self.error:
            body["error"] = self.error
        return body

    def as_dict(self) -> dict[str, Any]:
        """Return the operation with the ids of its parts."""
        own = {name: getattr(self, name) for name in ("id", "kind", "subscription", "region", "token")}
        return {**own, "parts": [part.id for part in self.parts]}

    @classmethod
    def restore(cls, saved: dict[str, Any], known: dict[str, Any]) -> SetOperation:
        """Take over what as_dict once returned; its parts are among the operations known."""
        return cls(**{**saved, "parts": [known[part] for part in saved["parts"]]})
