# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of a declared fault, each with its check; what they do is in api/faults.py."""

from __future__ import annotations

import re
from typing import Any

from . import build_load_balancers, schema
from .schema import FleetError

_MATCH: dict[str, schema.Check] = {
    "method": schema.text,
    "path": schema.text,
    "nth": schema.whole(1),
    "count": schema.whole(0),
}
_TABLE: dict[str, schema.Check] = {
    "match": schema.keys(_MATCH),
    "status": schema.whole(100),
    "code": schema.text,
    "message": schema.text,
    "retry_after": schema.whole(0),
    "wrapped": schema.flag,
    "executed": schema.flag,
    "body": schema.anything,
    "truncate": schema.flag,
    "drop": schema.one_of("before", "after"),
    "cut": schema.flag,
    "lose_next_link": schema.flag,
    "empty_page": schema.flag,
    "expire_token": schema.flag,
    "delete_vm": schema.text,
    "load_balancer": build_load_balancers.check_change,
    "delay": schema.seconds,
    "headers": schema.map_of(schema.text),
}


def check_fault(where: str, value: Any) -> dict[str, Any]:
    """Check one declared fault."""
    known = schema.keys(_TABLE, ("match",))(where, value)
    try:
        re.compile(known["match"].get("path", ""))
    except re.error as error:
        raise FleetError(f"{where}.match.path: {error}") from None
    if len(known) == 1:
        raise FleetError(f"{where}: says no fault (known: {', '.join(key for key in _TABLE if key != 'match')})")
    return known
