# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scheduled Events against a metadata service that answers as a test says: every api-version, every error, on old Pythons too."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest import scheduled_events
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.scheduled_events import (
    VERSIONS, Client, EventsError, parse_document, parse_time,
)

ROOT = Path(__file__).resolve().parents[5]
EVENT = {
    "EventId": "602d9444-d2cd-49c7-8624-8643e7171297", "EventType": "Redeploy", "ResourceType": "VirtualMachine", "Resources": ["web-03"],
    "EventStatus": "Scheduled", "NotBefore": "Mon, 02 Mar 2026 18:29:47 GMT", "Description": "Host server is undergoing maintenance.",
    "EventSource": "Platform", "DurationInSeconds": -1,
}
SINCE = {"Description": "2019-04-01", "EventSource": "2019-08-01", "DurationInSeconds": "2020-07-01"}
Answer = t.Tuple[int, t.Any, t.Dict[str, str]]


def answer(status: int, body: t.Any = "", **headers: str) -> Answer:
    """One answer of the service; a status of 0 hangs up."""
    return status, body if isinstance(body, str) else json.dumps(body), {name.replace("_", "-"): value for name, value in headers.items()}


DOCUMENT = answer(200, {"DocumentIncarnation": 7, "Events": [EVENT]})


class Service(ThreadingHTTPServer):
    """Gives its answers in turn, the last for ever; ``seen`` has method, path, headers and body of each request."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [DOCUMENT]
        self.seen: list[tuple[str, str, dict[str, str], str]] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """Hanging up is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.server.seen.append((self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        answers = self.server.answers
        status, text, headers = answers.pop(0) if len(answers) > 1 else answers[0]
        if not status:
            return
        self.send_response(status)
        for name, value in {"Content-Length": str(len(text)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(text.encode())

    do_GET = do_POST = _serve

    def log_message(self, format: str, *args: t.Any) -> None:
        """Nothing on the terminal."""


class Clock:
    """Time that only sleeping moves."""

    def __init__(self) -> None:
        self.now, self.sleeps = 0.0, []

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


@pytest.fixture
def service() -> t.Iterator[Service]:
    server = Service()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(service: Service, clock: Clock) -> Client:
    return Client(service.url, clock=lambda: clock.now, sleep=clock.sleep)


def shape(version: str) -> dict[str, t.Any]:
    """The event as this api-version has it."""
    event = {name: value for name, value in EVENT.items() if version >= SINCE.get(name, "")}
    return {**event, "Resources": ["_web-03"]} if version == "2017-03-01" else event


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_gives_the_same_record(version: str, service: Service) -> None:
    service.answers = [answer(200, {"DocumentIncarnation": 3, "Events": [shape(version)]})]
    document = Client(service.url, version).read()
    assert document.incarnation == 3 and document.api_version == version
    assert service.seen[0][1] == f"/metadata/scheduledevents?api-version={version}"
    assert document.events[0].to_record() == {
        "id": EVENT["EventId"], "type": "Redeploy", "status": "Scheduled", "resource_type": "VirtualMachine", "resources": ["web-03"],
        "not_before": "2026-03-02T18:29:47Z", "duration_seconds": None,
        "description": EVENT["Description"] if version >= "2019-04-01" else None,
        "source": "Platform" if version >= "2019-08-01" else None,
    }


def test_the_request_carries_the_header_and_uses_no_proxy(service: Service, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    client.read()
    client.approve([EVENT["EventId"]])
    read, approval = service.seen
    assert read[2]["metadata"] == approval[2]["metadata"] == "true" and "x-forwarded-for" not in read[2]
    assert (approval[0], json.loads(approval[3])) == ("POST", {"StartRequests": [{"EventId": EVENT["EventId"]}]})


@pytest.mark.parametrize(("text", "read"), [
    ("Mon, 02 Mar 2026 18:29:47 GMT", "2026-03-02T18:29:47Z"),
    ("Fri, 02 Mar 2026 18:29:47 GMT", "2026-03-02T18:29:47Z"),
    ("2 Mar 2026 18:29:47 +0100", "2026-03-02T17:29:47Z"),
    ("2026-03-02T18:29:47Z", "2026-03-02T18:29:47Z"),
    ("2026-03-02T18:29:47.1234567Z", "2026-03-02T18:29:47Z"),
    ("2026-03-02T18:29:47+02:00", "2026-03-02T16:29:47Z"),
    ("2026-03-02 18:29:47 UTC", "2026-03-02T18:29:47Z"),
    ("2026-03-02T18:29:47", "2026-03-02T18:29:47Z"),
    ("", None), ("  ", None), (None, None), (5, None), ("soon", None), ("Mon, 99 Foo 2026", None),
])
def test_times_are_read_leniently(text: t.Any, read: str | None) -> None:
    assert parse_time(text) == read


def test_started_empty_and_odd_documents() -> None:
    event = {**EVENT, "EventStatus": "Started", "NotBefore": "", "DurationInSeconds": 9}
    started = parse_document(json.dumps({"DocumentIncarnation": "8", "Events": [event]}), VERSIONS[0])
    assert (started.incarnation, started.events[0].not_before, started.events[0].duration_seconds) == (8, None, 9)
    assert parse_document('{"DocumentIncarnation": 1, "Events": []}', VERSIONS[0]).events == []
    assert parse_document('{"DocumentIncarnation": 1, "Events": null}', VERSIONS[0]).events == []
    assert parse_document("", VERSIONS[0]).incarnation is None
    assert parse_document("\ufeff{}".lstrip("\ufeff"), VERSIONS[0]).events == []
    odd = parse_document(json.dumps({"Events": [{**EVENT, "DurationInSeconds": "", "Resources": "web-03"}]}), VERSIONS[0]).events[0]
    assert odd.duration_seconds is None and odd.resources == ["web-03"], "no event is missed for an odd field"
    bare = parse_document(json.dumps({"events": [{"eventid": "1"}]}), VERSIONS[0]).events[0]
    assert (bare.resources, bare.not_before, bare.source) == ([], None, None) and not bare.is_only("web-03")


@pytest.mark.parametrize("text", ["<html>", "[]", '{"Events": [7]}', '{"Events": [{"EventType": "Reboot"}]}', '{"Events": 5}', '{"DocumentIncarnation": "x"}'])
def test_what_is_no_document_is_said(text: str) -> None:
    with pytest.raises(EventsError) as error:
        parse_document(text, VERSIONS[0])
    assert error.value.kind == "bad_answer" and text[:20] in str(error.value)


def test_whose_event_it_is() -> None:
    event = parse_document(json.dumps({"Events": [{**EVENT, "Resources": ["WEB-03", "web-04"]}]}), VERSIONS[0]).events[0]
    assert event.concerns("web-03") and not event.concerns("web-0")
    assert not event.is_only("web-03") and event.is_only("web-03", ["Web-04", "web-05"]) and not event.is_only("web-05", ["web-03", "web-04"])


def test_400_takes_the_newest_version_on_offer(service: Service, client: Client) -> None:
    service.answers = [answer(400, {"error": "Bad request", "newest-versions": ["2025-01-01", "2019-08-01", "2019-04-01"]}), DOCUMENT]
    assert client.read().api_version == "2019-08-01"
    client.read()
    assert [path.rpartition("=")[2] for dummy, path, *rest in service.seen] == ["2020-07-01", "2019-08-01", "2019-08-01"]


def test_400_without_an_offer_goes_back_version_by_version_and_ends(service: Service, client: Client) -> None:
    service.answers = [answer(400, {"error": "nope"})]
    with pytest.raises(EventsError, match="400.*2017-03-01.*nope") as error:
        client.read()
    assert error.value.kind == "refused" and len(service.seen) == len(VERSIONS)


def test_400_to_a_version_that_was_asked_for_is_an_error(service: Service) -> None:
    service.answers = [answer(400, {"error": "nope", "newest-versions": ["2019-08-01"]})]
    with pytest.raises(EventsError, match="2019-08-01"):
        Client(service.url, "2020-07-01").read()
    assert len(service.seen) == 1


def test_400_to_an_approval_is_about_the_event_and_keeps_the_version(service: Service, client: Client) -> None:
    service.answers = [DOCUMENT, answer(400, {"error": "unknown event"})]
    client.read()
    with pytest.raises(EventsError, match="unknown event"):
        client.approve(["gone"])
    assert len(service.seen) == 2 and client.api_version == VERSIONS[0]
    service.answers = [answer(400, {"error": "nope"})]
    with pytest.raises(EventsError):
        client.read()
    assert client.api_version == VERSIONS[0], "an outage must not leave an old version behind, which knows no sources"


@pytest.mark.parametrize(("status", "kind"), [(404, "not_offered"), (401, "refused"), (403, "refused"), (405, "refused"), (302, "refused")])
def test_what_is_not_tried_again(status: int, kind: str, service: Service, client: Client, clock: Clock) -> None:
    service.answers = [answer(status, "words", Location="http://127.0.0.1:9/")]
    with pytest.raises(EventsError, match=str(status)) as error:
        client.read()
    assert error.value.kind == kind and len(service.seen) == 1 and not clock.sleeps


@pytest.mark.parametrize("status", [0, 410, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("method", ["read", "approve"])
def test_what_is_tried_again_until_it_works(status: int, method: str, service: Service, client: Client, clock: Clock) -> None:
    service.answers = [answer(status)] * 3 + [DOCUMENT]
    client.read() if method == "read" else client.approve(["x"])
    assert len(service.seen) == 4 and clock.sleeps == [1, 2, 4]


@pytest.mark.parametrize(("status", "kind"), [(0, "unavailable"), (410, "unavailable"), (429, "throttled"), (500, "unavailable")])
def test_what_is_given_up_after_the_patience(status: int, kind: str, service: Service, client: Client, clock: Clock) -> None:
    service.answers = [answer(status)]
    with pytest.raises(EventsError) as error:
        client.read()
    assert error.value.kind == kind and 70 < clock.now <= 130


def test_retry_after_is_heeded(service: Service, client: Client, clock: Clock) -> None:
    service.answers = [answer(429, Retry_After="7"), DOCUMENT]
    client.read()
    assert clock.sleeps == [7]


def test_a_truncated_answer_is_asked_for_again(service: Service, client: Client) -> None:
    service.answers = [answer(200, '{"Doc', Content_Length="400"), DOCUMENT]
    assert client.read().incarnation == 7


def test_a_slow_first_answer_is_waited_for(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than a connection may take: only connecting is cut short."""
    monkeypatch.setattr(scheduled_events, "_CONNECT_SECONDS", 0.2)
    gate = threading.Event()
    monkeypatch.setattr(_Handler, "do_GET", lambda self: (gate.wait(0.6), _Handler._serve(self)))
    assert Client(service.url, patience=5).read().incarnation == 7


def test_no_azure_vm_is_said_at_once(clock: Clock) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with pytest.raises(EventsError, match="nothing answers at .*Azure VMs only") as error:
        Client(url, clock=lambda: clock.now, sleep=clock.sleep).read()
    assert error.value.kind == "not_azure" and not clock.sleeps


def test_a_silent_address_is_no_azure_vm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduled_events, "_CONNECT_SECONDS", 0.2)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for dummy in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        with pytest.raises(EventsError) as error:
            Client(f"http://127.0.0.1:{full.getsockname()[1]}", patience=5).read()
        for filler in fillers:
            filler.close()
    assert error.value.kind == "not_azure"


DRIPS = [
    pytest.param(b"HTTP/1.1 200", b" ", id="status line"), pytest.param(b"HTTP/1.1 200 OK\r\nX: ", b"y", id="headers"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b" ", id="body"), pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", b" ", id="body without end"),
    pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", id="chunks"),
    pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n", id="continue"),
]


@pytest.mark.parametrize("head, drop", DRIPS)
@pytest.mark.parametrize("action", [lambda client: client.read(), lambda client: client.approve(["1"]), lambda client: client.own_name()],
                         ids=["read", "approve", "own_name"])
def test_a_service_that_drips_takes_no_longer_than_the_patience(
    service: Service, monkeypatch: pytest.MonkeyPatch, action: t.Any, head: bytes, drop: bytes,
) -> None:
    def drip(self: _Handler) -> None:
        with contextlib.suppress(OSError):
            self.wfile.write(head)
            for dummy in range(100):
                self.wfile.write(drop)
                time.sleep(0.1)

    monkeypatch.setattr(_Handler, "do_GET", drip)
    monkeypatch.setattr(_Handler, "do_POST", drip)
    begun = time.monotonic()
    with pytest.raises(EventsError, match="gave no whole answer; it had 1 s") as error:
        action(Client(service.url, patience=1))
    assert error.value.kind == "unavailable" and time.monotonic() - begun < 3


def test_all_versions_that_are_tried_share_the_patience(service: Service, client: Client, clock: Clock) -> None:
    slow = answer(400, "", Retry_After="0")
    service.answers = [answer(503), slow, answer(503), slow, answer(503, Retry_After="60"), slow, answer(503, Retry_After="70"), slow]
    with pytest.raises(EventsError, match="still answers 503 and asks to wait .Retry-After: 70.; it had 130 s"):
        client.read()
    assert clock.now <= scheduled_events.PATIENCE


@pytest.mark.parametrize("value", ["1e300", "9" * 300, "86400"])
def test_a_wait_that_is_longer_than_the_patience_is_told_as_it_was_said(service: Service, client: Client, clock: Clock, value: str) -> None:
    service.answers = [answer(429, "", Retry_After=value)]
    with pytest.raises(EventsError, match=f"Retry-After: {value[:40]}") as error:
        client.read()
    assert error.value.kind == "throttled" and len(str(error.value)) < 250 and not clock.sleeps


@pytest.mark.parametrize("value", ["²", "soon", "inf", "nan", "-1", "9" * 400])
def test_a_wait_that_is_none_is_a_short_one(service: Service, client: Client, clock: Clock, value: str) -> None:
    service.answers = [answer(429, "", Retry_After=value.encode().decode("latin-1")), DOCUMENT]
    assert client.read().incarnation == 7 and clock.now <= 1


@pytest.mark.parametrize("text, words", [
    ("[" * 100_000 + "]" * 100_000, "nested deeper"), ('{"Events": ' + "[" * 200 + "]" * 200 + "}", "nested deeper"),
    ('{"DocumentIncarnation": ' + "1" * 10_000 + "}", "10000 digits"),
    ('{"DocumentIncarnation": 1e999}', "out of range"), (" " * (2 << 20), "larger than 1024 KiB")])
def test_an_answer_out_of_bounds_is_none(service: Service, client: Client, clock: Clock, text: str, words: str) -> None:
    service.answers = [answer(200, text)]
    with pytest.raises(EventsError, match=words) as error:
        client.read()
    assert error.value.kind == "bad_answer" and not clock.sleeps and len(service.seen) == 1


@pytest.mark.parametrize("endpoint", ["https://169.254.169.254", "169.254.169.254", "http://"])
def test_an_endpoint_that_is_none(endpoint: str) -> None:
    with pytest.raises(EventsError, match="http://ADDRESS"):
        Client(endpoint)


def test_the_own_name(service: Service, client: Client) -> None:
    service.answers = [answer(200, "web-03\n"), answer(404)]
    assert client.own_name() == "web-03"
    assert service.seen[0][1].startswith("/metadata/instance/compute/name?")
    with pytest.raises(EventsError, match="set vm_name"):
        client.own_name()


ON_GUESTS = [
    *(ROOT / "plugins" / "module_utils" / f"{name}.py" for name in ("_guest/scheduled_events", "_bounds", "_files", "_guest/module")),
    *(ROOT / "plugins" / "modules" / f"scheduled_events_{name}.py" for name in ("info", "approve")),
    *(ROOT / "roles" / "watch_events" / "files" / f"watch_{name}.py" for name in ("settings", "events")),
]


@pytest.mark.parametrize("path", ON_GUESTS, ids=lambda path: path.stem)
def test_what_runs_on_guests_is_old_enough_and_brings_nothing_along(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=(3, 9))
    names = {node.module if isinstance(node, ast.ImportFrom) else alias.name
             for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom)) and not getattr(node, "level", 0) for alias in node.names}
    foreign = {name for name in names if name.split(".")[0] not in sys.stdlib_module_names}
    ours = {f"ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.{name}" for name in ("scheduled_events", "module")}
    installed = {"watch_settings", *(f"azure_maintenance{name}" for name in ("", "._bounds", "._guest.scheduled_events"))}
    assert foreign <= ours | installed | {"ansible.module_utils.basic"}


def old_python() -> str | None:
    """A Python 3.9 that starts, if this machine has one."""
    versions = Path(os.environ["PYENV_ROOT"], "versions").glob("3.9.*/bin/python3.9") if "PYENV_ROOT" in os.environ else ()
    places = [*versions, shutil.which("python3.9")]
    for place in places:
        if place and subprocess.run([str(place), "-c", ""], capture_output=True, check=False).returncode == 0:
            return str(place)
    return None


def test_it_runs_on_python_3_9(service: Service, tmp_path: Path) -> None:
    python = old_python()
    if python is None:
        pytest.skip("no Python 3.9 on this machine: only parsed with its grammar")
    (tmp_path / "azure_maintenance" / "_guest").mkdir(parents=True)
    for path in ON_GUESTS[:3]:
        shutil.copy(path, tmp_path / "azure_maintenance" / path.relative_to(ROOT / "plugins" / "module_utils"))
    for path in ON_GUESTS[-2:]:
        shutil.copy(path, tmp_path)
    settings = {"endpoint": service.url, "vm_name": "web-03", "state": str(tmp_path / "state"), "mark": str(tmp_path / "mark"), "lock": str(tmp_path / "lock")}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    done = subprocess.run([python, "-sE", str(tmp_path / "watch_events.py"), "--config", str(tmp_path / "config.json")],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [method for method, *rest in service.seen] == ["GET", "POST"] and json.loads((tmp_path / "state").read_text())["phase"] == "drained"
