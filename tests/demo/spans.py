# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Spans of time in which something was down: which of them meet, and how close they came. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import combinations
from typing import Any, NamedTuple

_OPEN = datetime.max.replace(tzinfo=UTC)


class Span(NamedTuple):
    """A VM was down from `start` to `end`; `part` is what must not be down together with another part."""

    name: str
    part: str
    start: datetime
    end: datetime


class Closeness(NamedTuple):
    """Pairs of spans of different parts that met, and the smallest gap in seconds between those that did not."""

    met: list[tuple[Span, Span]]
    gap: float | None


def span(entry: Mapping[str, Any], part: str) -> Span:
    """The time of one write of the ledger; one that has not ended is open for ever."""
    end = datetime.fromisoformat(entry["end"]) if entry["end"] else _OPEN
    return Span(entry["name"], str(entry[part]), datetime.fromisoformat(entry["start"]), end)


def wait(entry: Mapping[str, Any]) -> float:
    """Seconds for which Azure held an operation that it had accepted."""
    return (datetime.fromisoformat(entry["start"]) - datetime.fromisoformat(entry["accepted"])).total_seconds()


def down(ledger: Iterable[Mapping[str, Any]], part: str) -> list[Span]:
    """The spans of the writes that took a VM down; `part` names the key that tells the parts apart."""
    return [span(entry, part) for entry in ledger if entry["down"]]


def closeness(spans: Iterable[Span]) -> Closeness:
    """How close spans of different parts came to each other; those that only touch did not meet."""
    met: list[tuple[Span, Span]] = []
    gaps: list[float] = []
    for first, second in combinations(sorted(spans, key=lambda span: span.start), 2):
        if first.part == second.part:
            continue
        if second.start < first.end:
            met.append((first, second))
        else:
            gaps.append((second.start - first.end).total_seconds())
    return Closeness(met, min(gaps, default=None))
