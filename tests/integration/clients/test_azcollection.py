# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""azure.azcollection, of the newest community package, reads the fleet unchanged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from integration.cli import Run
from integration.clients.venvs import Client
from simulator.server import Simulator

RUNNING = {"app-0", "app-1", "solo", "calm", "later"}
COLLECTION = Path("ansible_collections", "azure", "azcollection")
SOURCE = {
    "plugin": "azure.azcollection.azure_rm",
    "auth_source": "env",
    "plain_host_names": True,
    "include_vm_resource_groups": ["*"],
    "keyed_groups": [{"key": "tags.tier", "prefix": "tier"}],
}


@pytest.fixture(scope="module")
def client(install: Callable[..., Client]) -> Client:
    """The environment of the newest collection: the community package has it, and the list of what it needs.

    The package wants a newer Python than its collections do, and before 3.15 this one reaches no cloud but Microsoft's:
    so it is the newest on every Python, beside the newest ansible-core that this Python allows.
    """
    needs = Client("azcollection").site_packages / COLLECTION / "requirements.txt"
    shows = ["azure.azcollection", "ansible", "ansible-core", "azure-mgmt-compute", "azure-core"]
    newest = ["--no-deps", "--ignore-requires-python", "ansible"]
    return install("azcollection", ["ansible-core"], newest, ["-r", str(needs)], shows=shows)


@pytest.fixture
def ansible(client: Client, simulator: Simulator, tmp_path: Path) -> Callable[..., Run]:
    """Run a command of Ansible in a user's folder; nothing may be written to Azure nor refused by it."""
    simulator.reset()
    (tmp_path / "estate.azure_rm.yml").write_text(json.dumps(SOURCE), encoding="utf-8")
    settings = {
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "true",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_PYTHON_INTERPRETER": str(client.bin / "python"),
    }

    def run(command: str, *arguments: str) -> Run:
        done = client.run(command, *arguments, home=tmp_path, env={**simulator.env(), **settings})
        assert done.rc == 0, done.text
        assert simulator.ledger() == []
        assert [request for request in simulator.requests() if request["status"] >= 400] == []
        return done

    return run


def plain(value: Any) -> Any:
    """A variable without the cover in which ansible-inventory prints text that must not be templated."""
    return value["__ansible_unsafe"] if isinstance(value, dict) else value


def test_the_inventory_has_the_running_vms(ansible: Callable[..., Run], simulator: Simulator) -> None:
    listed = ansible("ansible-inventory", "--inventory", "estate.azure_rm.yml", "--list").json()
    hosts = listed["_meta"]["hostvars"]
    assert set(hosts) == RUNNING
    assert {name: plain(hosts[name]["ansible_host"]) for name in ("app-0", "app-1", "solo")} == {
        "app-0": "10.1.0.4", "app-1": "10.1.0.5", "solo": "20.50.0.6"
    }
    assert set(listed["tier_1"]["hosts"]) == {"app-0", "app-1"}
    assert plain(hosts["solo"]["location"]) == "westeurope" and plain(hosts["solo"]["powerstate"]) == "running"
    assert "/batch?" in " ".join(request["path"] for request in simulator.requests())


def test_the_info_module_shows_a_vm(ansible: Callable[..., Run]) -> None:
    run = ansible("ansible", "localhost", "--connection", "local", "--args", "resource_group=alpha name=app-1",
                  "--module-name", "azure.azcollection.azure_rm_virtualmachine_info")
    result: dict[str, Any] = run.json()["plays"][0]["tasks"][0]["hosts"]["localhost"]
    assert not result["changed"]
    [vm] = result["vms"]
    assert (vm["name"], vm["location"], vm["power_state"]) == ("app-1", "westeurope", "running")
    assert vm["maintenance_redeploy_status"]["is_customer_initiated_maintenance_allowed"] is True
