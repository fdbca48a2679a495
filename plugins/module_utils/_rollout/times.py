# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The times of a plan for a person: in UTC, as Azure says them, and beside it in the zone of the machine that Ansible runs on.

Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import datetime as dt
import re
import typing as t

from .._azure.maintenance import parse_time

_SOON = dt.timedelta(hours=2)
_STAMP = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


class Times:
    """Texts of moments, which are ISO texts. ``zone`` is shown beside UTC, None for the machine's own; ``now`` is when the plan is looked at."""

    def __init__(self, now: str, zone: dt.tzinfo | None) -> None:
        self._text, self._now, self._zone = now, t.cast(dt.datetime, parse_time(now)), zone

    def in_utc(self) -> "Times":
        """The same without the zone."""
        return Times(self._text, dt.timezone.utc)

    def sentence(self, text: str) -> str:
        """``2026-03-10 13:21 UTC (14:21 CET)``."""
        return f"{_minute(text)} UTC{self._beside(text)}"

    def annotated(self, text: str) -> str:
        """A text with the zone's time behind each ISO time in it."""
        return _STAMP.sub(lambda found: found[0] + self._beside(found[0]), text)

    def heading(self, moments: t.Iterable[str | None]) -> str:
        """What the times of a column are in: ``(UTC)``, or ``(UTC, CET)``."""
        names = dict.fromkeys(there.tzname() or "local" for text in moments if text for there in [self._there(text)] if there)
        return f"({', '.join(['UTC', *(['/'.join(names)] if names else [])])})"

    def deadline(self, text: str | None) -> str:
        """A cell of such a column; in minutes when there are less than two hours left."""
        if not text:
            return "none"
        left = t.cast(dt.datetime, parse_time(text)) - self._now
        if not dt.timedelta() <= left < _SOON:
            return _minute(text) + self._after(text)
        return f"in {left // dt.timedelta(minutes=1)} min ({text[11:16]}{self._after(text)})"

    def span(self, begin: str, end: str) -> str:
        """From when to when, as a cell of such a column."""
        there = [moment for moment in (self._there(begin), self._there(end)) if moment]
        beside = "-".join(f"{moment:%H:%M}" for moment in there)
        return f"{_minute(begin)[5:]}-{end[11:16]}{', ' if beside else ''}{beside}"

    def _there(self, text: str) -> dt.datetime | None:
        """The moment in the zone, unless that is the same as UTC just then."""
        there = t.cast(dt.datetime, parse_time(text)).astimezone(self._zone)
        return there if there.utcoffset() else None

    def _after(self, text: str) -> str:
        there = self._there(text)
        return f", {_day(there, text)}{there:%H:%M}" if there else ""

    def _beside(self, text: str) -> str:
        there = self._there(text)
        return f" ({_day(there, text)}{there:%H:%M} {there.tzname()})" if there else ""


def _minute(text: str) -> str:
    return text[:16].replace("T", " ")


def _day(there: dt.datetime, text: str) -> str:
    """Its date, where that is another one than in UTC."""
    return f"{there:%m-%d} " if f"{there:%Y-%m-%d}" != text[:10] else ""
