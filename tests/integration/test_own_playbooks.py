# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two playbooks that docs/own-playbooks.md shows, as printed there: the roles work in playbooks that are not this collection's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from integration import cloud as clouds
from integration.cli import ROOT, Project
from integration.cloud import Cloud
from integration.conftest import environment

PAGE = (ROOT / "docs" / "own-playbooks.md").read_text(encoding="utf-8")
PATCHING, REDEPLOYING = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
WEB = ("web-1", "web-2", "web-3", "web-4")


@pytest.fixture
def broken(cloud: Cloud, project: Project) -> Path:
    """The first playbook has been run, and its work has failed on its first host, as long as this file is there: web-1 is out of service, and marked."""
    cloud.reset([])
    path = project.write("broken", "")
    project.write("own.yml", PATCHING)
    project.write("patch.yml", [
        {"name": "See that it is out", "ansible.builtin.command": "service web status", "register": "seen", "failed_when": "seen.rc != 3"},
        {"name": "Patch", "ansible.builtin.command": f"test ! -e {path}", "delegate_to": "localhost"},
    ])
    first = project.playbook("own.yml")
    assert first.rc != 0, first.out
    assert project.marks() == ["web-1"] == cloud.marked(WEB)
    assert cloud.backends()["web-1"] != "UP" and not cloud.service_up("web-1")
    assert all(cloud.service_up(name) for name in WEB[1:])
    return path


@pytest.mark.long
def test_patching_taken_up_again(cloud: Cloud, project: Project, broken: Path) -> None:
    """The same playbook again brings all of them back."""
    broken.unlink()
    again = project.playbook("own.yml")
    assert again.rc == 0, again.out
    assert project.marks() == [] and not cloud.writes()
    cloud.all_in_service()


@pytest.mark.long
@pytest.mark.usefixtures("broken")
def test_patching_finished_from_elsewhere(cloud: Cloud, project: Project, tmp_path: Path, home: Path) -> None:
    """This controller's copy of the mark is of no use then: what somebody has stopped since stays stopped."""
    other = Project(tmp_path / "other", environment(cloud, home), clouds.variables(cloud.guests))
    rollout = other.playbook("rolling_redeploy")
    assert rollout.rc == 0 and "web-1 was left drained by an earlier run and is back in service" in rollout.text, rollout.out
    assert other.marks() == [] and project.marks() == ["web-1"] and not cloud.writes()
    cloud.all_in_service()
    cloud.ssh("web-1", "service web stop")
    later = project.playbook("rolling_redeploy")
    assert later.rc == 0 and "web-1 was left" not in later.text, later.out
    assert project.marks() == [] and not cloud.service_up("web-1")


def test_redeploying_one_at_a_time(cloud: Cloud, project: Project) -> None:
    cloud.reset(["web-1", "web-2", "web-4"])
    before = cloud.boot_ids(["web-1", "web-2", "web-4"])
    project.write("own.yml", REDEPLOYING)
    run = project.playbook("own.yml")
    assert run.rc == 0, run.out
    cloud.check_ledger(before)
    after = cloud.boot_ids(before)
    assert all(before[name] != after[name] for name in before)
    assert project.marks() == []
    cloud.all_in_service()
