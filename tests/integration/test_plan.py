# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook plan: what it shows and writes, and how it refuses; it never writes to Azure.

What a policy may say, what a plan file may hold and when it still does is for the unit tests; here is how the variables get there.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

import pytest
from integration import cloud as clouds
from integration.cli import ROOT, Project, Run
from integration.cloud import ALL, Cloud
from integration.conftest import environment

PLAN = ".azure_maintenance/plan.json"
FEW_MARKS = {"rollout_marks_from": "web-1"}
"""For runs of the whole fleet that end early: without it each of its hosts is asked first, in vain."""
WITHOUT_CALLBACK = {"ANSIBLE_CALLBACKS_ENABLED": "ansible.posix.timer"}


def written(project: Project, name: str = PLAN) -> dict[str, Any]:
    """A plan that was written."""
    return json.loads((project.folder / name).read_text(encoding="utf-8"))


def planned(project: Project, name: str = PLAN) -> list[set[str]]:
    """Names by wave of a plan that was written."""
    return [{vm["name"] for vm in wave["vms"]} for wave in written(project, name)["waves"]]


@dataclass
class Made:
    """A plan of what is due, and the run that made it."""

    cloud: Cloud
    project: Project
    run: Run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Made]:
    """One plan for all tests that read, limit or apply it; its cloud is reset by nobody, or it would not hold."""
    with clouds.start(clouds.fleet(guests=False), tmp_path_factory.mktemp("azure"), guests=False) as cloud:
        project = Project(tmp_path_factory.mktemp("plans") / "project", environment(cloud, home), clouds.variables(cloud.guests))
        run = project.playbook("plan", env={"PWD": "/nowhere"})
        assert run.rc == 0, run.out
        yield Made(cloud, project, run)


def test_the_plan_on_screen_and_on_disk(made: Made) -> None:
    run, project = made.run, made.project
    assert "Plan for perform_maintenance: 6 VMs in 4 waves, 0 skipped" in run.text
    waves = planned(project)
    assert sorted(name for wave in waves for name in wave) == sorted(ALL)
    assert {"web-1", "web-4", "solo-1"} in waves and {"ne-1"} in (waves[0], waves[-1])
    assert project.files() == ["plan.csv", "plan.json"]
    command = f"ansible-playbook -i fleet.azure_maintenance.yml fleetops.azure_maintenance.rolling_redeploy -e rollout_plan_file={PLAN}"
    assert run.out.splitlines().count(f"  {command}") == 1, "plain, to be copied"
    with (project.journal / "plan.csv").open(encoding="utf-8", newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == [vm["name"] for wave in written(project)["waves"] for vm in wave["vms"]]
    jsonschema.validate(written(project), json.loads((ROOT / "docs" / "plan-schema.json").read_text(encoding="utf-8")))
    assert (project.journal / "plan.json").stat().st_mode & 0o777 == 0o600
    assert made.cloud.methods() == {"GET"} and not made.cloud.writes()


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


def test_a_limit_shrinks_the_plan_which_is_shown_without_the_callback_too(made: Made) -> None:
    limited = made.project.playbook("plan", "--limit", "web-1,web-2,lb-1", rollout_plan_out="limited.json", env=WITHOUT_CALLBACK)
    assert limited.rc == 0 and planned(made.project, "limited.json") == [{"web-1"}, {"web-2"}]
    assert '"Plan for perform_maintenance: 2 VMs in 2 waves, ' in limited.text
    assert "no_host" in limited.text and "outside of the limit or rollout_targets" in limited.text.replace('", "', " ")
    assert "rolling_redeploy --limit web-1,web-2,lb-1 -e rollout_plan_file=limited.json" in limited.text
    unlisted = made.project.playbook("plan", "--limit", "web-1,web-2", rollout_include_unlisted=True)
    assert unlisted.rc != 0 and "together with --limit web-1,web-2 would plan every VM that the limit leaves out" in unlisted.text


def test_all_shows_who_is_skipped(made: Made) -> None:
    everyone = made.project.playbook("plan", rollout_targets="all", rollout_plan_out="all.json")
    assert everyone.rc == 0 and sum(map(len, planned(made.project, "all.json"))) == len(ALL)
    for reason, name in {"done": "done-1", "not_hosted": "old-1", "skipped": "gave-up-1", "upcoming": "late-1", "not_scheduled": "lb-1"}.items():
        assert f'{reason} ' in everyone.text and name in everyone.text
    assert "consent with rollout_accept: [completed_but_allowed]" in everyone.text.replace('", "', " ")
    assert not made.cloud.writes()


@pytest.mark.parametrize(("playbook", "targets"), [
    ("rolling_redeploy", "no_such_group"), pytest.param("plan", "availability_set_shop_web:&region_northeurope", marks=pytest.mark.long)])
def test_no_targets_is_said_and_is_no_failure(arm_project: Project, playbook: str, targets: str) -> None:
    run = arm_project.playbook(playbook, rollout_targets=targets, **FEW_MARKS)
    assert run.rc == 0 and "Nothing to do" in run.text and "Nothing was changed" in run.text
    assert not arm_project.files()


@pytest.mark.parametrize(("variables", "said"), [
    ({"rollout_max_unavailable": "two"}, "max_unavailable: 'two' is not possible: set a count of VMs such as 2"),
    ({"rollout_maxparallel": 3}, "rollout_maxparallel: there is no such variable"),
], ids=["by the module", "by the role"])
def test_bad_input_is_named_before_anything_is_touched(arm: Cloud, arm_project: Project, variables: dict[str, Any], said: str) -> None:
    """One of each kind; the others are with the module rollout_plan and with the arguments of the role, among the unit tests."""
    run = arm_project.playbook("rolling_redeploy", **variables, **FEW_MARKS)
    assert run.rc != 0 and said in run.text and "Traceback" not in run.text and "argument_spec_data" not in run.text
    assert not arm.writes() and not arm_project.files()


def test_the_policy_variables_reach_the_planner(made: Made) -> None:
    project = made.project
    project.write("files/report.json", json.dumps({"vms": [{"outcome": "succeeded", "elapsed_seconds": 300}]}))
    run = project.playbook(
        "plan", rollout_tier=["region_northeurope", "availability_set_shop_web"], rollout_canary="name == 'solo-1'", rollout_soak_minutes=30,
        rollout_sequence="name == 'web-1'", rollout_minutes_per_vm={"default": 20, "region_northeurope": 40}, rollout_region_pairs="parallel",
        rollout_calendar={"time_zone": "Europe/Amsterdam", "closed": ["2020-01-01"]}, rollout_service="tags.role", rollout_learn_from="files/report.json",
        rollout_plan_out="policy.json")
    assert run.rc == 0, run.out
    assert planned(project, "policy.json") == [{"solo-1"}, {"ne-1"}, {"web-2"}, {"web-3"}, {"web-1", "web-4"}]
    plan = written(project, "policy.json")
    assert [vm["minutes"] for wave in plan["waves"][:3] for vm in wave["vms"]] == [5, 40, 5]
    assert plan["policy"]["calendar"] == {"time_zone": "Europe/Amsterdam", "closed": ["2020-01-01"]} and plan["policy"]["soak_minutes"] == 30
    assert plan["policy"]["scheduled_events_minutes"] == 0 and "LEARNT: 5 minutes per VM" in run.text
    waits = [(wave["starts_at"], before["ends_at"]) for before, wave in zip(plan["waves"], plan["waves"][1:])]
    assert [start > end for start, end in waits] == [False, False, True, True]


def test_a_plan_of_hosts_that_the_inventory_does_not_have(made: Made) -> None:
    made.project.inventory_file("part.azure_maintenance.yml", query="name != 'web-1'")
    run = made.project.playbook("plan", inventory="part.azure_maintenance.yml", rollout_plan_file=PLAN)
    assert run.rc != 0 and f"web-1: in the plan {PLAN}, but not in this inventory" in run.text


def test_a_reviewed_plan_holds_or_is_refused(made: Made) -> None:
    """The last one to use the cloud that they share: afterwards the plan does not hold any more."""
    cloud, project, files = made.cloud, made.project, made.project.files()
    text = (project.folder / PLAN).read_text(encoding="utf-8")
    held = project.playbook("plan", rollout_plan_file=PLAN)
    assert held.rc == 0 and "6 VMs in 4 waves, 0 skipped" in held.text and f"-e rollout_plan_file={PLAN}" in held.text
    cloud.patch("web-2", code="MaintenanceCompleted", allowed=False)
    rest = project.playbook("plan", "--limit", "web-1,web-2", rollout_plan_file=PLAN)
    assert rest.rc == 0 and "1 VM in 1 wave, 5 skipped" in rest.text
    assert "not_in_run" in rest.text and "was completed after the plan was made" in rest.text
    # Not due any more, so in no group of due hosts: it is missed all the same.
    cloud.patch("web-1", wave="later", allowed=False)
    changed = project.playbook("plan", rollout_plan_file=PLAN)
    assert changed.rc != 0 and "does not hold any more: web-1: window start was" in changed.text and '"differences"' in changed.text
    assert (project.folder / PLAN).read_text(encoding="utf-8") == text and project.files() == files, "a reviewed plan is never written"
    assert cloud.methods() == {"GET"} and not cloud.writes()
