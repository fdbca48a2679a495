# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the port onto Resource Manager stands on: azure-core's pipeline, a token that can be renewed, and error bodies.

Nothing here tries twice: that is :mod:`arm_reader`'s, and only for what changes nothing.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import json
import logging
import math
import threading
import typing as t
import urllib.parse

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.errors import AuthError, AzureError, NotFound, SignInError

try:
    import requests
    from azure.core import exceptions as core_errors
    from azure.core.pipeline import policies
    from azure.core.pipeline.transport import RequestsTransport
    from azure.mgmt.core import ARMPipelineClient
    from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
    from requests.adapters import HTTPAdapter
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProxyError
    from urllib3.util import Retry
except ImportError:  # module.py names the missing packages before anything here is used
    ARMChallengeAuthenticationPolicy = object

USER_AGENT = "ansible-fleetops.azure_maintenance/1.0.0"
CONNECTIONS = 32
READ_TIMEOUT = 120.0
"""Seconds that an answer may take."""
# The SDK prints pages of attempts on stderr; the one line that matters is in the error.
for _chatty in ("azure.identity", "azure.core"):
    logging.getLogger(_chatty).setLevel(logging.CRITICAL)


class Renewable:
    """A credential that can be made anew: Azure may refuse a token that its library still believes in."""

    def __init__(self, make: t.Callable[[], t.Any]) -> None:
        self._make, self._lock = make, threading.Lock()
        self._credential = make()
        self.generation = 0

    def get_token(self, *scopes: str, **options: t.Any) -> t.Any:
        """As azure-identity's; one thread asks, the others then find it in the library's cache."""
        with self._lock:
            return self._credential.get_token(*scopes, **options)

    def renew(self, generation: int) -> None:
        """Forget the tokens of that generation; the second to say so has nothing left to do."""
        with self._lock:
            if generation == self.generation:
                self._credential = self._make()
                self.generation += 1


class SameHostAuthentication(ARMChallengeAuthenticationPolicy):
    """Bearer tokens for the configured Resource Manager only.

    Answers carry URLs (next pages, operations); a token must not follow one to a foreign host.
    """

    def __init__(self, credential: t.Any, scope: str, host: str) -> None:
        super().__init__(credential, scope)
        self._host = host

    def on_request(self, request: t.Any) -> None:
        host = host_of(request.http_request.url)
        if host != self._host:
            raise AzureError(f"ask {host}", f"an answer of {self._host} pointed there; tokens are only sent to {self._host}")
        super().on_request(request)


class Wire:
    """Sends one request, once, and keeps what every answer tells: that there was one, and what the time is."""

    def __init__(self, client: t.Any) -> None:
        self._client, self._lock = client, threading.Lock()
        self.answers = 0
        self.skew = dt.timedelta(0)
        """How far the cloud's clock is ahead of this machine's, by the Date header of the last answer."""

    def send(self, request: t.Any, **options: t.Any) -> t.Any:
        """azure-core's response; ``options`` are the transport's.

        Raises what azure-core raises; see :func:`is_sign_in`, :func:`is_no_answer`, :func:`never_sent`.
        """
        response = self._client.send_request(request, **options)
        with self._lock:
            self.answers += 1
        stamp = response.headers.get("Date")
        if stamp:
            try:
                self.skew = email.utils.parsedate_to_datetime(stamp) - dt.datetime.now(dt.timezone.utc)
            except (TypeError, ValueError):
                pass  # a Date nobody can read leaves the clock as it was
        return response


def make_transport() -> t.Any:
    """A transport with a connection for every thread that reads."""
    session = requests.Session()
    adapter = HTTPAdapter(pool_connections=4, pool_maxsize=CONNECTIONS, max_retries=Retry(total=False, redirect=False, raise_on_status=False))
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return RequestsTransport(session=session, connection_timeout=15, read_timeout=READ_TIMEOUT)


def make_client(transport: t.Any, *more: t.Any) -> t.Any:
    """A pipeline without retries: azure-core's would repeat a POST on 500, 503 and 504."""
    common = [policies.RequestIdPolicy(), policies.HeadersPolicy(), policies.UserAgentPolicy(base_user_agent=USER_AGENT)]
    return ARMPipelineClient(base_url="", policies=[*common, *more], transport=transport)


def error_of(text: str | bytes) -> tuple[str | None, str | None]:
    """(code, message) of an error body, with or without the ``error`` wrapper; (None, None) when there is none.

    Azure Monitor begins the names with capitals.
    """
    try:
        body = json.loads(text)
    except ValueError:
        words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        return None, words.strip()[:200] or None
    if not isinstance(body, dict):
        return None, None
    inner = body.get("error") or body
    if isinstance(inner, str):  # OAuth form
        return inner, _text(body.get("error_description"))
    return (_text(inner.get("code", inner.get("Code"))), _text(inner.get("message", inner.get("Message")))) if isinstance(inner, dict) else (None, None)


def _text(value: t.Any) -> str | None:
    return None if value is None else str(value)


def http_error(doing: str, response: t.Any, content: bytes) -> AzureError:
    """The error that an answer of 300 and more stands for."""
    status = response.status_code
    code, message = error_of(content)
    kind = {401: AuthError, 403: AuthError, 404: NotFound}.get(status, AzureError)
    return kind(doing, f"HTTP {status} {code or ''}: {message or 'no message'}".replace(" :", ":"), status=status, code=code,
                request_id=response.headers.get("x-ms-request-id"), retry_after=retry_after(response.headers))


def is_sign_in(error: Exception) -> bool:
    """Whether no token was to be had, so that nothing was sent."""
    return isinstance(error, core_errors.ClientAuthenticationError)


def is_no_answer(error: Exception) -> bool:
    """Whether the network is to blame."""
    return isinstance(error, core_errors.AzureError)


def sign_in_error(error: Exception) -> SignInError:
    detail = first_line(error)
    if "failed to retrieve a token from the included credentials" in detail:
        detail = ("no credentials found; set client_id, secret and tenant (AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, AZURE_TENANT_ID), run az login, or "
                  "use auth_source: msi on an Azure VM")
    return SignInError("sign in", detail)


def never_sent(error: Exception) -> bool:
    """Whether no connection was made, so that nothing can have been executed.

    azure-core's ServiceRequestError does not tell: it also stands for an answer that stalled or lost its TLS.
    """
    inner = getattr(error, "inner_exception", None)
    first = inner.args[0] if inner is not None and inner.args else None
    causes = (inner, first, getattr(first, "reason", None))
    return any(isinstance(cause, (NewConnectionError, ConnectTimeoutError, ProxyError)) for cause in causes)


def host_of(url: str) -> str:
    """Host and port, lower-case; Azure's own links name the default port now and then."""
    parts = urllib.parse.urlsplit(url)
    return parts.netloc.lower().removesuffix(":443") if parts.scheme == "https" else f"{parts.scheme}://{parts.netloc}"


def seconds_of(value: str | None) -> float | None:
    """A header that counts seconds (or tokens); None when it is absent or says something else."""
    try:
        seconds = float(value) if value else math.nan
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def retry_after(headers: t.Mapping[str, str]) -> float | None:
    """Seconds to wait. HTTP allows a date too: that is counted from the answer's own Date, where it has one."""
    value = headers.get("Retry-After")
    seconds = seconds_of(value)
    if seconds is not None or not value:
        return seconds
    try:
        then = email.utils.parsedate_to_datetime(value)
        now = email.utils.parsedate_to_datetime(headers["Date"]) if headers.get("Date") else dt.datetime.now(dt.timezone.utc)
        return max(0.0, (then - now).total_seconds())
    except (TypeError, ValueError):
        return None


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
