# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When work is allowed: open hours by day of the week, closed dates, a time zone; and when a wave may next begin.

Standard library only; no clock.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
import typing as t
import zoneinfo
from dataclasses import dataclass

from .options import PolicyError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HORIZON_DAYS = 60
_MIDNIGHT = 24 * 60
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")
_Span = tuple[dt.datetime, dt.datetime]
_TEXT = {"type": "string"}
_FROM_TO = {"required": ["from", "to"], "additionalProperties": False, "properties": {"from": _TEXT, "to": _TEXT}}
_DAYS_FROM_TO = {"days": {"type": "array", "items": {"type": "string", "enum": list(DAYS)}}, "from": _TEXT, "to": _TEXT}
SCHEMA = {
    "type": "object", "required": ["time_zone"], "additionalProperties": False, "properties": {
        "time_zone": _TEXT,
        "open": {"type": "array", "items": {
            "type": "object", "required": list(_DAYS_FROM_TO), "additionalProperties": False, "properties": _DAYS_FROM_TO}},
        "closed": {"type": "array", "items": {"type": ["string", "object"], **_FROM_TO}},
    },
}
"""JSON schema of :meth:`Calendar.to_record`."""


@dataclass(frozen=True)
class Hours:
    """Open hours of some weekdays (0 is Monday), in minutes of the local day; an end before the start is next day's."""

    days: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Calendar:
    """``hours`` empty: open always. ``closed`` are first and last local days, both closed entirely."""

    time_zone: str = "UTC"
    hours: tuple[Hours, ...] = ()
    closed: tuple[tuple[dt.date, dt.date], ...] = ()

    @classmethod
    def from_options(cls, value: t.Any, key: str = "calendar") -> "Calendar":
        """Read ``{time_zone, open: [{days, from, to}], closed: [date | {from, to}]}``. Raises :class:`PolicyError`."""
        known = _mapping(value, ("time_zone", "open", "closed"), key, "{open: [{from: '22:00', to: '05:00'}]}")
        zone = known.get("time_zone") or "UTC"
        try:
            zoneinfo.ZoneInfo(zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, OSError):
            raise PolicyError(f"{key}.time_zone", zone, (
                "set a name of the time-zone database such as Europe/Amsterdam (if it is one, this computer lacks the "
                "database: install the system's or Python's tzdata)")) from None
        hours = tuple(_hours(item, f"{key}.open[{at}]") for at, item in enumerate(_items(known, "open", key)))
        if known.get("open") is not None and not hours:
            raise PolicyError(f"{key}.open", known["open"], (
                "without an open hour nothing could ever run; leave it out to be open always"))
        closed = tuple(_dates(item, f"{key}.closed[{at}]") for at, item in enumerate(_items(known, "closed", key)))
        return cls(zone, hours, closed)

    def to_record(self) -> dict[str, t.Any]:
        """The options as JSON types; :meth:`from_options` reads them back to an equal calendar."""
        record: dict[str, t.Any] = {"time_zone": self.time_zone}
        if self.hours:
            record["open"] = [{"days": [DAYS[day] for day in one.days], "from": _clock(one.start),
                               "to": _clock(one.end)} for one in self.hours]
        if self.closed:
            record["closed"] = [str(first) if first == last else {"from": str(first), "to": str(last)}
                                for first, last in self.closed]
        return record

    def next_start(self, moment: dt.datetime, minutes: float) -> dt.datetime | None:
        """The earliest time from ``moment`` (aware) at which work of so many minutes begins and ends in open hours.

        None when no open stretch that begins within 60 days is long enough. The answer is in UTC.
        """
        moment, length = moment.astimezone(dt.timezone.utc), dt.timedelta(minutes=minutes)
        last = moment + dt.timedelta(days=HORIZON_DAYS)
        for start, end in _stretches(self, moment.date()):
            begin = max(start, moment)
            if begin > last:
                break
            if end - begin >= length:
                return begin
        return None


@functools.lru_cache(maxsize=64)
def _stretches(calendar: Calendar, day: dt.date) -> tuple[_Span, ...]:
    """Open stretches from the day before ``day`` on, joined where they touch, in order."""
    zone = zoneinfo.ZoneInfo(calendar.time_zone)

    def at(local: dt.date, minute: int) -> dt.datetime:
        local += dt.timedelta(days=minute // _MIDNIGHT)
        clock = dt.time(minute % _MIDNIGHT // 60, minute % 60)
        return dt.datetime.combine(local, clock, zone).astimezone(dt.timezone.utc)

    days = [day + dt.timedelta(days=offset) for offset in range(-2, HORIZON_DAYS + 10)]
    hours = calendar.hours or (Hours(tuple(range(7)), 0, _MIDNIGHT),)
    spans = sorted((at(local, one.start), at(local, one.end + (_MIDNIGHT if one.end <= one.start else 0)))
                   for local in days for one in hours if local.weekday() in one.days)
    joined: list[_Span] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    for first, last in calendar.closed:
        joined = [part for span in joined for part in _without(span, at(first, 0), at(last, _MIDNIGHT))]
    return tuple(joined)


def _without(span: _Span, start: dt.datetime, end: dt.datetime) -> t.Iterator[_Span]:
    if span[0] < min(span[1], start):
        yield span[0], min(span[1], start)
    if max(span[0], end) < span[1]:
        yield max(span[0], end), span[1]


def _mapping(value: t.Any, known: t.Sequence[str], key: str, example: str) -> t.Mapping[str, t.Any]:
    if not isinstance(value, t.Mapping):
        raise PolicyError(key, value, f"set a mapping such as {example}")
    for name in value:
        if name not in known:
            raise PolicyError(f"{key}.{name}", value[name], f"there is no such key; known are {', '.join(known)}")
    return value


def _items(value: t.Mapping[str, t.Any], name: str, key: str) -> t.Sequence[t.Any]:
    found = value.get(name)
    if found is not None and (isinstance(found, (str, bytes)) or not isinstance(found, t.Sequence)):
        raise PolicyError(f"{key}.{name}", found, "set a list")
    return found or ()


def _hours(value: t.Any, key: str) -> Hours:
    known = _mapping(value, ("days", "from", "to"), key, "{days: [mon, tue], from: '22:00', to: '05:00'}")
    days = known.get("days")
    if days is None:
        days = DAYS
    if isinstance(days, str) or not isinstance(days, t.Sequence) or not days or any(day not in DAYS for day in days):
        raise PolicyError(f"{key}.days", days, f"set a list of {', '.join(DAYS)}")
    start, end = _minute(known.get("from", "00:00"), f"{key}.from"), _minute(known.get("to", "24:00"), f"{key}.to")
    if start == end or start == _MIDNIGHT:
        raise PolicyError(key, dict(known), "it begins when it ends; leave from and to out for the whole day")
    return Hours(tuple(sorted({DAYS.index(day) for day in days})), start, end)


def _minute(value: t.Any, key: str) -> int:
    """Minute of the day; YAML reads an unquoted 22:00 as the number 1320, which is just that."""
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if match and int(match[2]) < 60:
        minute = int(match[1]) * 60 + int(match[2])
    else:
        minute = value if isinstance(value, int) and not isinstance(value, bool) and value >= 60 else -1
    if not 0 <= minute <= _MIDNIGHT:
        raise PolicyError(key, value, "set a time of the day in quotes, from '00:00' to '24:00'")
    return minute


def _dates(value: t.Any, key: str) -> tuple[dt.date, dt.date]:
    if not isinstance(value, t.Mapping):
        day = _date(value, key)
        return day, day
    known = _mapping(value, ("from", "to"), key, "{from: '2026-12-24', to: '2027-01-02'}")
    first, last = (_date(known.get(end), f"{key}.{end}") for end in ("from", "to"))
    if last < first:
        raise PolicyError(key, {"from": str(first), "to": str(last)}, "it ends before it begins")
    return first, last


def _date(value: t.Any, key: str) -> dt.date:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    try:
        return dt.date.fromisoformat(value)
    except (TypeError, ValueError):
        raise PolicyError(key, value, "set a date such as '2026-12-24'") from None


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
