# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many hosts a rollout may lose: for the run, for one set, and for the other region of a pair."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from unit.plugins.module_utils.rollout_fleet import EXAMPLES, NOW, always_due, fleets, names, policies, vm, web

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.availability import Limit
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.error_budget import Budget, exceeded, held_regions, held_sets
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.planner import plan
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.policy import Policy
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.recheck import recheck, select_lane

WEST, NORTH, SOUTH = "westeurope", "northeurope", "southindia"


def planned(fleet, **options):
    return plan(fleet, Policy.from_options(options), NOW)


def by_key(*names_of_failed):
    return {vm(name).id.key: name for name in names_of_failed}


def wave_of(found, number, lane=1):
    return next(wave for wave in found.waves if (wave.lane, wave.number) == (lane, number))


# -- reading it -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value, budget", [
    (0, Budget()), ("0", Budget()), (2, Budget(Limit(2))), ("2", Budget(Limit(2))), (" 10 % ", Budget(Limit(10, percent=True))), ("0%", Budget(Limit(0, True))),
    (None, Budget()), ("", Budget()), ({}, Budget()), ({"overall": 3}, Budget(Limit(3))), ({"per_set": 0}, Budget(Limit(0), Limit(0))),
    ({"overall": "10%", "per_set": "25%"}, Budget(Limit(10, True), Limit(25, True))), ({"overall": None, "per_set": None}, Budget()),
    ({"overall": 2, "per_set": ""}, Budget(Limit(2)))])
def test_it_is_a_count_a_percentage_or_both_kinds(value, budget):
    assert Budget.parse(value) == budget


@pytest.mark.parametrize("value", [-1, "-1", "two", "1O", 1.5, "101%", "5%%x", True, [1], ["10%"], "overall"])
@pytest.mark.parametrize("key", [None, "overall", "per_set"])
def test_what_is_neither_is_refused_by_its_name_and_with_what_it_takes(key, value):
    with pytest.raises(ValueError) as caught:
        Budget.parse(value if key is None else {key: value})
    assert str(caught.value).startswith("rollout_error_budget" + (f".{key} " if key else " "))
    assert "must be a count of VMs such as 2, or a percentage from 0% to 100%" in str(caught.value)


@pytest.mark.parametrize("value, words", [
    ({"over_all": 1}, "rollout_error_budget has no over_all; it takes overall and per_set"),
    ({"overall": 1, 7: 1, "set": 1}, "rollout_error_budget has no 7, set; it takes overall and per_set")])
def test_keys_that_there_are_not_are_refused(value, words):
    with pytest.raises(ValueError, match=words):
        Budget.parse(value)


# -- the run --------------------------------------------------------------------------------------------------------------


def test_the_run_stops_at_one_more_than_the_budget_and_says_who():
    found = planned(web((0, 0, 0, 1)))
    failed = by_key("web-03", "web-01")
    assert exceeded(found, 1, Budget(Limit(2)), failed) is None and exceeded(found, 1, Budget(), {}) is None
    assert exceeded(found, 1, Budget(Limit(1)), failed) == "web-01, web-03 failed, and rollout_error_budget is 1"
    assert exceeded(found, 1, Budget(), by_key("web-04")) == "web-04 failed, and rollout_error_budget is 0"
    assert exceeded(found, 1, Budget(Limit(50, True)), failed) is None
    assert exceeded(found, 1, Budget(Limit(49, True)), failed) == "web-01, web-03 failed, and rollout_error_budget is 49%, 1 of 4 hosts"


def test_who_is_in_no_wave_eats_nothing():
    found = planned([*web((0, 1)), vm("gone", power_state="deallocated")])
    assert exceeded(found, 1, Budget(), by_key("gone", "elsewhere")) is None


@given(st.integers(0, 40), st.integers(1, 9))
def test_lanes_share_a_count_without_rest_and_evenly(count, lanes):
    shares = [Budget(Limit(count)).share(lane, lanes, 100) for lane in range(1, lanes + 1)]
    assert sum(shares) == count and max(shares) - min(shares) <= 1 and shares == sorted(shares, reverse=True)


@given(st.integers(0, 100), st.lists(st.integers(0, 50), min_size=1, max_size=6))
def test_lanes_never_have_more_than_the_percentage_of_all(percent, sizes):
    budget = Budget(Limit(percent, percent=True))
    assert sum(budget.share(lane, len(sizes), size) for lane, size in enumerate(sizes, 1)) <= sum(sizes) * percent / 100


def test_a_lane_stops_for_its_own_hosts_only():
    fleet = [*web((0, 1), "a"), *web((0, 1), "b")]
    found = planned(fleet, lanes=2)
    lanes = {lane: {one.name for wave in found.waves if wave.lane == lane for one in wave.vms} for lane in (1, 2)}
    assert sorted(map(sorted, lanes.values())) == [["a-01", "a-02"], ["b-01", "b-02"]]
    first, second = (sorted(lanes[lane]) for lane in (1, 2))
    budget = Budget(Limit(1))
    for lane, failed, stops in ((1, second, False), (2, first, False), (1, first[:1], False), (2, second[:1], True), (1, first, True)):
        assert bool(exceeded(select_lane(found, lane, 2), lane, budget, by_key(*failed))) is stops
    assert exceeded(select_lane(found, 2, 2), 2, budget, by_key(second[0])) == f"{second[0]} failed, and rollout_error_budget is 1, 0 for this lane"
    for lane in (1, 2):
        verdict = recheck(select_lane(found, lane, 2), lane, 1, fleet, NOW, (), by_key(first[0]), budget)
        assert verdict.stop is None and len(verdict.go) == 1


# -- one set --------------------------------------------------------------------------------------------------------------


def test_only_the_set_that_lost_too_many_is_held():
    found = planned([*web((0, 0, 1, 1)), *web((0, 1), "api")])
    second = wave_of(found, 2).vms
    assert {one.name for one in second} == {"web-03", "web-04", "api-02"}
    held = held_sets(found, second, Budget(Limit(9), Limit(0)), by_key("web-01"))
    assert held == {one.id: f"{one.name}: of its set web web-01 failed, and rollout_error_budget.per_set is 0" for one in second if one.name != "api-02"}
    assert held_sets(found, second, Budget(Limit(9)), by_key("web-01", "web-02")) == {}
    assert held_sets(found, second, Budget(Limit(9), Limit(1)), by_key("web-01", "api-01")) == {}
    percent = Budget(Limit(9), Limit(25, percent=True))
    assert {held.split(":")[0] for held in held_sets(found, second, percent, by_key("web-01", "api-01")).values()} == {"api-02"}
    assert "api api-01 failed, and rollout_error_budget.per_set is 25%" in "".join(held_sets(found, second, percent, by_key("api-01")).values())


def test_services_are_sets_and_single_vms_are_none():
    fleet = [vm("s-1", zone="1", tags={"service": "shop"}), vm("s-2", zone="2", tags={"service": "shop"}), vm("solo-1"), vm("solo-2")]
    found = planned(fleet, service="tags.service", max_parallel=1)
    held = held_sets(found, found.vms, Budget(Limit(9), Limit(0)), by_key("s-1", "solo-1"))
    assert sorted(held.values()) == [
        f"{name}: of its set service shop s-1 failed, and rollout_error_budget.per_set is 0" for name in ("s-1", "s-2")]


# -- the region of a pair -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("west, north", [((NORTH,), (WEST,)), ((NORTH,), ()), ((), (WEST,)), (("North Europe",), ())],
                         ids=["both", "west", "north", "by its name"])
def test_pairs_count_both_ways_whoever_names_them(west, north):
    fleet = [vm("w", location=WEST, paired_regions=west), vm("n", location=NORTH, paired_regions=north), vm("s", location=SOUTH)]
    found = planned(fleet)
    for out, held in (("w", "n"), ("n", "w")):
        words = {WEST: f"n: w in {WEST}, the pair of {NORTH}, is out of service", NORTH: f"w: n in {NORTH}, the pair of {WEST}, is out of service"}
        there = WEST if out == "w" else NORTH
        assert list(held_regions(found, found.vms, fleet, {vm(out).id.key}).values()) == [words[there]] and words[there].startswith(held)
    assert held_regions(found, found.vms, fleet, {vm("s").id.key}) == {} == held_regions(found, found.vms, fleet, set())


def test_pairs_that_go_side_by_side_hold_nobody():
    fleet = [vm("w", location=WEST, paired_regions=(NORTH,)), vm("n", location=NORTH)]
    found = planned(fleet, region_pairs="parallel")
    assert held_regions(found, found.vms, fleet, {vm("w").id.key}) == {}


# -- before a wave: who stops -----------------------------------------------------------------------------------------------


FLEET = [*web((0, 1), location=WEST, paired_regions=(NORTH,)), *web((0, 1), "api", location=WEST, paired_regions=(NORTH,)),
         *web((0, 1), "mail", location=NORTH), *web((0, 1), "db", location=SOUTH)]
# Hosts that failed, those of them still out of service, budget, options -> who goes in wave 2 (web-02, api-02, db-02), and in wave 3 (mail-01).
ALL = ["api-02", "db-02", "web-02"]
MATRIX = {
    "nothing failed": ("", "", 0, {}, ALL, ["mail-01"]),
    "one failed, no budget: the run": ("web-01", "", 0, {}, None, None),
    "one failed and is back: nobody": ("web-01", "", 1, {}, ALL, ["mail-01"]),
    "one failed and is out: its set and the paired region": ("web-01", "web-01", 1, {}, ["api-02", "db-02"], []),
    "one failed and is out, pairs in parallel: its set": ("web-01", "web-01", 1, {"region_pairs": "parallel"}, ["api-02", "db-02", "mail-02", "web-02"], None),
    "one failed and is back, none per set: its set": ("web-01", "", {"overall": 1, "per_set": 0}, {}, ["api-02", "db-02"], ["mail-01"]),
    "one of each of two sets, none per set: those sets": ("web-01 db-01", "", {"overall": 2, "per_set": 0}, {}, ["api-02"], ["mail-01"]),
    "one of each of two sets, half per set: nobody": ("web-01 db-01", "", {"overall": 2, "per_set": "50%"}, {}, ALL, ["mail-01"]),
    "a region without a pair: its set": ("db-01", "db-01", 1, {}, ["api-02", "web-02"], ["mail-01"]),
    "more than the percentage: the run": ("web-01 db-01", "", "20%", {}, None, None),
    "as many as the percentage: nobody": ("web-01 db-01", "", "25%", {}, ALL, ["mail-01"]),
    "a set may lose what the run may not: the run": ("web-01", "", {"overall": 0, "per_set": 2}, {}, None, None),
}


@pytest.mark.parametrize("case", MATRIX)
def test_exactly_who_must_stop_stops(case):
    failed, out, budget, options, second, third = MATRIX[case]
    found = planned(FLEET, **options)
    parallel = bool(options)
    if parallel:
        second = [name for name in second if name != "web-02"]
    assert sorted(names(found)[1]) == (sorted([*ALL, "mail-02"]) if parallel else ALL)
    for number, goes in ((2, second), *(() if parallel else ((3, third),))):
        verdict = recheck(found, 1, number, FLEET, NOW, set(by_key(*out.split())), set(by_key(*failed.split())), Budget.parse(budget))
        going = sorted(one.name for one in found.vms if one.id in verdict.go)
        assert (verdict.stop is not None) is (goes is None) and going == (goes or [])
        if goes is None:
            assert all(name in verdict.stop for name in failed.split()) and "rollout_error_budget is" in verdict.stop
        else:
            assert len(verdict.go) + len(verdict.left_out) == len(wave_of(found, number).vms)


def test_a_failure_eats_the_budget_for_as_long_as_the_run_lasts():
    """Back in service since, in every later wave; and what it is called in is the host's name."""
    fleet = [dataclasses.replace(one, host=f"{one.name}.example.com") for one in web((0, 1, 2, 3))]
    found, first = planned(fleet), web((0,))[0].id.key
    for number in (2, 3, 4):
        assert recheck(found, 1, number, fleet, NOW, (), {first}, Budget(Limit(1))).stop is None
        verdict = recheck(found, 1, number, fleet, NOW, (), {first})
        assert (verdict.stop, verdict.go) == ("web-01.example.com failed, and rollout_error_budget is 0", ())


BUDGETS = st.one_of(st.integers(0, 4), st.integers(0, 60).map("{}%".format),
                    st.fixed_dictionaries({"overall": st.integers(0, 4), "per_set": st.integers(0, 2)}))


@settings(max_examples=2 * EXAMPLES)
@given(fleets(always_due()), policies(calendar=None, soak_minutes=0, per_region=None, max_parallel=None), st.integers(1, 3), BUDGETS,
       st.randoms(use_true_random=False))
def test_it_is_never_overdrawn_by_more_than_one_wave(fleet, policy, lanes, value, random):
    """Whoever fails, whether it comes back or not: a lane stops before the first wave after its share is spent."""
    lanes = max(1, min(lanes, plan(fleet, policy, NOW).lanes_possible))
    found = plan(fleet, dataclasses.replace(policy, lanes=lanes), NOW)
    assume(found.waves)
    budget, chance = Budget.parse(value), random.random()
    for lane in range(1, lanes + 1):
        own, failed, out, largest = select_lane(found, lane, lanes), set(), set(), 0
        share = budget.share(lane, lanes, len(own.vms))
        for wave in own.waves:
            verdict = recheck(own, lane, wave.number, fleet, NOW, out, failed, budget)
            assert (verdict.stop is not None) is (len(failed) > share)
            if verdict.stop:
                assert not verdict.go and not verdict.left_out
                break
            largest = max(largest, len(verdict.go))
            lost = {one.lower() for one in verdict.go if random.random() < chance}
            failed |= lost
            out |= {one for one in lost if random.random() < 0.5}
        assert len(failed) <= share + largest
