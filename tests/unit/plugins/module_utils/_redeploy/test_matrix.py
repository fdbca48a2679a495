# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every outcome x (perform_maintenance, redeploy) x (VM, uniform instance): outcome, shape, and exactly the writes it may cost."""

from __future__ import annotations

import datetime as dt

import pytest
from unit.plugins.cloud import FLEET, POOLS, SUBSCRIPTION

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.maintenance import format_time
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy.outcome import ADVICE, GOOD

SINCE = format_time(dt.datetime.now(dt.timezone.utc) - dt.timedelta(hours=3))
BOTH = ("perform_maintenance", "redeploy")
MAINTENANCE, REDEPLOY = BOTH[:1], BOTH[1:]
ACTION = {"perform_maintenance": "performMaintenance", "redeploy": "redeploy"}
START = "/(performMaintenance|redeploy)[?]"


def course(**transition):
    return {"operations": {"default": {"after_seconds": 20, **transition}}}


# outcome, operations, state of the VM, options, fault of the start, writes as the ledger has them: outcome or code of each start
CASES = [
    ("would_start", BOTH, {}, {"check": True}, None, []),
    ("would_start", BOTH, {}, {"start": False}, None, []),
    ("started", BOTH, {}, {"wait": False}, None, [None]),
    ("succeeded", BOTH, {}, {}, None, ["completed"]),
    ("succeeded", BOTH, course(result="forgotten"), {}, None, ["forgotten"]),
    ("succeeded", BOTH, course(waits_seconds=900), {"approve": True}, None, ["completed", "approved"]),
    ("succeeded", BOTH, {}, {}, {"status": 429, "retry_after": 5}, [None, "completed"]),
    ("succeeded", BOTH, {}, {}, {"status": 401}, [None, "completed"]),
    ("succeeded", BOTH, {}, {}, {"drop": "after"}, ["completed"]),
    ("succeeded", BOTH, {}, {}, {"status": 503, "executed": True}, ["completed"]),
    ("succeeded", BOTH, course(operation="failed", code="VMRedeploymentTimedOut"), {}, None, ["completed"]),
    ("succeeded", MAINTENANCE, course(block="vanishes"), {}, None, ["completed"]),
    ("already_done", MAINTENANCE, {"code": "MaintenanceCompleted", "allowed": False}, {}, None, []),
    ("not_allowed", MAINTENANCE, {"allowed": False}, {}, None, []),
    ("not_allowed", MAINTENANCE, {"wave": None}, {}, None, []),
    ("not_allowed", BOTH, {}, {}, {"status": 409}, [None]),
    ("refused", REDEPLOY, {"power": "deallocated"}, {}, None, []),
    ("refused", BOTH, {"power": "stopped"}, {}, None, []),
    ("refused", BOTH, {"provisioning": "updating"}, {}, None, []),
    ("refused", BOTH, {}, {}, {"status": 403}, [None]),
    ("refused", BOTH, {}, {}, {"status": 429, "retry_after": 9000}, [None]),
    ("retry_later", MAINTENANCE, course(result="retry_later"), {}, None, ["retry_later"]),
    ("retry_later", MAINTENANCE, course(result="retry_later", allowed=True), {"pause": 30, "retries": 1}, None, ["retry_later", "retry_later"]),
    ("retry_later", BOTH, {}, {}, {"status": 409, "code": "TooManyVMRedeploymentRequests"}, [None]),
    ("retry_later", BOTH, course(result="failed", code="TooManyVMRedeploymentRequests", provisioning_after="succeeded"), {}, None, ["failed"]),
    ("aborted", MAINTENANCE, course(result="aborted"), {}, None, ["aborted"]),
    ("aborted", MAINTENANCE, course(result="aborted", operation="succeeded"), {}, None, ["aborted"]),
    ("failed", BOTH, course(result="failed"), {}, None, ["failed"]),
    ("failed", BOTH, course(result="canceled"), {}, None, ["canceled"]),
    ("failed", BOTH, course(power_after="stopped"), {}, None, ["completed"]),
    ("still_running", BOTH, course(result="stuck"), {}, None, [None]),
    ("still_running", BOTH, course(power_after="starting"), {}, None, ["completed"]),
    ("still_running", BOTH, course(agent_after_seconds=9000), {}, None, ["completed"]),
    ("still_running", BOTH, course(waits_seconds=900), {}, None, [None]),
    ("still_due", MAINTENANCE, course(result="still_due"), {}, None, ["still_due"]),
    ("unknown", BOTH, {}, {}, {"drop": "before"}, ["dropped"]),
    ("unknown", BOTH, {}, {}, {"status": 500}, [None]),
    ("unknown", BOTH, {}, {}, {"status": 409, "code": "InternalOperationError"}, [None]),
]
ROWS = [(operation, *case[:1], *case[2:]) for case in CASES for operation in case[1]]


@pytest.fixture
def cloud(cloud_of):
    """A VM alone and a uniform scale set of two update domains."""
    vms = [vm for vm in FLEET["vms"] if vm["name"] == "solo"]
    pool = {**POOLS["scale_sets"][0], "instances": [], "zones": [], "capacity": 4}
    return cloud_of({**FLEET, "availability_sets": [], "scale_sets": [pool], "vms": vms})


def test_every_outcome_is_in_the_table():
    assert {case[0] for case in CASES} == set(ADVICE)


@pytest.mark.parametrize("name", ["solo", "pool_0"], ids=["VM", "instance"])
@pytest.mark.parametrize("operation, outcome, state, options, fault, writes", ROWS, ids=lambda value: value if isinstance(value, str) else "")
def test_outcomes(cloud, name, operation, outcome, state, options, fault, writes):
    if state:
        cloud.change(name, **state)
    if fault:
        cloud.fault(START, "POST", **fault)
    since = {"since": SINCE} if operation == "redeploy" else {}
    result = cloud.redeploy(name, operation=operation, timeout=200, **since, **options)
    (vm_id, vm), = result["vms"].items()
    assert vm["outcome"] == outcome, vm["reason"]
    assert set(result) - {"failed"} == {"changed", "vms", "counts", "msg"} and vm_id == vm["id"]
    assert result.get("failed", False) is (outcome not in GOOD) and result["counts"] == {outcome: 1}
    ledger = cloud.simulator.ledger()
    assert [entry["outcome"] if entry["outcome"] != "refused" else None for entry in ledger] == writes
    assert {entry["operation"] for entry in ledger} <= {ACTION[operation], "acknowledge"}
    assert {entry["name"] for entry in ledger} <= {name, vm_id.rsplit("/", 1)[-1]}
    assert all(entry["via"] == "vm" for entry in ledger), "never a call to a whole set"


@pytest.mark.parametrize("name", ["solo", "pool_0"], ids=["VM", "instance"])
def test_done_is_done(cloud, name):
    for operation in BOTH:
        since = {"since": SINCE} if operation == "redeploy" else {}
        assert [vm["outcome"] for vm in cloud.redeploy(name, operation=operation, **since)["vms"].values()] == ["succeeded"]
        assert [vm["outcome"] for vm in cloud.redeploy(name, operation=operation, **since)["vms"].values()] == ["already_done"]
    assert [operation for dummy, operation, dummy2 in cloud.posts()] == ["performMaintenance", "redeploy"]


def test_an_instance_that_is_not_there(cloud):
    vm_id = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Shop/providers/Microsoft.Compute/virtualMachineScaleSets/pool/virtualMachines/77"
    assert [vm["outcome"] for vm in cloud.redeploy(vm_id)["vms"].values()] == ["refused"] and cloud.posts() == []
