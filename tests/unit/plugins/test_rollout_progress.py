# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the callback makes of a plan: as wide as the terminal, and the time that is left with the soak to come."""

from __future__ import annotations

import pytest
from ansible import context
from ansible.module_utils.common.collections import ImmutableDict
from unit.plugins.module_utils.rollout_fleet import NOW, vm, web

from ansible_collections.fleetops.azure_maintenance.plugins.callback import rollout_progress
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.estimate import seconds_left
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.plan_file import to_json
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.planner import plan
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.policy import Policy
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.table import WIDTH, render

MINUTES = {"minutes_per_vm": 10, "scheduled_events_minutes": 0, "drain_minutes": 0}


def planned(fleet, **options):
    return to_json(plan(fleet, Policy.from_options({**MINUTES, **options}), NOW))


@pytest.mark.parametrize("columns, check", [(70, False), (WIDTH, False), (140, False), (140, True), (None, False)])
def test_a_plan_is_as_wide_as_the_terminal(monkeypatch, columns, check):
    document = planned([*web(), *web((0,) * 20, "db"), vm("alone")])
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("COLUMNS", str(columns) if columns else "0")  # pytest has no terminal, so nobody says how wide it is
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict(check=check))
    data = {"plan": document, "text": render(document, command="run it", csv="/x/plan.csv"), "read_at": document["created"],
            "invocation": {"module_args": {"next_command": "run it", "csv_out": "/x/plan.csv"}}}
    assert rollout_progress._as_wide_as_the_terminal(data) == render(document, columns or WIDTH, "run it", csv=None if check else "/x/plan.csv")
    assert rollout_progress._as_wide_as_the_terminal({"plan": document, "text": "as it is"}) == "as it is"


def left(document, number, *ended):
    minutes = {at: 60.0 * moment for at, moment in enumerate(ended, 1)}
    return seconds_left(document["waves"], document["policy"]["soak_minutes"], number, minutes) / 60


def test_without_soak_it_is_the_pace_so_far():
    document = planned(web((0, 1, 2, 3)))
    assert [left(document, 1, 10), left(document, 2, 10, 20), left(document, 2, 5, 10), left(document, 4, 10, 20, 30, 40)] == [30, 20, 10, 0]
    assert left(document, 2, 20, 40) == 40
    assert seconds_left(document["waves"], 0, 3, {1: 600, 3: 1200}) == 600, "a wave without hosts took no time"


@pytest.mark.parametrize("pace", [0.5, 1, 2])
def test_soak_is_counted_at_its_own_length_whatever_the_pace(pace):
    document = planned(web((0, 1, 2)), soak_minutes=30)
    work = 10 * pace
    assert left(document, 1, work) == 60 + 2 * work
    assert left(document, 2, work, 2 * work + 30) == 30 + work, "time that was waited is no work"
    assert document["estimate_minutes"] == 3 * 10 + 2 * 30, "so does the plan itself"


def test_sets_that_go_in_the_meantime_shorten_the_wait():
    document = planned([*web((0, 1)), *web((0, 1), "db")], soak_minutes=30, max_parallel=1)
    assert [wave["vms"][0]["name"][:2] for wave in document["waves"]] in (["we", "db", "we", "db"], ["db", "we", "db", "we"])
    assert left(document, 1, 10) == 50, "10 for the other set, 20 more until the first has rested, 10, 10"
    single = planned([*web((0, 1)), vm("alone")], soak_minutes=30)
    assert left(single, 1, 10) == 40
