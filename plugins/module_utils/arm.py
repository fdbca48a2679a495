# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The port onto Azure Resource Manager: read one thing, read a whole list, start an operation once, ask after it.

Sign-in is azure-identity's, transport and tokens are azure-core's pipeline (:mod:`arm_transport`). Reads are repeated until there
is an answer (:mod:`arm_reader`); a start never is. Bodies stay the plain JSON of the REST API, because its answers are looser
than the generated models allow.
"""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
import typing as t
import urllib.parse
from dataclasses import dataclass

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.arm_reader import Reader
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.arm_transport import (
    Renewable, SameHostAuthentication, Wire, error_of, first_line, host_of, is_no_answer, is_sign_in, make_client, make_transport, never_sent,
    seconds_of, sign_in_error)
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.credentials import Settings, make_credential, resolve_cloud
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.errors import AzureError, IncompleteFleet, NotFound
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.pacing import Clock, Pacing

try:
    from azure.core.rest import HttpRequest
except ImportError:  # module.py names the missing packages before anything here is used
    pass

COMPUTE = "2024-11-01"
NETWORK = "2024-05-01"
SCALE_SET_NETWORK = "2018-10-01"
RESOURCES = "2022-12-01"
ACTIVITY_LOG = "2015-04-01"
_MAX_PAGES = 10_000
_NO_PAGE = (-1, None)


@dataclass(frozen=True)
class PostResult:
    """What is known after one POST: ``accepted`` (200, 202), ``refused`` (4xx), ``throttled`` (429: not executed) or
    ``unknown`` (5xx, no answer: it may have been executed). URLs are None when absent or when they leave the ARM host."""

    kind: str
    status: int | None = None
    code: str | None = None
    message: str | None = None
    operation_url: str | None = None
    location_url: str | None = None
    retry_after: float | None = None
    request_id: str | None = None


@dataclass(frozen=True)
class OperationStatus:
    """``state`` is running, succeeded, failed, canceled or forgotten (the URL is no longer known: look at the VM)."""

    state: str
    code: str | None = None
    message: str | None = None


class Arm:
    """One signed-in connection to a cloud's Resource Manager. Thread-safe once made; makes no request until asked."""

    def __init__(self, settings: Settings, clock: Clock = time) -> None:
        self.settings = settings
        self._parsing = threading.Lock()
        transport = make_transport()
        pacing = Pacing(clock)
        anonymous = Reader(Wire(make_client(transport)), clock, pacing)
        self.cloud = resolve_cloud(settings, lambda url: anonymous.read(HttpRequest("GET", url), "read the cloud's metadata", json.loads))
        self.host = host_of(self.cloud.resource_manager)
        credential = Renewable(lambda: make_credential(settings, self.cloud))
        self._wire = Wire(make_client(transport, SameHostAuthentication(credential, self.cloud.scope, self.host)))
        self.reader = Reader(self._wire, clock, pacing, credential)

    @property
    def requests(self) -> int:
        """HTTP answers seen so far."""
        return self._wire.answers

    def now(self) -> dt.datetime:
        """Aware UTC time of the cloud, by the Date header of its last answer (the controller's clock may be off)."""
        return dt.datetime.now(dt.timezone.utc) + self._wire.skew

    def url(self, path: str, api_version: str, params: t.Mapping[str, str] | None = None) -> str:
        query = urllib.parse.urlencode({**(params or {}), "api-version": api_version}, safe="$,'", quote_via=urllib.parse.quote)
        return f"{self.cloud.resource_manager}{urllib.parse.quote(path, safe='/')}?{query}"

    def get(self, path: str, api_version: str, doing: str, params: t.Mapping[str, str] | None = None) -> dict[str, t.Any]:
        """One resource. Raises NotFound, AuthError or AzureError, each saying what was being done."""
        return self._object(HttpRequest("GET", self.url(path, api_version, params)), doing)

    def query(self, path: str, api_version: str, doing: str, body: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """The answer to a question asked by POST. It changes nothing and may be asked again; raises as :meth:`get` does."""
        return self._object(HttpRequest("POST", self.url(path, api_version), json=body), doing)

    def put(self, path: str, api_version: str, doing: str, body: t.Mapping[str, t.Any]) -> None:
        """Make a resource what ``body`` says. Twice is the same as once, so it is repeated as a read is; raises as :meth:`get` does."""
        self.reader.read(HttpRequest("PUT", self.url(path, api_version), json=body), doing, json.loads)

    def delete(self, path: str, api_version: str, doing: str) -> None:
        """Delete a resource, or find it gone; repeated as :meth:`put` is."""
        try:
            self.reader.read(HttpRequest("DELETE", self.url(path, api_version)), doing, json.loads)
        except NotFound as error:
            if (error.code or "").lower() not in ("resourcenotfound", "notfound"):
                raise

    def _object(self, request: t.Any, doing: str) -> dict[str, t.Any]:
        body = self.reader.read(request, doing, json.loads)
        if not isinstance(body, dict):
            raise AzureError(doing, "the answer is not a JSON object")
        return body

    def list(self, path: str, api_version: str, doing: str, params: t.Mapping[str, str] | None = None) -> list[dict[str, t.Any]]:
        """All items of a list, every page of it; raises rather than returning a part."""
        items: list[dict[str, t.Any]] = []
        self.each(path, api_version, doing, items.append, params)
        return items

    def each(self, path: str, api_version: str, doing: str, take: t.Callable[[dict[str, t.Any]], t.Any],
             params: t.Mapping[str, str] | None = None) -> None:
        """Hand every item of a list to ``take``, each page as it arrives, so that no list is ever in memory as a whole.

        One page is parsed and taken at a time, however many lists are under way; ``take`` needs no lock of its own.
        Raises AzureError when a page cannot be had, and IncompleteFleet when ``take`` cannot understand an item.
        """
        url: str | None = self.url(path, api_version, params)
        seen: set[str] = set()
        items = 0
        while url:
            if url in seen or len(seen) >= _MAX_PAGES:
                raise AzureError(doing, f"page {len(seen) + 1} points back to a page already read; {items} items seen so far")
            seen.add(url)
            page = self.reader.read(HttpRequest("GET", url), f"{doing} (page {len(seen)})", lambda content: self._take(content, doing, take), patient=False)
            if page is None or page == _NO_PAGE:
                raise AzureError(doing, f"page {len(seen)} has no list of values; {items} items seen so far")
            items, url = items + page[0], page[1]

    def _take(self, content: bytes, doing: str, take: t.Callable[[dict[str, t.Any]], t.Any]) -> tuple[int, str | None]:
        """(number of items, next link) of a page whose items have been taken."""
        with self._parsing:
            page = json.loads(content)
            values = page.get("value") if isinstance(page, dict) else None
            if not isinstance(values, list):
                return _NO_PAGE
            for item in values:
                try:
                    take(item)
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    what = item.get("id") if isinstance(item, dict) else repr(item)[:80]
                    raise IncompleteFleet(f"understand {what} when asked to {doing}", f"{type(error).__name__}: {error}") from error
            return len(values), page.get("nextLink") or None

    def post(self, path: str, api_version: str, client_request_id: str) -> PostResult:
        """Send one POST without a body, once. Never raises for what the network or Azure answers.

        Only signing in may raise (AuthError): then nothing has been sent.
        """
        request = HttpRequest("POST", self.url(path, api_version), headers={"x-ms-client-request-id": client_request_id})
        try:
            response = self._wire.send(request)
        except Exception as error:
            if is_sign_in(error):
                raise sign_in_error(error) from None
            if not is_no_answer(error):
                raise
            if never_sent(error):
                return PostResult("refused", code="ConnectionFailed", message=first_line(error))
            return PostResult("unknown", code="NoAnswer", message=first_line(error))
        return self._post_result(response)

    def _post_result(self, response: t.Any) -> PostResult:
        status, headers = response.status_code, response.headers
        code, message = error_of(response.content or b"")
        kind = "accepted" if status in (200, 201, 202) else "throttled" if status == 429 else "unknown" if status >= 500 or status < 400 else "refused"
        return PostResult(kind, status, code, message, self._own_url(headers.get("Azure-AsyncOperation")),
                          self._own_url(headers.get("Location")), seconds_of(headers.get("Retry-After")), headers.get("x-ms-request-id"))

    def operation(self, url: str) -> OperationStatus:
        """Ask after a running operation. Raises AzureError when no answer is to be had now."""
        doing = "ask after the operation"
        try:
            body = self.reader.read(HttpRequest("GET", url), doing, json.loads)
        except NotFound:
            return OperationStatus("forgotten")
        except AzureError as error:
            if error.status == 410:
                return OperationStatus("forgotten")
            raise
        if not isinstance(body, (dict, type(None))):
            raise AzureError(doing, "the answer is not a JSON object")
        if not body:  # a monitor URL: 200 or 204 with nothing in it is success
            return OperationStatus("succeeded")
        word = str(body.get("status") or "").lower()
        failure = body.get("error") if isinstance(body.get("error"), dict) else {}
        return OperationStatus({"succeeded": "succeeded", "failed": "failed", "canceled": "canceled"}.get(word, "running"),
                               failure.get("code"), failure.get("message"))

    def _own_url(self, url: str | None) -> str | None:
        return url if url and host_of(url) == self.host else None
