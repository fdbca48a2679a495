# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong in a wave when nothing may: the run stops before the next one, and the next run does the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from integration.cli import Project, Run
from integration.cloud import Cloud

TWO_WAVES = ("web-1", "web-4", "web-2")


def lost(run: Run, host: str) -> str:
    """What was said about a lost host."""
    assert f"FAILED {host}" in run.text, run.out[-6000:]
    return run.text.split(f"FAILED {host}", 1)[1][:2500]


def report(project: Project) -> dict[str, Any]:
    return json.loads((project.journal / "report.json").read_text(encoding="utf-8"))


def test_an_aborted_vm_ends_the_run_after_its_wave(cloud: Cloud, project: Project) -> None:
    cloud.reset(TWO_WAVES)
    cloud.patch("web-1", operations={"performMaintenance": "aborted"})
    before = cloud.boot_ids(TWO_WAVES)
    run = project.playbook("rolling_redeploy")
    assert run.rc != 0
    assert cloud.posts() == {"web-1": 1, "web-4": 1}, run.out
    assert "web-1 (update domain 0 of WEB): web-1: aborted: Azure aborted the maintenance" in run.text
    assert "left: in service" in run.text
    assert "STOPPED before wave 2: web-1 failed" in run.text and "Not started: web-2" in run.text
    after = cloud.boot_ids(TWO_WAVES)
    assert {name for name in TWO_WAVES if before[name] != after[name]} == {"web-4"}
    cloud.all_in_service()
    assert project.marks() == []
    cloud.patch("web-1", operations={})
    rest = project.playbook("rolling_redeploy")
    assert rest.rc == 0, rest.out
    cloud.check_ledger(TWO_WAVES)
    cloud.all_in_service()


@pytest.mark.long
def test_lost_while_it_drains(cloud: Cloud, project: Project) -> None:
    """The host goes away in the midst of its drain: nobody of its wave is redeployed, the others are restored, it is named, the hooks are told."""
    cloud.reset(TWO_WAVES)
    guests = cloud.sim.world.guests.guests
    here = f"{project.folder}/here"
    wait = [{"name": "Say that the drain begins", "ansible.builtin.file": {"path": here, "state": "touch", "mode": "0600"}, "delegate_to": "localhost"},
            {"name": "Let the host go", "ansible.builtin.wait_for": {"path": f"{here}-gone", "timeout": 30}, "delegate_to": "localhost"}]
    told = {"content": "{{ rollout_hook.reason }}", "dest": f"{project.folder}/told-{{{{ rollout_hook.host }}}}", "mode": "0600"}
    tell = [{"name": "Note it", "ansible.builtin.copy": told, "delegate_to": "localhost"}]
    running = project.start_playbook("rolling_redeploy", verify_timeout=5,
                                     rollout_hooks_before_drain=[str(project.write("files/wait.yml", wait))],
                                     rollout_hooks_on_failure=[str(project.write("files/tell.yml", tell))])
    running.wait_until(Path(here).exists, "the drain began")
    guests.halt("web-1")
    Path(f"{here}-gone").touch()
    run = running.finish()
    assert run.rc != 0 and not cloud.writes(), run.out
    assert "could not be reached" in lost(run, "web-1") or "cannot be reached" in lost(run, "web-1")
    assert "web-1 of its wave did not drain -- left: in service" in lost(run, "web-4")
    assert "web-1" in (project.folder / "told-web-1").read_text(encoding="utf-8") and (project.folder / "told-web-4").exists()
    assert cloud.backends()["web-4"] == "UP" and report(project)["not_started"] == ["web-1", "web-4", "web-2"]
    guests.boot("web-1", cloud.address("web-1"))
    rest = project.playbook("rolling_redeploy")
    assert rest.rc == 0, rest.out
    cloud.check_ledger(TWO_WAVES)
    cloud.all_in_service()
