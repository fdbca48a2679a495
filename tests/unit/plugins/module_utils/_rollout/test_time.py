# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When waves run, what is said and done about deadlines, and the fingerprint of the facts a plan rests on."""

from __future__ import annotations

import datetime as dt

from unit.plugins.module_utils.rollout_fleet import DAY, NOW, names, policy, skips, status, vm, web

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.plan import changes, fingerprint
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.planner import plan

MINUTE = dt.timedelta(minutes=1)


def test_waves_follow_each_other():
    found = plan(web((0, 1)), policy(minutes_per_vm=20, drain_minutes=3, scheduled_events_minutes=0), NOW)
    assert [(wave.start_minutes, wave.end_minutes) for wave in found.waves] == [(0, 23), (23, 46)]
    assert found.waves[1].starts_at == NOW + 23 * MINUTE and found.expected_end == NOW + 46 * MINUTE
    assert found.estimate_minutes == 46 and found.waves[0].deadline == NOW + 25 * DAY


def short(days, count=3, **options):
    """A set of single-VM domains whose window ends after so many days."""
    return plan(web(range(count), status=status(own=(-5, days))), policy(**options), NOW)


def test_a_deadline_miss_names_vm_end_deadline_and_remedies():
    found = short(0.04, max_parallel=1)
    missed = [text for text in found.warnings if text.startswith("web-")]
    assert [text.split()[0] for text in missed] == ["web-03"]
    for words in ("2026-03-10T13:21:00Z (wave 3)", "ends 2026-03-10T12:57:36Z", "rollout_max_parallel (1)",
                  "(2 waves fit)", "rollout_scheduled_events_minutes: 0"):
        assert words in missed[0]


def test_refusing_late_vms_skips_them_and_plans_the_rest_anew():
    found = short(0.04, on_deadline="refuse")
    assert names(found) == [["web-01"], ["web-02"]]
    assert skips(found)["web-03"][0] == "deadline" and found.lower_bound == 2
    assert not any(text.startswith("web-") for text in found.warnings)


def test_a_window_too_short_for_any_wave():
    assert "not even one wave of 27 minutes" in short(0.01, 1).warnings[0]


def test_many_misses_begin_with_their_number():
    assert short(0.01).warnings[0].startswith("DEADLINE: 3 of 3 planned VMs")


def test_a_miss_behind_a_paired_region_names_it():
    fleet = [vm("n1", location="northeurope", status=status(own=(-5, 0.02))),
             vm("w1", paired_regions=("northeurope",), status=status(own=(-5, 0.03)))]
    found = plan(fleet, policy(), NOW)
    assert [text.split()[0] for text in found.warnings] == ["w1"]
    assert "do not wait for northeurope (rollout_region_pairs: parallel)" in found.warnings[0]


def test_an_urgent_vm_goes_before_a_longer_set_when_it_would_be_late():
    fleet = [*web((0, 1, 2)), vm("urgent", status=status(own=(-5, 0.03)))]
    found = plan(fleet, policy(max_parallel=1), NOW)
    assert names(found)[0] == ["urgent"] and not any(text.startswith("urgent") for text in found.warnings)


def test_the_plan_says_who_gains_nothing():
    warnings = plan([*web(), vm("single")], policy(), NOW).warnings
    assert len(warnings) == 1 and "the 6 planned VMs in availability sets (web (6))" in warnings[0]
    assert plan([vm("single")], policy(), NOW).warnings == ()


def test_the_fingerprint_covers_what_must_still_hold():
    before = plan([*web(), vm("a")], policy(), NOW)
    later = plan([*web(), vm("a")], policy(), NOW + MINUTE)
    assert before.fingerprint == later.fingerprint
    assert before.fingerprint == fingerprint(reversed(before.vms), before.policy, before.operation)
    others = [plan([*web(), vm("b")], policy(), NOW), plan([*web((0, 0, 1, 1, 2, 0)), vm("a")], policy(), NOW),
              plan([*web(), vm("a", "db", 0)], policy(), NOW), plan([*web(), vm("a")], policy(max_parallel=9), NOW),
              plan([*web(), vm("a", status=status(own=(-4, 25)))], policy(), NOW),
              plan([*web(), vm("a")], policy(), NOW, "redeploy")]
    assert len({before.fingerprint, *(other.fingerprint for other in others)}) == 1 + len(others)


def test_changes_are_named_per_vm():
    found = plan([vm("a", "web", 0), vm("b"), vm("c")], policy(), NOW)
    fresh = [vm("a", "web", 1), vm("b", status=status(code="MaintenanceCompleted", allowed=False))]
    told = {text.split(":")[0].split()[0]: text for text in changes(found, fresh, NOW).values()}
    assert told == {"a": "a: update domain was 0, is now 1", "b": "b: state was startable, is now done",
                    "c": "c is not in the fleet any more"}
    assert changes(found, [vm("a", "web", 0), vm("b"), vm("c")], NOW + DAY) == {}
