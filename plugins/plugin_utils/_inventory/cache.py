# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one reading of Azure gave the inventory, and its form in a cache. Standard library only; the clock is an argument.

A cached reading says what was true when it was read. It is used only while nothing but a write to Azure can have changed a
state: once a window of one of its VMs opens or closes, a permission may have come or gone, and Azure has to be asked again.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import typing as t
from dataclasses import dataclass, field

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.maintenance import format_time, parse_time

Record = dict[str, t.Any]
_FORM = 1
_TIMELESS = ("not_hosted", "not_scheduled", "done", "unknown")


@dataclass
class Snapshot:
    """``read_at`` is an aware time by Azure's clock. ``left_out`` and ``warnings`` are those of the fleet."""

    records: list[Record]
    read_at: dt.datetime
    left_out: list[dict[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def to_text(self, asked: t.Any, clock: dt.datetime) -> str:
        """For a cache. ``asked`` (JSON types) decided the reading, ``clock`` is the controller's aware time."""
        return json.dumps({
            "form": _FORM, "asked": _digest(asked), "read_at": self.read_at.isoformat(), "stored_at": clock.isoformat(),
            "true_until": _next_turn(self.records, self.read_at), "records": self.records, "left_out": self.left_out, "warnings": self.warnings,
        })

    @classmethod
    def from_text(cls, text: t.Any, asked: t.Any, clock: dt.datetime) -> "Snapshot | None":
        """Inverse of :meth:`to_text`; None when it answers another question, is in another form or has been overtaken by the clock."""
        try:
            data = json.loads(text)
            if data["form"] != _FORM or data["asked"] != _digest(asked):
                return None
            read_at = dt.datetime.fromisoformat(data["read_at"])
            now = read_at + (clock - dt.datetime.fromisoformat(data["stored_at"]))
            if now < read_at or (data["true_until"] and now >= parse_time(data["true_until"])):
                return None
            for record in data["records"]:
                _count_down(record["maintenance"], now)
            return cls(data["records"], read_at, data["left_out"], data["warnings"])
        except (ValueError, TypeError, KeyError):
            return None  # a cache that cannot be read is no reason to fail


def _digest(asked: t.Any) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


def _next_turn(records: t.Iterable[Record], read_at: dt.datetime) -> str | None:
    """The first time after ``read_at`` at which a window of a record, whose state depends on the clock, begins or ends."""
    after = format_time(read_at)
    times = {window[edge] for record in records if record["maintenance"]["state"] not in _TIMELESS
             for name in ("self_service_window", "scheduled_window") if (window := record["maintenance"][name]) for edge in ("start", "end")}
    return min((moment for moment in times if moment > after), default=None)


def _count_down(maintenance: Record, now: dt.datetime) -> None:
    if maintenance["self_service_window"]:
        maintenance["seconds_left"] = max(0, int((parse_time(maintenance["self_service_window"]["end"]) - now).total_seconds()))
