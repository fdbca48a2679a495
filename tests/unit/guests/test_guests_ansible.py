# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests answer Ansible as a real SysV machine does: detection, service module, local facts, temporary disk."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from unit.guests.guest_fleet import DB_01, WEB_01, Fleet, can_connect

PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
SERVICE = "ansible.builtin.service"
BY_THIS_MACHINE = {"delegate_to": "localhost", "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}


def asked(port: int) -> dict[str, Any]:
    """Whether something listens on a guest now, asked from here."""
    return {"ansible.builtin.wait_for": {"host": "{{ ansible_host }}", "port": port, "timeout": 1, "connect_timeout": 1}, "failed_when": False,
            **BY_THIS_MACHINE}


PLAYS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "web-01": [
        ("facts", {"ansible.builtin.setup": {"gather_subset": ["min", "local", "hardware"]}, "vars": {"ansible_pipelining": False}}),
        ("stopped", {SERVICE: {"name": "web", "state": "stopped"}}), ("closed", asked(8080)),
        ("stopped_again", {SERVICE: {"name": "web", "state": "stopped"}}),
        ("started", {SERVICE: {"name": "web", "state": "started"}}), ("open", asked(8080)),
        ("left_stopped", {SERVICE: {"name": "web", "state": "stopped"}})],
    "db-01": [("disabled", {SERVICE: {"name": "db", "enabled": False}}), ("still_open", asked(5432))],
}


@pytest.fixture(scope="module")
def results(session_fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the real ansible-playbook was told by the guests, by name of the task."""
    if not PLAYBOOK.exists():
        pytest.skip("ansible is not installed beside this interpreter")
    fleet, folder = session_fleet, tmp_path_factory.mktemp("ansible")
    fleet.up()
    fleet.ssh("web-01", "echo '{\"run\": 7}' > /etc/ansible/facts.d/azure_maintenance.fact")
    how = fleet.guests.describe()
    connection = {
        "ansible_user": how["user"], "ansible_port": how["port"], "ansible_ssh_private_key_file": how["private_key"],
        "ansible_python_interpreter": how["python"], "ansible_ssh_common_args": how["ssh_common_args"], "ansible_remote_tmp": how["remote_tmp"],
    }
    hosts = {name: {"ansible_host": address, **connection} for name, address in fleet.addresses.items()}
    (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    book = []
    for host, tasks in PLAYS.items():
        told = "{{ {" + ", ".join(f"'{name}': {name}" for name, task in tasks) + "} | to_json }}"
        tell = {"ansible.builtin.debug": {"msg": f"TOLD {told}"}}
        book.append({"hosts": host, "gather_facts": False, "tasks": [*({"name": name, "register": name, **task} for name, task in tasks), tell]})
    (folder / "play.yml").write_text(json.dumps(book))
    (folder / "ansible.cfg").touch()
    environment = {**os.environ, "ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "ANSIBLE_HOME": str(folder / "home"),
                   "ANSIBLE_SSH_ARGS": "-C -o ControlMaster=no", "ANSIBLE_PIPELINING": "True", "ANSIBLE_NOCOLOR": "1"}
    command = [str(PLAYBOOK), "-i", str(folder / "hosts.json"), str(folder / "play.yml")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = [json.loads(json.loads(text).removeprefix("TOLD ")) for text in re.findall(r'"msg": ("TOLD .*")$', done.stdout, re.MULTILINE)]
    return {name: result for results in told for name, result in results.items()}


def test_facts_are_the_guests_own(results) -> None:
    facts = results["facts"]["ansible_facts"]
    assert facts["ansible_service_mgr"] == "sysvinit"
    assert facts["ansible_hostname"] == "web-01"
    assert facts["ansible_local"]["azure_maintenance"] == {"run": 7}
    assert facts["ansible_user_dir"] == "/srv/root"
    assert [m["device"] for m in facts["ansible_mounts"] if m["mount"] == "/mnt"] == ["/dev/sdb1"]


def test_service_module_stops_and_starts(results) -> None:
    assert [results[name]["changed"] for name in ("stopped", "stopped_again", "started", "left_stopped")] == [True, False, True, True]
    assert "Timeout" in results["closed"]["msg"] and results["open"]["state"] == "started"


def test_enabled_decides_what_comes_back(results, session_fleet: Fleet) -> None:
    fleet = session_fleet
    fleet.guests.halt("web-01")
    fleet.guests.boot("web-01", WEB_01)
    assert can_connect(WEB_01, 8080)

    assert results["disabled"]["changed"] is True and results["still_open"]["state"] == "started"
    fleet.guests.halt("db-01")
    fleet.guests.boot("db-01", DB_01)
    assert not can_connect(DB_01, 5432)
    fleet.guests.halt("db-01")
    fleet.guests.wipe_os("db-01")
