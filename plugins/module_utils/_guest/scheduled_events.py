# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scheduled Events as a VM sees them: read the metadata service's document in all its shapes, approve events.

Runs on guests: standard library only, Python 3.9 or newer. The watch_events role installs this very file, and those it imports,
beside its service.
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

from .._bounds import TimedResponse, TooMuch, loads, read_body, seconds_of

ENDPOINT = "http://169.254.169.254"
EVENTS_PATH = "/metadata/scheduledevents"
NAME_PATH = "/metadata/instance/compute/name?api-version=2021-02-01&format=text"
VERSIONS = ("2020-07-01", "2019-08-01", "2019-04-01", "2019-01-01", "2017-11-01", "2017-08-01", "2017-03-01")
"""From the newest; which of them answer differs by region."""
TYPES = ("Freeze", "Reboot", "Redeploy", "Preempt", "Terminate")
SOURCES = ("Platform", "User")
PATIENCE = 130.0
"""Seconds: the call that turns the service on may take two minutes."""
MOST_BYTES = 1 << 20
"""A document names at most the VMs of a set."""
_CONNECT_SECONDS = 5.0
_LEAST_SECONDS = 0.5
_PIECE = 65536
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
    except (TypeError, ValueError, IndexError, OverflowError):
        try:
            plain = re.sub(r"[zZ]$| UTC$", "+00:00", value)
            moment = datetime.fromisoformat(_FRACTION.sub(r"\1", plain))
        except ValueError:
            return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    try:
        return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except OverflowError:  # the first or the last day of the calendar, elsewhere
        return None


def parse_document(text: str, api_version: str) -> Document:
    """Read an answer of this api-version; an empty one means that the service is being turned on.

    Raises EventsError (bad_answer).
    """
    if not text.strip():
        return Document(None, [], api_version)
    try:
        body = _lowered(loads(text))
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


def _pieces(answer: http.client.HTTPResponse) -> t.Iterator[bytes]:
    """Of a body; http.client itself takes one that is cut short for whole when it is read in pieces."""
    yield from iter(lambda: answer.read(_PIECE), b"")
    if answer.length:
        raise http.client.IncompleteRead(b"", answer.length)


class Client:
    """Talks to the metadata service, never through a proxy.

    Reading turns Scheduled Events on, for a day and for the VM's whole set. ``api_version`` None: the newest that the
    service knows. ``patience`` is in seconds, for each call of a method, however many requests that takes. Raises EventsError.
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
        status, text = self._patiently("GET", NAME_PATH, None, self._clock() + self._patience)
        if status != 200 or not text.strip():
            words = f"{self.endpoint}: asked for the name of this VM, answered {status}: {text[:120]!r}; set vm_name"
            raise EventsError("refused", words)
        return text.strip()

    def _events(self, method: str, body: str | None) -> str:
        newest, deadline = self.api_version, self._clock() + self._patience
        while True:
            status, text = self._patiently(method, f"{EVENTS_PATH}?api-version={self.api_version}", body, deadline)
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

    def _patiently(self, method: str, path: str, body: str | None, deadline: float) -> tuple[int, str]:
        delay = 1.0
        while True:
            status, after, text = self._once(method, path, body, deadline)
            if status not in _AGAIN:
                return status, text
            asked = seconds_of(after)
            wait = delay if asked is None else asked
            if self._clock() + wait >= deadline:
                what = "gave no whole answer" if status == _LOST else f"still answers {status}"
                what += "" if asked is None else f" and asks to wait (Retry-After: {str(after)[:40]})"
                words = f"{self.endpoint} {what}; it had {self._patience:.0f} s, and its first call may take two minutes"
                raise EventsError(_AGAIN[status], f"{words}. {text[:120]}".strip())
            self._sleep(wait)
            delay = min(delay * 2, 10.0)

    def _once(self, method: str, path: str, body: str | None, deadline: float) -> tuple[int, str | None, str]:
        """Status, Retry-After and body, all of it until the deadline; a connection that is lost once it stood counts as status 0."""
        # http.client knows no proxies.
        connection = http.client.HTTPConnection(self._host, self._port, timeout=min(_CONNECT_SECONDS, self._left(deadline)))
        connection.response_class = TimedResponse
        headers = {"Metadata": "true", **({"Content-Type": "application/json"} if body else {})}
        try:
            try:
                connection.connect()
            except OSError as error:
                words = f"nothing answers at {self.endpoint} ({error}). Scheduled Events exist on Azure VMs only"
                raise EventsError("not_azure", words) from None
            connection.sock.settimeout(self._left(deadline))
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                text = read_body(_pieces(answer), answer.getheader("Content-Encoding") or "", MOST_BYTES).decode("utf-8-sig", "replace")
            except TooMuch as error:
                raise EventsError("bad_answer", f"the answer of {self.endpoint} cannot be taken: {error}") from None
            except (OSError, ValueError, http.client.HTTPException) as error:
                return _LOST, None, str(error)
            return answer.status, answer.getheader("Retry-After"), text
        finally:
            connection.close()

    def _left(self, deadline: float) -> float:
        return max(deadline - self._clock(), _LEAST_SECONDS)
