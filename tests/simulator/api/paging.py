# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of a list: a nextLink with an opaque $skiptoken, absolute, carrying the query of the first call."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..wire.messages import ArmError, Page, Request, Response, encode

if TYPE_CHECKING:
    from .world import World


def page(
    world: World, request: Request, items: Sequence[Any], render: Callable[[Any], dict[str, Any] | bytes]
) -> Response:
    """Return the page that the request's $skiptoken names (the first without one)."""
    size, token = world.fleet.page_size, request.query.get("$skiptoken")
    if token is None and world.fleet.quirks["empty_first_page"]:
        return Response(200, Page([], _link(world, request, 0)))
    start = _offset(token)
    shown = [
        item if isinstance(item, bytes) else encode(item) for item in map(render, items[start : start + size])
    ]
    return Response(200, Page(shown, _link(world, request, start + size) if start + size < len(items) else None))


def same_page(world: World, request: Request) -> str:
    """Return the link to the page that the request asks for (the first, if its token is none)."""
    try:
        return _link(world, request, _offset(request.query.get("$skiptoken")))
    except ArmError:
        return _link(world, request, 0)


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
