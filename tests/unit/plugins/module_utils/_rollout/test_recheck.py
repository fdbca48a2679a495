# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a plan still holds: when it is applied, and before each of its waves. It only ever shrinks."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.plugins.module_utils.rollout_fleet import DAY, EXAMPLES, NOW, POLICIES, always_due, any_condition, fleets, names, skips, status, vm, web

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.availability import Availability
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.attributes import with_services
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.plan import PlanError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.planner import plan
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.policy import Policy
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.recheck import PlanChanged, apply, recheck, select_lane

DONE = status(code="MaintenanceCompleted", allowed=False)
LATER = status(own=(3, 30), azure=(31, 40), allowed=False)


def planned(fleet, **options):
    return plan(fleet, Policy.from_options(options), NOW)


def changed(fleet, **news):
    """The fleet with other fields for some VMs (None: the VM is gone)."""
    return [dataclasses.replace(one, **news.get(one.name.replace("-", "_"), {})) for one in fleet if news.get(one.name.replace("-", "_"), {}) is not None]


def key(name):
    return vm(name).id.key


def answer(found, fleet, number=1, now=NOW, lost=(), lane=1):
    """Names that go, and reasons by name of those that do not."""
    verdict = recheck(found, lane, number, fleet, now, {key(name) for name in lost})
    short = {one.id: one.name for one in found.vms}
    return [short[one] for one in verdict.go], {short[one]: why for one, why in verdict.left_out.items()}


# -- applying -------------------------------------------------------------------------------------------------------------


def test_what_is_done_or_not_in_this_run_is_said_and_the_waves_count_anew():
    fleet = [*web((0, 0, 1, 2)), vm("solo")]
    found = planned(fleet)
    now_fleet = changed(fleet, web_01={"status": DONE}, web_02={"status": None}, solo={"host": None})
    left = apply(found, now_fleet, NOW)
    assert names(left) == [["web-03"], ["web-04"]] and [wave.number for wave in left.waves] == [1, 2]
    assert {name: reason for name, (reason, detail) in skips(left).items()} == {"web-01": "done", "web-02": "not_scheduled", "solo": "not_in_run"}


def test_hosts_may_be_called_otherwise_now():
    fleet = web((0,))
    assert apply(planned(fleet), changed(fleet, web_01={"host": "web-01.shop"}), NOW).vms[0].host == "web-01.shop"


@pytest.mark.parametrize("news, words", [
    ({"web_01": {"status": LATER}}, "web-01: window start was 2026-03-05T12:00:00Z, is now 2026-03-13T12:00:00Z; state was startable, is now upcoming"),
    ({"web_01": {"update_domain": 3}}, "web-01: update domain was 0, is now 3"),
    ({"web_01": {"zone": "2"}}, "web-01: zone was none, is now 2"),
    ({"web_01": None}, "web-01 is not in the fleet any more"),
    ({"web_01": {"power_state": "deallocated"}}, "web-01: state was startable, is now not_hosted"),
], ids=["window", "domain", "zone", "gone", "deallocated"])
def test_a_plan_that_does_not_hold_is_refused_with_the_difference(news, words):
    fleet = web((0, 1))
    with pytest.raises(PlanChanged) as caught:
        apply(planned(fleet), changed(fleet, **news), NOW)
    assert caught.value.differences == {"web-01": words} and words in str(caught.value) and "make the plan again" in str(caught.value)


def test_many_differences_are_counted():
    fleet = web(range(15))
    with pytest.raises(PlanChanged, match="and 5 more VMs") as caught:
        apply(planned(fleet), [dataclasses.replace(one, status=LATER) for one in fleet], NOW)
    assert len(caught.value.differences) == 15


def test_a_plan_expires_with_the_first_window_of_what_is_left():
    fleet = [vm("a", status=status(own=(-5, 1))), vm("b")]
    found = planned(fleet)
    assert len(apply(found, fleet, NOW + 0.9 * DAY).vms) == 2
    with pytest.raises(PlanError, match="has expired: the self-service window of a ended 2026-03-11T12:00:00Z"):
        apply(found, fleet, NOW + DAY)
    assert names(apply(found, changed(fleet, a={"status": dataclasses.replace(status(own=(-5, 1)), code="MaintenanceCompleted")}), NOW + DAY)) == [["b"]]
    over = [vm("a", status=status(own=(-5, -1)))]
    assert apply(planned(over), over, NOW).vms, "it was over when the plan was made, and Azure allowed it all the same"


def test_time_that_went_by_is_reckoned_with():
    fleet = [*web((0, 1), status=status(own=(-5, 0.05)))]  # 72 minutes for two waves of 27
    assert not any("DEADLINE" in text for text in apply(planned(fleet), fleet, NOW + dt.timedelta(minutes=10)).warnings)
    late = apply(planned(fleet), fleet, NOW + dt.timedelta(minutes=30))
    assert "DEADLINE: begun now, web-02 would be done 2026-03-10T13:24:00Z" in late.warnings[-1]
    with pytest.raises(PlanError, match="web-02 would be done"):
        apply(planned(fleet, on_deadline="refuse"), fleet, NOW + dt.timedelta(minutes=30))


def test_lanes_are_chosen_by_number():
    fleet = [*web(name="red"), *web(name="blue")]
    found = planned(fleet, lanes=2)
    second = select_lane(found, 2, 1)
    assert {wave.lane for wave in second.waves} == {2} and len(second.vms) == 6
    assert {one.id for one in second.vms}.isdisjoint(one.id for one in select_lane(found, 1, 2).vms)
    assert names(apply(second, fleet, NOW)) == names(second)
    for lane, lanes, words in ((None, 1, "say which with rollout_lane: 1 to 2"), (3, 1, "no lane 3: this plan has 2 lanes"),
                               (0, 1, "no lane 0"), (1, 3, "rollout_lanes is 3")):
        with pytest.raises(PlanError, match=words):
            select_lane(found, lane, lanes)
    single = planned(fleet)
    assert select_lane(single, None, 1) == single == select_lane(single, 1, 1)


# -- before a wave --------------------------------------------------------------------------------------------------------


def test_all_go_while_nothing_changed():
    fleet = web()
    assert answer(planned(fleet), fleet, 2) == (["web-03", "web-04"], {})


@pytest.mark.parametrize("news, words", [
    ({"status": LATER}, "window start was"), ({"update_domain": 2}, "update domain was 1, is now 2"), (None, "not in the fleet any more"),
    ({"power_state": "deallocated"}, "is now not_hosted"), ({"status": status(allowed=False)}, "state was startable, is now blocked")])
def test_a_changed_vm_is_left_out(news, words):
    fleet = web()
    goes, left_out = answer(planned(fleet), changed(fleet, web_03=news), 2)
    assert goes == ["web-04"] and words in left_out["web-03"]


def test_what_is_done_by_now_stays_in_for_the_redeploy_to_see():
    fleet = web()
    assert answer(planned(fleet), changed(fleet, web_03={"status": DONE}), 2) == (["web-03", "web-04"], {})


def test_hosts_that_are_not_in_the_batch_are_not_judged():
    fleet = web()
    assert answer(planned(fleet), changed(fleet, web_03={"host": None, "status": LATER}), 2) == (["web-04"], {})


def test_a_set_that_fell_ill_is_left_out_whole():
    fleet = [*web(), vm("solo", tags={"late": "1"})]
    found = planned(fleet, tier="tags.late || '0'")
    ill = changed(fleet, web_06={"power_state": "stopped"})
    goes, left_out = answer(found, ill, 2)
    assert goes == [] and set(left_out) == {"web-03", "web-04"} and "web-06 (power state is stopped)" in left_out["web-03"]
    assert answer(found, ill, 4) == (["solo"], {})


def test_lost_members_count_as_down_until_they_are_returned():
    fleet = web()
    found = planned(fleet)
    goes, left_out = answer(found, fleet, 2, lost=["web-01"])
    assert goes == [] and "web-01 (this run" in left_out["web-03"]
    assert answer(found, fleet, 2)[0] == ["web-03", "web-04"]


def test_lost_members_eat_the_room_of_their_set():
    fleet = web()
    found = planned(fleet, max_unavailable=2)
    goes, left_out = answer(found, fleet, 2, lost=["web-01"])
    assert goes == ["web-03"] and list(left_out) == ["web-04"]
    assert answer(found, fleet, 2, lost=["web-01", "web-02"])[0] == []


def test_services_are_sets_too():
    fleet = [vm(f"api-{zone}", zone=str(zone), tags={"service": "api"}) for zone in (1, 2, 3)]
    found = planned(fleet, service="tags.service")
    goes, left_out = answer(found, fleet, 2, lost=["api-1"])
    assert goes == [] and "api-1" in left_out["api-2"]
    goes, left_out = answer(found, changed(fleet, api_3={"agent": "not_ready"}), 2)
    assert goes == [] and "guest agent is not ready" in left_out["api-2"]


def test_the_calendar_stops_the_run_and_says_when():
    fleet = web((0, 1))
    found = planned(fleet, calendar={"open": [{"from": "12:00", "to": "13:00"}]})
    assert recheck(found, 1, 2, fleet, NOW + dt.timedelta(minutes=33), ()).stop is None
    verdict = recheck(found, 1, 2, fleet, NOW + dt.timedelta(minutes=34), ())
    assert verdict.stop == "the calendar is closed: this wave takes 27 minutes, and it could begin 2026-03-11T12:00:00Z"
    assert verdict.not_before == NOW + DAY and not verdict.go


def test_a_vm_that_would_be_late_is_left_out_where_that_is_refused():
    fleet = web((0, 1), status=status(own=(-5, 0.05)))
    for option, left in (("warn", []), ("refuse", ["web-02"])):
        left_out = answer(planned(fleet, on_deadline=option), fleet, 2, NOW + dt.timedelta(minutes=50))[1]
        assert list(left_out) == left
    assert "after its self-service window ends 2026-03-10T13:12:00Z" in left_out["web-02"]


def test_a_wave_that_is_not_there():
    with pytest.raises(PlanError, match="no wave 4 in lane 1"):
        recheck(planned(web()), 1, 4, web(), NOW, ())


@settings(max_examples=2 * EXAMPLES)
@given(fleets(always_due()), fleets(any_condition()), POLICIES, st.randoms(use_true_random=False))
def test_it_only_shrinks_and_what_goes_keeps_the_rule_of_its_set(fleet, other, policy, random):
    """Whatever became of the fleet, whoever was lost: only planned VMs go, and no set is taken below what it must keep."""
    found = plan(fleet, policy, NOW)
    fates = {one.id.key: one for one in other}
    now_fleet = [dataclasses.replace(fates.get(one.id.key, one), availability_set=one.availability_set, location=one.location) for one in fleet]
    lost = {one.id.key for one in now_fleet if random.random() < 0.2}
    rule = Availability.parse(policy.max_unavailable, policy.min_available)
    for wave in found.waves:
        verdict = recheck(found, wave.lane, wave.number, now_fleet, NOW, lost)
        assert set(verdict.go) | set(verdict.left_out) <= {one.id for one in wave.vms} and not set(verdict.go) & set(verdict.left_out)
        fresh = {one.id.key: one for one in with_services(now_fleet, policy, NOW)}
        going = [fresh[one.lower()] for one in verdict.go if fresh[one.lower()].state(NOW) != "done"]
        for set_key in {one.set_key for one in going} - {None}:
            members = [one for one in fresh.values() if one.set_key == set_key]
            assert rule.held_back(members, {one.id.key for one in going if one.set_key == set_key}, lost) is None
