# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What views do not show yet, or not any more: nothing is started twice, and no second update domain beside what is under way."""

from __future__ import annotations

import datetime as dt

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.client import COMPUTE
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.maintenance import format_time
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import VmId
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import OptionsError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import OptionsError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy import start

SINCE = format_time(dt.datetime.now(dt.timezone.utc) - dt.timedelta(hours=3))


def starts(cloud):
    return len(cloud.requests("POST", "/performMaintenance?"))


def freeze(cloud, name):
    """From now on the view of this VM is what it is now."""
    body = cloud.arm().get(cloud.id(name), COMPUTE, "read it", {"$expand": "instanceView"})
    cloud.fault(rf"/virtualMachines/{name}\?", count=0, body=body)


# -- another update domain ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("options", [{}, {"max_unavailable": "3"}, {"operation": "redeploy", "since": SINCE}])
def test_no_other_domain_beside_one_whose_view_lags(cloud, options):
    """The view still shows the started VM up; its operation, asked after, does not."""
    freeze(cloud, "web-0a")
    cloud.redeploy("web-0a", wait=False)
    result = cloud.redeploy("web-1", **options)
    assert cloud.outcomes(result) == {"web-1": "refused"} and "web-0a" in result["msg"]
    assert cloud.executed() == ["web-0a"]
    cloud.clock.sleep(60)
    assert cloud.outcomes(cloud.redeploy("web-1", **options)) == {"web-1": "succeeded"}, "its operation has ended"


def test_no_other_domain_beside_one_that_this_call_attaches_to(cloud):
    freeze(cloud, "web-0a")
    cloud.redeploy("web-0a", wait=False)
    result = cloud.redeploy("web-0a", "web-1", max_unavailable="3")
    assert cloud.outcomes(result)["web-1"] == "refused" and cloud.executed() == ["web-0a"]


def test_no_other_domain_beside_a_start_in_doubt(cloud):
    """No answer, no URL: for a while nobody knows."""
    cloud.post_fault("web-0a", drop="before")
    cloud.redeploy("web-0a", settle=30, timeout=5)
    result = cloud.redeploy("web-1")
    assert cloud.outcomes(result) == {"web-1": "refused"} and "web-0a" in result["msg"] and cloud.executed() == []
    cloud.clock.sleep(60)
    assert cloud.outcomes(cloud.redeploy("web-1")) == {"web-1": "succeeded"}


def test_another_operation_under_way_on_the_same_vm(cloud):
    freeze(cloud, "solo")
    cloud.redeploy("solo", operation="redeploy", since=SINCE, wait=False)
    result = cloud.redeploy("solo")
    assert cloud.outcomes(result) == {"solo": "refused"} and "redeploy" in result["msg"] and starts(cloud) == 0


def test_a_journal_entry_of_a_member_that_nobody_can_read(cloud):
    cloud.redeploy("web-0a")
    file, = cloud.journal.glob("web-0a-*.json")
    file.write_text("{")
    result = cloud.redeploy("web-1", "solo")
    assert cloud.outcomes(result) == {"web-1": "refused", "solo": "succeeded"} and file.name in result["msg"]


def test_members_of_an_availability_set_without_a_domain_never_go_together(cloud):
    for name in ("web-0a", "web-1"):
        body = cloud.arm().get(cloud.id(name), COMPUTE, "read it", {"$expand": "instanceView"})
        del body["properties"]["instanceView"]["platformUpdateDomain"]
        cloud.fault(rf"/virtualMachines/{name}\?", count=0, body=body)
    result = cloud.redeploy("web-0a", "web-1", max_unavailable="3")
    assert set(cloud.outcomes(result).values()) == {"refused"} and cloud.executed() == []


@pytest.mark.parametrize("where", ["view", "model"])
@pytest.mark.parametrize("word", ["transitioning", "Updating", "Juggling"])
def test_a_provisioning_state_that_is_no_end_is_busy(cloud, word, where):
    body = cloud.arm().get(cloud.id("solo"), COMPUTE, "read it", {"$expand": "instanceView"})
    if where == "view":
        body["properties"]["instanceView"]["statuses"][0]["code"] = f"ProvisioningState/{word}"
    else:
        body["properties"]["provisioningState"] = word
    cloud.fault(r"/virtualMachines/solo\?", count=0, body=body)
    result = cloud.redeploy("solo")
    assert cloud.outcomes(result) == {"solo": "refused"} and "another operation" in result["msg"] and starts(cloud) == 0


# -- never twice ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("keep", [("Location",), (), ("Azure-AsyncOperation",)], ids=["location", "nothing", "operation"])
def test_accepted_is_accepted_whatever_url_came(cloud, keep):
    """A re-run whose view shows nothing, and whose log is closed, still knows that Azure accepted it."""
    cloud.fault("/management/values", count=0, status=403)
    freeze(cloud, "solo")
    headers = {name: f"{cloud.simulator.url}/nowhere?monitor=true" for name in keep}
    cloud.post_fault("solo", status=202, executed=True, body="", headers=headers)
    cloud.redeploy("solo", wait=False)
    cloud.clock.sleep(600)
    for dummy in range(2):
        cloud.redeploy("solo", timeout=60)
    assert starts(cloud) == 1


@pytest.mark.parametrize("status", [408, 425, 499])
def test_a_request_that_timed_out_may_have_been_executed(cloud, status):
    cloud.post_fault("solo", status=status, code="RequestTimeout", executed=True)
    assert cloud.outcomes(cloud.redeploy("solo")) == {"solo": "succeeded"} and starts(cloud) == 1


def test_consent_to_a_completed_one_is_not_used_up_twice_in_one_wave(cloud):
    cloud.change("solo", operations={"default": {"allowed": True}})
    accept = {"accept": ["completed_but_allowed"]}
    assert cloud.outcomes(cloud.redeploy("solo", **accept)) == {"solo": "succeeded"}
    assert cloud.outcomes(cloud.redeploy("solo", **accept)) == {"solo": "already_done"}
    assert cloud.executed() == ["solo"]


def test_too_many_of_a_set_may_be_made_again_by_a_later_run(cloud):
    cloud.change("solo", operations={"default": [{"result": "failed", "code": "TooManyVMRedeploymentRequests", "allowed": True,
                                                  "provisioning_after": "succeeded"}, {}]})
    assert cloud.outcomes(cloud.redeploy("solo", retries=0)) == {"solo": "retry_later"}
    assert cloud.outcomes(cloud.redeploy("solo")) == {"solo": "succeeded"}


def test_a_redeploy_that_somebody_else_has_under_way(cloud):
    """Another controller's, whose journal is not here; the view lags, the activity log shows it accepted."""
    order = {"operation": "redeploy", "since": SINCE}
    freeze(cloud, "solo")
    cloud.redeploy("solo", wait=False, **order)
    cloud.journal = cloud.journal.with_name("another controller")
    result = cloud.redeploy("solo", **order)
    assert cloud.outcomes(result) == {"solo": "refused"} and "activity log" in result["msg"] and cloud.executed() == ["solo"]


def test_an_old_result_in_the_block_is_not_taken_for_the_new_one(cloud):
    """It said RetryLater before this attempt, and goes on saying so for a while after it."""
    cloud.change("solo", code="RetryLater", allowed=True, operations={"default": {"block": "unchanged", "after_seconds": 5}})
    cloud.clock.hooks.append(lambda: cloud.clock.seconds >= 40 and cloud.change("solo", code="MaintenanceCompleted", allowed=False))
    assert cloud.outcomes(cloud.redeploy("solo", settle=60, timeout=300)) == {"solo": "succeeded"}


# -- old guards -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("slow", ["/locks", "/availabilitySets/web", "/virtualMachines/web-1[?]"])
def test_views_that_grew_old_while_azure_throttled_other_reads_are_read_again(cloud, slow):
    cloud.fault(slow, status=429, retry_after=400)
    cloud.clock.hooks.append(lambda: cloud.clock.seconds < 500 and cloud.change("web-0a", allowed=False))
    result = cloud.redeploy("web-0a", timeout=900)
    assert cloud.outcomes(result) == {"web-0a": "not_allowed"} and starts(cloud) == 0


def test_reads_that_are_throttled_for_ever_start_nothing_old(cloud):
    cloud.fault("/locks", count=0, status=429, retry_after=70)
    cloud.fault("/locks", "GET", nth=1, count=0, status=429, retry_after=70)
    result = cloud.redeploy("solo", timeout=200)
    assert cloud.outcomes(result) == {"solo": "refused"} and starts(cloud) == 0 and cloud.clock.seconds < 400


def test_those_that_are_started_late_are_guarded_again(many, monkeypatch):
    """The first start takes minutes to be answered; the guards of the next are old by then."""
    monkeypatch.setattr(start, "_WORKERS", 1)
    post = many.arm().post

    def slow(*args):
        many.clock.sleep(120)
        many.change("vm-05", power="stopped")
        return post(*args)

    monkeypatch.setattr(many.arm(), "post", slow)
    result = many.redeploy("vm-04", "vm-05", timeout=2000)
    assert many.outcomes(result) == {"vm-04": "succeeded", "vm-05": "refused"} and many.executed() == ["vm-04"]


def test_nothing_is_started_after_the_time_limit(cloud):
    cloud.fault("/locks", status=429, retry_after=90)
    result = cloud.redeploy("solo", timeout=80)
    assert cloud.outcomes(result) == {"solo": "refused"} and starts(cloud) == 0


def test_those_behind_a_throttled_start_have_their_outcome_too(many, monkeypatch):
    """Azure closes for longer than the time limit; the others were never sent."""
    monkeypatch.setattr(start, "_WORKERS", 1)
    many.post_fault("vm-00", status=429, retry_after=9000)
    result = many.redeploy("vm-00", "vm-01", "vm-02")
    assert result["counts"] == {"refused": 3} and starts(many) == 1 and "throttles" in result["vms"][many.id("vm-01")]["reason"]


def test_an_answer_about_another_vm_is_not_believed(cloud):
    body = cloud.arm().get(cloud.id("duo"), COMPUTE, "read it", {"$expand": "instanceView"})
    cloud.fault(r"/virtualMachines/solo\?", count=0, body=body)
    result = cloud.redeploy("solo", "far")
    assert [vm["outcome"] for vm in result["vms"].values()] == ["refused", "succeeded"] and cloud.executed() == ["far"]
    assert VmId.parse(cloud.id("duo")).name in result["msg"]


# -- an attempt is not made twice ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("log", ["empty", "refused"])
@pytest.mark.parametrize("end", ["failed", "canceled"])
@pytest.mark.parametrize("watched", [True, False], ids=["watched to its end", "seen once"])
def test_a_start_without_an_answer_that_ended_badly_is_not_made_again(cloud, end, watched, log):
    """The status stays None and allowed, and the log tells nothing: only that the VM was seen being worked on, or when that ended."""
    cloud.change("solo", operations={"performMaintenance": {"result": end, "after_seconds": 60}})
    cloud.fault("/eventtypes/management/values", count=0, **({"body": {"value": []}} if log == "empty" else {"status": 403}))
    cloud.post_fault("solo", drop="after")
    first = cloud.redeploy("solo", timeout=300 if watched else 30, settle=30)
    assert cloud.executed() == ["solo"] and set(cloud.outcomes(first).values()) <= {"unknown", "failed", "still_running"}
    cloud.clock.sleep(7200)
    for dummy in range(2):
        again = cloud.redeploy("solo", settle=30)
        assert cloud.executed() == ["solo"] and starts(cloud) == 1, again["msg"]
        assert set(cloud.outcomes(again).values()) <= {"unknown", "failed"}


@pytest.mark.parametrize("status", [200, 201])
def test_an_answer_of_success_without_a_url_proves_nothing(cloud, status):
    """Nothing was executed. It is not believed, nor made again while the activity log may still come to show it; then it is."""
    cloud.post_fault("solo", status=status, body={"status": "Succeeded"})
    cloud.fault("/eventtypes/management/values", count=0, body={"value": []})
    assert cloud.outcomes(cloud.redeploy("solo", timeout=300, settle=30)) == {"solo": "unknown"} and cloud.executed() == []
    assert cloud.outcomes(cloud.redeploy("solo", timeout=300, settle=30)) == {"solo": "unknown"} and starts(cloud) == 1
    cloud.clock.sleep(7200)
    assert cloud.outcomes(cloud.redeploy("solo", settle=30)) == {"solo": "succeeded"} and cloud.executed() == ["solo"]


@pytest.mark.parametrize("operation", ["redeploy", "reapply"])
def test_a_mail_from_the_future_is_refused(cloud, operation):
    """Every run would do it all again."""
    late = format_time(cloud.arm().now() + dt.timedelta(days=400))
    with pytest.raises(OptionsError, match="lies in the future"):
        cloud.redeploy("solo", operation=operation, since=late)
    assert cloud.executed() == []


@pytest.mark.parametrize("tags", [["a"], "text", 7])
def test_an_answer_that_makes_no_sense_holds_up_its_vm_alone(cloud, tags):
    body = cloud.arm().get(cloud.id("solo"), COMPUTE, "read it", {"$expand": "instanceView"})
    cloud.fault(r"/virtualMachines/solo\?", count=0, body={**body, "tags": tags})
    result = cloud.redeploy("solo", "duo")
    assert cloud.outcomes(result) == {"solo": "refused", "duo": "succeeded"} and "its tags are" in result["msg"] and cloud.executed() == ["duo"]
