# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook plan: what it shows and writes, and how it refuses; it never writes to Azure."""

from __future__ import annotations

import json
from typing import Any

import pytest
from integration.cli import Project
from integration.cloud import ALL, Cloud

UNTOUCHED = ("lb-1", "old-1", "late-1", "gave-up-1", "done-1")


def planned(project: Project) -> list[set[str]]:
    """Names by wave of the plan that was written."""
    plan = json.loads((project.journal / "plan.json").read_text(encoding="utf-8"))
    return [{vm["name"] for vm in wave["vms"]} for wave in plan["waves"]]


def test_the_plan_on_screen_and_on_disk(arm: Cloud, arm_project: Project) -> None:
    run = arm_project.playbook("plan", env={"PWD": "/nowhere"})
    assert run.rc == 0
    assert "Plan for perform_maintenance: 6 VMs in 4 waves, 0 skipped" in run.text
    waves = planned(arm_project)
    assert sorted(name for wave in waves for name in wave) == sorted(ALL)
    assert {"web-1", "web-4", "solo-1"} in waves and {"ne-1"} in (waves[0], waves[-1])
    assert arm_project.files() == ["plan.json"]
    assert (arm_project.journal / "plan.json").stat().st_mode & 0o777 == 0o600
    assert arm.methods() == {"GET"} and not arm.writes()


def test_a_limit_shrinks_the_plan_and_all_shows_who_is_skipped(arm: Cloud, arm_project: Project) -> None:
    limited = arm_project.playbook("plan", "--limit", "web-1,web-2,lb-1")
    assert limited.rc == 0 and planned(arm_project) == [{"web-1"}, {"web-2"}]
    everyone = arm_project.playbook("plan", rollout_targets="all")
    assert everyone.rc == 0 and sum(map(len, planned(arm_project))) == len(ALL)
    for reason, name in {"done": "done-1", "not_hosted": "old-1", "skipped": "gave-up-1", "upcoming": "late-1", "not_scheduled": "lb-1"}.items():
        assert f'{reason} ' in everyone.text and name in everyone.text
    assert "consent with rollout_accept: [completed_but_allowed]" in everyone.text.replace('", "', " ")
    assert not arm.writes()


@pytest.mark.parametrize("arguments", [{"rollout_targets": "no_such_group"}, {"rollout_targets": "availability_set_shop_web:&region_northeurope"}])
def test_no_targets_is_said_and_is_no_failure(arm_project: Project, arguments: dict[str, Any]) -> None:
    run = arm_project.playbook("rolling_redeploy", **arguments)
    assert run.rc == 0 and "Nothing to do" in run.text and "Nothing was changed" in run.text
    assert not arm_project.files()


@pytest.mark.parametrize(("variables", "said"), [
    ({"rollout_max_unavailable": "two"}, "max_unavailable: 'two' is not possible: give a count of VMs such as 2"),
    ({"rollout_region_pairs": "whatever"}, "value of rollout_region_pairs must be one of: serial, parallel, got: whatever"),
    ({"rollout_exclude": "tags.=="}, "exclude 'tags.==' is not a JMESPath expression"),
    ({"rollout_accept": ["no_such_hazard"]}, "'no_such_hazard'"),
    ({"rollout_plan_file": "absent.json"}, "absent.json cannot be read"),
], ids=["count", "pairs", "exclude", "hazard", "file"])
def test_bad_input_is_named_before_anything_is_touched(arm: Cloud, arm_project: Project, variables: dict[str, Any], said: str) -> None:
    run = arm_project.playbook("rolling_redeploy", **variables)
    assert run.rc != 0 and said in run.text and "Traceback" not in run.text
    assert not arm.writes() and not arm_project.files()


def test_a_reviewed_plan_holds_or_is_refused(arm: Cloud, arm_project: Project) -> None:
    assert arm_project.playbook("plan", rollout_plan_out="reviewed.json").rc == 0
    reviewed = json.loads((arm_project.folder / "reviewed.json").read_text(encoding="utf-8"))

    def apply(name: str) -> Any:
        return arm_project.playbook("plan", rollout_plan_file=name)

    assert apply("reviewed.json").rc == 0
    assert sum(map(len, planned(arm_project))) == len(ALL)
    waves = [wave for wave in reviewed["waves"] if any(vm["set"] for vm in wave["vms"])]
    waves[0]["vms"].append(waves[1]["vms"].pop())
    arm_project.write("edited.json", json.dumps({**reviewed, "waves": [wave for wave in reviewed["waves"] if wave["vms"]]}))
    edited = apply("edited.json")
    assert edited.rc != 0 and "make the plan again" in edited.text
    arm_project.write("other.json", "{}")
    assert "is this a plan file?" in apply("other.json").text
    arm.patch("web-1", wave="later", allowed=False)
    changed = arm_project.playbook("plan", rollout_plan_file="reviewed.json", rollout_targets="all")
    assert changed.rc != 0 and "does not hold any more: web-1" in changed.text
    arm.sim.clock.advance(29 * 86400)
    expired = apply("reviewed.json")
    assert expired.rc != 0 and "the plan has expired" in expired.text
    assert arm.methods() == {"GET"} and not arm.writes()
