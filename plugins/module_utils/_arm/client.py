# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The port onto Azure Resource Manager: read one thing, read a whole list, start an operation once, ask after it.

Sign-in is azure-identity's. Requests go through the pipeline of azure-mgmt-compute's client, made of our own policies
(:mod:`transport`). Reads are repeated until there is an answer (:mod:`retry`); a start never is. Bodies stay the plain JSON of
the REST API, because its answers are looser than the generated models allow.
"""

from __future__ import annotations

import datetime as dt
import threading
import typing as t
import urllib.parse
from dataclasses import dataclass

from .retry import Reader
from .transport import (
    Answer, Renewable, SameHostAuthentication, Wire, cut_short, error_in, error_of, first_line, host_of, is_no_answer, is_sign_in, make_anonymous,
    make_client, make_transport, never_sent, retry_after, sign_in_error,
)
from .._bounds import TooMuch, loads
from .._errors import AzureError, IncompleteFleet, NotFound
from .credentials import Settings, make_credential, resolve_cloud
from .rate_limit import Clock, Pacing, WallClock

try:
    from azure.core.rest import HttpRequest
except ImportError:  # module.py names the missing packages before anything here is used
    pass

COMPUTE = "2024-11-01"
NETWORK = "2024-05-01"
SCALE_SET_NETWORK = "2018-10-01"
RESOURCES = "2022-12-01"
RESOURCE_LIST = "2021-04-01"
ACTIVITY_LOG = "2015-04-01"
_MAX_PAGES = 10_000
_NO_PAGE = (-1, None)
# 4xx answers of something on the way that did not wait for Azure's.
_TIMED_OUT = (408, 425, 499)
_WORDS = {"succeeded": "succeeded", "failed": "failed", "canceled": "canceled", "cancelled": "canceled"}
# Answers after which only the VM itself can tell: the URL is not known any more, or not to be asked.
_NOT_TOLD = (400, 403, 404, 405, 410)


@dataclass(frozen=True)
class PostResult:
    """What is known after one POST: ``accepted`` (200, 202), ``refused`` (4xx), ``throttled`` (429: not executed) or
    ``unknown`` (5xx, no answer or one that cannot be read: it may have been executed). URLs are None when absent or when they leave the ARM host.
    ``wait_said``: words for a wait so long that ``retry_after`` is a part of it."""

    kind: str
    status: int | None = None
    code: str | None = None
    message: str | None = None
    operation_url: str | None = None
    location_url: str | None = None
    retry_after: float | None = None
    request_id: str | None = None
    wait_said: str = ""


@dataclass(frozen=True)
class OperationStatus:
    """``state`` is running, succeeded, failed, canceled or forgotten (the URL is no longer known: look at the VM)."""

    state: str
    code: str | None = None
    message: str | None = None


class Arm:
    """One signed-in connection to a cloud's Resource Manager. Thread-safe once made; makes no request until asked."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self._clock = clock = clock or WallClock()
        self._parsing = threading.Lock()
        transport = make_transport()
        pacing = Pacing(clock)
        anonymous = Reader(Wire(make_anonymous(transport)), clock, pacing)
        self.cloud = resolve_cloud(settings, lambda url: anonymous.read(HttpRequest("GET", url), "read the cloud's metadata", loads))
        self.host = host_of(self.cloud.resource_manager)
        credential = Renewable(lambda: make_credential(settings, self.cloud))
        authentication = SameHostAuthentication(credential, self.cloud.scope, self.host)
        self.compute = make_client(transport, authentication, self.cloud.resource_manager, settings.subscription_id or "")
        self._wire = Wire(self.compute._client)
        self.reader = Reader(self._wire, clock, pacing, credential)

    @property
    def requests(self) -> int:
        """HTTP answers seen so far."""
        return self._wire.answers

    def abandon(self) -> None:
        """End the waiting of all threads that read: their answers are not wanted any more. Nothing can be read afterwards."""
        if isinstance(self._clock, WallClock):
            self._clock.abandon()

    def now(self) -> dt.datetime:
        """Aware UTC time of the cloud, by the Date header of its last answer (the controller's clock may be off)."""
        return dt.datetime.now(dt.timezone.utc) + self._wire.skew

    def url(self, path: str, api_version: str, params: t.Mapping[str, str] | None = None) -> str:
        query = urllib.parse.urlencode({**(params or {}), "api-version": api_version}, safe="$,'", quote_via=urllib.parse.quote)
        return f"{self.cloud.resource_manager}{urllib.parse.quote(path, safe='/')}?{query}"

    def get(self, path: str, api_version: str, doing: str, params: t.Mapping[str, str] | None = None) -> dict[str, t.Any]:
        """One resource. Raises NotFound, AuthError or AzureError, each saying what was being done."""
        return self._object(HttpRequest("GET", self.url(path, api_version, params)), doing)

    def query(self, path: str, api_version: str, doing: str, body: t.Mapping[str, t.Any], once: bool = False) -> dict[str, t.Any]:
        """The answer to a question asked by POST. It changes nothing and may be asked again, unless ``once``; raises as :meth:`get` does."""
        return self._object(HttpRequest("POST", self.url(path, api_version), json=body), doing, once)

    def put(self, path: str, api_version: str, doing: str, body: t.Mapping[str, t.Any]) -> None:
        """Make a resource what ``body`` says. Twice is the same as once, so it is repeated as a read is; raises as :meth:`get` does."""
        self.reader.read(HttpRequest("PUT", self.url(path, api_version), json=body), doing, loads)

    def delete(self, path: str, api_version: str, doing: str) -> None:
        """Delete a resource, or find it gone; repeated as :meth:`put` is."""
        try:
            self.reader.read(HttpRequest("DELETE", self.url(path, api_version)), doing, loads)
        except NotFound as error:
            if (error.code or "notfound").lower() not in ("resourcenotfound", "notfound"):
                raise

    def _object(self, request: t.Any, doing: str, once: bool = False) -> dict[str, t.Any]:
        body = self.reader.read(request, doing, loads, once=once)
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
            page = loads(content)
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
        return self._send_once(HttpRequest("POST", self.url(path, api_version), headers={"x-ms-client-request-id": client_request_id}))

    def put_once(self, path: str, api_version: str, client_request_id: str, body: t.Mapping[str, t.Any], etag: str) -> PostResult:
        """Send one PUT, once, that Azure refuses with 412 unless the resource still has this etag; else as :meth:`post`."""
        headers = {"x-ms-client-request-id": client_request_id, "If-Match": etag}
        return self._send_once(HttpRequest("PUT", self.url(path, api_version), headers=headers, json=body))

    def _send_once(self, request: t.Any) -> PostResult:
        try:
            response = self._wire.send(request, **self.reader.timeout(read=False))
        except Exception as error:
            if is_sign_in(error):
                raise sign_in_error(error) from None
            if not is_no_answer(error):
                raise
            if never_sent(error):
                return PostResult("refused", code="ConnectionFailed", message=first_line(error))
            return PostResult("unknown", code="NoAnswer", message=first_line(error))
        return self._post_result(response)

    def _post_result(self, answer: Answer) -> PostResult:
        status, headers = answer.status_code, answer.headers
        refused = 400 <= status < 500 and status not in _TIMED_OUT
        kind = "accepted" if status in (200, 201, 202) else "throttled" if status == 429 else "refused" if refused else "unknown"
        code, message, trouble = None, None, answer.trouble
        try:
            code, message = error_of(answer.content)
        except TooMuch as error:
            trouble = error
        if trouble:  # nobody knows that Azure has sent it: its status proves nothing
            kind, code, message = "unknown", "UnreadableAnswer", f"its body cannot be read: {first_line(trouble)}"
        return PostResult(kind, status, code, message, self._own_url(headers.get("Azure-AsyncOperation")), self._own_url(headers.get("Location")),
                          retry_after(headers), headers.get("x-ms-request-id"), cut_short(headers))

    def operation(self, url: str, monitor: bool = False) -> OperationStatus:
        """Ask after a running operation; a ``monitor`` URL (Location) tells of a failure by its HTTP status.

        Raises AzureError when no answer is to be had now.
        """
        doing = "poll the operation"
        try:
            body = self.reader.read(HttpRequest("GET", url), doing, loads)
        except AzureError as error:
            if error.status in _NOT_TOLD:
                return OperationStatus("forgotten")
            if monitor and error.status and 400 <= error.status < 500 and error.status not in (401, 429, *_TIMED_OUT):
                return OperationStatus("failed", error.code, error.detail)
            raise
        if not isinstance(body, (dict, type(None))):
            raise AzureError(doing, "the answer is not a JSON object")
        if not body:  # a monitor URL: 200 or 204 with nothing in it is success
            return OperationStatus("succeeded")
        return self._operation_status({str(key).lower(): value for key, value in body.items()})

    @staticmethod
    def _operation_status(body: t.Mapping[str, t.Any]) -> OperationStatus:
        properties = body.get("properties") if isinstance(body.get("properties"), dict) else {}
        word = str(body.get("status") or properties.get("provisioningState") or "").lower()
        if not word:  # a monitor URL that ends with the resource, or nothing that anybody understands: the VM tells
            return OperationStatus("forgotten")
        code, message = error_in({"error": body["error"]}) if isinstance(body.get("error"), dict) else (None, None)
        return OperationStatus(_WORDS.get(word, "running"), code, message)

    def _own_url(self, url: str | None) -> str | None:
        """The URL if it is on the Resource Manager host, as a bare path is."""
        whole = f"{self.cloud.resource_manager}{url}" if url and url.startswith("/") and not url.startswith("//") else url
        return whole if whole and host_of(whole) == self.host else None
