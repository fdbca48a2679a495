# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook plan: what it shows and writes, and how it refuses; it never writes to Azure."""

from __future__ import annotations

import csv
import json
from typing import Any

import jsonschema

import pytest
from integration.cli import ROOT, Project
from integration.cloud import ALL, Cloud

UNTOUCHED = ("lb-1", "old-1", "late-1", "gave-up-1", "done-1")


def written(project: Project) -> dict[str, Any]:
    """The plan that was written."""
    return json.loads((project.journal / "plan.json").read_text(encoding="utf-8"))


def planned(project: Project) -> list[set[str]]:
    """Names by wave of the plan that was written."""
    return [{vm["name"] for vm in wave["vms"]} for wave in written(project)["waves"]]


def test_the_plan_on_screen_and_on_disk(arm: Cloud, arm_project: Project) -> None:
    run = arm_project.playbook("plan", env={"PWD": "/nowhere"})
    assert run.rc == 0
    assert "Plan for perform_maintenance: 6 VMs in 4 waves, 0 skipped" in run.text
    waves = planned(arm_project)
    assert sorted(name for wave in waves for name in wave) == sorted(ALL)
    assert {"web-1", "web-4", "solo-1"} in waves and {"ne-1"} in (waves[0], waves[-1])
    assert arm_project.files() == ["plan.csv", "plan.json"]
    command = "ansible-playbook -i fleet.azure_maintenance.yml fleetops.azure_maintenance.rolling_redeploy -e rollout_plan_file=.azure_maintenance/plan.json"
    assert run.out.splitlines().count(f"  {command}") == 1, "plain, to be copied"
    with (arm_project.journal / "plan.csv").open(encoding="utf-8", newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == [vm["name"] for wave in written(arm_project)["waves"] for vm in wave["vms"]]
    jsonschema.validate(written(arm_project), json.loads((ROOT / "docs" / "plan-schema.json").read_text(encoding="utf-8")))
    assert (arm_project.journal / "plan.json").stat().st_mode & 0o777 == 0o600
    assert arm.methods() == {"GET"} and not arm.writes()


def test_empty_answers_to_a_survey_are_empty_lists(arm_project: Project) -> None:
    hooks = (f"hooks_{point}" for point in ("before_run", "before_wave", "before_drain", "after_verify", "after_wave", "on_failure", "after_run"))
    run = arm_project.playbook("rolling_redeploy", "--check", "--limit", "solo-1",
                               **dict.fromkeys((f"rollout_{name}" for name in ("accept", "refuse", "subscriptions", *hooks)), ""))
    assert "Plan for perform_maintenance: 1 VM in 1 wave" in run.text and "Check the hooks" not in run.text.partition("fatal:")[2], run.out


def test_a_host_that_is_made_of_two_vms_is_refused(arm: Cloud, arm_project: Project) -> None:
    ids = {name: arm_project.hosts()[1][name]["azure_vm_id"] for name in ("web-1", "web-2")}
    arm_project.write("host_vars/web-1.yml", {"azure_vm_id": ids["web-2"]})
    run = arm_project.playbook("rolling_redeploy", "--limit", "web-1,solo-1")
    assert run.rc != 0 and f"web-1: azure_vm_id is {ids['web-2']}, but azure_vm_name is web-1. " in run.text and "Nothing was touched" in run.text
    assert not arm.writes() and not arm_project.files()


def test_a_limit_shrinks_the_plan_and_all_shows_who_is_skipped(arm: Cloud, arm_project: Project) -> None:
    limited = arm_project.playbook("plan", "--limit", "web-1,web-2,lb-1")
    assert limited.rc == 0 and planned(arm_project) == [{"web-1"}, {"web-2"}]
    assert "no_host" in limited.text and "outside of the limit or rollout_targets" in limited.text.replace('", "', " ")
    unlisted = arm_project.playbook("plan", "--limit", "web-1,web-2", rollout_include_unlisted=True)
    assert unlisted.rc != 0 and "together with --limit web-1,web-2 would plan every VM that the limit leaves out" in unlisted.text
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
    ({"rollout_max_unavailable": 0}, "max_unavailable: '0' is not possible: with less than 1 nothing could ever go"),
    ({"rollout_max_parallel": 0}, "max_parallel: 0 is not possible: give a whole number of at least 1"),
    ({"rollout_tier": []}, "tier: [] is not possible"),
    ({"rollout_maxparallel": 3}, "rollout_maxparallel: there is no such variable"),
], ids=["count", "pairs", "exclude", "hazard", "file", "none-down", "none-at-once", "no-tier", "misspelled"])
def test_bad_input_is_named_before_anything_is_touched(arm: Cloud, arm_project: Project, variables: dict[str, Any], said: str) -> None:
    run = arm_project.playbook("rolling_redeploy", **variables)
    assert run.rc != 0 and said in run.text and "Traceback" not in run.text and "argument_spec_data" not in run.text
    assert not arm.writes() and not arm_project.files()


def test_the_plan_is_shown_without_the_callback_too(arm_project: Project) -> None:
    run = arm_project.playbook("plan", "--limit", "web-1", env={"ANSIBLE_CALLBACKS_ENABLED": "ansible.posix.timer"})
    assert run.rc == 0 and '"Plan for perform_maintenance: 1 VM in 1 wave, ' in run.text
    assert "rolling_redeploy --limit web-1 -e rollout_plan_file=.azure_maintenance/plan.json" in run.text


def test_a_reviewed_plan_holds_or_is_refused(arm: Cloud, arm_project: Project) -> None:
    assert arm_project.playbook("plan", rollout_plan_out="reviewed.json").rc == 0
    text = (arm_project.folder / "reviewed.json").read_text(encoding="utf-8")
    reviewed = json.loads(text)

    def apply(name: str, *arguments: str) -> Any:
        return arm_project.playbook("plan", *arguments, rollout_plan_file=name)

    held = apply("reviewed.json")
    assert held.rc == 0 and "6 VMs in 4 waves, 0 skipped" in held.text and "-e rollout_plan_file=reviewed.json" in held.text
    assert (arm_project.folder / "reviewed.json").read_text(encoding="utf-8") == text and not arm_project.files()
    waves = [wave for wave in reviewed["waves"] if any(vm["set"] for vm in wave["vms"])]
    waves[0]["vms"].append(waves[1]["vms"].pop())
    arm_project.write("edited.json", json.dumps({**reviewed, "waves": [wave for wave in reviewed["waves"] if wave["vms"]]}))
    edited = apply("edited.json")
    assert edited.rc != 0 and "make the plan again" in edited.text
    arm_project.write("other.json", "{}")
    assert "is this a plan file?" in apply("other.json").text
    limited = apply("reviewed.json", "--limit", "web-1,web-2")
    assert limited.rc == 0 and "2 VMs in 2 waves, 4 skipped" in limited.text and "not_in_run" in limited.text
    arm.patch("web-2", code="MaintenanceCompleted", allowed=False)
    rest = apply("reviewed.json")
    assert rest.rc == 0 and "5 VMs in 3 waves, 1 skipped" in rest.text and "was completed after the plan was made" in rest.text
    # Not due any more, so in no group of due hosts: it is missed all the same.
    arm.patch("web-1", wave="later", allowed=False)
    changed = apply("reviewed.json")
    assert changed.rc != 0 and "does not hold any more: web-1: window start was" in changed.text and '"differences"' in changed.text
    arm.sim.clock.advance(29 * 86400)
    expired = apply("reviewed.json", "--limit", "web-3")
    assert expired.rc != 0 and "the plan has expired" in expired.text
    assert arm.methods() == {"GET"} and not arm.writes()


def test_a_plan_of_hosts_that_the_inventory_does_not_have(arm_project: Project) -> None:
    assert arm_project.playbook("plan", rollout_plan_out="reviewed.json").rc == 0
    arm_project.inventory_file("part.azure_maintenance.yml", query="name != 'web-1'")
    run = arm_project.playbook("rolling_redeploy", inventory="part.azure_maintenance.yml", rollout_plan_file="reviewed.json")
    assert run.rc != 0 and "web-1: in the plan reviewed.json, but not in this inventory" in run.text


def test_the_policy_variables_reach_the_planner(arm_project: Project) -> None:
    arm_project.write("files/report.json", json.dumps({"vms": [{"outcome": "succeeded", "elapsed_seconds": 300}]}))
    run = arm_project.playbook(
        "plan", rollout_tier=["region_northeurope", "availability_set_shop_web"], rollout_canary="name == 'solo-1'", rollout_soak_minutes=30,
        rollout_sequence="name == 'web-1'", rollout_minutes_per_vm={"default": 20, "region_northeurope": 40}, rollout_region_pairs="parallel",
        rollout_calendar={"time_zone": "Europe/Amsterdam", "closed": ["2020-01-01"]}, rollout_service="tags.role", rollout_learn_from="files/report.json")
    assert run.rc == 0, run.out
    assert planned(arm_project) == [{"solo-1"}, {"ne-1"}, {"web-2"}, {"web-3"}, {"web-1", "web-4"}]
    plan = written(arm_project)
    assert [vm["minutes"] for wave in plan["waves"][:3] for vm in wave["vms"]] == [5, 40, 5]
    assert plan["policy"]["calendar"] == {"time_zone": "Europe/Amsterdam", "closed": ["2020-01-01"]} and plan["policy"]["soak_minutes"] == 30
    assert plan["policy"]["scheduled_events_minutes"] == 0 and "LEARNT: 5 minutes per VM" in run.text
    waits = [(wave["starts_at"], before["ends_at"]) for before, wave in zip(plan["waves"], plan["waves"][1:])]
    assert [start > end for start, end in waits] == [False, False, True, True]
