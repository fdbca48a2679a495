# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operations: what is refused, how they run, how each declared result ends."""

from __future__ import annotations

import pytest

NOT_ELIGIBLE = "since the Subscription of this VM is not eligible."


def codes(arm, name):
    """The status codes of a VM."""
    return [status["code"] for status in arm.view(name)["statuses"]]


def block(arm, name):
    """Whether the user may start, and the result code; None without a block."""
    found = arm.view(name).get("maintenanceRedeployStatus")
    return found and (found["isCustomerInitiatedMaintenanceAllowed"], found["lastOperationResultCode"])


def declared(run, small, transition, operation="performMaintenance"):
    """A client of the small fleet where VM solo has this transition."""
    small["vms"][2]["operations"] = {operation: transition}
    return run(small)


@pytest.mark.parametrize("name", ["calm", "later"])
def test_outside_a_wave_the_recorded_refusal(arm, name):
    status, dummy, body = arm.post(name)
    assert status == 409
    assert body == {
        "error": {
            "code": "OperationNotAllowed",
            "message": f"Operation 'performMaintenance' is not allowed on VM '{name}' {NOT_ELIGIBLE}",
        }
    }


@pytest.mark.parametrize("operation", ["performMaintenance", "redeploy", "restart"])
def test_deallocated_is_refused(arm, operation):
    status, dummy, body = arm.post("idle", operation)
    assert (status, body["error"]["code"]) == (409, "OperationNotAllowed")
    assert "deallocated" in body["error"]["message"]


def test_accepted(arm):
    status, headers, body = arm.post("solo")
    assert (status, body, headers["content-length"]) == (202, None, "0")
    assert headers["azure-asyncnotification"] == "Enabled"
    assert "retry-after" not in headers
    assert headers["x-ms-ratelimit-remaining-resource"].startswith("Microsoft.Compute/UpdateVM")
    provider = f"{arm.simulator.url}/subscriptions/{arm.subscription}/providers/Microsoft.Compute"
    base = f"{provider}/locations/westeurope/operations/"
    assert headers["azure-asyncoperation"].startswith(base) and "?p=" in headers["azure-asyncoperation"]
    assert headers["location"].startswith(base) and "&monitor=true&" in headers["location"]


def test_at_once(arm):
    answer = arm.post("solo")
    document = arm.poll(answer)
    assert set(document) == {"startTime", "endTime", "status", "name"}
    assert document["status"] == "Succeeded"
    assert block(arm, "solo") == (False, "MaintenanceCompleted")
    assert NOT_ELIGIBLE in arm.post("solo")[2]["error"]["message"]


def test_after_polls(run, small):
    arm = declared(run, small, {"after_polls": 2})
    answer = arm.post("solo")
    assert codes(arm, "solo") == ["ProvisioningState/updating", "PowerState/starting"]
    assert arm.get(arm.vm("solo"))["properties"]["provisioningState"] == "Updating"
    assert arm.view("solo")["vmAgent"]["statuses"][0]["displayStatus"] == "Not Ready"
    assert [arm.poll(answer)["status"] for dummy in range(3)] == ["InProgress", "InProgress", "Succeeded"]
    assert codes(arm, "solo") == ["ProvisioningState/succeeded", "PowerState/running"]


def test_after_seconds_of_the_simulated_clock(run, small):
    arm = declared(run, small, {"after_seconds": 60})
    answer = arm.post("solo")
    assert arm.poll(answer)["status"] == "InProgress"
    arm.simulator.clock.advance(61)
    assert arm.poll(answer)["status"] == "Succeeded"
    assert arm.view("solo")["vmAgent"]["statuses"][0]["displayStatus"] == "Not Ready"
    arm.simulator.clock.advance(5)
    assert arm.view("solo")["vmAgent"]["statuses"][0]["displayStatus"] == "Ready"


def test_monitor_url(run, small):
    arm = declared(run, small, {"after_polls": 1})
    location = arm.post("solo")[1]["location"].removeprefix(arm.simulator.url)
    first, last = arm.call("GET", location), arm.call("GET", location)
    assert first[0] == 202 and first[1]["location"].endswith(location)
    assert (last[0], last[2]) == (200, None)


@pytest.mark.parametrize("operation", ["performMaintenance", "redeploy", "restart", "deallocate"])
def test_another_operation_is_in_progress(run, small, operation):
    arm = declared(run, small, {"after_seconds": 60}, "redeploy")
    assert arm.post("solo", "redeploy")[0] == 202
    status, dummy, body = arm.post("solo", operation)
    assert (status, body["error"]["code"]) == (409, "OperationNotAllowed")
    assert "another operation" in body["error"]["message"]


@pytest.mark.parametrize(
    ("transition", "status", "after"),
    [
        ("completed", "Succeeded", (False, "MaintenanceCompleted")),
        ({"block": "vanishes"}, "Succeeded", None),
        ({"block": "unchanged"}, "Succeeded", (True, "None")),
        ("still_due", "Succeeded", (True, "None")),
        ("retry_later", "Succeeded", (False, "RetryLater")),
        ({"result": "retry_later", "allowed": True}, "Succeeded", (True, "RetryLater")),
        ("aborted", "Failed", (False, "MaintenanceAborted")),
        ({"result": "aborted", "operation": "succeeded"}, "Succeeded", (False, "MaintenanceAborted")),
        ("failed", "Failed", (True, "None")),
        ("canceled", "Canceled", (True, "None")),
    ],
)
def test_results(run, small, transition, status, after):
    arm = declared(run, small, transition)
    document = arm.poll(arm.post("solo"))
    assert document["status"] == status
    assert ("error" in document) is (status == "Failed")
    assert block(arm, "solo") == after


def test_failed_says_the_declared_code(run, small):
    arm = declared(run, small, {"result": "failed", "code": "AllocationFailed", "message": "no room"})
    answer = arm.post("solo")
    assert arm.poll(answer)["error"] == {"code": "AllocationFailed", "message": "no room"}
    assert codes(arm, "solo")[0] == "ProvisioningState/failed/AllocationFailed"
    monitor = arm.call("GET", answer[1]["location"].removeprefix(arm.simulator.url))
    assert (monitor[0], monitor[2]["error"]["code"]) == (409, "AllocationFailed")
    assert arm.poll(arm.post("solo", "reapply"))["status"] == "Succeeded"
    assert codes(arm, "solo")[0] == "ProvisioningState/succeeded"


def test_stuck_never_ends(run, small):
    arm = declared(run, small, "stuck")
    answer = arm.post("solo")
    arm.simulator.clock.advance(86400)
    assert [arm.poll(answer)["status"] for dummy in range(5)] == ["InProgress"] * 5
    assert codes(arm, "solo")[0] == "ProvisioningState/updating"
    assert arm.simulator.ledger()[0]["end"] is None


def test_forgotten_url_but_done(run, small):
    arm = declared(run, small, "forgotten")
    answer = arm.post("solo")
    status, dummy, body = arm.call("GET", answer[1]["azure-asyncoperation"].removeprefix(arm.simulator.url))
    assert (status, body["error"]["code"]) == (404, "NotFound")
    assert block(arm, "solo") == (False, "MaintenanceCompleted")


def test_one_transition_per_attempt(run, small):
    arm = declared(run, small, [{"result": "retry_later", "allowed": True}, "completed"])
    arm.post("solo")
    assert block(arm, "solo") == (True, "RetryLater")
    arm.post("solo")
    assert block(arm, "solo") == (False, "MaintenanceCompleted")


def test_plain_redeploy_leaves_the_wave(arm):
    assert arm.poll(arm.post("solo", "redeploy"))["status"] == "Succeeded"
    assert block(arm, "solo") == (True, "None")
    assert arm.post("calm", "redeploy")[0] == 202


def test_only_a_dynamic_address_changes(arm):
    def public(rest=""):
        return arm.get(f"resourceGroups/alpha/providers/Microsoft.Network/publicIPAddresses/solo-ip{rest}")[
            "properties"
        ]

    before = public()["ipAddress"]
    boots = arm.simulator.fleet.named("solo")[0].state.boot_id
    arm.post("solo")
    assert public()["ipAddress"] not in (before, None)
    assert arm.simulator.fleet.named("solo")[0].state.boot_id != boots
    nic = arm.get("resourceGroups/alpha/providers/Microsoft.Network/networkInterfaces/solo-nic")
    assert nic["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"] == "10.1.0.6"
    arm.post("solo", "deallocate")
    assert "ipAddress" not in public()
    arm.post("solo", "start")
    assert public()["ipAddress"]


def test_power_operations(arm):
    for operation, power in [
        ("powerOff", "stopped"),
        ("start", "running"),
        ("restart", "running"),
        ("deallocate", "deallocated"),
        ("start", "running"),
    ]:
        assert arm.post("solo", operation)[0] == 202
        assert codes(arm, "solo")[1] == f"PowerState/{power}"
    assert block(arm, "solo") == (True, "None")


def test_a_stopped_vm_runs_after_its_maintenance(arm):
    arm.post("solo", "powerOff")
    arm.post("solo")
    assert codes(arm, "solo")[1] == "PowerState/running"


def test_windows_follow_the_clock(arm):
    assert arm.post("later")[0] == 409
    arm.simulator.clock.advance(4 * 86400)
    assert block(arm, "later") == (True, "None")
    arm.simulator.clock.advance(30 * 86400)
    assert block(arm, "later") == (False, "None")
    assert arm.post("later")[0] == 409


def test_too_many_of_a_set(run, small):
    small["availability_sets"][0]["concurrent_redeploys"] = 1
    arm = run(small | {"operations": {"default": {"after_seconds": 60}}})
    assert arm.post("app-0")[0] == 202
    status, dummy, body = arm.post("app-1")
    assert (status, body["error"]["code"]) == (409, "TooManyVMRedeploymentRequests")
    assert arm.post("solo")[0] == 202


def test_waiting_for_an_event_keeps_the_vm_up(run, small):
    arm = declared(run, small, {"waits_seconds": 600, "after_seconds": 30})
    answer = arm.post("solo")
    assert codes(arm, "solo") == ["ProvisioningState/updating", "PowerState/running"]
    assert '"solo"' in (arm.simulator.directory / "ledger.json").read_text(encoding="utf-8")
    arm.control("POST", "vms/solo", {"approve": True})
    assert codes(arm, "solo")[1] == "PowerState/starting"
    accepted, start = (arm.simulator.ledger()[0][key] for key in ("accepted", "start"))
    assert start > accepted
    arm.simulator.clock.advance(601)
    assert arm.poll(answer)["status"] == "Succeeded"


def test_retry_after_only_when_declared(run, small):
    arm = declared(run, small, {"after_polls": 1, "retry_after": 7})
    answer = arm.post("solo")
    assert answer[1]["retry-after"] == "7"
    url = answer[1]["azure-asyncoperation"].removeprefix(arm.simulator.url)
    assert [arm.call("GET", url)[1].get("retry-after") for dummy in range(2)] == ["7", None]
