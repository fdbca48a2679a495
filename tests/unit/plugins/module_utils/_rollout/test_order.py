# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Promises of every plan about time and order: tiers, canaries, sequence, soak, calendar, deadlines and lanes.

The rules are written a second time on purpose.
"""

from __future__ import annotations

import collections
import datetime as dt
import itertools
import zoneinfo

import pytest
from hypothesis import assume, given, settings
from unit.plugins.module_utils.rollout_fleet import (
    EXAMPLES, NOW, POLICIES, adjacent, always_due, any_condition, domain_of, fleets, known, members, policies)

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.planner import plan
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.policy import Policy, PolicyError

FLEETS = fleets(always_due()) | fleets(any_condition())
CHECKED = settings(max_examples=EXAMPLES)
MINUTE = dt.timedelta(minutes=1)


def tier_of(one, policy):
    """Rank of a VM among the tiers, with the last place for those in none."""
    if policy.tier == "tags.tier":
        return int(one.tags.get("tier", 99))
    return next((rank for rank, group in enumerate(policy.tier or ()) if group in one.groups), 99)


def numbers(found, wanted):
    """Waves of the planned VMs that are wanted."""
    return [wave.number for wave in found.waves for planned in wave.vms if wanted(planned)]


@CHECKED
@given(FLEETS, POLICIES)
def test_a_tier_is_finished_before_the_next_begins(fleet, policy):
    every = known(fleet, policy)
    found = plan(fleet, policy, NOW)
    rank = {planned.id: tier_of(every[planned.id.lower()], policy) for planned in found.vms}
    for first, later in itertools.pairwise(sorted(set(rank.values()))):
        before, after = (numbers(found, lambda one, of=of: not one.canary and rank[one.id] == of) for of in (first, later))
        assert not before or not after or max(before) < min(after)


@CHECKED
@given(FLEETS, POLICIES)
def test_canaries_go_before_all_others(fleet, policy):
    every = known(fleet, policy)
    found = plan(fleet, policy, NOW)
    canaries, others = numbers(found, lambda one: one.canary), numbers(found, lambda one: not one.canary)
    assert not canaries or not others or max(canaries) < min(others)
    expected = {None: 0, 2: min(2, len(found.vms)), "tags.first": sum("first" in every[one.id.lower()].tags for one in found.vms)}
    assert len(canaries) == expected[policy.canary]


@CHECKED
@given(FLEETS, policies(sequence="tags.leader"))
def test_leaders_go_last_in_their_set(fleet, policy):
    found = plan(fleet, policy, NOW)
    where = {planned.id.lower(): (wave.number, planned.canary, planned.tier) for wave in found.waves for planned in wave.vms}
    for group in members(fleet, policy).values():
        going = [one for one in group if one.id.key in where]
        phases = collections.defaultdict(lambda: collections.defaultdict(list))
        for one in going:
            phases[one.location, *where[one.id.key][1:]][domain_of(one) or one.name].append(one)
        for domains in phases.values():
            ranked = [(max(int(one.tags.get("leader", 0)) for one in domain), {where[one.id.key][0] for one in domain}) for domain in domains.values()]
            for (low, early), (high, late) in itertools.permutations(ranked, 2):
                assert low >= high or max(early) < min(late)


@CHECKED
@given(FLEETS, POLICIES)
def test_waves_follow_each_other_and_last_as_long_as_their_slowest_vm(fleet, policy):
    found = plan(fleet, policy, NOW)
    every = known(fleet, policy)
    for before, wave in itertools.pairwise([None, *found.waves]):
        assert wave.starts_at >= (before.ends_at if before else NOW)
        slow = any("slow" in every[one.id.lower()].groups for one in wave.vms)
        usual = policy.minutes_per_vm if isinstance(policy.minutes_per_vm, int) else policy.minutes_per_vm.get("default", 15)
        others = all("slow" in every[one.id.lower()].groups for one in wave.vms)
        slowest = policy.minutes_per_vm["slow"] if slow and not isinstance(policy.minutes_per_vm, int) else 0
        assert wave.ends_at - wave.starts_at == (12 + max(slowest, 0 if slowest and others else usual)) * MINUTE
        assert (wave.start_minutes, wave.end_minutes) == ((wave.starts_at - NOW) // MINUTE, (wave.ends_at - NOW) // MINUTE)


@CHECKED
@given(FLEETS, policies(soak_minutes=45))
def test_domains_of_a_set_keep_their_distance(fleet, policy):
    found = plan(fleet, policy, NOW)
    for group in members(fleet, policy).values():
        keys = {one.id.key: domain_of(one) for one in group}
        touched = [(wave, {keys[planned.id.lower()] for planned in wave.vms if planned.id.lower() in keys}) for wave in found.waves]
        for (before, first), (after, second) in itertools.pairwise((wave, domains) for wave, domains in touched if domains):
            assert first == second != {None} or after.starts_at - before.ends_at >= 45 * MINUTE


@CHECKED
@given(FLEETS, POLICIES)
def test_waves_run_in_open_hours(fleet, policy):
    assume(policy.calendar)
    record = policy.calendar.to_record()
    zone = zoneinfo.ZoneInfo(record["time_zone"])
    for wave in plan(fleet, policy, NOW).waves:
        moment = wave.starts_at
        while moment < wave.ends_at:
            local = moment.astimezone(zone)
            clock = f"{local:%H:%M}"
            if record["time_zone"] == "Europe/Amsterdam":
                assert clock >= "22:00" or clock < "05:00"
            else:
                assert (local.weekday() >= 5 and local.date() != dt.date(2026, 3, 14)) or (local.weekday() == 2 and "01:00" <= clock < "03:30")
            moment += MINUTE


@CHECKED
@given(FLEETS, POLICIES)
def test_refusing_late_vms_leaves_none(fleet, policy):
    found = plan(fleet, policy, NOW)
    late = [planned.name for wave in found.waves for planned in wave.vms if planned.deadline < wave.ends_at]
    assert not (late and policy.on_deadline == "refuse")
    for name in late:
        assert any(warning.startswith(f"{name} would be done") for warning in found.warnings)


def with_lanes(policy, lanes):
    return Policy.from_options({**policy.to_record(), "lanes": lanes})


@CHECKED
@given(fleets(always_due()), policies(tier=None, canary=None, on_deadline="warn"))
def test_lanes_have_nothing_to_do_with_each_other(fleet, policy):
    whole = plan(fleet, policy, NOW)
    caps = [cap for cap in (policy.max_parallel, policy.per_region) if cap is not None]
    lanes = min([whole.lanes_possible, 3, *caps])
    found = plan(fleet, with_lanes(policy, lanes), NOW)
    assert {one.id for one in found.vms} == {one.id for one in whole.vms} and len(found.vms) == len(whole.vms)
    lane_of = {planned.id.lower(): wave.lane for wave in found.waves for planned in wave.vms}
    for group in members(fleet, policy).values():
        assert len({lane_of[one.id.key] for one in group if one.id.key in lane_of}) <= 1
    for pair in adjacent(fleet) if policy.region_pairs == "serial" else ():
        regions = {planned.region for planned in found.vms} & pair
        assert len(regions) < 2 or len({wave.lane for wave in found.waves if set(wave.regions) & regions}) == 1
    for lane in range(1, lanes + 1):
        own = [wave for wave in found.waves if wave.lane == lane]
        assert own or not found.vms
        assert [wave.number for wave in own] == list(range(1, len(own) + 1))
    most = [max((wave for wave in found.waves if wave.lane == lane), key=lambda wave: len(wave.vms)) for lane in range(1, lanes + 1) if found.vms]
    assert policy.max_parallel is None or sum(len(wave.vms) for wave in most) <= policy.max_parallel
    for region in {planned.region for planned in found.vms} if policy.per_region else ():
        peaks = collections.defaultdict(int)
        for wave in found.waves:
            peaks[wave.lane] = max(peaks[wave.lane], sum(one.region == region for one in wave.vms))
        assert sum(peaks.values()) <= policy.per_region


@CHECKED
@given(fleets(always_due()), POLICIES)
def test_too_many_lanes_are_refused_with_the_number_possible(fleet, policy):
    found = plan(fleet, policy, NOW)
    assume(found.vms)
    if len({(one.canary, one.tier) for one in found.vms}) > 1:
        assert found.lanes_possible == 1
    with pytest.raises(PolicyError, match=f"lanes: .* has {found.lanes_possible} independent part|divided among the lanes"):
        plan(fleet, with_lanes(policy, found.lanes_possible + 1), NOW)
