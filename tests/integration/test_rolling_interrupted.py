# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller dies, or is stopped, in the middle of a wave; the next run restores every guest and starts nothing twice."""

from __future__ import annotations

import json
import signal

import pytest
from integration.cli import Project
from integration.cloud import Cloud

VM = ["web-2"]


def test_killed_again_and_again(cloud: Cloud, project: Project) -> None:
    """One VM, four runs: killed while it drains, stopped by Ctrl-C while Azure moves it, by SIGTERM while it is restored; the last one finishes."""
    cloud.reset(VM)
    cloud.patch("web-2", operations={"performMaintenance": {"after_seconds": 12}})

    draining = project.start_playbook("rolling_redeploy")
    draining.wait_until(lambda: cloud.backends()["web-2"] in ("DRAIN", "MAINT"), "it drained")
    draining.kill()
    assert not cloud.writes() and project.marks() == VM and cloud.marked(VM) == VM

    moving = project.start_playbook("rolling_redeploy")
    # That Azure has it is not enough: the run must have heard of it, too.
    moving.wait_until(lambda: any(attempt["accepted"] for path in project.journal.glob("web-2-*.json") for attempt in json.loads(path.read_text())["attempts"]),
                      "Azure began")
    stopped = moving.interrupt()
    assert "web-2 was left drained by an earlier run and is back in service" in moving.out
    assert project.marks() == VM
    ending = stopped.text.partition("INTERRUPTED")[2]
    assert "LEFT OUT OF SERVICE: web-2, step redeploy; to restore: " in ending, stopped.out[-6000:]
    assert "STARTED, END NOT SEEN: web-2: perform_maintenance of" in ending and "Azure accepted it (202)" in ending
    command = "ansible-playbook -i fleet.azure_maintenance.yml fleetops.azure_maintenance.rolling_redeploy"
    assert f"it first returns the hosts above to service, then goes on with the rest: {command}" in ending and stopped.rc == 99

    newest = max((project.journal / "runs").glob("*/report.json"))
    assert f"Report: {newest.relative_to(project.folder)}" in ending, "of a run that came to no end, too"
    assert [(host["host"], host["outcome"], host["reason"]) for host in json.loads(newest.read_text())["hosts"]] == [
        ("web-2", "unfinished", "the run ended in its phase starting")]

    restoring = project.start_playbook("rolling_redeploy")
    restoring.wait_until(lambda: "Start them again" in restoring.out, "it was being restored", 180)
    ending = restoring.interrupt(signal.SIGTERM).text.partition("INTERRUPTED")[2]
    assert "LEFT OUT OF SERVICE: web-2" in ending and command in ending
    assert cloud.posts() == {"web-2": 1} and project.marks() == VM

    last = project.playbook("rolling_redeploy")
    assert last.rc == 0, last.out
    assert "web-2 was left drained by an earlier run and is back in service" in last.text
    cloud.check_ledger(VM)
    assert project.marks() == []
    cloud.all_in_service()


@pytest.mark.long
def test_killed_while_the_start_is_on_the_wire(cloud: Cloud, project: Project) -> None:
    """The intent is on disk, the answer is not: the next run finds out what became of it and does not post again."""
    cloud.reset(VM)
    cloud.faults({"match": {"method": "POST", "path": "performMaintenance"}, "delay": 3})
    first = project.start_playbook("rolling_redeploy")
    first.wait_until(lambda: any(request["method"] == "POST" and "performMaintenance" in request["path"] for request in cloud.sim.requests())
                     or any(fault["seen"] for fault in cloud.sim.world.faults.report()), "the start was sent")
    first.kill()
    again = project.playbook("rolling_redeploy", redeploy_settle_seconds=20)
    assert again.rc == 0, again.out
    cloud.check_ledger(VM)
    assert project.marks() == []
    cloud.all_in_service()
