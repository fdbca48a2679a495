# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The event source in a process of its own that is killed and started again, and the playbook that its event names."""

from __future__ import annotations

import json
from typing import Any

import ansible_collections.fleetops.azure_maintenance as installed
from integration.cli import BIN, Project, Running

# What ansible-rulebook does with a source, without it: run the file by its path, await main, take events from a queue.
RUNNER = """
import asyncio, json, os, runpy, sys

class Queue:
    async def put(self, event):
        print(json.dumps(event), flush=True)

main = runpy.run_path(sys.argv[1])["main"]
asyncio.run(main(Queue(), json.loads(sys.argv[2])))
"""
ROOT = next(iter(installed.__path__))


class Source:
    """The source as a user starts it, each time in a new process."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._script = str(project.write("runner.py", RUNNER))

    def start(self, **options: Any) -> Running:
        given = json.dumps({"interval": 1, "state_file": str(self._project.journal / "announced.json"), **options})
        path = f"{ROOT}/extensions/eda/plugins/event_source/maintenance.py"
        return Running([str(BIN / "python"), self._script, path, given], self._project.folder, self._project.environment)


def events(running: Running) -> list[dict[str, Any]]:
    """What it has told so far, in whole lines."""
    return [json.loads(line)["maintenance"] for line in running.out.splitlines(keepends=True) if line.endswith("\n")]


def kinds(running: Running) -> list[tuple[str, str]]:
    """Kinds and names."""
    return [(event["kind"], event["vm"]["name"]) for event in events(running)]


def polls(arm) -> int:
    """How often the fleet was read."""
    return sum("statusOnly" in request["path"] for request in arm.sim.requests())


def test_killed_and_started_again_it_says_nothing_twice(arm, arm_project):
    arm.reset(["solo-1", "ne-1"])
    source = Source(arm_project)
    first = source.start()
    announced = ("done-1", "gave-up-1", "late-1", "ne-1", "solo-1")
    known = [("window_announced", name) for name in announced] + [("self_service_opened", name) for name in ("ne-1", "solo-1")]
    first.wait_until(lambda: len(kinds(first)) >= 7, "seven events")
    assert sorted(kinds(first)) == sorted(known)
    seen = polls(arm)
    first.wait_until(lambda: polls(arm) > seen + 4, "another poll")
    first.kill()
    assert len(kinds(first)) == 7
    arm.patch("solo-1", code="MaintenanceCompleted", allowed=False)
    arm.patch("lb-1", wave="later")
    second = source.start()
    second.wait_until(lambda: len(kinds(second)) >= 2, "what changed meanwhile")
    assert kinds(second) == [("window_announced", "lb-1"), ("completed", "solo-1")]
    opened = next(event for event in events(first) if event["kind"] == "self_service_opened" and event["more"] == 0)
    second.kill()
    plan = arm_project.journal / "plans" / "eda.json"
    run = arm_project.playbook(opened["run"], rollout_journal_dir=str(arm_project.journal), rollout_plan_out=str(plan), ansible_eda={"event": opened})
    assert run.rc == 0, run.text
    assert [vm["name"] for wave in json.loads(plan.read_text(encoding="utf-8"))["waves"] for vm in wave["vms"]] == ["ne-1"]
    assert arm.writes() == []


def test_what_cannot_work_ends_it_with_words(arm, arm_project):
    run = Source(arm_project).start(deadline_hours=["soon"]).finish(30)
    assert run.rc == 1 and "deadline_hours 'soon' is not a number" in run.err
