# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-rulebook itself, with the event source and the rulebooks that are shipped, from an event to a redeployed guest."""

from __future__ import annotations

import json
import os
import shutil
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from integration import cloud as clouds
from integration.cli import ROOT, Project, Running
from integration.clients.venvs import Client

TOKEN = "let-me-pass"
VM = "solo-1"


@pytest.fixture(scope="module")
def client(install) -> Client:
    """ansible-rulebook beside the ansible-core that runs the tests, with this collection in place."""
    if not shutil.which("java"):
        pytest.skip("ansible-rulebook needs Java 17 or later, and there is no java")
    steps = ["ansible-rulebook", f"ansible-core=={version('ansible-core')}", "-r", ROOT / "requirements.txt"]
    made = install("rulebook", steps, shows=["ansible-rulebook", "ansible-core", "drools-jpy"])
    link = made.site_packages / "ansible_collections" / "fleetops" / "azure_maintenance"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(ROOT)
    return made


class Rulebooks:
    """A user's folder: an inventory directory, variables, and ansible-rulebook run there."""

    def __init__(self, client: Client, project: Project) -> None:
        self._bin, self.folder = client.bin, project.folder
        self.home = project.folder / "eda"
        inventory = project.folder / "inventory"
        inventory.mkdir()
        for name in ("fleet.azure_maintenance.yml", "group_vars"):
            (project.folder / name).rename(inventory / name)
        self.port = 20000 + os.getpid() % 20000
        variables = {"maintenance_dir": str(self.home), "approval_token": TOKEN, "approval_port": self.port, "maintenance_interval": 2}
        project.write("eda.yml", variables)
        java = str(Path(shutil.which("java") or "").parent)
        self._environment = {**project.environment, "PATH": f"{client.bin}:{java}:{os.defpath}", "ANSIBLE_CONFIG": str(project.folder / "ansible.cfg")}
        self._running: list[Running] = []

    def start(self, name: str) -> Running:
        """Start one of the collection's rulebooks."""
        command = [str(self._bin / "ansible-rulebook"), "--rulebook", f"fleetops.azure_maintenance.{name}", "-i", "inventory", "--vars", "eda.yml", "-v"]
        self._running.append(Running(command, self.folder, self._environment))
        return self._running[-1]

    def plans(self) -> list[str]:
        """Names of the plans written so far."""
        return sorted(path.stem for path in (self.home / "plans").glob("*.json"))

    def approve(self, name: str, token: str = TOKEN) -> int:
        """Approve a plan; the HTTP status."""
        body = json.dumps({"approve": name}).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{self.port}/", body, headers), timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def stop(self) -> None:
        """End all that still run, as Ctrl-C does, then for good."""
        for running in self._running:
            if running.process.poll() is None:
                running.process.send_signal(signal.SIGINT)
                try:
                    running.process.wait(timeout=20)
                except Exception:  # noqa: BLE001 - it did not listen
                    running.kill()


@pytest.fixture
def rulebooks(client: Client, project: Project) -> Iterator[Rulebooks]:
    """Rulebooks against the fleet with guests."""
    made = Rulebooks(client, project)
    yield made
    made.stop()


def polls(cloud: clouds.Cloud) -> int:
    """How often the fleet was read."""
    return sum("statusOnly" in request["path"] for request in cloud.sim.requests())


def test_from_an_event_through_an_approval_to_a_redeployed_guest(cloud, rulebooks):
    cloud.reset([VM])
    running = rulebooks.start("approve")
    running.wait_until(lambda: rulebooks.plans() and "then approve it by its name" in running.out, "a plan is there")
    (plan,) = rulebooks.plans()
    written = json.loads((rulebooks.home / "plans" / f"{plan}.json").read_text(encoding="utf-8"))
    assert [vm["name"] for wave in written["waves"] for vm in wave["vms"]] == [VM]
    assert rulebooks.approve(plan, token="guessed") == 401
    assert rulebooks.approve("../../etc/passwd") == 200 and rulebooks.approve("2026-01-01T000000") == 200
    seen = polls(cloud)
    running.wait_until(lambda: polls(cloud) > seen + 2, "two more polls")
    assert cloud.writes() == [] and rulebooks.plans() == [plan], "nothing is started without approval, and nothing is planned twice"
    assert rulebooks.approve(plan) == 200
    running.wait_until(lambda: cloud.posts() == {VM: 1} and "PLAY RECAP" in running.out.partition("Redeploy wave by wave")[2], "the approved plan has run")
    cloud.check_ledger([VM])
    rulebooks.stop()
    state = json.loads((rulebooks.home / "announced.json").read_text(encoding="utf-8"))
    said = next(vm["said"] for key, vm in state["vms"].items() if key.endswith(f"/{VM}"))
    assert said == ["window_announced", "self_service_opened", "completed"] and state["pending"] == []
    seen, again = polls(cloud), rulebooks.start("approve")
    again.wait_until(lambda: polls(cloud) > seen + 2, "three polls of a second start")
    assert rulebooks.plans() == [plan], "said once, also across restarts"


def test_the_rulebook_that_only_plans(cloud, rulebooks):
    cloud.reset([VM])
    running = rulebooks.start("plan")
    running.wait_until(lambda: len(rulebooks.plans()) == 2, "a plan for what was announced, and one for what may be started")
    cloud.patch(VM, code="MaintenanceCompleted", allowed=False)
    running.wait_until(lambda: f"{VM}: completed. Azure reports MaintenanceCompleted" in running.out, "its end is told")
    cloud.faults({"match": {"method": "GET", "path": "virtualMachines", "nth": 1, "count": 0}, "status": 403, "code": "AuthorizationFailed"})
    running.wait_until(lambda: "error: " in running.out and "AuthorizationFailed" in running.out, "the outage is told")
    cloud.faults()
    running.wait_until(lambda: "recovered: read again after" in running.out, "its end is told")
    assert cloud.writes() == []
