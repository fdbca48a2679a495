# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger, the request log and the activity log."""

from __future__ import annotations

from datetime import datetime


def test_accepted_and_refused_writes(run, small):
    arm = run(small | {"operations": {"default": {"after_seconds": 30}}})
    arm.post("app-1", x_ms_client_request_id="mine")
    arm.post("calm")
    arm.call("PUT", arm.vm("solo"), {"location": "westeurope"})
    arm.call("DELETE", "resourceGroups/alpha")
    running, refused, put, deleted = arm.simulator.ledger()
    assert running | {"start": 0, "accepted": 0, "operation_id": 0} == {
        **{
            "entry": 1,
            "id": arm.simulator.fleet.named("app-1")[0].id,
            "name": "app-1",
            "operation": "performMaintenance",
        },
        **{"method": "POST", "status": 202, "start": 0, "end": None, "set": "alpha/app", "update_domain": 1},
        **{"region": "westeurope", "outcome": None, "client_request_id": "mine", "down": True, "accepted": 0},
        **{"operation_id": 0, "error": None, "caller": arm.credential["client_id"]},
        **{"zone": None, "instance_id": None, "via": "vm", "notice_seconds": 0.0},
    }
    assert (refused["status"], refused["outcome"], refused["error"]) == (409, "refused", "OperationNotAllowed")
    assert refused["start"] == refused["end"] and refused["set"] is None and refused["down"] is False
    assert (put["method"], put["operation"], put["status"]) == ("PUT", "Microsoft.Compute/virtualMachines", 404)
    assert (deleted["method"], deleted["status"], deleted["outcome"]) == ("DELETE", 404, "refused")
    arm.simulator.clock.advance(31)
    done = arm.simulator.ledger()[0]
    span = datetime.fromisoformat(done["end"]) - datetime.fromisoformat(done["start"])
    assert done["outcome"] == "completed" and span.total_seconds() >= 30


def test_an_untouched_vm_is_not_down(run, small):
    arm = run(small | {"operations": {"default": {"result": "retry_later"}}})
    arm.post("solo")
    entry = arm.simulator.ledger()[0]
    assert (entry["outcome"], entry["down"], entry["end"] is None) == ("retry_later", False, False)


def test_reads_and_batches_are_no_writes(arm):
    arm.view("solo")
    arm.call(
        "POST", "/batch", {"requests": [{"httpMethod": "GET", "name": "a", "url": arm.vm("solo") + "?api-version=1"}]}
    )
    assert arm.control("GET", "ledger") == []
    log = arm.control("GET", "requests")
    assert [(item["method"], item["status"]) for item in log] == [
        ("POST", 200),
        ("GET", 200),
        ("GET", 200),
        ("POST", 200),
    ]
    assert log[1]["path"].endswith("/solo/instanceView?api-version=2025-04-01")


def test_activity_log(arm):
    arm.post("solo")
    arm.post("calm")
    since = datetime.fromisoformat(arm.simulator.ledger()[0]["start"]).strftime("%Y-%m-%dT%H:%M:%SZ")
    path = "providers/Microsoft.Insights/eventtypes/management/values?api-version=2015-04-01&$filter="

    def events(extra=""):
        text = f"eventTimestamp ge '{since}'{extra}".replace(" ", "%20")
        return arm.get(path + text)["value"]

    solo = events(f" and resourceUri eq '{arm.simulator.fleet.named('solo')[0].id.upper()}'")
    assert [event["status"]["value"] for event in solo] == ["Succeeded", "Accepted", "Started"]
    assert {event["operationName"]["value"] for event in solo} == {
        "Microsoft.Compute/virtualMachines/performMaintenance/action"
    }
    assert len({event["correlationId"] for event in solo}) == 1 and len({event["eventDataId"] for event in solo}) == 3
    calm = [event for event in events() if "/calm" in event["resourceId"]]
    assert [(event["status"]["value"], event["subStatus"]["value"]) for event in calm] == [
        ("Failed", "Conflict"),
        ("Started", ""),
    ]
    arm.simulator.clock.advance(3600)
    assert events(" and eventTimestamp le '2020-01-01T00:00:00Z'") == []
    assert arm.call("GET", path + "colour%20eq%20'red'")[0] == 400
