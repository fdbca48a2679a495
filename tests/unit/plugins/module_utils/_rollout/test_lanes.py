# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lanes, the soak, minutes by group, members that count as lost, and the sentence that says why a VM is where it is."""

from __future__ import annotations

import pytest
from unit.plugins.module_utils.rollout_fleet import NOW, names, policy, skips, status, vm, web

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.availability import Availability
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy import guards
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.capacity import sets_of
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.options import PolicyError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.planner import plan

FLEET = [*web(), *web((0, 1, 2), "db"), vm("one"), vm("far", location="northeurope", paired_regions=("westeurope",))]


def why(found):
    return {one.name: one.reason for one in found.vms}


def spans(found):
    return [(wave.start_minutes, wave.end_minutes) for wave in found.waves]


# lanes

def test_lanes_are_balanced_and_count_their_own_waves():
    found = plan([*web(), *web((0, 1, 2), "db"), vm("one")], policy(lanes=2), NOW)
    assert [(wave.lane, wave.number, [one.name for one in wave.vms]) for wave in found.waves] == [
        (1, 1, ["web-01", "web-02"]), (1, 2, ["web-03", "web-04"]), (1, 3, ["web-05", "web-06"]),
        (2, 1, ["db-01", "one"]), (2, 2, ["db-02"]), (2, 3, ["db-03"])]
    assert (found.lanes, found.lanes_possible, found.lower_bound, found.estimate_minutes) == (2, 3, 3, 81)


def test_lanes_share_the_caps():
    found = plan([vm(name) for name in "abcdefgh"], policy(lanes=3, max_parallel=5, per_region=4), NOW)
    assert {wave.lane: max(len(one.vms) for one in found.waves if one.lane == wave.lane) for wave in found.waves} == {1: 2, 2: 1, 3: 1}
    assert found.policy.max_parallel == 5


@pytest.mark.parametrize("options, words", [
    ({"lanes": 2}, "lanes: 2 .* 1 independent part: the largest holds 11 of 11 VMs, joined by region pairs .*region_pairs: parallel would"),
    ({"lanes": 5, "region_pairs": "parallel"}, "4 independent parts: the largest holds 6 of 11 VMs, all of set web"),
    ({"lanes": 2, "canary": 1, "region_pairs": "parallel"}, "canaries and tiers put all VMs into one order; leave out"),
    ({"lanes": 3, "max_parallel": 2, "region_pairs": "parallel"}, "max_parallel 2 is divided among the lanes and each needs at least 1"),
    ({"lanes": 2, "per_region": 1, "region_pairs": "parallel"}, "per_region 1 is divided")])
def test_lanes_that_are_not_possible(options, words):
    with pytest.raises(PolicyError, match=words):
        plan(FLEET, policy(**options), NOW)


def test_how_many_lanes_are_possible_is_always_said():
    assert plan(FLEET, policy(), NOW).lanes_possible == 1
    assert plan(FLEET, policy(region_pairs="parallel"), NOW).lanes_possible == 4
    assert plan(FLEET, policy(region_pairs="parallel", tier="name"), NOW).lanes_possible == 1
    assert plan([], policy(lanes=4), NOW).lanes_possible == 1


# time

def test_the_soak_is_per_set_and_others_go_on():
    found = plan([*web((0, 1)), *web((0, 1), "db"), vm("one")], policy(max_parallel=1, soak_minutes=30), NOW)
    assert [len(wave.vms) for wave in found.waves] == [1] * 5 and spans(found)[-1][1] <= 5 * 27 + 30
    first = {}
    for wave in found.waves:
        for one in wave.vms:
            if one.set in first:
                assert wave.start_minutes - first[one.set] >= 30
            first.setdefault(one.set, wave.end_minutes)


def test_the_soak_does_not_part_one_domain():
    assert spans(plan(web((0, 0, 1)), policy(max_unavailable=1, soak_minutes=30), NOW)) == [(0, 27), (27, 54), (84, 111)]
    assert spans(plan(web((0, 1)), policy(soak_minutes=30), NOW)) == [(0, 27), (57, 84)]


def test_a_soak_that_ends_while_the_calendar_is_closed():
    found = plan(web((0, 1)), policy(soak_minutes=30, calendar={"open": [{"from": "12:00", "to": "13:00"}]}), NOW)
    assert spans(found) == [(0, 27), (24 * 60, 24 * 60 + 27)]


def test_soak_goes_on_from_tier_to_tier():
    fleet = [vm("a", "web", 0, tags={"tier": "1"}), vm("b", "web", 1, tags={"tier": "2"}), vm("c", tags={"tier": "2"})]
    found = plan(fleet, policy(tier="tags.tier", soak_minutes=60), NOW)
    assert (names(found), spans(found)) == ([["a"], ["c", "b"]], [(0, 27), (87, 114)]), "as early as in three waves"


def test_a_wave_lasts_as_long_as_its_slowest_vm():
    fleet = [vm("db").with_host("db", ["databases", "big"]), vm("web").with_host("web", ["web"])]
    minutes = {"databases": 40, "big": 30, "default": 10}
    assert spans(plan(fleet, policy(minutes_per_vm=minutes), NOW)) == [(0, 52)]
    found = plan(fleet, policy(minutes_per_vm=minutes, max_parallel=1), NOW)
    assert {one.name: one.minutes for one in found.vms} == {"db": 40, "web": 10}
    assert found.estimate_minutes == 52 + 22


# members that count as lost

def test_lost_members_count_as_unavailable():
    fleet = web()
    lost = {fleet[2].id.key}
    key = fleet[0].failure_domain.set_key
    health = sets_of(fleet, {key}, lost)[key]
    assert [(one.name, reason) for one, reason in health.unwell] == [("web-03", "this run has not brought it back into service")]
    assert (health.room(policy(max_unavailable=2)), sets_of(fleet, {key})[key].room(policy(max_unavailable=2))) == (1, 2)
    for most, going, words in ((None, fleet[:1], "web-03 .this run has not brought"), ("2", fleet[:1], None), ("2", fleet[:2], "web-03"),
                               (None, fleet[2:4], None)):
        rule = guards.Policy(availability=Availability.parse(most, None))
        refused = guards.check(going, {key: fleet}, rule, NOW, lost=lost)
        assert set(refused) == ({one.id.key for one in going} if words else set())
        assert not words or words.replace(".", "(", 1) in refused[going[0].id.key].reason


def test_what_is_moving_in_another_domain_is_in_the_way():
    fleet = web((0, 1))
    refused = guards.check(fleet[:1], {fleet[0].failure_domain.set_key: fleet}, guards.Policy(), NOW, moving={fleet[1].id.key})
    assert "span 2 update domains" in refused[fleet[0].id.key].reason


def test_unwell_members_all_go_with_the_first_piece_of_their_domain():
    stopped = {"power_state": "stopped", "hazards": ["not_running"]}
    fleet = [*web((0, 0, 0)), vm("web-04", "web", 0, **stopped), vm("web-05", "web", 0, **stopped), vm("web-06", "web", 1)]
    found = plan(fleet, policy(max_parallel=2, accept=["not_running"]), NOW)
    assert names(found) == [["web-04", "web-05"], ["web-01", "web-02"], ["web-03"]] and set(skips(found)) == {"web-06"}
    assert plan(fleet, policy(max_parallel=1, accept=["not_running"]), NOW).waves == (), "the guard would refuse each alone"


def test_a_vm_that_another_operation_runs_on_is_skipped():
    found = plan([vm("a", provisioning_state="updating"), vm("b")], policy(), NOW)
    assert names(found) == [["b"]] and skips(found)["a"][0] == "busy" and "plan again when it has ended" in skips(found)["a"][1]


# reasons

def test_places_in_a_set_and_under_a_cap():
    found = why(plan([*web((0, 0, 1)), vm("one"), vm("two")], policy(max_parallel=2, max_unavailable=2), NOW))
    assert found == {"web-01": "set web has most waves left (2); update domain 0", "web-02": "set web has most waves left (2); update domain 0",
                     "web-03": "follows update domain 0 of set web; update domain 1", "one": "waits for a place in a wave (rollout_max_parallel: 2)",
                     "two": "waits for a place in a wave (rollout_max_parallel: 2)"}


def test_places_behind_tiers_regions_canaries_and_soaks():
    tiers = [vm("a", tags={"tier": "1"}), vm("b", tags={"tier": "2"}), vm("c")]
    assert why(plan(tiers, policy(tier="tags.tier"), NOW)) == {"a": "nothing to wait for", "b": "waits for tier 1", "c": "waits for tier 2"}
    pair = [vm("far", location="northeurope", paired_regions=("westeurope",)), *web((0, 1))]
    assert why(plan(pair, policy(), NOW))["far"] == "waits for region westeurope (pair)"
    assert why(plan(web((0, 1)), policy(soak_minutes=5), NOW))["web-02"] == "follows update domain 0 of set web and 5 minutes of soak; update domain 1"
    one_by_one = why(plan(web((0, 0)), policy(max_unavailable=1), NOW))
    assert one_by_one["web-02"] == "follows the others of its domain in set web, which may not all go at once; update domain 0"


def test_hazards_stay_visible():
    found = why(plan([vm("a", hazards=["spot", "ephemeral_os_disk"])], policy(accept=["ephemeral_os_disk"]), NOW))
    assert found["a"] == "nothing to wait for; accepted: ephemeral_os_disk; noted: spot"


def test_remedies_name_what_is_set():
    late = plan([*web((0, 1), status=status(own=(-5, 0.04)))], policy(soak_minutes=30, calendar={"time_zone": "UTC"}), NOW)
    assert len(late.warnings) == 2 and "open more hours in rollout_calendar" in late.warnings[0]
    assert "lower rollout_soak_minutes (30)" in late.warnings[0]
