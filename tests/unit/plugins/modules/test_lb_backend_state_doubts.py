# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lb_backend_state when others write too, when Azure does not answer or fails, and when members are gone."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from unit.plugins.balanced import (  # noqa: F401  # pylint: disable=unused-import
    BLUE, MINE, POOL, WEB, brief, change, cloud, execute, meanwhile, writes)

from ansible_collections.fleetops.azure_maintenance.plugins.modules import lb_backend_state


def test_somebody_else_changes_the_pool_in_between(cloud, execute):
    meanwhile(cloud, pool="web", admin_state={"web-1-nic-ipconfig1": "Up"})
    meanwhile(cloud, pool="blue", nth=2, remove=["stranger"], add=[{"address": "10.9.0.1", "name": "newcomer"}])
    code, result = execute()
    assert code == 0 and len(result["previous"]) == 2
    assert change(cloud) == {"web": {MINE: "Down", "web-1-nic-ipconfig1": "Up"},
                             "blue": {"web-1-nic-ipconfig1": "None", MINE: "Down", "newcomer": "None"}}, "nobody's change is lost"
    assert [entry["status"] for entry in cloud.simulator.ledger()].count(412) == 2


def test_somebody_else_takes_it_out_in_between_and_it_stays_theirs(cloud, execute):
    meanwhile(cloud, pool="web", admin_state={MINE: "Down"})
    code, result = execute(pools=[WEB])
    assert code == 0 and not result["changed"] and result["previous"] == [] and writes(cloud) == []


def test_a_pool_that_never_keeps_still_is_given_up(cloud, execute):
    meanwhile(cloud, pool="web", count=0, admin_state={"web-1-nic-ipconfig1": "Up"})
    code, result = execute(pools=[WEB])
    assert code == 1 and "others changed its load balancer 100 times" in result["msg"] and result["previous"] == [] and writes(cloud) == []


def test_members_that_are_gone_or_changed_are_said_and_left_alone(cloud, execute):
    previous = execute()[1]["previous"]
    others = [{"pool": f"{POOL}/none/backendAddressPools/web", "name": "x", "admin_state": "none"},
              {"pool": BLUE, "name": "web-1-nic-ipconfig1", "ip": "10.1.0.99", "admin_state": "none"}]
    change(cloud, pool="web", remove=[MINE])
    change(cloud, pool="blue", admin_state={MINE: "None"})
    count = len(writes(cloud))
    code, result = execute(None, restore=previous + others)
    assert code == 0 and not result["changed"] and len(writes(cloud)) == count
    assert {entry["reason"] for entry in result["left"]} == {
        "it is not in the pool any more", "it was changed by another user to none meanwhile", "the pool is not there any more",
        "it stands for another address now (10.1.0.6, not 10.1.0.99)"}
    code, result = execute(members=previous)
    assert code == 0 and brief(result["previous"]) == {("blue", MINE): "none"} and [entry["name"] for entry in result["left"]] == [MINE]


def test_a_member_that_vanishes_before_the_write(cloud, execute):
    meanwhile(cloud, pool="web", remove=[MINE])
    code, result = execute(pools=[WEB])
    assert code == 0 and not result["changed"] and writes(cloud) == []


@pytest.mark.parametrize("fault", [{"status": 429, "retry_after": 5}, {"status": 429}, {"status": 429, "code": "RetryableErrorDueToAnotherOperation"},
                                   {"status": 409, "code": "AnotherOperationInProgress"}, {"status": 503}, {"status": 503, "executed": True},
                                   {"drop": "after"}, {"drop": "before"}, {"expire_token": True}])
def test_what_passes_is_waited_out_and_what_was_before_is_still_known(cloud, execute, fault):
    cloud.fault("/backendAddressPools/", "PUT", **fault)
    code, result = execute()
    assert code == 0 and brief(result["previous"]) == {("web", MINE): "none", ("blue", MINE): "up"}, result
    assert [states[MINE] for states in change(cloud).values()] == ["Down", "Down"]
    assert execute(None, restore=result["previous"])[0] == 0 and change(cloud)["blue"][MINE] == "Up"


def test_a_whole_wave_writes_to_the_same_pool(cloud, execute, tmp_path):
    """Processes side by side, each with a VM of its own: every one gets its turn."""
    options = {**cloud.options(), "state": "down", "load_balancers": [f"{POOL}/crowd"], "poll_interval": 1}
    running = []
    for number in range(4):
        arguments = tmp_path / f"{number}.json"
        arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": {**options, "vm": cloud.id(f"pool_{number}")}}), encoding="utf-8")
        running.append(subprocess.Popen([sys.executable, lb_backend_state.__file__, str(arguments)], stdout=subprocess.PIPE, text=True))
    results = [json.loads(process.communicate(timeout=120)[0]) for process in running]
    assert all(result["changed"] and len(result["previous"]) == 1 for result in results), results
    assert change(cloud, name="crowd")["all"] == {**dict.fromkeys(set(change(cloud, name="crowd")["all"]), "Down"), "pool_4-pool-nic-ipconfig1": "None"}


def test_a_write_of_others_is_waited_for(cloud, execute):
    assert execute(vm="web-1", load_balancers=["front"])[0] == 0
    change(cloud, writes=[{"after_seconds": 60}])
    arm = cloud.arm()
    body = arm.get(WEB, "2025-05-01", "read")
    assert arm.put_once(WEB, "2025-05-01", "x", body, body["etag"]).kind == "accepted"
    code, result = execute(pools=[WEB])
    assert code == 0 and result["changed"] and "RetryableErrorDueToAnotherOperation" not in [entry["error"] for entry in cloud.simulator.ledger()]


def test_an_operation_that_fails_is_an_error_and_is_written_again_by_the_next_run(cloud, execute):
    change(cloud, writes=[{"result": "failed", "code": "Broken", "message": "It broke."}, {}])
    code, result = execute()
    assert code == 1 and "failed with Broken: It broke.; running this again writes it again" in result["msg"] and result["failure"]["code"] == "Broken"
    assert brief(result["previous"]) == {("web", MINE): "none"}, "what may have been changed is told all the same"
    code, again = execute()
    assert code == 0 and again["changed"] and brief(again["previous"]) == {("blue", MINE): "up"}
    assert [name for name, dummy in writes(cloud)] == ["web", "web", "blue"]
    back = execute(None, restore=result["previous"] + again["previous"])[1]
    assert back["changed"] and change(cloud)["web"][MINE] == "None"


@pytest.mark.parametrize(("how", "words"), [({"result": "stuck"}, "was not done with it within 60 s"), ({"after_seconds": 500}, "allow a longer timeout")])
def test_an_operation_that_does_not_end_in_time(cloud, execute, how, words):
    change(cloud, writes=[how])
    code, result = execute(timeout=60)
    assert code == 1 and words in result["msg"] and len(writes(cloud)) == 1


def test_an_operation_that_azure_forgot_or_superseded(cloud, execute):
    change(cloud, writes=[{"result": "forgotten", "after_seconds": 9}, {"result": "canceled", "code": "CanceledAndSupersededDueToAnotherOperation"}, {}])
    code, result = execute()
    assert code == 0 and len(result["previous"]) == 2 and [states[MINE] for states in change(cloud).values()] == ["Down", "Down"]
