# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers without bounds: each is the named error of its request, in bounded time; after a start the result is unknown and nothing is sent again."""

from __future__ import annotations

import gzip
import json
import time

import pytest
from unit.plugins.listener import reply

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm import retry
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.client import COMPUTE
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.transport import MOST_WAIT, retry_after
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import AzureError

VM = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm"
DEEP = '{"value":' + "[" * 100_000 + "]" * 100_000 + "}"


def raw(status, payload, **headers):
    """An answer of bytes."""
    def write(handler):
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(payload)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(payload)

    return write


def dripping(head, drop):
    def write(handler):
        handler.wfile.write(head)
        for dummy in range(60):
            handler.wfile.flush()
            time.sleep(0.1)
            handler.wfile.write(drop)

    return write


BOMB = gzip.compress(bytes(64 << 20))
# By name: what comes, with a status that is filled in, and what it is called.
BODIES = {
    "packed": (lambda status: raw(status, BOMB, Content_Encoding="gzip"), "larger than 32768 KiB"),
    "deep": (lambda status: reply(status, DEEP), "nested deeper than 100"),
    "digits": (lambda status: reply(status, '{"value": [' + "1" * 10_000 + "]}"), "a number of 10000 digits"),
    "exponent": (lambda status: reply(status, '{"value": [1e999]}'), "a number out of range"),
}
UNPACKABLE = {
    "no gzip": (lambda status: raw(status, b"no gzip", Content_Encoding="gzip"), "cannot be unpacked"),
    "cut gzip": (lambda status: raw(status, gzip.compress(b"{}" * 9)[:-9], Content_Encoding="gzip"), "cut short"),
    "brotli": (lambda status: raw(status, b"{}", Content_Encoding="br"), "not asked for"),
    "drips": (lambda status: dripping(b"HTTP/1.1 %d OK\r\nContent-Length: 1000\r\n\r\n" % status, b"x"), "no whole answer|timed out|cannot be read"),
}
SLOW = {
    "status": (lambda status: dripping(b"HTTP/1.1 %d" % status, b" "), "no answer from"),
    "headers": (lambda status: dripping(b"HTTP/1.1 %d OK\r\nX: " % status, b"y"), "no answer from"),
    "continue": (lambda status: dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "no answer from"),
}
ALL = {**BODIES, **UNPACKABLE, **SLOW}
READS = {
    "get": lambda arm, url: arm.get(VM, COMPUTE, "read the VM"), "list": lambda arm, url: arm.list(VM, COMPUTE, "read the VM"),
    "query": lambda arm, url: arm.query(VM, COMPUTE, "read the VM", {}), "operation": lambda arm, url: arm.operation(f"{url}/operations/1"),
}


@pytest.fixture
def quick(bare, monkeypatch):
    """One try, so that a test waits for one timeout (0.4 s) only."""
    monkeypatch.setattr(retry, "_TRIES", 1)
    return bare


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("name", ALL)
def test_a_read_ends_in_its_own_error(quick, name, read):
    arm, listener = quick
    make, words = ALL[name]
    listener.answer = make(200)
    begun = time.monotonic()
    with pytest.raises(AzureError, match=rf"could not (read the VM|poll the operation).*({words}|no whole answer)"):
        READS[read](arm, listener.url)
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize("name", BODIES)
def test_more_than_is_taken_is_not_asked_for_again(bare, name):
    arm, listener = bare
    listener.answer = BODIES[name][0](200)
    seen = len(listener.seen)
    with pytest.raises(AzureError):
        arm.get(VM, COMPUTE, "read the VM")
    assert len(listener.seen) == seen + 1


@pytest.mark.parametrize("status", [404, 503])
@pytest.mark.parametrize("name", [*BODIES, *UNPACKABLE])
def test_an_error_keeps_its_status_whatever_its_body_is(quick, name, status):
    arm, listener = quick
    listener.answer = ALL[name][0](status)
    with pytest.raises(AzureError, match=f"HTTP {status}: its body cannot be read: ") as caught:
        arm.get(VM, COMPUTE, "read the VM")
    assert caught.value.status == status


@pytest.mark.parametrize("status", [202, 409, 429])
@pytest.mark.parametrize("name", ALL)
def test_a_start_whose_answer_is_without_bounds_is_unknown_and_sent_once(bare, name, status):
    arm, listener = bare
    listener.answer = ALL[name][0](status)
    begun = time.monotonic()
    answer = arm.post(f"{VM}/performMaintenance", COMPUTE, "id")
    assert answer.kind == "unknown" and time.monotonic() - begun < 3
    assert len([1 for method, *dummy in listener.seen if method == "POST"]) == 1


def test_a_start_whose_body_cannot_be_read_is_watched_by_the_url_of_its_headers(bare):
    arm, listener = bare
    listener.answer = raw(202, DEEP.encode(), Azure_AsyncOperation=f"{listener.url}/operations/1")
    answer = arm.post(f"{VM}/performMaintenance", COMPUTE, "id")
    assert (answer.kind, answer.status, answer.code) == ("unknown", 202, "UnreadableAnswer") and answer.operation_url == f"{listener.url}/operations/1"


def test_a_packed_page_of_usual_size_is_read_and_the_connection_kept(bare):
    arm, listener = bare
    listener.answer = raw(200, gzip.compress(json.dumps({"value": [{"id": "x" * 1000}] * 500}).encode()), Content_Encoding="gzip")
    ports = set()
    answer = listener.answer
    listener.answer = lambda handler: (ports.add(handler.client_address[1]), answer(handler))
    for dummy in range(3):
        assert len(arm.list(VM, COMPUTE, "list")) == 500
    assert len(ports) == 1 and listener.seen[-1][2]["accept-encoding"] == "gzip"


# -- time that is left ----------------------------------------------------------------------------------------------------


def test_a_request_takes_no_longer_than_what_is_left(cloud):
    """A start ends with the time limit; reads have some grace, for what is to be told then."""
    reader = cloud.arm().reader
    reader.limit(cloud.clock.monotonic() + 12, grace=6)
    assert reader.timeout(read=False) == {"read_timeout": 12, "connection_timeout": 12}
    assert reader.timeout() == {"read_timeout": 18, "connection_timeout": 15}
    cloud.clock.sleep(11)
    assert reader.timeout(read=False) == {"read_timeout": 5, "connection_timeout": 5}
    reader.limit(cloud.clock.monotonic() + 4500)
    assert reader.timeout() == reader.timeout(read=False) == {}
    reader.limit(None)
    assert reader.timeout() == {}


def test_a_start_that_hangs_ends_with_the_time_limit(bare, monkeypatch):
    arm, listener = bare
    monkeypatch.setattr(retry, "_LEAST_TIMEOUT", 0.1)
    arm._wire._client._pipeline._transport.connection_config.read_timeout = 30
    listener.answer = lambda handler: time.sleep(3)
    arm.reader.limit(arm._clock.monotonic() + 0.5, grace=30)
    begun = time.monotonic()
    assert arm.post(f"{VM}/performMaintenance", COMPUTE, "id").kind == "unknown"
    assert time.monotonic() - begun < 2


# -- waits ----------------------------------------------------------------------------------------------------------------

ABSURD = ["1e300", "9" * 300, "86400", "Fri, 31 Dec 9999 23:59:59 GMT"]


@pytest.mark.parametrize("value, seconds", [
    *[(value, MOST_WAIT) for value in ABSURD], ("7", 7), ("0", 0), ("-5", 0), ("inf", None), ("9" * 400, None), ("soon", None), ("²", None),
    ("Mon, 99999999999999999999 Jan 2026 00:00:00 GMT", None), ("Mon, 01 Jan 0001 00:00:00 +2300", 0)])
def test_what_is_believed_of_a_wait(value, seconds):
    assert retry_after({"Retry-After": value}) == seconds


@pytest.mark.parametrize("value", ABSURD)
def test_an_absurd_wait_is_cut_and_told_as_it_was_said(bare, value):
    arm, listener = bare
    listener.answer = reply(429, {"error": {"code": "TooManyRequests", "message": "slow"}}, Retry_After=value)
    begun = arm._clock.monotonic()
    with pytest.raises(AzureError) as caught:
        arm.get(VM, COMPUTE, "read the VM")
    assert f"Retry-After: {value[:40]}" in str(caught.value) and len(str(caught.value)) < 400 and caught.value.retry_after == MOST_WAIT
    assert arm._clock.monotonic() - begun <= MOST_WAIT
    answer = arm.post(f"{VM}/performMaintenance", COMPUTE, "id")
    assert (answer.kind, answer.retry_after) == ("throttled", MOST_WAIT) and f"Retry-After: {value[:40]}" in answer.wait_said


@pytest.mark.parametrize("date", ["Mon, 99999999999999999999 Jan 2026 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -2300", "yesterday"])
def test_a_date_of_no_calendar_leaves_the_clock_as_it_was(bare, date):
    arm, listener = bare
    before = arm._wire.skew
    listener.answer = lambda handler: (handler.wfile.write(f"HTTP/1.1 202 Accepted\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n".encode()))
    assert arm.post(f"{VM}/performMaintenance", COMPUTE, "id").kind == "accepted"
    assert abs((arm._wire.skew - before).total_seconds()) < 5 and arm.now()
