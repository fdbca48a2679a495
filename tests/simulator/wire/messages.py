# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests, responses, pages, and errors in the form of Resource Manager; nothing here knows a resource."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass
class Request:
    """One request: path with single slashes, query with lower-cased names, headers with lower-cased names."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    target: str = ""
    caller: Any = None

    @classmethod
    def parse(cls, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Request:
        """Build from a request line's target (or an absolute URL)."""
        parts = urlsplit(re.sub(r"^/{2,}", "/", target))
        path = re.sub(r"/{2,}", "/", unquote(parts.path))
        query = {name.lower(): value for name, value in parse_qsl(parts.query, keep_blank_values=True)}
        shown = path + ("?" + unquote(parts.query) if parts.query else "")
        return cls(method, path, query, {k.lower(): v for k, v in headers.items()}, body, shown)

    def json(self) -> Any:
        """Return the body as JSON, None when empty; raises ArmError 400 when it is not JSON."""
        if not self.body:
            return None
        try:
            return json.loads(self.body)
        except ValueError:
            raise ArmError(
                400, "InvalidRequestContent", "The request content was invalid and could not be deserialized."
            ) from None

    def form(self) -> dict[str, str]:
        """Return a form-encoded body."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace")))


_ENCODER = json.JSONEncoder(separators=(",", ":"))


def encode(value: Any) -> bytes:
    """Return compact JSON."""
    return _ENCODER.encode(value).encode("ascii")


@dataclass
class Page:
    """A page of a list; its items are JSON already."""

    items: list[bytes]
    next_link: str | None = None

    def encode(self) -> bytes:
        """Return the page as JSON."""
        link = b"" if self.next_link is None else b',"nextLink":' + encode(self.next_link)
        return b'{"value":[' + b",".join(self.items) + b"]" + link + b"}"


@dataclass
class Response:
    """What goes back: body is None (empty), bytes (as is), a Page, or anything JSON can hold."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        """Return the body as it goes over the wire."""
        if self.body is None:
            return b""
        if isinstance(self.body, bytes):
            return self.body
        return self.body.encode() if isinstance(self.body, Page) else encode(self.body)

    def plain(self) -> Any:
        """Return the body as data, for an answer inside another."""
        return json.loads(self.body.encode()) if isinstance(self.body, Page) else self.body


class ArmError(Exception):
    """An error in ARM's usual body: {"error": {"code", "message"}}, with extra members such as target or details."""

    def __init__(
        self, status: int, code: str, message: str, headers: dict[str, str] | None = None, **extra: Any
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}
        self.extra = extra

    def response(self) -> Response:
        """Render the error."""
        error = {"code": self.code, "message": self.message, **self.extra}
        return Response(self.status, {"error": error}, dict(self.headers))
