# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operation will do to a VM, as declared: how long it takes and how it ends."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from . import schema
from .schema import FleetError

KINDS = ("performMaintenance", "redeploy", "reapply", "restart", "start", "powerOff", "deallocate")
RESULTS = ("completed", "still_due", "retry_later", "aborted", "failed", "canceled", "stuck", "forgotten")
UNTOUCHED = ("retry_later", "aborted", "canceled")
POWERS = ("running", "stopped", "deallocated", "starting", "stopping", "deallocating", "unknown")

_TABLE: dict[str, schema.Check] = {
    "after_seconds": schema.seconds,
    "after_polls": schema.whole(0),
    "waits_seconds": schema.seconds,
    "published": schema.flag,
    "result": schema.one_of(*RESULTS),
    "block": schema.one_of("completed", "vanishes", "unchanged"),
    "operation": schema.one_of("succeeded", "failed"),
    "allowed": schema.flag,
    "code": schema.text,
    "message": schema.maybe(schema.text),
    "power_after": schema.one_of(*POWERS),
    "provisioning_after": schema.text,
    "agent_after_seconds": schema.seconds,
    "retry_after": schema.whole(0),
}


@dataclass(frozen=True)
class Transition:
    """One declared course of an operation.

    It ends ``after_seconds`` (simulated) or once its URL was polled ``after_polls`` times without being done.
    ``waits_seconds`` delays the moment the VM goes down, as Scheduled Events do; ``published``: Resource Graph shows that.
    """

    after_seconds: float = 0.0
    after_polls: int | None = None
    waits_seconds: float = 0.0
    published: bool = True
    result: str = "completed"
    block: str | None = None
    operation: str | None = None
    allowed: bool = False
    code: str | None = None
    message: str | None = None
    power_after: str | None = None
    provisioning_after: str | None = None
    agent_after_seconds: float | None = None
    retry_after: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the keys that differ from the defaults."""
        plain = asdict(Transition())
        return {key: value for key, value in asdict(self).items() if value != plain[key]}


def check_transition(where: str, value: Any) -> dict[str, Any]:
    """Check one transition, given as a mapping or as the bare name of a result."""
    given = {"result": value} if isinstance(value, str) else value
    known = schema.keys(_TABLE)(where, given)
    if "after_polls" in known and "after_seconds" in known:
        raise FleetError(f"{where}: after_polls and after_seconds exclude each other")
    return known


def check_operations(where: str, value: Any) -> dict[str, list[dict[str, Any]]]:
    """Check a mapping of operation (or ``default``) to one transition, or a list: one per attempt, last repeats."""
    table = schema.keys({name: schema.anything for name in (*KINDS, "default")})(where, value)
    checked = {}
    for kind, given in table.items():
        attempts = given if isinstance(given, list) else [given]
        if not attempts:
            raise FleetError(f"{where}.{kind}: an empty list")
        checked[kind] = [check_transition(f"{where}.{kind}", item) for item in attempts]
    return checked


def choose(kind: str, attempt: int, *sources: dict[str, list[dict[str, Any]]]) -> Transition:
    """Return the transition of the attempt (from 0): later sources override earlier ones, key by key."""
    merged: dict[str, Any] = {}
    for source in sources:
        for name in ("default", kind):
            if name in source:
                layer = source[name][min(attempt, len(source[name]) - 1)]
                if "after_polls" in layer:
                    merged.pop("after_seconds", None)
                if "after_seconds" in layer:
                    merged.pop("after_polls", None)
                merged.update(layer)
    return Transition(**merged)
