# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many VMs at once: lists in place of single reads where they tell enough, and no more requests than Azure allows."""

from __future__ import annotations

import collections

import pytest
from unit.plugins.cloud import FLEET

SETS = 12
CROWD = {**FLEET, "availability_sets": [{"name": f"set-{n}", "resource_group": "Shop", "region": "westeurope", "update_domains": 2} for n in range(SETS)],
         "vms": [{"name": f"m-{n}-{member}", "availability_set": f"set-{n}", "update_domain": member} for n in range(SETS) for member in range(2)]}
FIRST = [f"m-{n}-0" for n in range(SETS)]
STATUS, SET = "statusOnly=true", "/availabilitySets/SET-"  # VMs spell the id of their set in upper case


@pytest.fixture
def crowd(cloud_of):
    return cloud_of(CROWD)


def polls(cloud):
    return collections.Counter(path for path in cloud.requests() if "/operations/" in path)


def test_members_of_many_sets_come_from_lists(crowd):
    result = crowd.redeploy(*FIRST, check=True)
    assert result["counts"] == {"would_start": SETS}
    assert not crowd.requests(having=SET) and len(crowd.requests(having=STATUS)) == 1
    assert len(crowd.requests(having="/virtualMachines/m-")) == SETS, "only those to be started are read by themselves"
    assert len(crowd.requests()) <= SETS + 6


@pytest.mark.parametrize("shape", ["lean", "minimal"])
def test_a_list_that_tells_too_little_is_not_used_for_sets(crowd, shape):
    """Without update domain and agent a member cannot be judged; without the block it can."""
    crowd.simulator.fleet.status_only = shape
    crowd.change("m-3-1", agent="not_ready")
    result = crowd.redeploy(*FIRST, check=True)
    assert result["counts"] == {"would_start": SETS - 1, "refused": 1} and "m-3-1 (guest agent is not ready)" in result["msg"]
    assert bool(crowd.requests(having=SET)) is (shape == "minimal")


@pytest.mark.parametrize("fault", [{"path": STATUS, "status": 403}, {"path": "/providers/Microsoft.Compute/virtualMachines[?]api", "body": {"value": []}}])
def test_lists_that_fail_are_replaced_by_single_reads(crowd, fault):
    crowd.fault(count=0, **fault)
    crowd.change("m-3-1", power="stopped")
    result = crowd.redeploy(*FIRST, timeout=200)
    assert result["counts"] == {"succeeded": SETS - 1, "refused": 1} and len(crowd.executed()) == SETS - 1


@pytest.mark.parametrize("shape", ["full", "minimal"])
def test_one_list_tells_which_operations_are_worth_asking_after(crowd, shape):
    crowd.simulator.fleet.status_only = shape
    for name in FIRST:
        crowd.change(name, operations={"default": {"after_seconds": 50}})
    assert crowd.redeploy(*FIRST)["counts"] == {"succeeded": SETS}
    assert sum(polls(crowd).values()) == 0 and 5 <= len(crowd.requests(having=STATUS)) <= 8


def test_a_list_that_is_old_does_not_hide_the_end(crowd):
    """It goes on saying that they are in motion: then each is asked itself, after a minute."""
    crowd.simulator.world.faults.clear()
    ids = [{"id": crowd.id(name), "properties": {"instanceView": {"statuses": [{"code": "ProvisioningState/updating"}]}}} for name in FIRST]
    crowd.fault(STATUS, nth=2, count=0, body={"value": ids})
    assert crowd.redeploy(*FIRST, timeout=200)["counts"] == {"succeeded": SETS}
    assert 60 <= crowd.clock.seconds <= 90


@pytest.mark.parametrize("course, outcome", [({"result": "aborted"}, "aborted"), ({"result": "failed"}, "failed"), ({"result": "still_due"}, "still_due")])
def test_only_a_success_that_the_vm_shows_needs_no_question(crowd, course, outcome):
    for name in FIRST:
        crowd.change(name, operations={"default": course})
    assert crowd.redeploy(*FIRST)["counts"] == {outcome: SETS} and set(polls(crowd).values()) == {1}


def test_a_short_interval_does_not_outrun_what_azure_allows(cloud):
    """15 polls of one operation and 12 views of one VM in any minute."""
    cloud.change("solo", operations={"default": {"after_seconds": 100, "agent_after_seconds": 100}})
    times = []
    cloud.clock.hooks.append(lambda: times.append((cloud.clock.seconds, sum(polls(cloud).values()), len(cloud.requests(having="/virtualMachines/solo?")))))
    assert cloud.outcomes(cloud.redeploy("solo", timeout=400, interval=1)) == {"solo": "succeeded"}
    for kind, most in ((1, 15), (2, 12)):
        at = {seconds: row for seconds, *row in times}
        assert max(at[second + 60][kind - 1] - at[second][kind - 1] for second in at if second + 60 in at) <= most
    assert sum(polls(cloud).values()) >= 20


def test_addresses_come_from_lists_too(many):
    names = [vm.name for vm in many.simulator.fleet.vms.values()]
    result = many.redeploy(*names)
    assert result["counts"] == {"succeeded": 12} and all(vm["after"]["addresses"]["private"] for vm in result["vms"].values())
    assert not many.requests(having="/networkInterfaces/")
