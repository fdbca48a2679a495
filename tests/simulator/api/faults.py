# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declared misbehaviour: which requests it meets, and what it does to them."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import Any

from ..wire.messages import Page, Request, Response


class Dropped(Exception):
    """The connection ends here, without an answer."""


@dataclass
class Fault:
    """A fault and how often it has been met; it acts on ``count`` requests (0: all) from the nth match on."""

    spec: dict[str, Any]
    seen: int = 0
    acted: int = 0
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        self.pattern = re.compile(self.spec["match"].get("path", ""), re.IGNORECASE)

    def meets(self, request: Request) -> bool:
        """Say whether it acts on this request, counting it."""
        match = self.spec["match"]
        if "method" in match and match["method"].upper() != request.method:
            return False
        if not self.pattern.search(request.target):
            return False
        self.seen += 1
        nth, count = match.get("nth", 1), match.get("count", 1)
        if self.seen < nth or (count and self.seen >= nth + count):
            return False
        self.acted += 1
        return True

    @property
    def answers(self) -> bool:
        """Say whether it replaces the real answer."""
        return "status" in self.spec or "body" in self.spec

    def response(self) -> Response:
        """Return the answer that replaces the real one."""
        spec = self.spec
        status = spec.get("status", 200)
        headers = {"Retry-After": str(spec["retry_after"])} if "retry_after" in spec else {}
        if "body" in spec:
            body = spec["body"].encode() if isinstance(spec["body"], str) else spec["body"]
            if isinstance(body, bytes):
                headers["Content-Type"] = "text/html"
            return Response(status, body, headers)
        error = {
            "code": spec.get("code", _CODES.get(status, "InternalServerError")),
            "message": spec.get("message", "The simulator was told to answer this."),
        }
        return Response(status, {"error": error} if spec.get("wrapped", True) else error, headers)


_CODES = {
    401: "InvalidAuthenticationToken",
    403: "AuthorizationFailed",
    404: "ResourceNotFound",
    409: "OperationNotAllowed",
    429: "TooManyRequests",
    503: "ServiceUnavailable",
    504: "GatewayTimeout",
}


class Faults:
    """The faults now in force; the first that meets a request acts on it."""

    def __init__(self, specs: list[dict[str, Any]]) -> None:
        self._lock = threading.Lock()
        self.all = [Fault(spec) for spec in specs]

    def add(self, specs: list[dict[str, Any]]) -> None:
        """Put more faults in force, after those that are."""
        with self._lock:
            self.all += [Fault(spec) for spec in specs]

    def clear(self) -> None:
        """End all faults."""
        with self._lock:
            self.all = []

    def meet(self, request: Request) -> Fault | None:
        """Return the fault that acts on this request, or None."""
        with self._lock:
            return next((fault for fault in self.all if fault.meets(request)), None)

    def report(self) -> list[dict[str, Any]]:
        """Return every fault with how often it was seen and acted."""
        with self._lock:
            return [{**fault.spec, "seen": fault.seen, "acted": fault.acted} for fault in self.all]


def distort(fault: Fault, response: Response, same_page: str) -> Response:
    """Change an answer as the fault says: headers, lost nextLink, a page without items that leads to the same again."""
    response.headers.update(fault.spec.get("headers", {}))
    if fault.spec.get("lose_next_link") and isinstance(response.body, Page):
        response.body.next_link = None
    if fault.spec.get("empty_page") and isinstance(response.body, Page):
        response.body = Page([], same_page)
    if fault.spec.get("cut"):
        content = response.content()
        response.body = content[: len(content) // 2]
    return response
