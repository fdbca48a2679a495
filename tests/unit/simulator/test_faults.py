# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults: whom they meet, and each thing they do."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

VMS = "providers/Microsoft.Compute/virtualMachines"


def with_fault(run, small, **fault):
    """A client of the small fleet with one fault; match defaults to VM paths."""
    return run(small | {"faults": [{"match": {"path": "virtualMachines"}, **fault}]})


def test_nth_and_count(run, small):
    match = {"method": "GET", "path": "/solo/instanceView", "nth": 2, "count": 2}
    arm = run(small | {"faults": [{"match": match, "status": 503}]})
    got = [arm.call("GET", arm.vm("solo", "/instanceView"))[0] for dummy in range(5)]
    assert got == [200, 503, 503, 200, 200]
    assert arm.call("GET", arm.vm("calm", "/instanceView"))[0] == 200
    assert arm.control("GET", "faults")[0]["acted"] == 2


def test_throttled_with_and_without_retry_after(run, small):
    arm = run(
        small
        | {
            "faults": [
                {"match": {"path": "/solo$|/solo\\?"}, "status": 429, "retry_after": 17},
                {"match": {"path": "/calm"}, "status": 429, "wrapped": False, "code": "OperationNotAllowed"},
            ]
        }
    )
    status, headers, body = arm.call("GET", arm.vm("solo"))
    assert (status, headers["retry-after"], body["error"]["code"]) == (429, "17", "TooManyRequests")
    status, headers, body = arm.call("GET", arm.vm("calm"))
    assert (status, body["code"]) == (429, "OperationNotAllowed") and "retry-after" not in headers


def test_a_faulted_post_is_not_executed_unless_said(run, small):
    post = {"method": "POST", "path": "performMaintenance"}
    arm = run(
        small
        | {
            "faults": [
                {"match": post, "status": 500},
                {"match": {**post, "path": "app-0"}, "status": 503, "executed": True},
            ]
        }
    )
    assert arm.post("solo")[0] == 500
    assert arm.post("app-0")[0] == 503
    first, second = arm.simulator.ledger()
    assert (first["name"], first["operation"], first["status"], first["outcome"]) == (
        "solo",
        "performMaintenance",
        500,
        "refused",
    )
    assert (second["name"], second["status"], second["outcome"]) == ("app-0", 202, "completed")


@pytest.mark.parametrize(("drop", "outcome"), [("before", "dropped"), ("after", "completed")])
def test_dropped_connection(run, small, drop, outcome):
    arm = with_fault(run, small, drop=drop)
    with pytest.raises((http.client.HTTPException, ConnectionError, ssl.SSLError)):
        arm.post("solo")
    assert [entry["outcome"] for entry in arm.simulator.ledger()] == [outcome]
    assert arm.control("GET", "requests")[-1]["status"] is None


def test_truncated_body(run, small):
    arm = with_fault(run, small, truncate=True)
    with pytest.raises((http.client.IncompleteRead, ConnectionError, ssl.SSLError)):
        arm.call("GET", VMS)
    assert len(arm.get(VMS)["value"]) == 6


def test_not_json(run, small):
    status, headers, body = with_fault(run, small, body="<html>gateway</html>", status=502).call("GET", VMS)
    assert (status, headers["content-type"], body) == (502, "text/html", b"<html>gateway</html>")


def test_lost_next_link(run, small):
    arm = with_fault(run, small | {"page_size": 2}, lose_next_link=True)
    assert "nextLink" not in arm.get(VMS)
    assert "nextLink" in arm.get(VMS)


def test_delay(run, small):
    arm = with_fault(run, small, delay=0.3)
    before = time.monotonic()
    arm.view("solo")
    assert time.monotonic() - before >= 0.3


def test_headers_are_put_on_the_real_answer(run, small):
    arm = with_fault(run, small, headers={"Azure-AsyncOperation": "https://elsewhere.example/x"})
    status, headers, dummy = arm.post("solo")
    assert (status, headers["azure-asyncoperation"]) == (202, "https://elsewhere.example/x")


def test_by_control_path_and_in_batches(arm):
    arm.control("POST", "faults", {"match": {"path": "/solo", "count": 0}, "status": 429})
    part = {"httpMethod": "GET", "name": "a", "url": arm.vm("solo") + "?api-version=1"}
    body = arm.call("POST", "/batch", {"requests": [part]})[2]
    assert body["responses"][0]["httpStatusCode"] == 429
    assert arm.call("GET", arm.vm("solo"))[0] == 429
    arm.control("DELETE", "faults")
    assert arm.call("GET", arm.vm("solo"))[0] == 200


def test_a_client_that_never_speaks_holds_up_nobody(arm):
    host, port = arm.simulator.url.removeprefix("https://").split(":")
    with socket.create_connection((host, int(port))):
        before = time.monotonic()
        assert arm.call("GET", arm.vm("solo"))[0] == 200
        assert time.monotonic() - before < 2


def test_many_clients_at_once(arm):
    arm.get("/subscriptions")
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: arm.call("POST", arm.vm("solo", "/performMaintenance"))[0], range(64)))
    assert sorted(set(answers)) == [202, 409] and answers.count(202) == 1
    assert len(arm.simulator.ledger()) == 64
