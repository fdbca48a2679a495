# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times as text: as fleet files give them, and in each of the forms that Azure's answers have."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import formatdate

_RELATIVE = re.compile(r"^(?P<sign>[+-])(?P<parts>(?:\d+(?:\.\d+)?[smhdw])+)$")
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def parse_when(text: object, base: datetime) -> datetime:
    """Read ``now``, ``-2d``, ``+1d12h`` (relative to base) or an ISO time; naive times are UTC.

    Raises ValueError for anything else.
    """
    if isinstance(text, datetime):
        return text if text.tzinfo else text.replace(tzinfo=UTC)
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is not a time")
    if text == "now":
        return base
    relative = _RELATIVE.match(text)
    if relative:
        seconds = sum(float(number) * _UNIT[unit] for number, unit in _PART.findall(relative["parts"]))
        return base + timedelta(seconds=seconds if relative["sign"] == "+" else -seconds)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time (now, -2d, +1d12h, or ISO 8601)") from None
    return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)


def precise(when: datetime) -> str:
    """Format as Compute does in statuses and operations: seven fraction digits and an offset."""
    return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond:06d}1+00:00"


def coarse(when: datetime) -> str:
    """Format as Compute does in the maintenance block: whole seconds and an offset."""
    return f"{when:%Y-%m-%dT%H:%M:%S}+00:00"


def iso(when: datetime | None) -> str | None:
    """Format for the ledger and the saved state: ISO 8601 in UTC with microseconds."""
    return None if when is None else when.isoformat(timespec="microseconds")


def http_date(when: datetime) -> str:
    """Format for the Date header."""
    return formatdate(when.timestamp(), usegmt=True)
