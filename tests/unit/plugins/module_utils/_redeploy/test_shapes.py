# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other legal shapes of Azure's answers, and sources that are not to be had: each ends in a defined outcome, in time, with few requests."""

from __future__ import annotations

import datetime as dt
import email.utils

import pytest
from unit.plugins.cloud import POOLS

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.client import COMPUTE
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.maintenance import format_time

SINCE = format_time(dt.datetime.now(dt.timezone.utc) - dt.timedelta(hours=3))
OPERATION = {"perform_maintenance": {}, "redeploy": {"operation": "redeploy", "since": SINCE}}


def starts(cloud):
    return len(cloud.requests("POST", "/performMaintenance?")) + len(cloud.requests("POST", "/redeploy?"))


# -- the answer to a start, and to questions after it ---------------------------------------------------------------------

@pytest.mark.parametrize("operation", OPERATION)
@pytest.mark.parametrize("log", ["log", "no log"])
@pytest.mark.parametrize("status, headers", [
    (202, {}), (200, {}), (202, {"Location": "/nowhere"}), (202, {"Azure-AsyncOperation": "https://elsewhere.example/1"}),
    (202, {"Azure-AsyncOperation": "/nowhere", "Location": "/nowhere"})])
def test_any_accepting_answer(cloud, operation, log, status, headers):
    if log == "no log":
        cloud.fault("/management/values", count=0, status=404)
    cloud.post_fault("solo", status=status, executed=True, body="", headers=headers)
    assert cloud.outcomes(cloud.redeploy("solo", **OPERATION[operation])) == {"solo": "succeeded"}
    assert starts(cloud) == 1


@pytest.mark.parametrize("body, status", [
    ({"status": "SUCCEEDED"}, 200), ({"Status": "succeeded"}, 200), ({"properties": {"provisioningState": "Succeeded"}}, 200), ("", 200), ("", 204),
    ({"id": "the VM itself", "name": "solo"}, 200)])
def test_ways_to_say_that_it_is_over(cloud, body, status):
    cloud.fault("/operations/", nth=4, count=0, status=status, body=body)
    assert cloud.outcomes(cloud.redeploy("solo")) == {"solo": "succeeded"} and cloud.clock.seconds < 100


def test_a_body_that_comes_with_202_is_not_the_end(cloud):
    cloud.fault("/operations/", count=2, status=202, body={"properties": {}})
    assert cloud.outcomes(cloud.redeploy("solo")) == {"solo": "succeeded"}


def test_a_monitor_url_tells_of_a_failure_by_its_status(cloud):
    cloud.change("solo", operations={"default": {"result": "failed"}})
    cloud.post_fault("solo", status=202, executed=True, body="", headers={"Location": f"{cloud.simulator.url}/subscriptions/x/operations/1?monitor=true"})
    cloud.fault("/subscriptions/x/operations/1", nth=4, count=0, status=409, code="VMRedeploymentFailed")
    cloud.fault("/subscriptions/x/operations/1", count=3, status=202, body="")
    vm = cloud.redeploy("solo")["vms"][cloud.id("solo")]
    assert vm["outcome"] == "failed" and vm["code"] == "VMRedeploymentFailed" and cloud.clock.seconds < 60


@pytest.mark.parametrize("status", [400, 403, 404, 410, 500])
def test_an_operation_that_cannot_be_asked_after(cloud, status):
    """The VM itself tells, long before the time limit."""
    cloud.fault("/operations/", count=0, status=status)
    assert cloud.outcomes(cloud.redeploy("solo", timeout=2000, settle=120)) == {"solo": "succeeded"} and cloud.clock.seconds < 200


@pytest.mark.parametrize("error", [{"code": 409, "message": {"value": "no"}}, {"code": None}, ["no"], "no"])
def test_an_error_of_an_odd_shape(cloud, error):
    cloud.post_fault("solo", status=400, body={"error": error})
    assert cloud.outcomes(cloud.redeploy("solo", "duo")) == {"solo": "refused", "duo": "succeeded"}


def test_a_wait_told_as_a_date(cloud):
    when = email.utils.format_datetime(dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=45), usegmt=True)
    cloud.post_fault("solo", status=429, headers={"Retry-After": when})
    assert cloud.outcomes(cloud.redeploy("solo")) == {"solo": "succeeded"} and 40 <= cloud.clock.sleeps[0] <= 46


def test_a_start_that_is_throttled_for_ever_is_asked_for_ever_later(cloud):
    cloud.post_fault("solo", count=0, status=429, retry_after=0)
    assert cloud.outcomes(cloud.redeploy("solo", timeout=1200)) == {"solo": "refused"}
    assert starts(cloud) < 30 and len(cloud.requests()) < 300


def test_a_throttled_read_does_not_outlast_the_time_limit(cloud):
    cloud.fault(r"/virtualMachines/solo\?", nth=2, count=0, status=429, retry_after=1200)
    result = cloud.redeploy("solo", "duo", timeout=100)
    assert cloud.outcomes(result)["solo"] in ("unknown", "still_running") and cloud.clock.seconds <= 131 and starts(cloud) == 2


def test_an_interrupted_call_does_not_wait_for_a_throttled_read(cloud):
    cloud.fault(r"/virtualMachines/solo\?", nth=2, count=0, status=429, retry_after=1200)
    cloud.clock.hooks.append(lambda: setattr(cloud.clock, "stopped", cloud.clock.seconds >= 10))
    cloud.redeploy("solo", timeout=4000)
    assert cloud.clock.seconds < 100


# -- sources that are not to be had ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("source", ["/locks", "/management/values", "ResourceGraph", "/networkInterfaces", "/publicIPAddresses", "statusOnly=true"])
def test_optional_sources_keep_nobody_from_moving(cloud, source, status):
    cloud.fault(source, "POST" if source == "ResourceGraph" else "GET", count=0, status=status)
    for operation in OPERATION.values():
        assert cloud.outcomes(cloud.redeploy("solo", "web-0a", approve=True, **operation)) == {"solo": "succeeded", "web-0a": "succeeded"}


def test_an_address_that_matters_must_be_readable(cloud):
    cloud.fault("/networkInterfaces", count=0, status=403)
    result = cloud.redeploy("solo", refuse=["dynamic_public_ip"])
    assert cloud.outcomes(result) == {"solo": "refused"} and starts(cloud) == 0


def test_resource_graph_that_throttles_holds_nothing_up(cloud):
    cloud.fault("ResourceGraph", "POST", count=0, status=429, retry_after=600)
    assert cloud.outcomes(cloud.redeploy("solo")) == {"solo": "succeeded"} and cloud.clock.seconds < 60


def test_a_time_that_nobody_can_read_is_no_obstacle(cloud):
    body = cloud.arm().get(cloud.id("solo"), COMPUTE, "read it", {"$expand": "instanceView"})
    body["properties"]["instanceView"]["statuses"][0]["time"] = "yesterday"
    cloud.fault(r"/virtualMachines/solo\?", body=body)
    assert cloud.outcomes(cloud.redeploy("solo")) == {"solo": "succeeded"}


@pytest.mark.parametrize("name, outcome", [("flex-a", "succeeded"), ("pool_0", "refused")])
def test_a_scale_set_that_may_not_be_read(cloud_of, name, outcome):
    """Members of a flexible one are VMs that were all read; instances of a uniform one are renumbered when it scales."""
    cloud = cloud_of({**POOLS, "scale_sets": [{**POOLS["scale_sets"][0], "instances": []}, POOLS["scale_sets"][1]]})
    cloud.fault(r"/virtualMachineScaleSets/[^/]+\?", count=0, status=403)
    assert [vm["outcome"] for vm in cloud.redeploy(name)["vms"].values()] == [outcome]


# -- how many requests ----------------------------------------------------------------------------------------------------

def test_a_status_list_that_tells_nothing_is_asked_once(many):
    """A server that does not know statusOnly sends models without views."""
    names = [vm.name for vm in many.simulator.fleet.vms.values()]
    items = [{"id": many.id(name), "name": name, "properties": {"provisioningState": "Succeeded"}} for name in names]
    many.fault("statusOnly=true", count=0, body={"value": items})
    result = many.redeploy(*names)
    assert result["counts"] == {"succeeded": 12} and len(many.requests(having="statusOnly=true")) == 1
    assert len(many.requests(having="/virtualMachines/vm-")) == 24, "each VM before and after"
