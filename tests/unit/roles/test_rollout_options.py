# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong options of the roles: one line for each host, where ansible-core prints the whole specification."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
SPECS = [{"role": role, "entry": entry} for role, entry in (("rollout", "plan"), ("verify", "before"), ("drain", "check"), ("redeploy", "main"))]
HOSTS: dict[str, tuple[dict[str, Any], str]] = {
    "well": ({"drain_timeout": "300", "rollout_accept": ""}, ""),
    "type": ({"drain_timeout": "soon"}, "argument 'drain_timeout' is of type str"),
    "choice": ({"rollout_region_pairs": "x"}, "value of rollout_region_pairs must be one of: serial, parallel, got: x"),
    "verify": ({"verify_timeout": "x"}, "argument 'verify_timeout' is of type str"),
    "several": ({"redeploy_timeout": "x", "drain_on_timeout": "y"}, "value of drain_on_timeout must be one of"),
}


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a play on all those hosts prints."""
    folder = tmp_path_factory.mktemp("options")
    role = {"name": "fleetops.azure_maintenance.rollout", "tasks_from": "options"}
    play = {"hosts": "all", "gather_facts": False, "tasks": [{"ansible.builtin.include_role": role, "vars": {"__rollout_specs": SPECS}}]}
    hosts = {name: {**variables, "ansible_connection": "local"} for name, (variables, _said) in HOSTS.items()}
    (folder / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}), encoding="utf-8")
    env = {**{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}, "LC_ALL": "C.UTF-8", "HOME": str(folder)}
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "hosts.yml", "play.yml"]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL).stdout


@pytest.mark.parametrize("host", HOSTS)
def test_a_wrong_option_is_one_line(output: str, host: str) -> None:
    said = HOSTS[host][1]
    lines = [line for line in output.splitlines() if line.startswith(f"fatal: [{host}]")]
    assert len(lines) == bool(said), output
    assert all(said in line and "Nothing was touched" in line and len(line) < 500 and "argument_spec" not in line for line in lines)
    assert host != "several" or "redeploy_timeout" in lines[0]


def includes(tasks: Any) -> Iterator[dict[str, Any]]:
    """Every include_role below these tasks."""
    for task in tasks if isinstance(tasks, list) else []:
        if "ansible.builtin.include_role" in task:
            yield task["ansible.builtin.include_role"]
        for inner in ("block", "rescue", "always", "tasks"):
            yield from includes(task.get(inner))


@pytest.mark.parametrize("path", [*sorted(ROOT.glob("playbooks/*.yml")), *sorted(ROOT.glob("roles/rollout/tasks/*.yml"))], ids=lambda path: path.name)
def test_a_rollout_leaves_no_check_of_options_to_ansible_core(path: Path) -> None:
    for role in includes(yaml.safe_load(path.read_text(encoding="utf-8"))):
        specified = yaml.safe_load((ROOT / "roles" / role["name"].rpartition(".")[2] / "meta/argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
        assert role.get("tasks_from", "main") not in specified or role.get("rolespec_validate") is False, role
