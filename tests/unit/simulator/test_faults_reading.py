# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong while a fleet is read: tokens that end, pages that lie, VMs that vanish."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import time

import pytest

VMS = "providers/Microsoft.Compute/virtualMachines"
PAGES = f"{VMS}?api-version=2025-04-01"
EXPIRED = re.compile(
    r"The access token expiry UTC time '\d+/\d+/\d{4} \d+:\d\d:\d\d [AP]M' is earlier than current UTC time '.*'\."
)


def expired(answer):
    """Check that this is the answer to an expired token, with the recorded header."""
    status, headers, body = answer
    assert (status, body["error"]["code"]) == (401, "ExpiredAuthenticationToken")
    assert EXPIRED.fullmatch(body["error"]["message"])
    assert re.fullmatch(
        r'Bearer authorization_uri="https://[^"]+", error="invalid_token", '
        r'error_description="The access token has expired."',
        headers["www-authenticate"],
    )
    assert headers["x-ms-failure-cause"] == "gateway"


def test_a_token_ends_in_the_middle_of_a_list(run, small):
    fault = {"match": {"path": "/virtualMachines", "nth": 2}, "expire_token": True}
    arm = run(small | {"page_size": 2, "faults": [fault]})
    link = arm.get(PAGES)["nextLink"].removeprefix(arm.simulator.url)
    expired(arm.call("GET", link))
    expired(arm.call("GET", link))
    arm.token = None
    items, pages = arm.follow(link)
    assert (len(items), pages) == (4, 2)


def test_all_tokens_end(arm):
    arm.get(VMS)
    other = type(arm)(arm.simulator, 1)
    other.get(VMS)
    arm.control("POST", "tokens", {"expire": True})
    expired(arm.call("GET", VMS))
    expired(other.call("GET", VMS))
    arm.token = None
    arm.get(VMS)


def test_tokens_live_as_long_as_said(run, small):
    arm = run(small | {"token_seconds": 1})
    token = arm.sign_in()[2]
    assert token["expires_in"] == 1
    arm.get(VMS)
    deadline = time.monotonic() + 10
    while arm.call("GET", VMS)[0] == 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    expired(arm.call("GET", VMS))
    arm.control("POST", "tokens", {"seconds": 7200})
    assert arm.sign_in()[2]["expires_in"] == 7200


def test_one_subscription_is_listed_but_may_not_be_read(run, small):
    small["credentials"][0]["roles"] = {"Other": "listed"}
    arm = run(small)
    both = list(arm.simulator.fleet.subscriptions)
    assert [item["subscriptionId"] for item in arm.get("/subscriptions")["value"]] == both
    status, dummy, body = arm.call("GET", f"/subscriptions/{both[1]}/{VMS}")
    assert (status, body["error"]["code"]) == (403, "AuthorizationFailed")
    assert len(arm.get(VMS)["value"]) == 6


def test_a_role_of_its_own_on_one_subscription(run, small):
    small["credentials"][1]["roles"] = {"Small": "none"}
    arm = run(small)
    reader = type(arm)(arm.simulator, 1)
    assert [item["displayName"] for item in reader.get("/subscriptions")["value"]] == ["Other"]


def test_a_vm_is_deleted_between_two_lists(run, small):
    fault = {"match": {"path": "statusOnly=true"}, "delete_vm": "solo"}
    arm = run(small | {"faults": [fault]})
    assert "solo" in [item["name"] for item in arm.get(VMS)["value"]]
    assert "solo" not in [item["name"] for item in arm.get(f"{VMS}?statusOnly=true")["value"]]
    assert arm.call("GET", arm.vm("solo"))[0] == 404
    names = [item["name"] for item in arm.get("providers/Microsoft.Network/networkInterfaces")["value"]]
    assert len(names) == 5 and "solo-nic" not in names


@pytest.mark.parametrize("nth", [1, 2])
def test_an_empty_page_that_leads_on(run, small, nth):
    fault = {"match": {"path": "/virtualMachines", "nth": nth}, "empty_page": True}
    arm = run(small | {"page_size": 3, "faults": [fault]})
    items, pages = arm.follow(PAGES)
    assert (len(items), pages) == (6, 3)


def test_an_empty_page_for_ever(run, small):
    fault = {"match": {"path": "/virtualMachines", "count": 0}, "empty_page": True}
    arm = run(small | {"faults": [fault]})
    first = arm.get(PAGES)
    assert arm.get(first["nextLink"].removeprefix(arm.simulator.url)) == first


def test_half_a_page_that_says_it_is_whole(run, small):
    arm = run(small | {"faults": [{"match": {"path": "/virtualMachines"}, "cut": True}]})
    token = arm.sign_in()[2]["access_token"]
    host, port = arm.simulator.url.removeprefix("https://").split(":")
    connection = http.client.HTTPSConnection(host, int(port), context=arm.context)
    connection.request(
        "GET", f"/subscriptions/{arm.subscription}/{PAGES}", headers={"Authorization": f"Bearer {token}"}
    )
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status == 200 and int(answer.headers["Content-Length"]) == len(content)
    assert answer.headers["Content-Type"].startswith("application/json")
    with pytest.raises(ValueError, match="JSON|Expecting|Unterminated"):
        json.loads(content)
    connection.close()


def test_a_page_that_is_no_json(run, small):
    arm = run(small | {"faults": [{"match": {"path": "/virtualMachines"}, "body": "<html>"}]})
    status, headers, body = arm.call("GET", VMS)
    assert (status, headers["content-type"], body) == (200, "text/html", b"<html>")


def test_the_line_breaks_in_the_middle_of_a_page(run, small):
    fault = {"match": {"path": "skiptoken"}, "truncate": True}
    arm = run(small | {"page_size": 3, "faults": [fault]})
    link = arm.get(PAGES)["nextLink"].removeprefix(arm.simulator.url)
    with pytest.raises((http.client.IncompleteRead, ConnectionError, ssl.SSLError)):
        arm.call("GET", link)
    assert len(arm.get(link)["value"]) == 3


@pytest.mark.parametrize("told", [{}, {"retry_after": 1200}])
def test_throttled_in_the_middle(run, small, told):
    fault = {"match": {"path": "skiptoken"}, "status": 429, **told}
    arm = run(small | {"page_size": 3, "faults": [fault]})
    link = arm.get(PAGES)["nextLink"].removeprefix(arm.simulator.url)
    status, headers, dummy = arm.call("GET", link)
    assert status == 429 and headers.get("retry-after") == (str(told["retry_after"]) if told else None)
    assert arm.call("GET", link)[0] == 200


def test_the_last_page_is_lost(run, small):
    fault = {"match": {"path": "skiptoken"}, "lose_next_link": True}
    items, pages = run(small | {"page_size": 2, "faults": [fault]}).follow(PAGES)
    assert (len(items), pages) == (4, 2)
