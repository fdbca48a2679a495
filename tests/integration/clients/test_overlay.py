# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Over azure.azcollection.azure_rm: its hosts get this collection's variables and groups, matched by the ids it sets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from integration.cli import ROOT, Run, plain
from integration.clients.venvs import Client
from simulator.server import Simulator

PAGE = (ROOT / "docs" / "inventory.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```yaml\n# (inventory/\S*azure_\S*\.yml)\n(.*?)^```$", PAGE.partition("## 3. ")[2].partition("## 4. ")[0], re.MULTILINE | re.DOTALL))
PLAY = [{"hosts": "maintenance_due", "gather_facts": False, "tasks": [
    {"name": "Show the window", "ansible.builtin.debug": {"msg": "{{ azure_vm_name }} in {{ location }} until {{ azure_self_service_window.end }}"}}]}]


@pytest.fixture(scope="module")
def client(install: Callable[..., Client], tmp_path_factory: pytest.TempPathFactory) -> Client:
    """The environment of test_azcollection, which holds azure_rm, with a link to this collection beside it."""
    needs = Client("azcollection").site_packages / "ansible_collections" / "azure" / "azcollection" / "requirements.txt"
    newest = ["--no-deps", "--ignore-requires-python", "ansible"]
    return install("azcollection", ["ansible-core"], newest, ["-r", str(needs)], shows=["azure.azcollection", "ansible-core"])


@pytest.fixture
def mixed(client: Client, simulator: Simulator, tmp_path: Path) -> Callable[..., Run]:
    """Run a command in a folder with the two files of the docs page; nothing may be written to Azure."""
    simulator.reset()
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "due.yml").write_text(json.dumps(PLAY), encoding="utf-8")
    link = tmp_path / "collections" / "ansible_collections" / "fleetops" / "azure_maintenance"
    link.parent.mkdir(parents=True)
    link.symlink_to(ROOT)
    settings = {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true", "ANSIBLE_COLLECTIONS_PATH": f"{tmp_path / 'collections'}:{client.site_packages}"}

    def run(command: str, *arguments: str) -> Run:
        done = client.run(command, *arguments, home=tmp_path, env={**simulator.env(), **settings})
        assert simulator.ledger() == []
        return done

    return run


def test_the_pages_files_are_found() -> None:
    assert sorted(FILES) == ["inventory/10-fleet.azure_rm.yml", "inventory/50-overlay.azure_maintenance.yml"]


def test_hosts_of_azure_rm_get_groups_and_variables(mixed: Callable[..., Run]) -> None:
    run = mixed("ansible-inventory", "--inventory", "inventory", "--list")
    assert run.rc == 0, run.text
    groups: dict[str, Any] = plain(run.json())
    hosts = groups["_meta"]["hostvars"]
    by_vm = {variables["azure_vm_name"]: name for name, variables in hosts.items()}
    assert {"app-0", "app-1", "solo", "calm", "later", "idle"} <= set(by_vm) and len(by_vm) == len(hosts)
    assert all(re.fullmatch(r".+_[0-9a-f]{4}", name) for name in hosts), "the names are azure_rm's"
    assert groups["update_domain_alpha_app_0"]["hosts"] == [by_vm["app-0"]]
    assert set(groups["maintenance_due"]["hosts"]) == {by_vm[name] for name in ("app-0", "app-1", "solo")}
    solo = hosts[by_vm["solo"]]
    assert solo["ansible_host"] == "20.50.0.6" and solo["powerstate"] == solo["azure_power_state"] == "running"


def test_a_play_on_what_is_due(mixed: Callable[..., Run]) -> None:
    run = mixed("ansible-playbook", "--inventory", "inventory", "due.yml")
    assert run.rc == 0, run.text
    assert set(re.findall(r'"msg": "(\S+) in westeurope until 20\d\d-', run.out)) == {"app-0", "app-1", "solo"}


def test_the_wrong_order_is_an_error(mixed: Callable[..., Run]) -> None:
    azure_rm, overlay = sorted(FILES)
    run = mixed("ansible-inventory", "--inventory", overlay, "--inventory", azure_rm, "--graph")
    assert run.rc != 0 and "no host is there yet; list this source after" in run.text
