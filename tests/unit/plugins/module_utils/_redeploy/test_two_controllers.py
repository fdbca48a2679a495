# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two controllers with separate journals that start two update domains of one set at the same time: one backs off, or one says so."""

from __future__ import annotations

import threading
import time

import pytest
from unit.plugins.cloud import FLEET

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.client import Arm
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy import concurrent_starts
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy.journal import Journal

# kind of set -> VM of the one controller, VM of the other, in another failure domain
PAIRS = {"availability set": ("web-0a", "web-1"), "uniform": ("pool_0", "pool_1"), "flexible": ("flex-a", "flex-b")}
LOUD = "another update domain of its set went down at the same time"
POST = Arm.post


@pytest.fixture(params=PAIRS)
def pair(request, pools):
    pools.change("pool_3", power="running")
    pools.change("flex-b", power="running")
    pools.names = PAIRS[request.param]
    return pools


def controller(cloud, which, **options):
    """A run of the one (0) or other (1) controller, which starts its VM and does not wait, and its journal."""
    journal = Journal(f"{cloud.journal}-{which}")
    journal.prepare()
    return cloud.make(cloud.names[which], journal=journal, wait=False, **options)[0], journal


def outcome(result):
    vm, = result["vms"].values()
    return vm["outcome"]


def loud(result):
    vm, = result["vms"].values()
    assert (LOUD in vm["reason"]) is bool(result.get("warnings")) is (LOUD in result["msg"])
    return LOUD in vm["reason"] and result["failed"] is True


def test_another_start_after_the_guards_and_the_intent(pair):
    """The other one starts when this one has passed its guards and written its intent: this one does not start."""
    (one, journal), (other, dummy) = controller(pair, 0), controller(pair, 1)
    intend, seen = journal.intend, []

    def intend_late(*args):
        intend(*args)
        seen.append(other.run())

    journal.intend = intend_late
    result = one.run()
    assert (outcome(result), outcome(seen[0])) == ("refused", "started") and pair.executed() == [pair.names[1]]
    assert f"{pair.names[1]} (" in result["msg"] and "since the preflight checks passed" in result["msg"] and not result["changed"]
    assert journal.last(one._results.ids[pair.id(pair.names[0]).lower()], "perform_maintenance") is None, "its intent is settled: nothing was executed"
    journal.close()
    pair.clock.sleep(60)
    again, dummy = controller(pair, 0)
    assert outcome(again.run()) == "started", "and it may be started when the other is back"


def test_another_start_between_the_last_look_and_the_start(pair, monkeypatch):
    """Nothing can prevent that without a common lock: the one that comes later says it, and fails."""
    (one, dummy), (other, dummy) = controller(pair, 0), controller(pair, 1)
    seen = []

    def post(self, path, *args):
        if not seen:
            seen.append(None)
            seen[0] = other.run()
        return POST(self, path, *args)

    monkeypatch.setattr(Arm, "post", post)
    result = one.run()
    assert (outcome(result), outcome(seen[0])) == ("started", "started") and pair.executed() == sorted(pair.names)
    assert loud(result) and not loud(seen[0]) and pair.names[1] in result["msg"] and result["changed"]


def race(pair, **options):
    """Both controllers at once: their results."""
    results = [None, None]

    def run(which):
        results[which] = controller(pair, which, **options)[0].run()

    threads = [threading.Thread(target=run, args=(which,), name=str(which)) for which in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_two_starts_in_the_same_moment(pair, monkeypatch):
    """Both have looked before either has started: at least one says it."""
    both = threading.Barrier(2, timeout=30)

    def post(self, *args):
        both.wait()
        return POST(self, *args)

    monkeypatch.setattr(Arm, "post", post)
    results = race(pair)
    assert pair.executed() == sorted(pair.names) and any(loud(result) for result in results)


def test_two_that_have_passed_their_guards_are_set_apart_by_a_pause(pair, monkeypatch):
    """Both wait until both have passed; then one pauses longer than the other's start takes."""
    both, first, lock = threading.Barrier(2, timeout=30), threading.Event(), threading.Lock()

    def pause(least, most):
        both.wait()
        if not lock.acquire(blocking=False):
            first.wait(30)
        return most

    def post(self, *args):
        answer = POST(self, *args)
        first.set()
        return answer

    monkeypatch.setattr(concurrent_starts.random, "uniform", pause)
    monkeypatch.setattr(Arm, "post", post)
    results = race(pair)
    assert sorted(map(outcome, results)) == ["refused", "started"] and len(pair.executed()) == 1 and not any(map(loud, results))


@pytest.mark.parametrize("apart", [0.0, 0.01, 0.03, 0.1])
def test_whatever_the_timing_nobody_is_silent(pair, monkeypatch, apart):
    """By the ledger: either one domain was started, or somebody said that both were."""
    monkeypatch.setattr(concurrent_starts.random, "uniform", lambda least, most: time.sleep(apart * int(threading.current_thread().name)) or 0.0)
    results = race(pair)
    assert set(map(outcome, results)) <= {"started", "refused"} and len(pair.executed()) == list(map(outcome, results)).count("started") >= 1
    assert len(pair.executed()) == 1 or any(loud(result) for result in results)


@pytest.mark.parametrize("pair", ["flexible"], indirect=True)
def test_a_limit_that_allows_both_lets_both_go(pair):
    (one, journal), (other, dummy) = controller(pair, 0, max_unavailable="2"), controller(pair, 1, max_unavailable="2")
    intend, seen = journal.intend, []
    journal.intend = lambda *args: (intend(*args), seen.append(other.run()))
    result = one.run()
    assert (outcome(result), outcome(seen[0])) == ("started", "started") and not loud(result)


@pytest.mark.parametrize("status", [403, 500])
def test_a_set_that_cannot_be_read_again_is_not_started(cloud, status):
    cloud.fault(r"/virtualMachines/web-1\?", nth=2, count=0, status=status)
    result = cloud.redeploy("web-0a", "solo")
    assert cloud.outcomes(result) == {"web-0a": "refused", "solo": "succeeded"} and cloud.executed() == ["solo"]
    assert "could not be read again directly before the start" in result["msg"]


def test_what_cannot_be_seen_after_a_start_is_said(cloud):
    cloud.fault(r"/virtualMachines/web-1\?", nth=3, count=0, status=403)
    result = cloud.redeploy("web-0a")
    assert cloud.outcomes(result) == {"web-0a": "succeeded"} and "failed" not in result
    assert "could not be seen" in result["vms"][cloud.id("web-0a")]["reason"]


@pytest.mark.parametrize("names", [["solo", "duo"], ["web-0a", "web-0b", "web-1"]])
def test_without_another_domain_there_is_nothing_to_look_at(cloud, names):
    """VMs outside sets, and a set of which the rest is deallocated: no pause, no request."""
    if "web-1" in names:
        cloud.change("web-1", power="deallocated")
    cloud.redeploy(*[name for name in names if name != "web-1"], wait=False)
    assert cloud.clock.sleeps == [] and len(cloud.requests(having="/virtualMachines/")) + len(cloud.requests(having="/VIRTUALMACHINES/")) == len(names)


# -- many sets ------------------------------------------------------------------------------------------------------------

SETS, MEMBERS = 12, 4
CROWD = {**FLEET, "availability_sets": [{"name": f"set-{n}", "resource_group": "Shop", "region": "westeurope", "update_domains": 4} for n in range(SETS)],
         "vms": [{"name": f"m-{n}-{at}", "availability_set": f"set-{n}", "update_domain": at} for n in range(SETS) for at in range(MEMBERS)]}
FIRST = [f"m-{n}-0" for n in range(SETS)]


@pytest.fixture
def crowd(cloud_of):
    return cloud_of(CROWD)


@pytest.mark.parametrize("shape", ["full", "guestless", "minimal"])
def test_many_sets_are_looked_at_by_one_list_before_and_one_after(crowd, shape):
    crowd.redeploy(*FIRST, check=True)
    guards = len(crowd.requests())
    crowd.simulator.world.requests.clear()
    assert crowd.redeploy(*FIRST, wait=False)["counts"] == {"started": SETS}
    assert len(crowd.requests()) == guards + 2


@pytest.mark.parametrize("shape", ["full", "guestless", "minimal", None])
def test_a_list_shows_the_start_of_another(crowd, shape):
    """Only the set concerned is held back; without such a list its members are read one by one."""
    if shape is None:
        crowd.fault("statusOnly", count=0, status=403)
    crowd.simulator.fleet.status_only = shape or "full"
    run, journal = crowd.make(*FIRST, wait=False)
    intend = journal.intend
    journal.intend = lambda *args: (crowd.change("m-7-2", provisioning="updating"), intend(*args))
    result = run.run()
    assert result["counts"] == {"started": SETS - 1, "refused": 1} and "m-7-2 (provisioning state is updating)" in result["msg"]
    assert crowd.executed() == sorted(name for name in FIRST if name != "m-7-0")
