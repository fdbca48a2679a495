# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scheduled Events as a VM sees them: read the metadata service's document in all its shapes, approve events.

Runs on guests: standard library only, Python 3.9 or newer. The watch_events role installs this very file beside its
service.
"""

from __future__ import annotations

import http.client
import json
import re
import time
import typing as t
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

ENDPOINT = "http://169.254.169.254"
EVENTS_PATH = "/metadata/scheduledevents"
NAME_PATH = "/metadata/instance/compute/name?api-version=2021-02-01&format=text"
VERSIONS = ("2020-07-01", "2019-08-01", "2019-04-01", "2019-01-01", "2017-11-01", "2017-08-01", "2017-03-01")
"""From the newest; which of them answer differs by region."""
TYPES = ("Freeze", "Reboot", "Redeploy", "Preempt", "Terminate")
SOURCES = ("Platform", "User")
PATIENCE = 130.0
"""Seconds: the call that turns the service on may take two minutes."""
_CONNECT_SECONDS = 5.0
_LOST = 0
_AGAIN = {429: "throttled", **dict.fromkeys((_LOST, 410, 500, 502, 503, 504), "unavailable")}
_FRACTION = re.compile(r"(\.\d{1,6})\d*")


class EventsError(Exception):
    """The metadata service could not be used.

    ``kind``: not_azure (nothing answers), not_offered (404), refused (other 4xx), throttled (429), unavailable,
    bad_answer.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind

    def to_result(self) -> dict[str, str]:
        """The error for a module's result."""
        return {"doing": "use Scheduled Events", "kind": self.kind, "detail": str(self)}


@dataclass(frozen=True)
class Event:
    """One event. ``not_before`` is ISO 8601 UTC, None once started.

    Fields that an older api-version lacks are None, and so is an unknown duration.
    """

    id: str
    type: str
    source: str | None
    status: str
    resource_type: str | None
    resources: list[str]
    not_before: str | None
    description: str | None
    duration_seconds: int | None

    def to_record(self) -> dict[str, t.Any]:
        """The event as plain data."""
        return asdict(self)

    def concerns(self, name: str) -> bool:
        """Whether the VM is among the event's resources."""
        return name.lower() in {resource.lower() for resource in self.resources}

    def is_only(self, name: str, companions: t.Iterable[str] = ()) -> bool:
        """Whether it names the VM and nobody but it and its companions: an approval counts for all of them."""
        ready = {item.lower() for item in (name, *companions)}
        return self.concerns(name) and {item.lower() for item in self.resources} <= ready


@dataclass(frozen=True)
class Document:
    """What one read gave. ``incarnation`` grows with each change; None where the answer was empty."""

    incarnation: int | None
    events: list[Event]
    api_version: str


def parse_time(text: t.Any) -> str | None:
    """RFC 1123 (whatever weekday it claims) or ISO 8601 as ISO 8601 UTC; None for anything empty or unreadable."""
    if not isinstance(text, str) or not text.strip():
        return None
    value = text.strip()
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError, IndexError):
        try:
            plain = re.sub(r"[zZ]$| UTC$", "+00:00", value)
            moment = datetime.fromisoformat(_FRACTION.sub(r"\1", plain))
        except ValueError:
            return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_document(text: str, api_version: str) -> Document:
    """Read an answer of this api-version; an empty one means that the service is being turned on.

    Raises EventsError (bad_answer).
    """
    if not text.strip():
        return Document(None, [], api_version)
    try:
        body = _lowered(json.loads(text))
        items = [_event(_lowered(item), api_version) for item in body.get("events") or []]
        incarnation = body.get("documentincarnation")
        return Document(None if incarnation is None else int(incarnation), items, api_version)
    except (ValueError, TypeError, AttributeError) as error:
        words = f"what answered is not a document of Scheduled Events ({error}): {text[:120]!r}"
        raise EventsError("bad_answer", words) from None


def _lowered(item: t.Any) -> dict[str, t.Any]:
    if not isinstance(item, dict):
        raise TypeError(f"{item!r} is not an object")
    return {str(key).lower(): value for key, value in item.items()}


def _event(item: dict[str, t.Any], api_version: str) -> Event:
    if not item.get("eventid"):
        raise TypeError("an event has no EventId")
    resources = item.get("resources") or []
    names = [str(name) for name in ([resources] if isinstance(resources, str) else resources)]
    if api_version == "2017-03-01":  # the preview put an underscore before every name
        names = [name[1:] if name.startswith("_") else name for name in names]
    return Event(
        id=str(item["eventid"]),
        type=str(item.get("eventtype") or ""),
        source=item.get("eventsource") or None,
        status=str(item.get("eventstatus") or ""),
        resource_type=item.get("resourcetype"),
        resources=names,
        not_before=parse_time(item.get("notbefore")),
        description=item.get("description"),
        duration_seconds=_duration(item.get("durationinseconds")),
    )


def _duration(value: t.Any) -> int | None:
    """Seconds; None for -1 and for anything that is no number: no event is to be missed for its duration."""
    try:
        return int(value) if int(value) >= 0 else None
    except (TypeError, ValueError):
        return None


class Client:
    """Talks to the metadata service, never through a proxy.

    Reading turns Scheduled Events on, for a day and for the VM's whole set. ``api_version`` None: the newest that the
    service knows. ``patience`` is in seconds, for each call. Raises EventsError.
    """

    def __init__(
        self, endpoint: str = ENDPOINT, api_version: str | None = None, patience: float = PATIENCE,
        clock: t.Callable[[], float] = time.monotonic, sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        parts = urlsplit(endpoint)
        if parts.scheme != "http" or not parts.hostname:
            raise EventsError("refused", f"the endpoint is http://ADDRESS or http://ADDRESS:PORT, not {endpoint}")
        self.endpoint = f"http://{parts.netloc}"
        self._host, self._port = parts.hostname, parts.port or 80
        self._fixed, self._known = api_version is not None, False
        self.api_version = api_version or VERSIONS[0]
        self._patience, self._clock, self._sleep = patience, clock, sleep

    def read(self) -> Document:
        """The events of this VM and of its whole set."""
        return parse_document(self._events("GET", None), self.api_version)

    def approve(self, event_ids: t.Sequence[str]) -> None:
        """Let events go ahead, for all their resources; approving twice changes nothing and there is no way back."""
        self._events("POST", json.dumps({"StartRequests": [{"EventId": item} for item in event_ids]}))

    def own_name(self) -> str:
        """The name that events give this VM (an instance of a uniform scale set: SET_NUMBER). Turns nothing on."""
        status, text = self._patiently("GET", NAME_PATH, None)
        if status != 200 or not text.strip():
            words = f"{self.endpoint}: asked for the name of this VM, answered {status}: {text[:120]!r}; give vm_name"
            raise EventsError("refused", words)
        return text.strip()

    def _events(self, method: str, body: str | None) -> str:
        newest = self.api_version
        while True:
            status, text = self._patiently(method, f"{EVENTS_PATH}?api-version={self.api_version}", body)
            if status == 200:
                self._known = True
                return text
            # To a version that has answered before, a refused approval is about its event: it may be over.
            fixed = self._fixed or (self._known and method == "POST")
            other = None if status != 400 or fixed else self._other_version(text)
            if other is None:
                refusal = self._refusal(status, text)
                self.api_version = newest
                raise refusal
            self.api_version = other

    def _other_version(self, text: str) -> str | None:
        """The version to try after a 400: the newest offered, or the next; always an older one, so this ends."""
        older = VERSIONS[VERSIONS.index(self.api_version) + 1:]
        offered = set(re.findall(r"\d{4}-\d{2}-\d{2}", text.partition("newest-versions")[2]))
        return next((version for version in older if not offered or version in offered), None)

    def _refusal(self, status: int, text: str) -> EventsError:
        said = " ".join(text.split())[:200]
        if status == 404:
            words = f"{self.endpoint} has no Scheduled Events (404): no Azure VM, or not offered here. {said}"
            return EventsError("not_offered", words.strip())
        words = f"{self.endpoint} refused the request with {status} (api-version {self.api_version}): {said}"
        return EventsError("refused", words)

    def _patiently(self, method: str, path: str, body: str | None) -> tuple[int, str]:
        deadline, delay = self._clock() + self._patience, 1.0
        while True:
            status, after, text = self._once(method, path, body, deadline - self._clock())
            if status not in _AGAIN:
                return status, text
            wait = after if after is not None else delay
            if self._clock() + wait >= deadline:
                what = "gave no whole answer" if status == _LOST else f"still answers {status}"
                words = f"{self.endpoint} {what} after {self._patience:.0f} s; its first call may take two minutes"
                raise EventsError(_AGAIN[status], f"{words}. {text[:120]}".strip())
            self._sleep(wait)
            delay = min(delay * 2, 10.0)

    def _once(self, method: str, path: str, body: str | None, seconds: float) -> tuple[int, float | None, str]:
        """Status, Retry-After and body; a connection that is lost once it stood counts as status 0."""
        # http.client knows no proxies.
        timeout = min(_CONNECT_SECONDS, max(seconds, 1.0))
        connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout)
        headers = {"Metadata": "true", **({"Content-Type": "application/json"} if body else {})}
        try:
            try:
                connection.connect()
            except OSError as error:
                words = f"nothing answers at {self.endpoint} ({error}). Scheduled Events exist on Azure VMs only"
                raise EventsError("not_azure", words) from None
            connection.sock.settimeout(max(seconds, 1.0))
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                text = answer.read().decode("utf-8-sig", "replace")
            except (OSError, http.client.HTTPException) as error:
                return _LOST, None, str(error)
            after = answer.getheader("Retry-After") or ""
            return answer.status, float(after) if after.isdigit() else None, text
        finally:
            connection.close()
