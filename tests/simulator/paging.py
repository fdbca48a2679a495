# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of a list: a nextLink with an opaque $skiptoken, absolute, carrying the query of the first call."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .routing import ArmError, Request, Response

if TYPE_CHECKING:
    from .world import World


def page(world: World, request: Request, items: Sequence[Any], render: Callable[[Any], Any]) -> Response:
    """Return the page that the request's $skiptoken names (the first without one)."""
    size, token = world.fleet.page_size, request.query.get("$skiptoken")
    if token is None and world.fleet.quirks["empty_first_page"]:
        return Response(200, {"value": [], "nextLink": _link(world, request, 0)})
    start = _offset(token)
    body: dict[str, Any] = {"value": [render(item) for item in items[start : start + size]]}
    if start + size < len(items):
        body["nextLink"] = _link(world, request, start + size)
    return Response(200, body)


def _link(world: World, request: Request, offset: int) -> str:
    kept = {name: value for name, value in request.query.items() if name != "$skiptoken"}
    kept["$skiptoken"] = base64.urlsafe_b64encode(f"offset={offset}".encode()).decode()
    query = "&".join(f"{_SPELLED.get(name, name)}={quote(value, safe='')}" for name, value in kept.items())
    return f"{world.url}{quote(request.path)}?{query}"


_SPELLED = {"statusonly": "statusOnly"}


def _offset(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token.encode()).decode().removeprefix("offset="))
    except ValueError:
        raise ArmError(400, "InvalidSkipToken", "The skip token is not valid.") from None
