# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operations on instances and on whole scale sets, and what the ledger keeps of them."""

from __future__ import annotations

import pytest

ALPHA = "resourceGroups/alpha/providers/Microsoft.Compute/virtualMachineScaleSets"
ONE = f"{ALPHA}/pool/virtualMachines/1"
LATER = {"operations": {"default": {"after_seconds": 60}}}


@pytest.fixture
def arm(run, sets):
    """A client of the fleet with scale sets."""
    return run(sets)


def act(arm, target, operation="performMaintenance", body=None):
    """Start an operation; what the answer is."""
    return arm.call("POST", f"{target}/{operation}", body)


def block(arm, number=1):
    """An instance's maintenance block."""
    return arm.get(f"{ALPHA}/pool/virtualMachines/{number}/instanceView")["maintenanceRedeployStatus"]


def test_one_instance_is_moved_and_no_other(run, sets):
    arm = run(sets | LATER)
    answer = act(arm, ONE)
    assert answer[0] == 202 and "retry-after" not in answer[1]
    assert arm.poll(answer)["status"] == "InProgress"
    assert arm.get(ONE)["properties"]["provisioningState"] == "Updating"
    arm.control("POST", "clock", {"seconds": 61})
    assert arm.poll(answer)["status"] == "Succeeded"
    assert block(arm)["lastOperationResultCode"] == "MaintenanceCompleted"
    assert block(arm, 0)["isCustomerInitiatedMaintenanceAllowed"] is True
    [entry] = arm.simulator.ledger()
    assert (entry["name"], entry["set"], entry["update_domain"], entry["instance_id"], entry["via"]) == (
        "pool_1", "alpha/pool", 1, "1", "vm",
    )
    assert entry["down"] and entry["id"].endswith("/pool/virtualMachines/1") and entry["outcome"] == "completed"


def test_an_instance_is_refused_like_a_vm(arm):
    assert act(arm, ONE)[0] == 202
    status, dummy, body = act(arm, ONE)
    assert (status, body["error"]["code"]) == (409, "OperationNotAllowed")
    assert "on VM 'pool_1' since the Subscription of this VM is not eligible" in body["error"]["message"]
    assert act(arm, f"{ALPHA}/pool/virtualMachines/3")[0] == 409
    assert [entry["outcome"] for entry in arm.simulator.ledger()] == ["completed", "refused", "refused"]


@pytest.mark.parametrize(
    ("operation", "power"),
    [("redeploy", "running"), ("restart", "running"), ("powerOff", "stopped"), ("deallocate", "deallocated")],
)
def test_other_operations(arm, operation, power):
    assert act(arm, ONE, operation)[0] == 202
    codes = [status["code"] for status in arm.get(f"{ONE}/instanceView")["statuses"]]
    assert f"PowerState/{power}" in codes
    assert act(arm, ONE, "start")[0] == 202


def test_there_is_no_reapply_of_an_instance(arm):
    assert act(arm, ONE, "reapply")[0] == 404


def test_instances_that_are_not_there(arm):
    assert act(arm, f"{ALPHA}/pool/virtualMachines/9")[2]["error"]["code"] == "NotFound"
    assert act(arm, f"{ALPHA}/pool/virtualMachines/x")[2]["error"]["code"] == "InvalidParameter"
    assert act(arm, f"{ALPHA}/flex/virtualMachines/flex-a")[0] == 400
    assert [entry["outcome"] for entry in arm.simulator.ledger()] == ["refused"] * 3


def test_the_set_with_ids_moves_these(run, sets):
    arm = run(sets | LATER)
    answer = act(arm, f"{ALPHA}/pool", body={"instanceIds": ["0", "2"]})
    assert answer[0] == 202 and arm.poll(answer)["status"] == "InProgress"
    arm.control("POST", "clock", {"seconds": 61})
    assert arm.poll(answer)["status"] == "Succeeded"
    first, second = arm.simulator.ledger()
    assert [entry["name"] for entry in (first, second)] == ["pool_0", "pool_2"]
    assert first["via"] == second["via"] == "instances" and first["operation_id"] == second["operation_id"]
    assert first["operation_id"] in answer[1]["azure-asyncoperation"]


def test_the_set_without_a_body_moves_everything_at_once(run, sets):
    sets["scale_sets"][0]["instances"] = []
    arm = run(sets | LATER)
    assert act(arm, f"{ALPHA}/pool", "redeploy")[0] == 202
    entries = arm.simulator.ledger()
    assert [(entry["name"], entry["down"], entry["via"]) for entry in entries] == [
        (f"pool_{number}", True, "all") for number in range(4)
    ]
    assert {entry["end"] for entry in entries} == {None}


def test_one_refusal_refuses_the_set(arm):
    status, dummy, body = act(arm, f"{ALPHA}/pool")
    assert status == 409 and "'pool_3'" in body["error"]["message"]
    [entry] = arm.simulator.ledger()
    assert (entry["name"], entry["outcome"], entry["via"]) == ("pool_3", "refused", "all")


def test_a_part_that_fails_fails_the_whole(run, sets):
    sets["scale_sets"][0]["instances"] = [{"id": 1, "operations": {"redeploy": "failed"}}]
    arm = run(sets)
    document = arm.poll(act(arm, f"{ALPHA}/pool", "redeploy", {"instanceIds": ["0", "1"]}))
    assert (document["status"], document["error"]["code"]) == ("Failed", "VMRedeploymentFailed")
    assert [entry["outcome"] for entry in arm.simulator.ledger()] == ["completed", "failed"]


def test_a_flexible_set_moves_nothing(arm):
    status, dummy, body = act(arm, f"{ALPHA}/flex")
    assert (status, body["error"]["code"]) == (400, "BadRequest")
    [entry] = arm.simulator.ledger()
    assert (entry["name"], entry["operation"], entry["outcome"]) == ("flex", "performMaintenance", "refused")
    assert act(arm, arm.vm("flex-a"))[0] == 202


def test_faults_meet_instances(run, sets):
    fault = {"match": {"method": "POST", "path": "/pool/virtualMachines/1/"}, "status": 503, "executed": True}
    arm = run(sets | {"faults": [fault]})
    assert act(arm, ONE)[0] == 503
    assert arm.simulator.ledger()[0]["outcome"] == "completed"


def test_limits_are_those_of_scale_sets(run, sets):
    arm = run(sets | {"limits": True})
    seen = [arm.call("GET", f"{ALPHA}/pool/virtualMachines?$expand=instanceView") for dummy in range(31)]
    assert [answer[0] for answer in seen] == [200] * 30 + [429]
    assert "HighCostGetVMScaleSetResource;29" in seen[0][1]["x-ms-ratelimit-remaining-resource"]
    assert "UpdateVMScaleSetSubscriptionMaximum;1499" in act(arm, ONE)[1]["x-ms-ratelimit-remaining-resource"]
    assert arm.call("GET", f"{ONE}/instanceView")[0] == 200


def test_a_set_scales_and_updates(arm):
    told = arm.control("POST", "scale_sets/pool", {"provisioning": "Updating", "capacity": 2})
    assert told["instances"] == ["0", "1"]
    assert arm.get(f"{ALPHA}/pool")["properties"]["provisioningState"] == "Updating"
    assert arm.get(f"{ALPHA}/pool/instanceView")["statuses"][0]["code"] == "ProvisioningState/updating"
    assert arm.get(f"{ALPHA}/pool/virtualMachines/3", 404)["error"]["code"] == "NotFound"
    assert arm.control("POST", "scale_sets/pool", {"capacity": 3})["instances"] == ["0", "1", "4"]
    assert len(arm.control("POST", "scale_sets/flex", {"capacity": 3})["instances"]) == 3
    assert len(arm.get(f"{ALPHA}/flex/virtualMachines")["value"]) == 3


def test_deleting_what_is_being_moved(run, sets):
    arm = run(sets | LATER)
    answer = act(arm, ONE)
    arm.control("DELETE", "vms/pool_1")
    assert arm.poll(answer)["error"]["code"] == "VMNotFound"
    assert arm.get(ONE, 404)["error"]["code"] == "NotFound"
    arm.control("DELETE", "vms/solo")
    assert arm.get(arm.vm("solo"), 404)["error"]["code"] == "ResourceNotFound"


def test_all_of_it_outlives_a_restart(run, sets):
    arm = run(sets | LATER)
    answer = act(arm, f"{ALPHA}/pool", body={"instanceIds": ["0", "1"]})
    arm.control("POST", "scale_sets/pool", {"provisioning": "Updating", "capacity": 6})
    arm.control("DELETE", "vms/pool_4")
    arm.control("DELETE", "vms/calm")
    arm.simulator.stop()
    again = run(sets | LATER)
    ids = [item["instanceId"] for item in again.get(f"{ALPHA}/pool/virtualMachines")["value"]]
    assert ids == ["0", "1", "2", "3", "5"]
    assert again.get(f"{ALPHA}/pool")["properties"]["provisioningState"] == "Updating"
    assert again.call("GET", again.vm("calm"))[0] == 404
    assert again.poll(answer)["status"] == "InProgress"
    again.control("POST", "clock", {"seconds": 61})
    assert again.poll(answer)["status"] == "Succeeded"
