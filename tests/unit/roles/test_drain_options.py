# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the check of the drain's options says before it asks any host: how many servers must stay up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROLE = {"name": "fleetops.azure_maintenance.drain", "tasks_from": "check"}
WELL = [1, "2", 0, "50%", "0%", "99%"]
WRONG = ["100%", "half", "-1", "", 1.5, "50 %", "1, 2"]
OPTIONS = ("drain_haproxy_min_up", "drain_azure_load_balancer_min_up")


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What failed on each host, by option and value."""
    folder = tmp_path_factory.mktemp("options")
    hosts = {f"{option}={value}": {option: value} for option in OPTIONS for value in [*WELL, *WRONG]}
    hosts |= {"list": {"drain_haproxy_allow_last": "web"}, "pools": {"drain_azure_load_balancer_allow_last": "web"}}
    names = {name: f"h{number}" for number, name in enumerate(hosts)}
    write = {"ansible.builtin.copy": {"dest": f"{folder}/{{{{ inventory_hostname }}}}", "content": "{{ ansible_failed_result.msg }}", "mode": "0600"}}
    play = {"hosts": "all", "gather_facts": False, "tasks": [{"block": [{"ansible.builtin.include_role": ROLE}], "rescue": [write]}]}
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (folder / "hosts.yml").write_text(json.dumps({"all": {"vars": local, "hosts": {names[name]: values for name, values in hosts.items()}}}))
    (folder / "play.yml").write_text(json.dumps([play]))
    env = {**{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}, "LC_ALL": "C.UTF-8", "HOME": str(folder)}
    command = [Path(sys.executable).parent / "ansible-playbook", "-i", "hosts.yml", "play.yml"]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout
    return {name: (folder / file).read_text() if (folder / file).exists() else "" for name, file in names.items()}


@pytest.mark.parametrize("option", OPTIONS)
def test_what_is_no_minimum_is_named_with_what_to_set(said, option):
    assert [value for value in WELL if said[f"{option}={value}"]] == []
    for value in WRONG:
        words = said[f"{option}={value}"]
        assert words.startswith(f"{option} is {value}, which is neither a count of ") and words.endswith(", such as 1 or 50% (0% to 99%)"), (value, words)


def test_consent_is_a_list(said):
    assert said["list"] == "drain_haproxy_allow_last must be a list, such as [web]"
    assert said["pools"] == "drain_azure_load_balancer_allow_last must be a list, such as [web]"
