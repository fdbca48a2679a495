# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hooks at their seven points, what their failures stop, and the confirmation. No guests: every host is this machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from integration.cli import Project
from integration.cloud import Cloud
from integration.test_rolling_plan import BEFORE, HERE

POINTS = ("before_run", "before_wave", "before_drain", "after_verify", "after_wave", "on_failure", "after_run")
HERE_TOO = {"delegate_to": "localhost", "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}}


@pytest.fixture
def here(arm: Cloud, make_project: Callable[..., Project]) -> Project:
    """A project whose hosts are all this machine, with a hook at every point that notes what it was told."""
    project = make_project(arm, all=HERE, availability_set_shop_web={}, region_northeurope={})
    note = {"name": "Note it", "ansible.builtin.lineinfile": {
        "path": f"{project.folder}/notes", "line": "{{ rollout_hook | to_json }}", "create": True, "mode": "0600"}, "throttle": 1, **HERE_TOO}
    project.write("files/note.yml", [note])
    return project


def hooks(project: Project, **failing: str) -> dict[str, Any]:
    """Variables for hooks that note, and for some points fail, with a condition."""
    found = {f"rollout_hooks_{point}": ["files/note.yml"] for point in POINTS}
    for point, when in failing.items():
        fail = [{"name": "Fail", "ansible.builtin.fail": {"msg": f"{point} says no"}, "when": when}]
        found[f"rollout_hooks_{point}"] = ["files/note.yml", str(project.write(f"files/fail-{point}.yml", fail))]
    return found


def notes(project: Project) -> list[dict[str, Any]]:
    path = Path(project.folder / "notes")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def roll(project: Project, **variables: Any) -> Any:
    return project.playbook("rolling_redeploy", **BEFORE, **variables)


def test_all_points_in_order_also_when_a_whole_wave_is_lost(arm: Cloud, here: Project) -> None:
    """Two waves of one host each; the second one is lost, and still the run ends with its report and its hooks."""
    arm.reset(["web-1", "web-2"])
    run = roll(here, **hooks(here, after_verify="inventory_hostname == 'web-2'"))
    told = [(note["point"], note["wave"], note["host"]) for note in notes(here)]
    assert told == [("before_run", None, None), ("before_wave", 1, None), ("before_drain", 1, "web-1"), ("after_verify", 1, "web-1"), ("after_wave", 1, None),
                    ("before_wave", 2, None), ("before_drain", 2, "web-2"), ("after_verify", 2, "web-2"), ("on_failure", 2, "web-2"), ("after_wave", 2, None),
                    ("after_run", None, None)], run.out
    by_point = {(note["point"], note["wave"]): note for note in notes(here)}
    assert by_point["before_run", None]["hosts"] == ["web-1", "web-2"] and by_point["before_run", None]["waves"] == 2
    assert "after_verify says no" in by_point["on_failure", 2]["reason"] and "left: DRAINED" in by_point["on_failure", 2]["reason"]
    last = by_point["after_run", None]
    assert (last["succeeded"], last["lost"], last["not_started"]) == (["web-1"], ["web-2"], []) and "1 done, 1 lost" in last["summary"]
    assert run.rc != 0 and run.recap()["web-2"]["failed"] == 1
    report = json.loads((here.journal / "report.json").read_text(encoding="utf-8"))
    assert list(report["lost"]) == ["web-2"] and here.marks() == ["web-2"]


@pytest.mark.parametrize(("failing", "started", "said"), [
    ({"before_run": "true"}, [], ["a hook of before_run failed: before_run says no. Nothing was touched."]),
    ({"before_wave": "rollout_hook.wave == 2", "after_run": "true"}, ["web-1", "web-4"],
     ["STOPPED at wave 2: a hook of before_wave failed: before_wave says no. Not started: web-2", "a hook of after_run failed: after_run says no"]),
    ({"before_drain": "inventory_hostname == 'web-4'", "after_wave": "true"}, [],
     ["LOST web-4 (update domain 0 of WEB): before_drain says no -- left: in service", "LOST web-1 (update domain 0 of WEB): not redeployed, because web-4",
      "STOPPED at wave 1: a hook of after_wave failed: after_wave says no. Not started: web-2"]),
])
def test_what_a_failing_hook_stops(arm: Cloud, here: Project, failing: dict[str, str], started: list[str], said: list[str]) -> None:
    """Of two hosts in the first wave and one in the second."""
    arm.reset(["web-1", "web-4", "web-2"])
    run = roll(here, **hooks(here, **failing))
    assert run.rc != 0, run.out
    for words in said:
        assert words in run.text, run.out
    assert arm.posts() == dict.fromkeys(started, 1) and here.marks() == []
    points = [note["point"] for note in notes(here)]
    assert (points[-1] == "after_run") == ("before_run" not in failing)
    assert points.count("before_wave") == points.count("after_wave") + ("before_wave" in failing)


def test_hooks_that_cannot_be_read_and_a_missing_yes(arm: Cloud, here: Project) -> None:
    """All of that is found before anything is touched."""
    arm.reset(["web-1"])
    here.write("files/foreign.yml", [{"name": "Use what is not there", "nobody.nothing.module": {}}])
    for variables, said in (({"rollout_hooks_on_failure": ["files/gone.yml"]}, "the hook files/gone.yml is not there"),
                            ({"rollout_hooks_after_run": ["files/foreign.yml"]}, "nobody.nothing.module"),
                            ({"rollout_confirm": "run"}, "rollout_confirm is run and the answer was none (is there a terminal?)"),
                            ({"rollout_error_budget": {"per_sets": 1}}, "rollout_error_budget has no per_sets")):
        run = roll(here, **variables)
        assert run.rc != 0 and said in run.text and not arm.writes() and here.marks() == [], run.out
