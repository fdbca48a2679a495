# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of routes: which request is answered by whom."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..wire.messages import Response

Handler = Callable[..., Response]


@dataclass(frozen=True)
class Route:
    """A method, a path pattern and who answers; ``open`` routes need no bearer token."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler
    open: bool


def route(method: str, template: str, handler: Handler, *, is_open: bool = False) -> Route:
    """Make a route from a template such as /subscriptions/{subscription}; letters match in either case."""
    pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template))
    return Route(method, re.compile(pattern + "/?", re.IGNORECASE), handler, is_open)


class Router:
    """Finds the route of a request."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = list(routes)

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """Return the route and its path parameters, or None."""
        for candidate in self.routes:
            if candidate.method == method:
                match = candidate.pattern.fullmatch(path)
                if match:
                    return candidate, match.groupdict()
        return None
