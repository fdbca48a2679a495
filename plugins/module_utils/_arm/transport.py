# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the port onto Resource Manager stands on: the compute client and its pipeline, a token that can be renewed, and error bodies.

Nothing here tries twice: that is :mod:`retry`'s, and only for what changes nothing.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import email.utils
import gc
import http.client
import logging
import sys
import threading
import typing as t
import urllib.parse
from dataclasses import dataclass

from .._bounds import TimedResponse, TooMuch, loads, read_body, seconds_of
from .._errors import AuthError, AzureError, NotFound, SignInError
from .._redaction import without_secrets

try:
    import requests
    from azure.core import AzureClouds, PipelineClient, exceptions as core_errors
    from azure.core.pipeline import policies
    from azure.core.pipeline.transport import RequestsTransport
    from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
    from requests.adapters import HTTPAdapter
    from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProxyError
    from urllib3.util import Retry
except ImportError:  # module.py names the missing packages before anything here is used
    ARMChallengeAuthenticationPolicy = HTTPAdapter = object

USER_AGENT = "ansible-fleetops.azure_maintenance/1.0.0"
CONNECTIONS = 32
CONNECT_TIMEOUT = 15.0
READ_TIMEOUT = 120.0
"""Seconds that an answer may take, from its first byte to its last."""
MOST_WAIT = 3600.0
"""Seconds that an answer may ask to wait: more than Azure ever does, and short enough to be waited."""
_MOST_SKEW = dt.timedelta(days=36525)
_PIECE = 65536
_WORDS_OF_A_BODY = 200
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
    """Bearer tokens for the configured Resource Manager only, for any number of threads.

    Answers carry URLs (next pages, operations); a token must not follow one to a foreign host.

    The SDK's policy forgets its token when any thread is answered 401, and believes it else: a thread that asked in that moment
    would keep what :meth:`Renewable.renew` just dropped. So a token is used only while its credential's generation lasts.
    """

    def __init__(self, credential: Renewable, scope: str, host: str) -> None:
        super().__init__(credential, scope)
        self.credential, self.scope, self._host = credential, scope, host
        self._signing, self._generation = threading.Lock(), credential.generation

    def on_request(self, request: t.Any) -> None:
        host = host_of(request.http_request.url)
        if host != self._host:
            raise AzureError(f"ask {host}", f"an answer of {self._host} pointed there; tokens are only sent to {self._host}")
        with self._signing:
            token, generation = self._token, self.credential.generation
            if token is None or self._need_new_token or generation != self._generation:
                token = self._token = self.credential.get_token(self.scope)
                self._generation = generation
        request.http_request.headers["Authorization"] = f"Bearer {token.token}"


@dataclass(frozen=True)
class Answer:
    """One HTTP answer. ``trouble`` says why its body could not be read; then ``content`` is empty and status and headers are all that is known."""

    status_code: int
    headers: t.Mapping[str, str]
    content: bytes
    trouble: Exception | None = None


class Wire:
    """Sends one request, once, and keeps what every answer tells: that there was one, and what the time is."""

    def __init__(self, client: t.Any) -> None:
        self._client, self._lock = client, threading.Lock()
        self.answers = 0
        self.skew = dt.timedelta(0)
        """How far the cloud's clock is ahead of this machine's, by the Date header of the last answer."""

    def send(self, request: t.Any, **options: t.Any) -> Answer:
        """The answer, read within its bounds; ``options`` are the transport's.

        Raises what azure-core raises; see :func:`is_sign_in`, :func:`is_no_answer`, :func:`never_sent`.
        """
        response = self._client.send_request(request, stream=True, **options)
        with self._lock:
            self.answers += 1
        self._set_clock(response.headers.get("Date"))
        return _answer(response)

    def _set_clock(self, stamp: str | None) -> None:
        """By the Date of an answer; one that nobody can read, or of another century, leaves the clock as it was."""
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            skew = email.utils.parsedate_to_datetime(stamp or "") - dt.datetime.now(dt.timezone.utc)
            if abs(skew) < _MOST_SKEW:
                self.skew = skew


def _answer(response: t.Any) -> Answer:
    """azure-core would unpack whatever comes, and wait for each piece of it anew."""
    raw = response.internal_response.raw
    content, trouble = b"", None
    try:
        pieces = iter(lambda: raw.read(_PIECE, decode_content=False), b"")
        content = read_body(pieces, response.headers.get("Content-Encoding") or "")
    except (ValueError, OSError, HTTPError, http.client.HTTPException) as error:
        trouble = error
    finally:
        response.close()
    return Answer(response.status_code, response.headers, content, trouble)


class _Adapter(HTTPAdapter):
    """Connections whose answers take the read timeout as a whole."""

    def init_poolmanager(self, *arguments: t.Any, **options: t.Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _timed(self.poolmanager.pool_classes_by_scheme)

    def proxy_manager_for(self, proxy: str, **options: t.Any) -> t.Any:
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **options)
        if not known:
            manager.pool_classes_by_scheme = _timed(manager.pool_classes_by_scheme)
        return manager


def _timed(pools: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The same classes of connection pools with connections of TimedResponse."""
    return {scheme: type(pool.__name__, (pool,), {"ConnectionCls": type(pool.ConnectionCls.__name__, (pool.ConnectionCls,), {"response_class": TimedResponse})})
            for scheme, pool in pools.items()}


def make_transport() -> t.Any:
    """A transport with a connection for every thread that reads."""
    session = requests.Session()
    session.headers["Accept-Encoding"] = "gzip"
    adapter = _Adapter(pool_connections=4, pool_maxsize=CONNECTIONS, max_retries=Retry(total=False, redirect=False, raise_on_status=False))
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return RequestsTransport(session=session, connection_timeout=CONNECT_TIMEOUT, read_timeout=READ_TIMEOUT)


def make_anonymous(transport: t.Any) -> t.Any:
    """A pipeline without a token, for what a cloud tells everybody."""
    return PipelineClient(base_url="", policies=_policies(), transport=transport)


def make_client(transport: t.Any, authentication: SameHostAuthentication, resource_manager: str, subscription_id: str) -> t.Any:
    """The SDK's compute client, with these policies in place of its own.

    Its own would repeat a POST on 500, 503 and 504, register resource providers on 409, follow redirects, and take the cloud from
    the environment. ``_client`` is its pipeline, in all versions; ``send_request`` of the newest would rewrite braces in a URL.
    """
    return _compute_client()(
        authentication.credential, subscription_id, base_url=resource_manager, cloud_setting=AzureClouds.AZURE_PUBLIC_CLOUD,
        credential_scopes=[authentication.scope], authentication_policy=authentication, policies=[*_policies(), authentication], transport=transport)


def _policies() -> list[t.Any]:
    return [policies.RequestIdPolicy(), policies.HeadersPolicy(), policies.UserAgentPolicy(base_user_agent=USER_AGENT)]


def _compute_client() -> type:
    """ComputeManagementClient, imported when somebody signs in.

    The newest versions are thousands of classes, which stay as long as the process. The garbage collector does not walk through them
    while they are made, nor ever after: that takes longer than to make them.
    """
    first = "azure.mgmt.compute" not in sys.modules and gc.isenabled()
    if first:
        gc.disable()
    try:
        from azure.mgmt.compute import ComputeManagementClient
    finally:
        if first:
            gc.freeze()
            gc.enable()
    return ComputeManagementClient


def error_of(text: str | bytes) -> tuple[str | None, str | None]:
    """(code, message) of an error body, see :func:`error_in`. Raises TooMuch for a body out of bounds."""
    try:
        return error_in(loads(text))
    except TooMuch:
        raise
    except ValueError:
        words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        return None, without_secrets(words.strip()[:_WORDS_OF_A_BODY]) or None


def error_in(body: t.Any) -> tuple[str | None, str | None]:
    """(code, message) of an error, with or without the ``error`` wrapper; (None, None) when there is none.

    Azure Monitor begins the names with capitals.
    """
    if not isinstance(body, dict):
        return None, None
    inner = body.get("error") or body
    if isinstance(inner, str):  # OAuth form
        return inner, _text(body.get("error_description"))
    return (_text(inner.get("code", inner.get("Code"))), _text(inner.get("message", inner.get("Message")))) if isinstance(inner, dict) else (None, None)


def _text(value: t.Any) -> str | None:
    return None if value is None else without_secrets(str(value))


def http_error(doing: str, answer: Answer) -> AzureError:
    """The error that an answer of 300 and more stands for."""
    status, headers = answer.status_code, answer.headers
    try:
        code, message = (None, f"its body cannot be read: {first_line(answer.trouble)}") if answer.trouble else error_of(answer.content)
    except TooMuch as error:
        code, message = None, f"its body cannot be read: {error}"
    kind = {401: AuthError, 403: AuthError, 404: NotFound}.get(status, AzureError)
    detail = f"HTTP {status} {code or ''}: {message or 'no message'}".replace(" :", ":") + cut_short(headers)
    return kind(doing, detail, status=status, code=code, request_id=headers.get("x-ms-request-id"), retry_after=retry_after(headers))


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


def retry_after(headers: t.Mapping[str, str]) -> float | None:
    """Seconds to wait, at most MOST_WAIT."""
    seconds = _asked_wait(headers)
    return None if seconds is None else min(seconds, MOST_WAIT)


def cut_short(headers: t.Mapping[str, str]) -> str:
    """What Azure said, in words that go after others, where no wait of such a length is believed; else nothing."""
    seconds = _asked_wait(headers)
    if seconds is None or seconds <= MOST_WAIT:
        return ""
    return f" (Azure said Retry-After: {headers['Retry-After'][:40]}; {MOST_WAIT:.0f} s of it are believed)"


def _asked_wait(headers: t.Mapping[str, str]) -> float | None:
    """HTTP allows a date too: that is counted from the answer's own Date, where it has one."""
    value = headers.get("Retry-After")
    seconds = seconds_of(value)
    if seconds is not None or not value:
        return seconds
    try:
        then = email.utils.parsedate_to_datetime(value)
        now = email.utils.parsedate_to_datetime(headers["Date"]) if headers.get("Date") else dt.datetime.now(dt.timezone.utc)
        return max(0.0, (then - now).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None


def first_line(error: Exception) -> str:
    return without_secrets((str(error).strip().splitlines() or [type(error).__name__])[0])
