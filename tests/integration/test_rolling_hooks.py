# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hooks at their seven points, what their failures stop, and the confirmation. No guests: every host is this machine."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from integration.cli import Project, Run
from integration.cloud import Cloud
from integration.test_rolling_plan import BEFORE, HERE, STARTABLE

AGAIN = "ansible-playbook -i fleet.azure_maintenance.yml fleetops.azure_maintenance.rolling_redeploy"
POINTS = ("before_run", "before_wave", "before_drain", "after_verify", "after_wave", "on_failure", "after_run")


@pytest.fixture
def here(arm: Cloud, make_project: Callable[..., Project]) -> Project:
    """A project whose hosts are all this machine, with a hook at every point that notes, on the screen, what it was told."""
    project = make_project(arm, all=HERE, availability_set_shop_web={}, region_northeurope={})
    project.write("files/note.yml", [{"name": "Note it", "ansible.builtin.debug": {"msg": "NOTED {{ rollout_hook | to_json }}"}}])
    project.inventory_file(query=STARTABLE)
    return project


def hooks(project: Project, **failing: str) -> dict[str, Any]:
    """Variables for hooks that note, and for some points fail, with a condition."""
    found = {f"rollout_hooks_{point}": ["files/note.yml"] for point in POINTS}
    for point, when in failing.items():
        fail = [{"name": "Fail", "ansible.builtin.fail": {"msg": f"{point} says no"}, "when": when}]
        found[f"rollout_hooks_{point}"] = ["files/note.yml", str(project.write(f"files/fail-{point}.yml", fail))]
    return found


def notes(run: Run) -> list[dict[str, Any]]:
    """What the hooks noted, in order."""
    return [json.loads(json.loads(text).removeprefix("NOTED ")) for text in re.findall(r'"msg": ("NOTED .*")$', run.out, re.MULTILINE)]


def roll(project: Project, **variables: Any) -> Any:
    return project.playbook("rolling_redeploy", **BEFORE, **variables)


def test_all_points_in_order_also_when_a_whole_wave_is_lost_and_nothing_follows_a_canary_that_failed(arm: Cloud, here: Project) -> None:
    """Three waves of one host each, of which the first two are canaries; the second one is lost, and still the run ends with its report and its hooks."""
    arm.reset(["web-1", "web-2", "solo-1"])
    run = roll(here, rollout_canary="availability_set != null", rollout_error_budget=5, **hooks(here, after_verify="inventory_hostname == 'web-2'"))
    told = [(note["point"], note["wave"], note["host"]) for note in notes(run)]
    assert told == [("before_run", None, None), ("before_wave", 1, None), ("before_drain", 1, "web-1"), ("after_verify", 1, "web-1"), ("after_wave", 1, None),
                    ("before_wave", 2, None), ("before_drain", 2, "web-2"), ("after_verify", 2, "web-2"), ("on_failure", 2, "web-2"), ("after_wave", 2, None),
                    ("after_run", None, None)], run.out
    by_point = {(note["point"], note["wave"]): note for note in notes(run)}
    assert by_point["before_run", None]["hosts"] == ["web-1", "web-2", "solo-1"] and by_point["before_run", None]["waves"] == 3
    assert "after_verify says no" in by_point["on_failure", 2]["reason"] and "left: as it is, for nothing was drained" in by_point["on_failure", 2]["reason"]
    last = by_point["after_run", None]
    assert (last["succeeded"], last["lost"], last["not_started"]) == (["web-1"], ["web-2"], ["solo-1"]) and "1 done, 1 failed" in last["summary"]
    assert run.rc != 0 and run.recap()["web-2"]["failed"] == 1 and arm.posts() == {"web-1": 1, "web-2": 1}
    assert "STOPPED before wave 3: of the canaries web-2 did not come through. Not started: solo-1" in run.text
    report = json.loads((here.journal / "report.json").read_text(encoding="utf-8"))
    assert list(report["lost"]) == ["web-2"] and here.marks() == ["web-2"]
    assert [(one["host"], one["wave"], one["outcome"], list(one["steps"])) for one in report["hosts"]] == [
        ("web-1", 1, "succeeded", ["drain", "redeploy", "return"]), ("web-2", 2, "lost", ["drain", "redeploy", "return"]), ("solo-1", 3, "not_started", [])]
    times = [time for step in report["hosts"][0]["steps"].values() for time in step.values()]
    assert report["begin"] <= times[0] <= times[1] and times[-2] <= times[-1] <= report["end"] and report["next"] == AGAIN
    kept = here.journal / "runs" / report["run_id"] / "report.json"
    assert json.loads(kept.read_text(encoding="utf-8")) == report and kept.stat().st_mode & 0o777 == 0o600
    ending = run.text.partition("PLAY RECAP")[2]
    assert " 3 solo-1 - not_started - STOPPED before wave 3: of the canaries web-2 did not come through Totals: 3 VMs: " in ending, run.out[-3000:]
    assert "1 succeeded, 1 lost, 1 not started" in ending and f"are left alone: {AGAIN}" in ending
    assert f"Report: .azure_maintenance/runs/{report['run_id']}/report.json" in ending
    assert {host: counts["failed"] for host, counts in run.recap().items()} == {"web-1": 0, "web-2": 1, "solo-1": 0, "rollout-unfinished": 1}


@pytest.mark.parametrize(("failing", "said"), [
    pytest.param({"before_run": "true"}, ["a hook of before_run failed: before_run says no. Nothing was touched."], marks=pytest.mark.long),
    ({"before_wave": "true", "after_run": "true"},
     ["STOPPED at wave 1: a hook of before_wave failed: before_wave says no. Not started: web-", "a hook of after_run failed: after_run says no"]),
    ({"before_drain": "inventory_hostname == 'web-4'", "after_wave": "true"},
     ["FAILED web-4 (update domain 0 of WEB): before_drain says no -- left: in service", "FAILED web-1 (update domain 0 of WEB): not redeployed, because web-4",
      "STOPPED at wave 1: a hook of after_wave failed: after_wave says no. Not started: web-2"]),
])
def test_what_a_failing_hook_stops(arm: Cloud, here: Project, failing: dict[str, str], said: list[str]) -> None:
    """Of one host in each of two waves, or two in the first where one takes the other with it."""
    arm.reset(["web-1", "web-2", *(["web-4"] if "before_drain" in failing else [])])
    variables = hooks(here, **failing)
    if "after_wave" in failing:
        away = [{"name": "Tell a machine that is not there", "ansible.builtin.command": "true", "delegate_to": "nowhere.invalid",
                 "vars": {"ansible_connection": "ssh"}}]
        variables["rollout_hooks_after_run"] = ["files/note.yml", str(here.write("files/away.yml", away))]
    run = roll(here, **variables)
    assert run.rc != 0, run.out
    for words in said:
        assert words in run.text, run.out
    assert arm.posts() == {} and here.marks() == []
    if "after_wave" in failing:
        assert "STOPPED at wave 1: a hook of after_wave failed" in run.text.partition("PLAY [Close the run]")[2], "its last hook must not hide that"
    points = [note["point"] for note in notes(run)]
    assert (points[-1] == "after_run") == ("before_run" not in failing)
    assert points.count("before_wave") == points.count("after_wave") + ("before_wave" in failing)


def test_hooks_that_cannot_be_read_and_a_missing_yes(arm: Cloud, here: Project) -> None:
    """All of that is found before anything is touched."""
    arm.reset(["web-1"])
    here.write("files/foreign.yml", [{"name": "Use what is not there", "nobody.nothing.module": {}}])
    silent = {"AZURE_MAINTENANCE_PROGRESS_SHOW_PLAN": "false"}
    for variables, said in (({"rollout_hooks_on_failure": ["files/gone.yml"]}, "the hook files/gone.yml is not there"),
                            ({"rollout_hooks_after_run": ["files/foreign.yml"]}, "nobody.nothing.module"),
                            ({"rollout_confirm": "run"}, "rollout_confirm is run and the answer was none (is there a terminal?). Not started: web-1")):
        run = here.playbook("rolling_redeploy", env=silent, **BEFORE, **variables)
        assert run.rc != 0 and said in run.text and not arm.writes() and here.marks() == [], run.out
    # The last one: the plan is on screen before the question, whatever the callback is told, and nobody's host has failed.
    assert 0 < run.out.index("Plan for perform_maintenance") < run.out.index("STOPPED before the first wave"), run.out
    assert {host: counts["failed"] for host, counts in run.recap().items()} == {"web-1": 0, "rollout-unfinished": 1}
