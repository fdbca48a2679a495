# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests answer Ansible as a real SysV machine does: detection, service module, local facts, temporary disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from guest_fleet import DB_01, WEB_01, Fleet, can_connect

ANSIBLE = Path(sys.executable).parent / "ansible"


@pytest.fixture
def ansible(fleet: Fleet, tmp_path: Path):
    """Run a module on a guest through the real `ansible`; returns its result."""
    if not ANSIBLE.exists():
        pytest.skip("ansible is not installed beside this interpreter")
    how = fleet.guests.describe()
    hosts = {
        name: {
            "ansible_host": address,
            "ansible_user": how["user"],
            "ansible_port": how["port"],
            "ansible_ssh_private_key_file": how["private_key"],
            "ansible_python_interpreter": how["python"],
            "ansible_ssh_common_args": how["ssh_common_args"],
            "ansible_remote_tmp": how["remote_tmp"],
        }
        for name, address in fleet.addresses.items()
    }
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
    config = tmp_path / "ansible.cfg"
    config.touch()
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(config),
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_SSH_ARGS": "-C -o ControlMaster=no",
        "ANSIBLE_NOCOLOR": "1",
    }

    def run(host: str, module: str, pipelining: bool = True, **arguments: Any) -> dict[str, Any]:
        command = [
            str(ANSIBLE),
            "-i",
            str(inventory),
            host,
            "-m",
            module,
            "-a",
            json.dumps(arguments),
            "-t",
            str(tmp_path),
        ]
        how_sent = {**environment, "ANSIBLE_PIPELINING": str(pipelining)}
        done = subprocess.run(command, env=how_sent, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads((tmp_path / host).read_text())

    return run


def test_facts_are_the_guests_own(ansible, fleet: Fleet) -> None:
    fleet.ssh("web-01", "echo '{\"run\": 7}' > /etc/ansible/facts.d/azure_maintenance.fact")
    facts = ansible("web-01", "ansible.builtin.setup", gather_subset=["min", "local", "hardware"], pipelining=False)
    facts = facts["ansible_facts"]
    assert facts["ansible_service_mgr"] == "sysvinit"
    assert facts["ansible_hostname"] == "web-01"
    assert facts["ansible_local"]["azure_maintenance"] == {"run": 7}
    assert facts["ansible_user_dir"] == "/srv/root"
    assert [m["device"] for m in facts["ansible_mounts"] if m["mount"] == "/mnt"] == ["/dev/sdb1"]


def test_service_module_stops_and_starts(ansible, fleet: Fleet) -> None:
    service = "ansible.builtin.service"
    assert ansible("web-01", service, name="web", state="stopped")["changed"] is True
    assert not can_connect(WEB_01, 8080)
    assert ansible("web-01", service, name="web", state="stopped")["changed"] is False
    assert ansible("web-01", service, name="web", state="started")["changed"] is True
    assert can_connect(WEB_01, 8080)


def test_enabled_decides_what_comes_back(ansible, fleet: Fleet) -> None:
    ansible("web-01", "ansible.builtin.service", name="web", state="stopped")
    fleet.guests.halt("web-01")
    fleet.guests.boot("web-01", WEB_01)
    assert can_connect(WEB_01, 8080)

    assert ansible("db-01", "ansible.builtin.service", name="db", enabled=False)["changed"] is True
    assert can_connect(DB_01, 5432)
    fleet.guests.halt("db-01")
    fleet.guests.boot("db-01", DB_01)
    assert not can_connect(DB_01, 5432)
    fleet.guests.halt("db-01")
    fleet.guests.wipe_os("db-01")
