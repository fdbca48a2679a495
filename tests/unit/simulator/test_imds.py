# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metadata service of each simulated VM: shapes, who sees what, listening holds operations, approvals let them go."""

from __future__ import annotations

import http.client
import json
import os
from datetime import datetime, timedelta

import pytest
from simulator.fleet.keys import IMDS_VERSIONS

NET = f"127.{150 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
PORT = 8169
HEADER = {"Metadata": "true"}


def fleet(**imds):
    place = {"resource_group": "alpha", "region": "westeurope", "wave": "now"}
    vms = [{"name": f"web-{n}", "availability_set": "web", "update_domain": n, "addresses": {"private": f"{NET}.1{n}"}} for n in (0, 1)]
    return {
        "regions": {"westeurope": {"display": "West Europe"}},
        "waves": {"now": {"self_service": {"start": "-2d", "end": "+28d"}, "scheduled": {"start": "+30d", "end": "+37d"}}},
        "availability_sets": [{"name": "web", "resource_group": "alpha", "region": "westeurope"}],
        "agent_after_seconds": 0,
        "defaults": place,
        "vms": [*vms, {"name": "solo", "addresses": {"private": f"{NET}.20"}}, {"name": "plain"}],
        "imds": {"port": PORT, **imds},
    }


def ask(host, method="GET", path="/metadata/scheduledevents", version=IMDS_VERSIONS[-1], body=None, headers=None):
    """Status and body of a request to a VM's metadata service."""
    connection = http.client.HTTPConnection(f"{NET}.{host}", PORT, timeout=5)
    try:
        connection.request(method, path + (f"?api-version={version}" if version else ""), body and json.dumps(body), HEADER if headers is None else headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        return answer.status, json.loads(text) if text[:1] in ("{", "[") else text
    finally:
        connection.close()


def events(host, version=IMDS_VERSIONS[-1]):
    return ask(host, version=version)[1]["Events"]


def approve(host, *ids):
    return ask(host, "POST", body={"StartRequests": [{"EventId": item} for item in ids]})[0]


def waited(arm, name):
    """Seconds between the answer 202 and the moment the VM went down, by the ledger."""
    entry = [item for item in arm.control("GET", "ledger") if item["name"] == name and item["status"] == 202][-1]
    return (datetime.fromisoformat(entry["start"]) - datetime.fromisoformat(entry["accepted"])).total_seconds()


def test_what_is_refused(run):
    run(fleet(versions=["2019-08-01", "2019-04-01"]))
    assert ask(20, headers={})[0] == 400 and ask(20, headers={**HEADER, "X-Forwarded-For": "1.2.3.4"})[0] == 400
    assert ask(20) == (400, {"error": "Bad request. api-version is invalid or was not specified in the request.",
                             "newest-versions": ["2019-08-01", "2019-04-01"]})
    assert ask(20, version=None)[0] == 400 and ask(20, version="2019-08-01")[0] == 200
    assert ask(20, "PUT", version="2019-08-01")[0] == 405 and ask(20, path="/metadata/attested")[0] == 404
    assert ask(20, "POST", version="2019-08-01", body={"Start": 1})[0] == 400
    assert ask(20, "POST", version="2019-08-01", body={"StartRequests": [{"EventId": "unknown"}]})[0] == 400
    assert ask(20, path="/metadata/instance/compute/name", version="2021-02-01") == (200, "solo")


def test_nobody_listens_nobody_waits(run):
    arm = run(fleet())
    arm.post("solo")
    assert waited(arm, "solo") == 0 and not events(20)
    arm.post("solo", "redeploy")
    assert [(event["EventSource"], event["EventStatus"]) for event in events(20)] == [("User", "Scheduled")]


@pytest.mark.parametrize("kind, type_, held", [("performMaintenance", "Redeploy", True), ("restart", "Reboot", True), ("reapply", "", False)])
def test_a_read_holds_operations_until_they_are_approved(run, kind, type_, held):
    arm = run(fleet(notice_seconds=300))
    assert events(20) == []
    arm.post("solo", kind)
    found = events(20)
    assert [event["EventType"] for event in found] == ([type_] if held else [])
    if held:
        arm.control("POST", "clock", {"seconds": 40})
        assert approve(20, found[0]["EventId"]) == 200 and not events(20)
        assert 40 <= waited(arm, "solo") < 45


def test_without_an_approval_it_begins_at_its_time(run):
    arm = run(fleet(notice_seconds=300))
    events(20)
    arm.post("solo")
    event = events(20)[0]
    assert event["NotBefore"].endswith("GMT") and event["Resources"] == ["solo"] and event["DurationInSeconds"] == -1
    arm.control("POST", "clock", {"seconds": 299})
    assert events(20)[0]["EventStatus"] == "Scheduled"
    arm.control("POST", "clock", {"seconds": 2})
    assert not events(20) and 300 <= waited(arm, "solo") < 305


def test_declared_waits_count_only_where_somebody_listens(run):
    data = fleet()
    data["operations"] = {"default": {"waits_seconds": 70}}
    arm = run(data)
    events(10)
    arm.post("solo")
    arm.post("web-1")
    arm.control("POST", "clock", {"seconds": 90})
    arm.control("GET", "state")
    assert waited(arm, "solo") == 0 and 70 <= waited(arm, "web-1") < 100


def test_a_set_listens_and_sees_as_one(run):
    data = fleet(notice_seconds=300)
    data["operations"] = {"default": {"after_seconds": 60}}
    arm = run(data)
    events(11)
    arm.post("web-0")
    seen, of_itself = events(11), events(10)
    assert [event["Resources"] for event in seen] == [["web-0"]] and of_itself == seen and not events(20)
    assert approve(11, seen[0]["EventId"]) == 200 and approve(11, seen[0]["EventId"]) == 200
    started = events(11)
    assert [(event["EventStatus"], event["NotBefore"]) for event in started] == [("Started", "")]
    with pytest.raises(http.client.RemoteDisconnected):
        events(10)
    arm.control("POST", "clock", {"seconds": 61})
    assert not events(11) and not events(10)


def test_listening_takes_its_time_and_ends_after_a_day(run):
    arm = run(fleet(notice_seconds=300, enabling_seconds=100))
    events(20)
    arm.control("POST", "vms/solo", {"event": {"type": "Reboot"}})
    assert not events(20)
    arm.control("POST", "clock", {"seconds": 101})
    assert len(events(20)) == 1
    arm.control("POST", "clock", {"seconds": timedelta(hours=25).total_seconds()})
    arm.post("solo")
    assert waited(arm, "solo") == 0


def test_the_incarnation_grows_with_changes_only(run):
    arm = run(fleet(listening=True))
    first = ask(20)[1]["DocumentIncarnation"]
    assert ask(20)[1]["DocumentIncarnation"] == first
    arm.control("POST", "vms/solo", {"event": {}})
    second = ask(20)[1]["DocumentIncarnation"]
    assert second > first and ask(20)[1]["DocumentIncarnation"] == second


def test_versions_have_their_fields(run):
    arm = run(fleet(listening=True))
    arm.control("POST", "vms/solo", {"event": {"type": "Freeze", "duration_seconds": 9}})
    for version in IMDS_VERSIONS:
        event = events(20, version)[0]
        assert event["Resources"] == (["_solo"] if version == "2017-03-01" else ["solo"])
        assert ("Description" in event, "EventSource" in event, "DurationInSeconds" in event) == (
            version >= "2019-04-01", version >= "2019-08-01", version >= "2020-07-01")


def test_events_of_the_platform_begin_and_end(run):
    arm = run(fleet(listening=True))
    boot = arm.control("GET", "vms/solo")["boot_id"]
    arm.control("POST", "vms/solo", {"event": {"type": "Redeploy", "notice_seconds": 60, "linger_seconds": 30}})
    arm.control("POST", "vms/solo", {"event": {"type": "Freeze", "notice_seconds": 60, "duration_seconds": 9}})
    assert {event["EventSource"] for event in events(20)} == {"Platform"}
    arm.control("POST", "clock", {"seconds": 61})
    assert [event["EventStatus"] for event in events(20)] == ["Started", "Started"]
    assert arm.control("GET", "vms/solo")["boot_id"] != boot
    arm.control("POST", "clock", {"seconds": 10})
    assert [event["EventType"] for event in events(20)] == ["Redeploy"]
    arm.control("POST", "clock", {"seconds": 21})
    assert not events(20) and not arm.control("GET", "ledger")


def test_a_shared_event_and_a_cancelled_one(run):
    arm = run(fleet(listening=True))
    arm.control("POST", "vms/web-0", {"event": {"with": ["web-1"]}})
    assert events(10)[0]["Resources"] == ["web-0", "web-1"] and events(11) == events(10)
    arm.control("POST", "vms/web-0", {"event": {"cancel": True}})
    assert not events(10)
