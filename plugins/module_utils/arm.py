# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The port onto Azure Resource Manager: read one thing, read a whole list, start an operation once, ask after it.

Sign-in is azure-identity's; transport, retries and tokens are azure-core's pipeline as azure-mgmt-core sets it up for ARM.
Bodies stay the plain JSON of the REST API, because its answers are looser than the generated models allow.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import json
import logging
import typing as t
import urllib.parse
from dataclasses import dataclass

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.credentials import (
    Settings, make_credential, resolve_cloud,
)
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.errors import AuthError, AzureError, NotFound

try:
    from azure.core import exceptions as core_errors
    from azure.core.pipeline import policies
    from azure.core.pipeline.transport import RequestsTransport
    from azure.core.rest import HttpRequest
    from azure.mgmt.core import ARMPipelineClient
    from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProxyError
except ImportError:  # module.py names the missing packages before anything here is used
    ARMChallengeAuthenticationPolicy = object

COMPUTE = "2024-11-01"
NETWORK = "2024-05-01"
RESOURCES = "2022-12-01"
ACTIVITY_LOG = "2015-04-01"
USER_AGENT = "ansible-fleetops.azure_maintenance/1.0.0"
_READ_TRIES = 3
# The SDK prints pages of attempts on stderr; the one line that matters is in the error.
for _chatty in ("azure.identity", "azure.core"):
    logging.getLogger(_chatty).setLevel(logging.CRITICAL)
_MAX_PAGES = 10_000


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


class SameHostAuthentication(ARMChallengeAuthenticationPolicy):
    """Bearer tokens for the configured Resource Manager only.

    Answers carry URLs (next pages, operations); a token must not follow one to a foreign host.
    """

    def __init__(self, credential: t.Any, scope: str, host: str) -> None:
        super().__init__(credential, scope)
        self._host = host

    def on_request(self, request: t.Any) -> None:
        host = _host_of(request.http_request.url)
        if host != self._host:
            raise AzureError(f"ask {host}", f"an answer of {self._host} pointed there; tokens are only sent to {self._host}")
        super().on_request(request)


class Arm:
    """One signed-in connection to a cloud's Resource Manager. Thread-safe once made; makes no request until asked."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.requests = 0
        """HTTP answers seen so far, retries not counted."""
        self._skew = dt.timedelta(0)
        transport = RequestsTransport(connection_timeout=15, read_timeout=120)
        common = [policies.RequestIdPolicy(), policies.HeadersPolicy(), policies.UserAgentPolicy(base_user_agent=USER_AGENT)]
        retries = policies.RetryPolicy(retry_total=6, retry_backoff_max=30)
        anonymous = ARMPipelineClient(base_url="", policies=[*common, retries], transport=transport)
        self.cloud = resolve_cloud(settings, lambda url: self._json(anonymous, url, "read the cloud's metadata"))
        self.host = _host_of(self.cloud.resource_manager)
        sign = SameHostAuthentication(make_credential(settings, self.cloud), self.cloud.scope, self.host)
        self._reader = ARMPipelineClient(base_url="", policies=[*common, retries, sign], transport=transport)
        # No retry policy: azure-core repeats a POST on 500, 503 and 504, which would spend a second attempt.
        self._starter = ARMPipelineClient(base_url="", policies=[*common, sign], transport=transport)

    def now(self) -> dt.datetime:
        """Aware UTC time of the cloud, by the Date header of its last answer (the controller's clock may be off)."""
        return dt.datetime.now(dt.timezone.utc) + self._skew

    def url(self, path: str, api_version: str, params: t.Mapping[str, str] | None = None) -> str:
        query = urllib.parse.urlencode({**(params or {}), "api-version": api_version}, safe="$,'")
        return f"{self.cloud.resource_manager}{urllib.parse.quote(path, safe='/')}?{query}"

    def get(self, path: str, api_version: str, doing: str, params: t.Mapping[str, str] | None = None) -> dict[str, t.Any]:
        """One resource. Raises NotFound, AuthError or AzureError, each saying what was being done."""
        body = self._json(self._reader, self.url(path, api_version, params), doing)
        if not isinstance(body, dict):
            raise AzureError(doing, "the answer is not a JSON object")
        return body

    def list(self, path: str, api_version: str, doing: str, params: t.Mapping[str, str] | None = None) -> list[dict[str, t.Any]]:
        """All items of a list, every page of it; raises rather than returning a part."""
        items: list[dict[str, t.Any]] = []
        url: str | None = self.url(path, api_version, params)
        seen = set()
        while url:
            if url in seen or len(seen) >= _MAX_PAGES:
                raise AzureError(doing, f"page {len(seen) + 1} points back to a page already read; {len(items)} items seen so far")
            seen.add(url)
            page = self._json(self._reader, url, f"{doing} (page {len(seen)})")
            if not isinstance(page, dict) or not isinstance(page.get("value"), list):
                raise AzureError(doing, f"page {len(seen)} has no list of values; {len(items)} items seen so far")
            items += page["value"]
            url = page.get("nextLink") or None
        return items

    def post(self, path: str, api_version: str, client_request_id: str) -> PostResult:
        """Send one POST without a body, once. Never raises for what the network or Azure answers.

        Only signing in may raise (AuthError): then nothing has been sent.
        """
        request = HttpRequest("POST", self.url(path, api_version), headers={"x-ms-client-request-id": client_request_id})
        try:
            response = self._send(self._starter, request)
        except core_errors.ClientAuthenticationError as error:
            raise _sign_in_error(error) from None
        except core_errors.AzureError as error:
            if _never_sent(error):
                return PostResult("refused", code="ConnectionFailed", message=_first_line(error))
            return PostResult("unknown", code="NoAnswer", message=_first_line(error))
        return self._post_result(response)

    def _post_result(self, response: t.Any) -> PostResult:
        status, headers = response.status_code, response.headers
        code, message = error_of(_text(response))
        kind = "accepted" if status in (200, 201, 202) else "throttled" if status == 429 else "unknown" if status >= 500 or status < 400 else "refused"
        return PostResult(kind, status, code, message, self._own_url(headers.get("Azure-AsyncOperation")),
                          self._own_url(headers.get("Location")), _seconds(headers.get("Retry-After")), headers.get("x-ms-request-id"))

    def operation(self, url: str) -> OperationStatus:
        """Ask after a running operation. Raises AzureError when no answer is to be had now."""
        doing = "ask after the operation"
        try:
            body = self._json(self._reader, url, doing)
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
        return url if url and _host_of(url) == self.host else None

    def _send(self, client: t.Any, request: t.Any) -> t.Any:
        response = client.send_request(request)
        self.requests += 1
        stamp = response.headers.get("Date")
        if stamp:
            try:
                self._skew = email.utils.parsedate_to_datetime(stamp) - dt.datetime.now(dt.timezone.utc)
            except (TypeError, ValueError):
                pass  # a Date nobody can read leaves the clock as it was
        return response

    def _json(self, client: t.Any, url: str, doing: str) -> t.Any:
        """Parsed body of a GET; an answer cut short is asked for again, then an error."""
        trouble = ""
        for _attempt in range(_READ_TRIES):
            try:
                response = self._send(client, HttpRequest("GET", url))
                text = _text(response)
            except core_errors.ClientAuthenticationError as error:
                raise _sign_in_error(error) from None
            except core_errors.AzureError as error:
                raise AzureError(doing, f"no answer from {urllib.parse.urlsplit(url).netloc}: {_first_line(error)}") from None
            if response.status_code >= 300:
                raise _http_error(doing, response, text)
            if not text.strip():
                return {"status": "InProgress"} if response.status_code == 202 else None
            try:
                return json.loads(text)
            except ValueError:
                trouble = f"the answer is not JSON ({len(text)} characters, beginning {text[:40]!r})"
        raise AzureError(doing, trouble)


def error_of(text: str) -> tuple[str | None, str | None]:
    """(code, message) of an error body, with or without the ``error`` wrapper; (None, None) when there is none."""
    try:
        body = json.loads(text)
    except ValueError:
        return None, text.strip()[:200] or None
    if not isinstance(body, dict):
        return None, None
    inner = body.get("error") or body
    if isinstance(inner, str):  # OAuth form
        return inner, body.get("error_description")
    return (inner.get("code"), inner.get("message")) if isinstance(inner, dict) else (None, None)


def _host_of(url: str) -> str:
    """Host and port, lower-case; Azure's own links name the default port now and then."""
    parts = urllib.parse.urlsplit(url)
    return parts.netloc.lower().removesuffix(":443") if parts.scheme == "https" else f"{parts.scheme}://{parts.netloc}"


def _never_sent(error: Exception) -> bool:
    """Whether no connection was made, so that nothing can have been executed.

    azure-core's ServiceRequestError does not tell: it also stands for an answer that stalled or lost its TLS.
    """
    inner = getattr(error, "inner_exception", None)
    first = inner.args[0] if inner is not None and inner.args else None
    causes = (inner, first, getattr(first, "reason", None))
    return any(isinstance(cause, (NewConnectionError, ConnectTimeoutError, ProxyError)) for cause in causes)


def _sign_in_error(error: Exception) -> AuthError:
    detail = _first_line(error)
    if "failed to retrieve a token from the included credentials" in detail:
        detail = ("no credentials found; set client_id, secret and tenant (AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, AZURE_TENANT_ID), run az login, or "
                  "use auth_source: msi on an Azure VM")
    return AuthError("sign in", detail)


def _http_error(doing: str, response: t.Any, text: str) -> AzureError:
    status = response.status_code
    code, message = error_of(text)
    kind = {401: AuthError, 403: AuthError, 404: NotFound}.get(status, AzureError)
    return kind(doing, f"HTTP {status} {code or ''}: {message or 'no message'}".replace(" :", ":"), status=status, code=code,
                request_id=response.headers.get("x-ms-request-id"), retry_after=_seconds(response.headers.get("Retry-After")))


def _text(response: t.Any) -> str:
    """Body text; a body that broke off counts as what arrived, so that the JSON parser judges it."""
    return response.text() if response.content is not None else ""


def _seconds(value: str | None) -> float | None:
    try:
        return max(0.0, float(value)) if value else None
    except ValueError:
        return None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
