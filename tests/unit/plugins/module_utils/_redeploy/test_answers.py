# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Azure can answer to a start. One start goes out, whatever the answer; only a 429 brings another, behind the guards."""

from __future__ import annotations

import json

import pytest
from unit.plugins.listener import Listener

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy import start
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy.journal import Journal


class Meanwhile(Journal):
    """A journal during whose entry of an intent, that is after all guards, something happens."""

    def __init__(self, cloud, happens):
        super().__init__(str(cloud.journal))
        self.happens = happens
        self.prepare()

    def intend(self, vm, attempt):
        super().intend(vm, attempt)
        self.happens(vm.name)


def journal_outcomes(cloud, name="solo"):
    file, = cloud.journal.glob(f"{name}-*.json")
    return [attempt["outcome"] for attempt in json.loads(file.read_text())["attempts"]]


def starts(cloud):
    return len(cloud.requests("POST", "/performMaintenance?"))


# -- no clear answer ------------------------------------------------------------------------------------------------------

NO_ANSWER = [{"status": 500}, {"status": 503}, {"status": 504}, {"status": 503, "headers": {"Retry-After": "1"}}, {"status": 502, "body": "<html>"}]


@pytest.mark.parametrize("fault", [*NO_ANSWER, {"drop": "before"}])
def test_not_executed_and_not_repeated(cloud, fault):
    """Nothing shows that it was executed: in doubt, and never started again while that is so."""
    cloud.post_fault("solo", **fault)
    result = cloud.redeploy("solo")
    assert cloud.outcomes(result) == {"solo": "unknown"} and "did not change" in result["msg"]
    assert starts(cloud) == 1 and cloud.executed() == []
    assert journal_outcomes(cloud) == [None] and result["changed"] is True
    assert cloud.clock.seconds >= 30, "it was waited for a trace"
    assert cloud.outcomes(cloud.redeploy("solo"))["solo"] == "unknown"
    assert starts(cloud) == 1


@pytest.mark.parametrize("fault, course, outcome", [
    *[(fault, {}, "succeeded") for fault in (*NO_ANSWER, {"status": 503, "retry_after": 1}, {"drop": "after"})],
    *[(fault, course, outcome) for fault in ({"status": 504}, {"drop": "after"}) for course, outcome in (
        ({"block": "vanishes"}, "succeeded"), ({"result": "aborted"}, "aborted"), ({"result": "retry_later"}, "retry_later"),
        ({"result": "stuck"}, "still_running"), ({"result": "still_due"}, "still_due"))]])
def test_executed_without_an_answer_is_judged_by_the_view(cloud, fault, course, outcome):
    cloud.change("solo", operations={"default": course})
    cloud.post_fault("solo", **({"executed": True} if "status" in fault else {}), **fault)
    result = cloud.redeploy("solo")
    assert cloud.outcomes(result) == {"solo": outcome}
    assert cloud.executed() == ["solo"] and starts(cloud) == 1
    cloud.redeploy("solo", "duo")
    assert cloud.executed().count("solo") == 1, "a later run does not start it either"


@pytest.mark.parametrize("status", [200, 202])
def test_accepted_without_a_url(cloud, status):
    cloud.post_fault("solo", status=status, executed=True, body="")
    assert cloud.outcomes(cloud.redeploy("solo")) == {"solo": "succeeded"}
    assert cloud.executed() == ["solo"]


def test_an_accepting_answer_that_breaks_off(cloud):
    cloud.post_fault("solo", status=202, executed=True, body={"status": "a long enough body to be cut"}, truncate=True)
    assert cloud.outcomes(cloud.redeploy("solo")) == {"solo": "succeeded"}
    assert cloud.executed() == ["solo"]


OUT_OF_BOUNDS = {"deep": '{"error":' + "[" * 100_000 + "]" * 100_000 + "}", "digits": '{"error": ' + "1" * 10_000 + "}"}


@pytest.mark.parametrize("status", [200, 202, 409, 429, 500])
@pytest.mark.parametrize("body", OUT_OF_BOUNDS)
def test_an_answer_out_of_bounds_is_unknown_and_watched(cloud, status, body):
    """Nobody knows who sends such a thing, and the operation may be on its way whatever its status says."""
    cloud.post_fault("solo", status=status, executed=True, body=OUT_OF_BOUNDS[body])
    assert cloud.outcomes(cloud.redeploy("solo")) == {"solo": "succeeded"}
    assert cloud.executed() == ["solo"] and starts(cloud) == 1 and journal_outcomes(cloud) == ["succeeded"]


@pytest.mark.parametrize("status", [429, 500])
@pytest.mark.parametrize("body", OUT_OF_BOUNDS)
def test_an_answer_out_of_bounds_to_what_was_not_executed(cloud, status, body):
    cloud.post_fault("solo", status=status, body=OUT_OF_BOUNDS[body])
    result = cloud.redeploy("solo", "duo")
    assert cloud.outcomes(result) == {"solo": "unknown", "duo": "succeeded"}, "one VM's trouble is its own"
    assert cloud.executed() == ["duo"] and starts(cloud) == 2 and journal_outcomes(cloud) == [None]


@pytest.mark.parametrize("body", OUT_OF_BOUNDS)
def test_an_operation_that_answers_out_of_bounds_is_watched_by_the_vm(cloud, body):
    cloud.fault("/operations/", body=OUT_OF_BOUNDS[body], count=0)
    assert cloud.outcomes(cloud.redeploy("solo")) == {"solo": "succeeded"} and cloud.executed() == ["solo"]


# -- throttled ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("fault, pause", [
    ({"retry_after": 40}, 40), ({"retry_after": 0}, 0), ({}, 60), ({"wrapped": False, "code": "OperationNotAllowed"}, 60),
    ({"headers": {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}}, 1),
    ({"headers": {"Retry-After": "9" * 400}}, 60), ({"headers": {"Retry-After": "soon"}}, 60)])
def test_throttled_waits_looks_again_and_starts_once(cloud, fault, pause):
    cloud.post_fault("solo", status=429, **fault)
    result = cloud.redeploy("solo")
    assert cloud.outcomes(result) == {"solo": "succeeded"}
    assert cloud.executed() == ["solo"] and starts(cloud) == 2
    assert journal_outcomes(cloud) == ["not_executed", "succeeded"]
    assert sum(cloud.clock.sleeps) >= pause and (pause == 0 or cloud.clock.sleeps[0] == pause)
    log = [r["path"].split("?")[0].rsplit("/", 1)[-1] for r in cloud.simulator.requests() if "/subscriptions/" in r["path"]]
    first, second = [at for at, path in enumerate(log) if path == "performMaintenance"]
    assert "solo" in log[first + 1:second], "the VM was read again in between"
    ids = [r["client_request_id"] for r in cloud.simulator.requests() if r["method"] == "POST" and "performMaintenance" in r["path"]]
    assert len(set(ids)) == 2, "each start has an id of its own"


def test_throttled_again_and_again(cloud):
    cloud.post_fault("solo", status=429, retry_after=30, count=3)
    assert cloud.outcomes(cloud.redeploy("solo", timeout=300)) == {"solo": "succeeded"}
    assert starts(cloud) == 4 and cloud.clock.sleeps[:3] == [30, 30, 30]


@pytest.mark.parametrize("value", ["1e300", "9" * 300, "86400"])
def test_throttled_for_absurdly_long(cloud, value):
    cloud.post_fault("solo", status=429, headers={"Retry-After": value}, count=0)
    result = cloud.redeploy("duo", "solo", timeout=1000)
    assert cloud.outcomes(result) == {"solo": "refused", "duo": "succeeded"} and f"Retry-After: {value[:40]}" in result["msg"] and len(result["msg"]) < 400
    assert "wait 3600 s" in result["msg"] and cloud.clock.seconds < 1100


def test_throttled_for_longer_than_the_time_limit(cloud):
    cloud.post_fault("solo", status=429, retry_after=1200)
    result = cloud.redeploy("duo", "solo")  # the other one is sent first, or it might wait behind the answer to this one
    assert cloud.outcomes(result) == {"solo": "refused", "duo": "succeeded"} and "throttles" in result["msg"] and "1200" in result["msg"]
    assert cloud.executed() == ["duo"] and journal_outcomes(cloud) == ["not_executed"] and result["changed"] is True
    assert cloud.outcomes(cloud.redeploy("solo")) == {"solo": "succeeded"}


@pytest.mark.parametrize("news, outcome, words", [
    ({"solo": {"allowed": False}}, "not_allowed", "blocked"), ({"solo": {"code": "MaintenanceCompleted"}}, "already_done", "done"),
    ({"solo": {"wave": None}}, "not_allowed", "no planned maintenance"), ({"solo": {"power": "stopped"}}, "refused", "not_running"),
    ({"solo": {"provisioning": "updating"}}, "refused", "another operation")])
def test_what_changed_during_the_wait_is_respected(cloud, news, outcome, words):
    cloud.post_fault("solo", status=429, retry_after=60)
    cloud.clock.hooks.append(lambda: [cloud.change(name, **state) for name, state in news.items()])
    result = cloud.redeploy("solo")
    vm = result["vms"][cloud.id("solo")]
    assert vm["outcome"] == outcome and words in vm["reason"]
    assert cloud.executed() == [] and starts(cloud) == 1 and result["changed"] is False
    assert journal_outcomes(cloud) == ["not_executed"]


def test_a_member_that_falls_ill_during_the_wait_holds_the_rest_back(cloud):
    """One of the domain moves already; the other, throttled, is judged anew with the third."""
    cloud.post_fault("web-0b", status=429, retry_after=60)
    cloud.clock.hooks.append(lambda: cloud.posts() and cloud.change("web-1", power="stopped"))
    result = cloud.redeploy("web-0a", "web-0b")
    assert cloud.outcomes(result) == {"web-0a": "succeeded", "web-0b": "refused"} and "web-1 (power state is stopped)" in result["msg"]
    assert cloud.executed() == ["web-0a"]


def test_a_member_that_this_call_moves_holds_nobody_back(cloud):
    cloud.post_fault("web-0b", status=429, retry_after=5)
    assert set(cloud.outcomes(cloud.redeploy("web-0a", "web-0b")).values()) == {"succeeded"}
    assert cloud.executed() == ["web-0a", "web-0b"]


def test_members_that_this_call_moves_count_as_down(cloud):
    """Two may be down: one moves, one fell ill during the wait, so the throttled one is one too many."""
    cloud.change("web-0a", operations={"default": {"after_seconds": 80}})
    cloud.post_fault("web-0b", status=429, retry_after=60)
    cloud.clock.hooks.append(lambda: cloud.posts() and cloud.change("web-1", power="stopped"))
    result = cloud.redeploy("web-0a", "web-0b", max_unavailable="2")
    assert cloud.outcomes(result) == {"web-0a": "succeeded", "web-0b": "refused"}
    assert cloud.executed() == ["web-0a"]


def test_one_that_comes_to_its_start_while_azure_throttles_waits_and_looks_again_too(cloud, monkeypatch):
    """The pause is shared; who would be started in it has old guards."""
    monkeypatch.setattr(start, "_WORKERS", 1)
    cloud.post_fault("solo", status=429, retry_after=60)
    cloud.clock.hooks.append(lambda: cloud.change("far", power="stopped"))
    result = cloud.redeploy("solo", "duo", "far", wait=False)
    assert cloud.outcomes(result) == {"solo": "started", "duo": "started", "far": "refused"}
    assert cloud.executed() == ["duo", "solo"] and starts(cloud) == 3, "the others were not even tried in the pause"


def test_many_throttled_at_once(many):
    names = [vm.name for vm in many.simulator.fleet.vms.values()]
    many.post_fault(status=429, retry_after=20, count=20)
    result = many.redeploy(*names, timeout=3600)
    assert set(many.outcomes(result).values()) == {"succeeded"} and len(result["vms"]) == 12
    assert many.executed() == sorted(names)


# -- refused --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("fault, meanwhile, outcome, words", [
    ({"status": 409}, {"wave": None}, "already_done", "no maintenance to do"),
    ({"status": 409}, {"code": "MaintenanceCompleted", "allowed": False}, "already_done", "no maintenance to do"),
    ({"status": 409}, {"provisioning": "updating"}, "refused", "OperationNotAllowed"),
    ({"status": 409, "message": "Why not."}, {}, "not_allowed", "Why not."),
    ({"status": 409}, {"allowed": False}, "not_allowed", "OperationNotAllowed"),
    ({"status": 409, "code": "Conflict"}, {}, "not_allowed", "Conflict"),
    ({"status": 409, "code": "ScopeLocked"}, {}, "refused", "ScopeLocked"),
    ({"status": 409, "body": "<html>no</html>"}, {}, "not_allowed", "<html>no</html>"),
    ({"status": 409, "wrapped": False, "code": "OperationNotAllowed"}, {}, "not_allowed", "OperationNotAllowed"),
    ({"status": 409, "code": "TooManyVMRedeploymentRequests"}, {}, "retry_later", "TooManyVMRedeploymentRequests"),
    ({"status": 403, "code": "toomanyvmredeploymentrequests"}, {}, "retry_later", "toomany"),
    ({"status": 403}, {}, "refused", "HTTP 403 AuthorizationFailed"),
    ({"status": 404}, {}, "refused", "HTTP 404"),
    ({"status": 400, "code": "InvalidParameter"}, {}, "refused", "HTTP 400 InvalidParameter")])
def test_refused_by_azure(cloud, fault, meanwhile, outcome, words):
    cloud.post_fault("solo", **fault)
    result = cloud.redeploy("solo", "duo", journal=Meanwhile(cloud, lambda name: cloud.change("solo", **meanwhile)))
    vm = result["vms"][cloud.id("solo")]
    assert vm["outcome"] == outcome and words in vm["reason"] and vm["request_id"]
    assert cloud.executed() == ["duo"] and starts(cloud) == 2
    assert journal_outcomes(cloud) == ["not_executed"]
    assert cloud.outcomes(result)["duo"] == "succeeded"


def test_a_token_that_is_refused_is_tried_once_more(cloud):
    """A 401 is not executed; a second one is the answer."""
    cloud.post_fault("solo", status=401)
    cloud.post_fault("duo", status=401, count=2)
    result = cloud.redeploy("solo", "duo")
    assert cloud.outcomes(result) == {"solo": "succeeded", "duo": "refused"} and "HTTP 401" in result["msg"]
    assert starts(cloud) == 4 and cloud.executed() == ["solo"]
    assert {vm["name"]: vm["attempts"] for vm in result["vms"].values()} == {"solo": 2, "duo": 2}


def test_refused_although_the_vm_cannot_be_read_now(cloud):
    """The refusal is what the reason must name, not only the failure to read."""
    cloud.post_fault("solo", status=409)
    cloud.fault(r"/virtualMachines/solo\?", nth=2, count=0, status=403)
    vm = cloud.redeploy("solo")["vms"][cloud.id("solo")]
    assert vm["outcome"] in ("refused", "not_allowed") and "HTTP 409 OperationNotAllowed" in vm["reason"]
    assert vm["client_request_id"] and cloud.executed() == []


def test_refused_by_the_role_of_the_identity(cloud):
    result = cloud.redeploy("solo", credential=2)
    assert cloud.outcomes(result) == {"solo": "refused"} and "AuthorizationFailed" in result["msg"]
    assert "performMaintenance/action" in result["msg"]
    assert cloud.posts() == [("solo", "performMaintenance", None)] and cloud.executed() == []


def test_refused_because_somebody_else_was_faster(cloud):
    """The simulator's own refusal: another operation began after the guards."""
    cloud.change("solo", operations={"reapply": {"after_seconds": 200}})
    vm = cloud.simulator.fleet.named("solo")[0]

    def other(name):
        with cloud.simulator.world.lock:
            cloud.simulator.world.engine.begin(vm, "reapply")

    result = cloud.redeploy("solo", journal=Meanwhile(cloud, other))
    assert cloud.outcomes(result) == {"solo": "refused"} and "another operation is in progress" in result["msg"]


def test_a_claims_challenge_is_answered_with_one_start(cloud):
    challenge = 'Bearer authorization_uri="x", error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="'
    cloud.post_fault("solo", status=401, headers={"WWW-Authenticate": challenge})
    assert cloud.outcomes(cloud.redeploy("solo")) == {"solo": "succeeded"}
    assert cloud.executed() == ["solo"]


def test_a_failing_sign_in_starts_nothing(cloud):
    challenge = 'Bearer authorization_uri="x", error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="'
    cloud.post_fault("solo", status=401, headers={"WWW-Authenticate": challenge})
    cloud.fault("/token", "POST", count=0, status=401, body={"error": "invalid_client", "error_description": "AADSTS7000222: expired"})
    result = cloud.redeploy("solo")
    assert cloud.outcomes(result) == {"solo": "refused"}
    assert cloud.executed() == [] and journal_outcomes(cloud) == ["not_executed"]


# -- URLs of other hosts --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("headers", [("Azure-AsyncOperation", "Location"), ("Azure-AsyncOperation",), ("Location",)])
def test_no_token_goes_to_a_foreign_operation_url(cloud, headers):
    with Listener(cloud.directory / "server.pem") as foreign:
        cloud.post_fault("solo", headers={name: f"{foreign.url}/operations/1?monitor=true" for name in headers})
        result = cloud.redeploy("solo")
        again = cloud.redeploy("solo")
    assert cloud.outcomes(result) == {"solo": "succeeded"} and cloud.outcomes(again) == {"solo": "already_done"}
    assert foreign.seen == []
    assert foreign.url not in "".join(path.read_text() for path in cloud.journal.glob("*.json"))
    assert cloud.executed() == ["solo"]


def test_a_redirected_start_is_not_followed(cloud):
    with Listener(cloud.directory / "server.pem") as foreign:
        cloud.post_fault("solo", status=307, headers={"Location": f"{foreign.url}/elsewhere"})
        result = cloud.redeploy("solo")
    assert cloud.outcomes(result) == {"solo": "unknown"} and foreign.seen == []


def test_a_foreign_url_in_the_journal_gets_no_token(cloud):
    cloud.redeploy("solo", wait=False)
    with Listener(cloud.directory / "server.pem") as foreign:
        file, = cloud.journal.glob("solo-*.json")
        file.write_text(file.read_text().replace(cloud.simulator.url, foreign.url))
        result = cloud.redeploy("solo", timeout=100)
    assert foreign.seen == [] and cloud.outcomes(result) == {"solo": "succeeded"}, "the VM itself tells"
