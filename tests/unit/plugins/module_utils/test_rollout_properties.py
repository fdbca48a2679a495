# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Promises of every plan, tried on generated fleets and policies. The rules are written a second time on purpose."""

from __future__ import annotations

import collections
import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.plugins.module_utils.rollout_fleet import (
    NOW, POLICIES, adjacent, always_due, any_condition, fleets, spans, vm)

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.availability import Availability
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout import plan
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_file import from_json, to_json
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_policy import Policy
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_text import render

FLEETS = fleets(any_condition())
DUE = fleets(always_due())
CHECKED = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def by_id(fleet):
    return {one.id.key: one for one in fleet}


@CHECKED
@given(FLEETS, POLICIES)
def test_every_target_is_in_one_wave_or_skipped_once(fleet, policy):
    found = plan(fleet, policy, NOW)
    named = [vm.id.lower() for vm in found.vms] + [skip.id.lower() for skip in found.skipped]
    assert len(named) == len(set(named))
    targets = {one.id.key for one in fleet if one.host or policy.include_unlisted}
    without_host = {skip.id.lower() for skip in found.skipped if skip.reason == "no_host"}
    assert set(named) == targets | without_host
    assert not targets & without_host
    assert all(skip.reason and skip.detail for skip in found.skipped)
    assert [wave.number for wave in found.waves] == list(range(1, len(found.waves) + 1))
    assert all(wave.vms for wave in found.waves)


@CHECKED
@given(FLEETS, POLICIES)
def test_one_wave_touches_one_failure_domain_of_a_set(fleet, policy):
    known = by_id(fleet)
    for wave in plan(fleet, policy, NOW).waves:
        domains = collections.defaultdict(set)
        for planned in wave.vms:
            set_key, domain = known[planned.id.lower()].failure_domain
            domains[set_key].add(domain)
        assert all(len(found) == 1 for found in domains.values())


@CHECKED
@given(FLEETS, POLICIES)
def test_caps_hold(fleet, policy):
    for wave in plan(fleet, policy, NOW).waves:
        regions = collections.Counter(planned.region for planned in wave.vms)
        assert policy.max_parallel is None or len(wave.vms) <= policy.max_parallel
        assert policy.per_region is None or max(regions.values()) <= policy.per_region


@CHECKED
@given(FLEETS, POLICIES)
def test_sets_keep_their_health(fleet, policy):
    for wave in plan(fleet, policy, NOW).waves:
        moving = {planned.id.lower() for planned in wave.vms}
        for key in {planned.set.lower() for planned in wave.vms if planned.set}:
            members = [one for one in fleet if one.set_id and one.set_id.lower() == key]
            ill = {one.id.key: one for one in members if not one.absent and one.unavailable_because()}
            here = {one.id.key for one in members if one.id.key in moving}
            domain = next(one.update_domain for one in members if one.id.key in moving)
            if policy.max_unavailable is None:
                assert all(one.update_domain == domain for one in ill.values())
            else:
                assert len(here | set(ill)) <= policy.max_down(len(members))
            up = sum(not one.absent for one in members) - len(here | set(ill))
            assert policy.min_available is None or up >= policy.min_up(len(members))


@CHECKED
@given(FLEETS, POLICIES)
def test_the_guard_of_the_redeploy_lets_every_planned_wave_pass(fleet, policy):
    rule = Availability.parse(policy.max_unavailable, policy.min_available)
    for wave in plan(fleet, policy, NOW).waves:
        moving = {planned.id.lower() for planned in wave.vms}
        for key in {planned.set.lower() for planned in wave.vms if planned.set}:
            members = [one for one in fleet if one.set_id and one.set_id.lower() == key]
            domain = next(one.update_domain for one in members if one.id.key in moving)
            # an ill member of the very domain that goes down anyway takes nothing more away
            ill_beside = [one for one in members if one.unavailable_because() and one.update_domain == domain]
            if policy.max_unavailable is not None or not ill_beside:
                assert rule.held_back(members, moving) is None


@CHECKED
@given(FLEETS, POLICIES)
def test_paired_regions_never_overlap(fleet, policy):
    times = spans(plan(fleet, policy, NOW).waves)
    for pair in adjacent(fleet):
        one, other = (times.get(region) for region in sorted(pair))
        if one and other and policy.region_pairs == "serial":
            assert one[1] < other[0] or other[1] < one[0]


@CHECKED
@given(FLEETS, POLICIES)
def test_only_what_azure_and_the_operator_allow_is_planned(fleet, policy):
    known = by_id(fleet)
    for planned in plan(fleet, policy, NOW).vms:
        one = known[planned.id.lower()]
        again = "completed_but_allowed" in policy.accept and one.state(NOW) == "done"
        assert one.status.allowed and (one.state(NOW) == "startable" or again)
        names = {hazard.name for hazard in one.hazards} | {hazard.name for hazard in one.status.hazards()}
        blocking = names & {"ephemeral_os_disk", "completed_but_allowed", "retry_after_abort"}
        assert blocking <= set(policy.accept)
        assert one.power_state == "running" or "not_running" in policy.accept
        assert not names & set(policy.refuse)


@CHECKED
@given(FLEETS, POLICIES)
def test_refusing_late_vms_leaves_none(fleet, policy):
    found = plan(fleet, policy, NOW)
    late = [planned.name for wave in found.waves for planned in wave.vms if planned.deadline < wave.ends_at]
    assert not (late and policy.on_deadline == "refuse")
    for name in late:
        assert any(warning.startswith(f"{name} would be done") for warning in found.warnings)


@CHECKED
@given(FLEETS, POLICIES, st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(fleet, policy, rng):
    shuffled = list(fleet)
    rng.shuffle(shuffled)
    assert to_json(plan(shuffled, policy, NOW)) == to_json(plan(fleet, policy, NOW))


@CHECKED
@given(FLEETS, POLICIES)
def test_inside_a_wave_vms_are_ordered_by_region_set_and_name(fleet, policy):
    for wave in plan(fleet, policy, NOW).waves:
        keys = [(one.region, (one.set or one.id).lower().rsplit("/", 1)[-1], one.name) for one in wave.vms]
        assert keys == sorted(keys)


@CHECKED
@given(FLEETS, POLICIES)
def test_json_round_trip(fleet, policy):
    found = plan(fleet, policy, NOW)
    assert from_json(json.loads(json.dumps(to_json(found))), NOW) == found


@CHECKED
@given(FLEETS, POLICIES, st.integers(60, 140))
def test_the_table_keeps_its_width(fleet, policy, width):
    text = render(to_json(plan(fleet, policy, NOW)), width)
    assert max(map(len, text.splitlines())) <= width


@CHECKED
@given(FLEETS, POLICIES)
def test_no_plan_beats_the_lower_bound(fleet, policy):
    found = plan(fleet, policy, NOW)
    assert found.lower_bound <= len(found.waves)
    assert bool(found.lower_bound) == bool(found.waves)


@CHECKED
@given(fleets(any_condition(), ("polandcentral",)), POLICIES)
def test_without_caps_one_region_takes_the_fewest_waves_possible(fleet, policy):
    options = {**policy.to_record(), "max_parallel": None, "per_region": None}
    found = plan(fleet, Policy.from_options(options), NOW)
    assert len(found.waves) == found.lower_bound


@CHECKED
@given(DUE, POLICIES)
def test_a_well_and_due_fleet_is_planned_completely(fleet, policy):
    options = {**policy.to_record(), "min_available": None, "on_deadline": "warn"}
    found = plan(fleet, Policy.from_options(options), NOW)
    assert found.skipped == () and len(found.vms) == len(fleet)


@pytest.mark.parametrize("cap", [None, 50, 20, 7])
@pytest.mark.parametrize("seed", [1, 2])
def test_mixed_fleets_stay_near_the_bound(cap, seed):
    """100 sets of 2 to 20 update domains with 1 to 5 VMs each, where a barrier per domain number takes up to 1.84."""
    rng = random.Random(seed)
    fleet = [vm(f"v{number}-{domain}-{index}", f"set{number}", domain) for number in range(100)
             for domain in range(rng.randint(2, 20)) for index in range(rng.randint(1, 5))]
    found = plan(fleet, Policy.from_options({"max_parallel": cap, "max_unavailable": 2}), NOW)
    assert len(found.vms) == len(fleet)
    assert len(found.waves) <= 1.15 * found.lower_bound
