# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every Ansible command that README and docs print is run as printed there; of a rollout that would start something, its --check.

What these pages leave to other tests: docs/inventory.md (test_inventory_docs.py), docs/eda.md (clients/test_rulebook.py), and docs/simulator.md, whose
commands are those of the demo.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration import cloud as clouds
from integration.cli import ROOT, Project
from integration.conftest import environment

ELSEWHERE = ("inventory.md", "eda.md", "simulator.md")
PAGES = [ROOT / "README.md", *(page for page in sorted((ROOT / "docs").glob("*.md")) if page.name not in ELSEWHERE)]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LONG = ("lane", "rollout_operation")
"""What `make test-long` runs: a check of a rollout takes half a minute, and other tests have lanes and operations."""
SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
# No guest: what a check looks at on a host is this machine's.
VARIABLES = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "drain_become": False, "verify_temp_disk": "",
             "redeploy_settle_seconds": 4}


def blocks(page: Path, language: str) -> list[str]:
    """Fenced blocks of a page; those without a language are commands."""
    return [text for written_in, text in FENCE.findall(page.read_text(encoding="utf-8")) if written_in == language]


def commands() -> list[str]:
    """Each command of ansible's once, in the order of the pages; a rollout that would start something as its check."""
    lines = [line for page in PAGES for block in blocks(page, "") for line in block.replace("\\\n", " ").splitlines()]
    printed = [" ".join(line.partition("  #")[0].split()) for line in lines if re.match(r"ansible(-inventory|-playbook|-doc)? ", line)]
    starts = re.compile(r".*\.rolling_redeploy(?!.*(--check|rollout_targets=!all))")
    return list(dict.fromkeys(f"{command} --check" if starts.match(command) else command for command in printed))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The folder of somebody who followed the quickstart up to its first command, and a shop that is due."""
    data = clouds.fleet(guests=False)
    due = {"wave": "now", "resource_group": "shop"}
    fleet = {**data, "subscriptions": [{"id": SUBSCRIPTION, "name": "First"}], "vms": [
        *({**due, "name": f"web-0{number}", "availability_set": "web", "update_domain": number - 1} for number in (1, 2, 3)),
        {**due, "name": "db-01"}, {"name": "quiet-01", "wave": None}]}
    with clouds.start(fleet, tmp_path_factory.mktemp("azure"), guests=False) as cloud:
        home = tmp_path_factory.mktemp("home")
        project = Project(tmp_path_factory.mktemp("folder") / "project", environment(cloud, home), {"all": VARIABLES})
        [inventory] = [text for text in blocks(ROOT / "docs" / "quickstart.md", "yaml") if text.startswith("# prod.azure_maintenance.yml\n")]
        project.write("prod.azure_maintenance.yml", inventory)
        yield project
        assert not cloud.writes()


@pytest.mark.parametrize("command", [
    pytest.param(command, marks=[pytest.mark.long] if any(word in command for word in LONG) else []) for command in commands()])
def test_a_command(folder: Project, command: str) -> None:
    run = folder.run(*shlex.split(command))
    assert run.rc == 0, run.text


def test_there_are_some() -> None:
    assert len(commands()) > 10 and any("rollout_lane=2" in command for command in commands())
