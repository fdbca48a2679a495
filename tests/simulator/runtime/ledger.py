# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger: every write Resource Manager received, accepted or refused, with its time span."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from ..fleet.model import Vm
from ..wire.times import iso


@dataclass
class Entry:
    """One write. ``start`` to ``end`` spans the operation (``end`` None: still running).

    ``down`` says whether the VM is out of service in that span (a refused or untouched VM is not). ``via`` says
    whether the call named this VM (vm), was sent to its scale set with ids (instances), or to all of it (all).
    ``notice_seconds`` is for how long the VM stays up after ``accepted`` unless its Scheduled Event is approved.
    ``before`` and ``after`` are the adminState of each member of a backend pool.
    """

    entry: int
    id: str
    name: str
    operation: str
    method: str
    status: int | None
    start: datetime
    end: datetime | None
    set: str | None
    update_domain: int | None
    region: str | None
    outcome: str | None
    client_request_id: str | None
    down: bool = False
    accepted: datetime | None = None
    operation_id: str | None = None
    error: str | None = None
    caller: str | None = None
    zone: str | None = None
    instance_id: str | None = None
    via: str = "vm"
    notice_seconds: float = 0.0
    before: dict[str, str] | None = None
    after: dict[str, str] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the entry with ISO times."""
        values = {key: iso(value) if isinstance(value, datetime) else value for key, value in asdict(self).items()}
        return {key: value for key, value in values.items() if key not in ("before", "after") or value is not None}


class Ledger:
    """The entries in the order they came in."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def write(
        self,
        *,
        at: datetime,
        method: str,
        operation: str,
        status: int | None,
        outcome: str | None,
        vm: Vm | None = None,
        id: str = "",
        ended: bool = True,
        **more: Any,
    ) -> Entry:
        """Add an entry for a VM, or for any other resource by id."""
        entry = Entry(
            entry=len(self.entries) + 1,
            id=vm.id if vm else id,
            name=vm.name if vm else id.rsplit("/", 1)[-1],
            operation=operation,
            method=method,
            status=status,
            start=at,
            end=at if ended else None,
            set=vm.group.label if vm and vm.group else None,
            update_domain=vm.update_domain if vm else None,
            region=vm.region if vm else None,
            zone=vm.zone if vm else None,
            instance_id=vm.instance_id if vm else None,
            outcome=outcome,
            client_request_id=more.pop("client_request_id", None),
            **more,
        )
        self.entries.append(entry)
        return entry

    def get(self, number: int) -> Entry:
        """Return an entry by its number, from 1."""
        return self.entries[number - 1]

    def as_list(self) -> list[dict[str, Any]]:
        """Return all entries with ISO times."""
        return [entry.as_dict() for entry in self.entries]

    def restore(self, saved: list[dict[str, Any]]) -> None:
        """Take over what as_list once returned."""
        known = {item.name for item in fields(Entry)}
        self.entries = []
        for item in saved:
            values = {key: value for key, value in item.items() if key in known}
            for key in ("start", "end", "accepted"):
                if values.get(key):
                    values[key] = datetime.fromisoformat(values[key])
            self.entries.append(Entry(**values))
