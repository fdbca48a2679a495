# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Promises of every plan about sets, caps, pairs and consent, tried on generated fleets and policies.

The rules are written a second time on purpose.
"""

from __future__ import annotations

import collections
import itertools
import json
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.plugins.module_utils.rollout_fleet import (
    EXAMPLES, NOW, POLICIES, adjacent, always_due, any_condition, domain_of, fleets, known, members, policies, vm)

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.availability import Availability
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy import guards
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.plan_file import from_json, to_json
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.planner import plan
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.policy import Policy
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.table import render

FLEETS = fleets(always_due()) | fleets(any_condition())
DUE = fleets(always_due())
CHECKED = settings(max_examples=EXAMPLES)


@CHECKED
@given(FLEETS, POLICIES)
def test_every_target_is_in_one_wave_or_skipped_once_with_reasons(fleet, policy):
    found = plan(fleet, policy, NOW)
    named = [vm.id.lower() for vm in found.vms] + [skip.id.lower() for skip in found.skipped]
    assert len(named) == len(set(named))
    targets = {one.id.key for one in fleet if one.host or policy.include_unlisted}
    without_host = {skip.id.lower() for skip in found.skipped if skip.reason == "no_host"}
    assert set(named) == targets | without_host
    assert not targets & without_host
    assert all(skip.reason and skip.detail for skip in found.skipped)
    assert all(one.reason and not one.reason.startswith(";") for one in found.vms)
    assert [wave.number for wave in found.waves] == list(range(1, len(found.waves) + 1))
    assert all(wave.vms for wave in found.waves)


@CHECKED
@given(FLEETS, POLICIES)
def test_one_wave_touches_one_failure_domain_of_a_set(fleet, policy):
    sets = members(fleet, policy)
    for wave in plan(fleet, policy, NOW).waves:
        moving = {planned.id.lower() for planned in wave.vms}
        for group in sets.values():
            domains = [domain_of(one) for one in group if one.id.key in moving]
            # VMs that are domains of their own go together only as far as max_unavailable says so; in an availability
            # set all have a domain, known or not
            several = set(domains) == {None} and policy.max_unavailable is not None and not group[0].availability_set
            assert len(set(domains)) <= 1 and (several or domains.count(None) <= 1)


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
    sets = members(fleet, policy)
    done = set()
    for wave in plan(fleet, policy, NOW).waves:
        moving = {planned.id.lower() for planned in wave.vms}
        for group in sets.values():
            here = {one.id.key for one in group} & moving
            ill = {one.id.key for one in group if not one.absent and one.unavailable_because()}
            if not here:
                continue
            if policy.max_unavailable is None:
                assert not ill - here - done, "all others are well"
            else:
                assert len(here | ill) <= policy.max_down(len(group))
            up = sum(not one.absent for one in group) - len(here | ill)
            assert policy.min_available is None or up >= policy.min_up(len(group))
        done |= moving


@CHECKED
@given(FLEETS, POLICIES)
def test_the_guard_of_the_redeploy_lets_every_planned_wave_pass(fleet, policy):
    rule = guards.Policy("perform_maintenance", frozenset(policy.accept), frozenset(policy.refuse),
                         Availability.parse(policy.max_unavailable, policy.min_available))
    now = known(fleet, policy)
    for wave in plan(fleet, policy, NOW).waves:
        sets = collections.defaultdict(list)
        for one in now.values():
            sets[one.failure_domain.set_key].append(one)
        going = [now[planned.id.lower()] for planned in wave.vms]
        assert guards.check(going, sets, rule, NOW) == {}
        for one in going:  # a wave leaves its VMs well
            now[one.id.key] = replace(one, power_state="running", agent="ready", provisioning_state="succeeded")


@CHECKED
@given(FLEETS, POLICIES)
def test_paired_regions_never_overlap(fleet, policy):
    waves = plan(fleet, policy, NOW).waves
    phases = {(planned.canary, planned.tier) for wave in waves for planned in wave.vms}
    for phase, pair in itertools.product(phases, adjacent(fleet) if policy.region_pairs == "serial" else ()):
        times = [[wave.number for wave in waves for planned in wave.vms
                  if planned.region == region and (planned.canary, planned.tier) == phase] for region in sorted(pair)]
        if all(times):
            assert max(times[0]) < min(times[1]) or max(times[1]) < min(times[0])


@CHECKED
@given(FLEETS, POLICIES, st.sets(st.integers(0, 10)))
def test_only_what_azure_and_the_operator_allow_is_planned(fleet, policy, opted_out):
    excluded = {one.id.key: "opt-out" for at, one in enumerate(fleet) if at in opted_out}
    every = known(fleet, policy)
    found = plan(fleet, policy, NOW, excluded=excluded)
    for planned in found.vms:
        one = every[planned.id.lower()]
        again = "completed_but_allowed" in policy.accept and one.state(NOW) == "done"
        assert one.status.allowed and (one.state(NOW) == "startable" or again)
        names = {hazard.name for hazard in one.hazards} | {hazard.name for hazard in one.status.hazards()}
        blocking = names & {"ephemeral_os_disk", "completed_but_allowed", "retry_after_abort"}
        assert blocking <= set(policy.accept)
        assert one.power_state == "running" or "not_running" in policy.accept
        assert not names & set(policy.refuse)
        assert one.id.key not in excluded


@CHECKED
@given(FLEETS, POLICIES, st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(fleet, policy, rng):
    shuffled = list(fleet)
    rng.shuffle(shuffled)
    assert plan(shuffled, policy, NOW) == plan(fleet, policy, NOW)


@CHECKED
@given(FLEETS, POLICIES)
def test_inside_a_wave_vms_are_ordered_by_region_set_and_name(fleet, policy):
    for wave in plan(fleet, policy, NOW).waves:
        keys = [(one.region, (one.set or one.service or one.id).lower().rsplit("/", 1)[-1], one.name) for one in wave.vms]
        assert keys == sorted(keys)


@CHECKED
@given(FLEETS, POLICIES)
def test_json_round_trip(fleet, policy):
    found = plan(fleet, policy, NOW)
    assert from_json(json.loads(json.dumps(to_json(found)))) == found


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
@given(fleets(any_condition(), ("polandcentral",)), policies(max_parallel=None, per_region=None, soak_minutes=0))
def test_without_caps_one_region_takes_the_fewest_waves_possible(fleet, policy):
    found = plan(fleet, policy, NOW)
    assert len(found.waves) == found.lower_bound


@CHECKED
@given(DUE, policies(min_available=None, on_deadline="warn"))
def test_a_well_and_due_fleet_is_planned_completely(fleet, policy):
    found = plan(fleet, policy, NOW)
    assert found.skipped == () and len(found.vms) == len(fleet)


@pytest.mark.parametrize("cap", [None, 50, 20, 7])
def test_mixed_fleets_stay_near_the_bound(cap):
    """100 sets of 2 to 20 update domains with 1 to 5 VMs each, where a barrier per domain number takes up to 1.84."""
    rng = random.Random(1)
    fleet = [vm(f"v{number}-{domain}-{index}", f"set{number}", domain) for number in range(100)
             for domain in range(rng.randint(2, 20)) for index in range(rng.randint(1, 5))]
    found = plan(fleet, Policy.from_options({"max_parallel": cap, "max_unavailable": 2}), NOW)
    assert len(found.vms) == len(fleet)
    assert len(found.waves) <= 1.03 * found.lower_bound
