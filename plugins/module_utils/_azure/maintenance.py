# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Azure says about the maintenance of one VM: the block, its two windows, the state, the hazards.

Standard library only; no I/O, and ``now`` is always an argument. Source of the fields: ``maintenanceRedeployStatus`` of
the instance view (Microsoft.Compute, since api-version 2017-03-30).
"""

from __future__ import annotations

import datetime as dt
import functools
import re
import typing as t
from dataclasses import dataclass

from .._redaction import without_secrets

STATES = ("not_hosted", "not_scheduled", "unknown", "done", "startable", "upcoming", "retry_later", "skipped", "blocked",
          "waiting", "azure_controlled", "expired")
UNKNOWN_ATTEMPT = "unknown_attempt"
BLOCKING_HAZARDS = ("ephemeral_os_disk", "completed_but_allowed", "not_running", "retry_after_abort", "temp_disk_in_use")
CONSENTS = (*BLOCKING_HAZARDS, UNKNOWN_ATTEMPT)
"""What may be consented to by name: blocking hazards, and another start of an operation whose earlier one has no known result."""
NOTED_HAZARDS = ("temp_disk", "dynamic_public_ip", "agent_not_ready", "failed_extension", "spot", "scheduled_events_on")

# Result codes by their lower-case spelling: the SDK calls the enumeration case-insensitive and open.
_CODES = {"none": "None", "retrylater": "RetryLater", "maintenanceaborted": "MaintenanceAborted",
          "maintenancecompleted": "MaintenanceCompleted"}
_TIME = re.compile(r"^(\d{1,4})-(\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?\s*(Z|[+-]\d\d:?\d\d)?$", re.IGNORECASE)
# The years of .NET's least and greatest time, which it writes for a time that was never set; an offset leads out of the calendar there.
_NEVER = (0, 1, 9999)


def parse_time(text: str | None) -> dt.datetime | None:
    """An aware UTC time from what ARM writes: 0 to 7 (or more) fraction digits, ``Z`` or an offset, UTC without either; None for nothing, and for
    a time that was never set (year 1 or 9999).

    Raises ValueError naming the text when it is not a time.
    """
    if not text:
        return None
    match = _TIME.match(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a time as Azure writes it (2026-03-02T00:00:00+00:00)")
    year, day, clock, fraction, zone = match.groups()
    if int(year) in _NEVER:
        return None
    zone = "+00:00" if zone in (None, "Z", "z") else zone
    moment = dt.datetime.fromisoformat(f"{int(year):04}-{day}T{clock}.{(fraction or '0')[:6]:0<6}{zone[:3]}:{zone[-2:]}")
    return moment.astimezone(dt.timezone.utc)


def format_time(moment: dt.datetime | None) -> str | None:
    """ISO-8601 UTC with second precision and ``Z``: the one spelling this collection writes."""
    if moment is None:
        return None
    moment = moment.astimezone(dt.timezone.utc)
    return f"{moment.year:04}-{moment:%m-%dT%H:%M:%SZ}"  # %Y is not padded everywhere


@dataclass(frozen=True, slots=True)
class Window:
    """A time span [start, end) in aware UTC times."""

    start: dt.datetime
    end: dt.datetime

    @classmethod
    @functools.lru_cache(maxsize=1024)  # a wave has one window, and thousands of VMs name it
    def of(cls, start: str | None, end: str | None) -> "Window | None":
        begin, finish = parse_time(start), parse_time(end)
        return cls(begin, finish) if begin and finish else None

    def to_record(self) -> dict[str, str]:
        return {"start": format_time(self.start), "end": format_time(self.end)}


@dataclass(frozen=True, slots=True)
class Hazard:
    """Something that makes a redeploy risky. A blocking one needs consent by name; a noted one is only shown."""

    name: str
    detail: str

    @property
    def blocking(self) -> bool:
        return self.name in BLOCKING_HAZARDS

    def to_record(self) -> dict[str, t.Any]:
        return {"name": self.name, "blocking": self.blocking, "detail": self.detail}

    @classmethod
    def from_record(cls, record: t.Mapping[str, t.Any]) -> "Hazard":
        return cls(record["name"], record.get("detail", ""))


@dataclass(frozen=True, slots=True)
class MaintenanceStatus:
    """The maintenance block of one VM. ``code`` is the canonical spelling, or Azure's own when we do not know it."""

    allowed: bool
    self_service_window: Window | None
    scheduled_window: Window | None
    code: str
    message: str | None

    @classmethod
    def from_view(cls, view: t.Mapping[str, t.Any]) -> "MaintenanceStatus | None":
        """The status in an instance view (REST spelling), or None when the VM is not in a wave.

        An empty block counts as none: it says nothing. Raises ValueError when a time cannot be read.
        """
        block = view.get("maintenanceRedeployStatus")
        if not block:
            return None
        code, message = block.get("lastOperationResultCode") or "None", block.get("lastOperationMessage")
        return cls(
            allowed=block.get("isCustomerInitiatedMaintenanceAllowed") is True,
            self_service_window=Window.of(block.get("preMaintenanceWindowStartTime"), block.get("preMaintenanceWindowEndTime")),
            scheduled_window=Window.of(block.get("maintenanceWindowStartTime"), block.get("maintenanceWindowEndTime")),
            code=_CODES.get(code.lower(), code),
            message=None if message is None else without_secrets(str(message)),
        )

    @property
    def completed(self) -> bool:
        return self.code == "MaintenanceCompleted"

    @property
    def retry(self) -> bool:
        """Allowed again after an attempt that came to nothing."""
        return self.allowed and self.code in ("RetryLater", "MaintenanceAborted")

    def state(self, now: dt.datetime) -> str:
        """One of :data:`STATES` (never not_hosted or not_scheduled, which a block cannot tell); first match wins.

        Permission comes from the ``allowed`` flag alone. The clock only says why a VM that may not start may not.
        """
        if self.code not in _CODES.values() or not self.self_service_window or not self.scheduled_window:
            return "unknown"
        if self.completed:
            return "done"
        if self.allowed:
            return "startable"
        if now < self.self_service_window.start:
            return "upcoming"
        if now < self.self_service_window.end:
            return {"RetryLater": "retry_later", "MaintenanceAborted": "skipped"}.get(self.code, "blocked")
        if now < self.scheduled_window.start:
            return "waiting"
        return "azure_controlled" if now < self.scheduled_window.end else "expired"

    def hazards(self) -> list[Hazard]:
        """Hazards that the block alone shows."""
        found = []
        if self.completed and self.allowed:
            found.append(Hazard("completed_but_allowed", "Azure reports the maintenance completed and yet allows a start; a new "
                                "iteration may look like this"))
        if self.allowed and self.code == "MaintenanceAborted":
            found.append(Hazard("retry_after_abort", f"an earlier attempt was aborted: {self.message or 'no message'}"))
        return found

    def to_record(self, now: dt.datetime) -> dict[str, t.Any]:
        """The ``maintenance`` part of a record; ``seconds_left`` counts to the end of the self-service window."""
        own = self.self_service_window
        return {
            "state": self.state(now), "allowed": self.allowed, "retry": self.retry,
            "self_service_window": own.to_record() if own else None,
            "scheduled_window": self.scheduled_window.to_record() if self.scheduled_window else None,
            "last_operation": {"code": self.code, "message": self.message},
            "seconds_left": max(0, int((own.end - now).total_seconds())) if own else None,
        }

    @classmethod
    def from_record(cls, record: t.Mapping[str, t.Any]) -> "MaintenanceStatus | None":
        last = record.get("last_operation")
        if last is None:
            return None
        windows = [Window.of(**record[name]) if record.get(name) else None for name in ("self_service_window", "scheduled_window")]
        return cls(record["allowed"], windows[0], windows[1], last["code"], last.get("message"))
