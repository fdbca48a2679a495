# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""This collection on the oldest packages it asks for and on the newest: its requests, a reading, the inventory, one start of a VM."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from integration.cli import INVENTORY, NAMESPACE, PLUGIN, ROOT, Run
from integration.clients.venvs import Client
from simulator.server import Simulator

OLDEST = ["azure-mgmt-compute==33.0.0", "azure-identity==1.25.0", "jmespath==1.0.1", "azure-mgmt-core==1.3.2", "azure-core==1.31.0"]
"""With the oldest of what comes with them: pip leaves what is there and new enough for them."""
PACKAGES = {"oldest": OLDEST, "newest": ["-r", str(ROOT / "requirements.txt")]}
TOOLS = ["ansible-core", "pytest", "hypothesis", "cryptography", "PyYAML"]
NAMES = {"app-0", "app-1", "solo", "calm", "later", "idle"}


@pytest.fixture(scope="module", params=PACKAGES)
def client(request: pytest.FixtureRequest, install: Callable[..., Client]) -> Client:
    """An environment with these packages and what the unit tests need."""
    return install(f"own-{request.param}", [*TOOLS, *PACKAGES[request.param]],
                   shows=["azure-mgmt-compute", "azure-identity", "azure-mgmt-core", "azure-core", "ansible-core"])


@pytest.fixture
def execute(client: Client, simulator: Simulator, tmp_path: Path) -> Callable[..., Run]:
    """Run a command in a user's folder that has this collection."""
    simulator.reset()
    home = tmp_path / "ansible_collections" / Path(*NAMESPACE.split("."))
    home.parent.mkdir(parents=True)
    home.symlink_to(ROOT)
    (tmp_path / INVENTORY).write_text(json.dumps({"plugin": PLUGIN}), encoding="utf-8")
    settings = {"ANSIBLE_COLLECTIONS_PATH": str(tmp_path), "ANSIBLE_PYTHON_INTERPRETER": str(client.bin / "python"), "PYTHONPATH": str(tmp_path),
                "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false", "ANSIBLE_LOCALHOST_WARNING": "false"}
    return lambda command, *arguments: client.run(command, *arguments, home=tmp_path, env={**simulator.env(), **settings})


def module(execute: Callable[..., Run], name: str, **options: Any) -> dict[str, Any]:
    """The result of a module."""
    run = execute("ansible", "localhost", "-m", f"{NAMESPACE}.{name}", *(["-a", json.dumps(options)] if options else []))
    assert run.rc == 0, run.text
    return json.loads(run.out[run.out.index("{"):])


def test_its_requests_are_sent_as_they_should(execute: Callable[..., Run], tmp_path: Path) -> None:
    """The unit tests of `_arm`."""
    run = execute("python", "-m", "pytest", "-q", "-c", str(ROOT / "pytest.ini"), "-o", f"cache_dir={tmp_path}",
                  str(ROOT / "tests" / "unit" / "plugins" / "module_utils" / "_arm"))
    assert run.rc == 0, run.text


def test_it_reads(execute: Callable[..., Run]) -> None:
    assert {vm["name"] for vm in module(execute, "vm_maintenance_info")["vms"]} >= NAMES
    run = execute("ansible-inventory", "-i", INVENTORY, "--list")
    assert run.rc == 0 and set(run.json()["_meta"]["hostvars"]) >= NAMES, run.text


def test_it_starts_a_vm_once(execute: Callable[..., Run], simulator: Simulator) -> None:
    solo = next(vm["id"] for vm in module(execute, "vm_maintenance_info")["vms"] if vm["name"] == "solo")
    assert module(execute, "vm_redeploy", vms=[solo])["changed"]
    assert [(entry["name"], entry["operation"]) for entry in simulator.ledger()] == [("solo", "performMaintenance")]
