# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The port onto Resource Manager: pages, odd bodies, foreign hosts, and what is known after a POST."""

from __future__ import annotations

import json
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from unit.plugins.listener import Listener, reply

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.client import COMPUTE, Arm
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.credentials import Settings
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.transport import Renewable, error_of
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import AuthError, AzureError, NotFound

VMS = "/subscriptions/5ab00000-0000-4000-8000-000000000001/providers/Microsoft.Compute/virtualMachines"


# -- lists ----------------------------------------------------------------------------------------------------------------

def test_every_page_of_a_list(cloud):
    cloud.simulator.fleet.page_size = 3
    cloud.simulator.fleet.quirks["empty_first_page"] = True
    assert len(cloud.arm().list(VMS, COMPUTE, "list")) == 7
    assert len(cloud.requests(having="$skiptoken") + cloud.requests(having="%24skiptoken")) == 3


@pytest.mark.parametrize("fault, words", [
    ({"body": "<html>Bad Gateway</html>"}, r"page 2\): the answer is not JSON"), ({"body": {"value": "none"}}, "page 2 has no list of values; 3 items"),
    ({"body": {"error": {}}}, "page 2 has no list"), ({"body": []}, "page 2 has no list"), ({"status": 500}, r"page 2\): HTTP 500"),
    ({"status": 403}, r"page 2\): HTTP 403 AuthorizationFailed"), ({"drop": "before"}, r"page 2\): no answer from"), ({"truncate": True}, "page 2")])
def test_a_page_that_cannot_be_had_is_an_error(cloud, fault, words):
    cloud.simulator.fleet.page_size = 3
    cloud.fault("skiptoken", count=0, **fault)
    with pytest.raises(AzureError, match=words):
        cloud.arm().list(VMS, COMPUTE, "list virtual machines")


@pytest.mark.parametrize("fault", [
    {"status": 500}, {"status": 503, "retry_after": 2}, {"status": 429, "retry_after": 7}, {"drop": "before"}, {"drop": "after"},
    {"truncate": True}, {"body": "<html>"}])
def test_a_page_that_fails_once_is_asked_for_again(cloud, fault):
    cloud.simulator.fleet.page_size = 3
    cloud.fault("skiptoken", **fault)
    assert len(cloud.arm().list(VMS, COMPUTE, "list")) == 7
    assert sum(cloud.clock.sleeps) >= fault.get("retry_after", 0)


def test_pages_that_go_in_a_circle_end(cloud):
    cloud.fault("virtualMachines", body={"value": [{}], "nextLink": cloud.arm().url(VMS, COMPUTE)}, count=0)
    with pytest.raises(AzureError, match="points back to a page already read; 1 items"):
        cloud.arm().list(VMS, COMPUTE, "list")


def test_no_token_follows_a_next_page_to_another_host(cloud):
    with Listener(cloud.directory / "server.pem") as foreign:
        cloud.fault("virtualMachines", body={"value": [], "nextLink": f"{foreign.url}/page2"})
        with pytest.raises(AzureError, match="tokens are only sent to"):
            cloud.arm().list(VMS, COMPUTE, "list")
    assert foreign.seen == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_token_follows_a_redirect_to_another_host(cloud, status):
    with Listener(cloud.directory / "server.pem") as foreign:
        cloud.fault("virtualMachines", status=status, headers={"Location": f"{foreign.url}/elsewhere"}, count=0)
        with pytest.raises(AzureError, match=f"HTTP {status}"):
            cloud.arm().list(VMS, COMPUTE, "list")
    assert foreign.authorized() == []


def test_no_token_goes_out_unencrypted(cloud):
    with pytest.raises(AzureError, match="tokens are only sent to"):
        cloud.arm().operation(cloud.simulator.url.replace("https://", "http://") + "/operations/1")


def test_the_default_port_is_the_same_host(bare):
    """Azure's own links name port 443 now and then."""
    arm, dummy = bare
    arm.host = "management.azure.com"
    assert arm._own_url("https://management.azure.com:443/operations/1") == "https://management.azure.com:443/operations/1"
    assert arm._own_url("https://Management.Azure.com/operations/1")
    for foreign in ("https://management.azure.com.evil.example/", "https://management.azure.com@evil.example/",
                    "https://evil.example/?management.azure.com", "https://management.azure.com:8443/", "//management.azure.com",
                    "http://management.azure.com/", "", None):
        assert arm._own_url(foreign) is None


# -- one resource ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("fault, kind, words", [
    ({"status": 404}, NotFound, "HTTP 404 ResourceNotFound: "), ({"status": 403}, AuthError, "HTTP 403 AuthorizationFailed"),
    ({"status": 401}, AuthError, "HTTP 401"), ({"status": 409}, AzureError, "HTTP 409"), ({"body": []}, AzureError, "not a JSON object"),
    ({"body": ""}, AzureError, "not a JSON object"), ({"body": "  "}, AzureError, "could not read it"), ({"body": "{"}, AzureError, "not JSON"),
    ({"status": 202, "body": "<html>"}, AzureError, "could not read it"),
    ({"status": 400, "body": "plain text"}, AzureError, "HTTP 400: plain text")])
def test_what_can_come_instead_of_a_resource(cloud, fault, kind, words):
    cloud.fault("virtualMachines/solo", count=0, **fault)
    with pytest.raises(AzureError, match=words) as caught:
        cloud.arm().get(cloud.id("solo"), COMPUTE, "read it")
    assert caught.value.__class__ is kind
    result = caught.value.to_result()
    assert result["doing"] == "read it" and result["status"] == (fault.get("status") if "status" in fault and fault["status"] != 202 else None)


def test_the_clock_is_the_clouds(cloud):
    cloud.simulator.clock.advance(86400 * 30)
    arm = cloud.arm()
    arm.get(cloud.id("solo"), COMPUTE, "read")
    assert abs((arm.now() - cloud.simulator.clock.now()).total_seconds()) < 3
    cloud.fault("virtualMachines/solo", headers={"Date": "the day before yesterday"})
    arm.get(cloud.id("solo"), COMPUTE, "read")
    assert abs((arm.now() - cloud.simulator.clock.now()).total_seconds()) < 3, "a Date nobody can read leaves the clock as it was"


@pytest.mark.parametrize("fault, least, most, words", [
    ({"retry_after": 1200}, 1200, 1800, "asked 2 times; Azure asks to wait 1200"), ({}, 240, 240, "asked 5 times"),
    ({"retry_after": 0}, 1, 60, "HTTP 429"), ({"retry_after": 40}, 700, 800, "asked 20 times")])
def test_throttling_that_never_ends_is_an_error(cloud, fault, least, most, words):
    cloud.fault("virtualMachines/solo", status=429, count=0, **fault)
    with pytest.raises(AzureError, match=words) as caught:
        cloud.arm().get(cloud.id("solo"), COMPUTE, "read it")
    assert least <= cloud.clock.seconds <= most and caught.value.status == 429


def test_a_refused_token_is_renewed_once_and_no_more(cloud):
    cloud.fault("virtualMachines/solo", status=401, count=0)
    with pytest.raises(AuthError, match="HTTP 401"):
        cloud.arm().get(cloud.id("solo"), COMPUTE, "read it")
    assert len(cloud.requests(having="/solo")) == 2


def test_threads_that_meet_the_same_stale_token_renew_it_once():
    made = []
    credential = Renewable(lambda: made.append(1))
    for generation in (0, 0, 0, 1, 1):
        credential.renew(generation)
    assert (len(made), credential.generation) == (3, 2)


def test_a_question_asked_by_post_is_asked_again_for_it_changes_nothing(cloud):
    path = "/providers/Microsoft.ResourceGraph/resources"
    cloud.fault(path, "POST", status=503, count=2)
    cloud.fault(path, "POST", body={"data": []})
    assert cloud.arm().query(path, "2021-03-01", "ask", {"query": "x"}) == {"data": []}


def test_one_page_is_taken_at_a_time(cloud):
    """What takes items needs no lock, however many lists are under way."""
    cloud.simulator.fleet.page_size = 2
    inside, together = [], []

    def take(item):
        inside.append(item)
        together.append(len(inside))
        time.sleep(0.002)
        inside.pop()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda dummy: cloud.arm().each(VMS, COMPUTE, "list", take), range(6)))
    assert len(together) == 42 and set(together) == {1}


# -- operations -----------------------------------------------------------------------------------------------------------

FARES = [
    (200, {"status": "InProgress"}, "running"), (200, {"status": "Updating"}, "running"), (200, {}, "succeeded"), (200, {"status": "SUCCEEDED"}, "succeeded"),
    (200, {"status": "Canceled"}, "canceled"), (202, None, "running"), (200, None, "succeeded"), (204, None, "succeeded"), (404, None, "forgotten"),
    (410, None, "forgotten"), (200, {"status": "Failed", "error": None}, "failed"), (202, {"status": "InProgress"}, "running"),
    (200, {"status": "Failed", "error": "text"}, "failed")]


def test_how_an_operation_fares(bare):
    arm, listener = bare
    for status, body, state in FARES:
        listener.answer = reply(status, body)
        assert arm.operation(f"{listener.url}/operations/1").state == state, f"{status} {body}"


def test_why_an_operation_failed(bare):
    arm, listener = bare
    listener.answer = reply(200, {"status": "failed", "error": {"code": "AllocationFailed", "message": "No room."}})
    status = arm.operation(f"{listener.url}/operations/1")
    assert (status.state, status.code, status.message) == ("failed", "AllocationFailed", "No room.")


def test_an_operation_that_tells_nothing_now_is_an_error_not_an_end(bare):
    arm, listener = bare
    for status, body in ((500, None), (409, {"error": {"code": "X"}}), (200, "<html>"), (200, []), (200, ["Succeeded"]), (200, "3"), (202, "<html>")):
        listener.answer = reply(status, body)
        with pytest.raises(AzureError, match="could not poll the operation"):
            arm.operation(f"{listener.url}/operations/1")


# -- one POST -------------------------------------------------------------------------------------------------------------

def test_what_is_known_after_an_accepted_post(cloud):
    answer = cloud.arm().post(f"{cloud.id('solo')}/performMaintenance", COMPUTE, "my-id")
    assert (answer.kind, answer.status) == ("accepted", 202) and answer.operation_url.startswith(cloud.simulator.url)
    assert answer.request_id and answer.code is None
    assert [r["client_request_id"] for r in cloud.simulator.requests() if r["method"] == "POST" and "perform" in r["path"]] == ["my-id"]


def _stall(handler):
    """Headers of an acceptance, and then nothing for longer than anybody waits."""
    handler.wfile.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 20\r\n\r\n")
    handler.wfile.flush()
    time.sleep(1)


def _silence(handler):
    time.sleep(1)


def _hang_up(handler):
    handler.close_connection = True
    handler.connection.close()


def _half(handler):
    handler.wfile.write(b'HTTP/1.1 202 Accepted\r\nContent-Length: 200\r\n\r\n{"error"')
    handler.wfile.flush()
    _hang_up(handler)


def _garbage(handler):
    """Bytes that are no TLS record, in the middle of the answer."""
    with socket.socket(fileno=os.dup(handler.connection.fileno())) as below:
        below.sendall(b"HTTP/1.1 500 this is not encrypted\r\n\r\n")


@pytest.mark.parametrize("answer", [_stall, _silence, _hang_up, _half, _garbage, reply(500), reply(503), reply(302, None, Location="https://x/")])
def test_a_post_that_may_have_been_executed_is_unknown(bare, answer):
    arm, listener = bare
    listener.answer = answer
    assert arm.post("/vm/performMaintenance", COMPUTE, "x").kind == "unknown"
    assert len([1 for method, *dummy in listener.seen if method == "POST"]) == 1, "sent once"


def test_a_post_that_never_left_was_refused(bare):
    arm, listener = bare
    arm.post("/vm/performMaintenance", COMPUTE, "a token is there now")
    listener.shutdown()
    listener.server_close()
    arm._wire._client._pipeline._transport.session.close()  # its kept connections
    answer = arm.post("/vm/performMaintenance", COMPUTE, "no connection can be made")
    assert (answer.kind, answer.code, answer.status) == ("refused", "ConnectionFailed", None)


def test_a_post_that_no_proxy_took_was_refused(bare, monkeypatch):
    arm, listener = bare
    arm.post("/vm/performMaintenance", COMPUTE, "a token is there now")
    seen = len(listener.seen)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
    answer = arm.post("/vm/performMaintenance", COMPUTE, "x")
    assert (answer.kind, answer.code) == ("refused", "ConnectionFailed") and len(listener.seen) == seen


def test_a_post_survives_every_body(bare):
    arm, listener = bare
    for body in ("", "null", "3", "[]", '"text"', "{}", '{"error": null}', '{"error": []}', '{"error": 3}', '{"error": {"code": 3}}', "<html>"):
        for status, kind in ((202, "accepted"), (400, "refused"), (429, "throttled"), (500, "unknown")):
            listener.answer = reply(status, body)
            assert arm.post("/vm/performMaintenance", COMPUTE, "x").kind == kind, f"{status} {body}"


@pytest.mark.parametrize("body, expected", [
    ({"error": {"code": "C", "message": "m"}}, ("C", "m")), ({"code": "C", "message": "m"}, ("C", "m")),
    ({"error": "invalid_client", "error_description": "AADSTS"}, ("invalid_client", "AADSTS")), ({}, (None, None)), ([], (None, None)),
    (None, (None, None)), ({"error": None, "code": "C", "message": "m"}, ("C", "m")), ({"Code": "C", "Message": "m"}, ("C", "m"))])
def test_code_and_message_of_an_error(body, expected):
    assert error_of(json.dumps(body)) == expected
    assert error_of("no JSON\n" + "x" * 500)[1].startswith("no JSON")


# -- signing in -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("change", [{"secret": "wrong"}, {"client_id": "44444444-4444-4444-8444-444444444444"}])
def test_a_sign_in_that_fails_says_so(cloud, change):
    arm = Arm(Settings.from_options({**cloud.options(), **change}))
    with pytest.raises(AuthError, match="could not sign in") as caught:
        arm.get(cloud.id("solo"), COMPUTE, "read it")
    assert "wrong" not in str(caught.value)
    with pytest.raises(AuthError, match="could not sign in"):
        arm.post(f"{cloud.id('solo')}/performMaintenance", COMPUTE, "x")
    assert cloud.requests("POST") == []
