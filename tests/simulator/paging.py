# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of a list: a nextLink with an opaque $skiptoken, absolute, carrying the query of the first call."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from .routing import ArmError, Request, Response


def page(url: str, request: Request, items: Sequence[Any], size: int, render: Callable[[Any], Any]) -> Response:
    """Return the page that the request's $skiptoken names (the first without one)."""
    start = _offset(request.query.get("$skiptoken"))
    body: dict[str, Any] = {"value": [render(item) for item in items[start : start + size]]}
    if start + size < len(items):
        kept = {name: value for name, value in request.query.items() if name != "$skiptoken"}
        kept["$skiptoken"] = base64.urlsafe_b64encode(f"offset={start + size}".encode()).decode()
        query = "&".join(f"{_SPELLED.get(name, name)}={quote(value, safe='')}" for name, value in kept.items())
        body["nextLink"] = f"{url}{quote(request.path)}?{query}"
    return Response(200, body)


_SPELLED = {"statusonly": "statusOnly"}


def _offset(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token.encode()).decode().removeprefix("offset="))
    except ValueError:
        raise ArmError(400, "InvalidSkipToken", "The skip token is not valid.") from None
