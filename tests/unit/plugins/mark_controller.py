# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller with an /etc of its own, that runs real ansible-playbook on a host which is this machine and on one that is lost."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

# All that programs need of /etc here, and nothing that not everybody may read.
ETC = ("passwd", "group", "hosts", "nsswitch.conf", "ld.so.cache", "localtime", "ssl", "ssh/ssh_config")
INVENTORY = {"all": {"vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}, "hosts": {
    "here": {"ansible_connection": "local"},
    "windows": {"ansible_connection": "local", "ansible_shell_type": "powershell"},
    "lost": {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_common_args": "-F none -o BatchMode=yes"}}}}
UNSHARE = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]


@dataclass(frozen=True)
class Play:
    """Tasks by names, for hosts; one that fails does not end it."""

    tasks: list[tuple[str, dict]]
    hosts: str = "here"
    check: bool = False


class Controller:
    """Runs plays; what each host answered to each task of them is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.etc, self.marks = folder, folder / "etc", folder / "marks"
        self.etc.mkdir()
        for name in ETC:
            source, target = Path("/etc") / name, self.etc / name
            target.parent.mkdir(exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, symlinks=True, ignore=lambda place, names: {"private"} & set(names))
            elif source.exists():
                shutil.copy(source, target)
        (folder / "inventory.json").write_text(json.dumps(INVENTORY))
        (folder / "inventory.json").rename(folder / "inventory.yml")

    @property
    def fact(self) -> Path:
        return self.etc / "ansible/facts.d/azure_maintenance.fact"

    def begin(self, name: str, plays: dict[str, Play]) -> subprocess.Popen:
        book = []
        for title, play in plays.items():
            steps = [{"name": key, "register": key, "ignore_errors": True, **task} for key, task in play.tasks]
            told = "{{ {" + ", ".join(f"'{key}': {key} | default(none)" for key, task in play.tasks) + "} | to_json }}"
            steps.append({"name": "Tell", "ansible.builtin.debug": {"msg": f"TOLD {title} {{{{ inventory_hostname }}}} {told}"}})
            book.append({"name": title, "hosts": play.hosts, "gather_facts": False, "check_mode": play.check, "tasks": steps})
        (self.folder / f"{name}.yml").write_text(json.dumps(book))
        command = [*UNSHARE, "sh", "-c", 'mount --bind "$1" /etc && shift && exec "$@"', "sh", str(self.etc),
                   str(Path(sys.executable).with_name("ansible-playbook")), "-i", "inventory.yml", f"{name}.yml"]
        environment = {**os.environ, "ANSIBLE_LOCAL_TEMP": str(self.folder / "tmp"), "ANSIBLE_REMOTE_TEMP": str(self.folder / "tmp"), "HOME": str(self.folder),
                       "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_SSH_RETRIES": "0", "ANSIBLE_FORCE_COLOR": "false"}
        return subprocess.Popen(command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, name: str, plays: dict[str, Play]) -> dict[str, dict[str, dict]]:
        """Runs plays in one playbook: what each host answered, by play, host and name of the task."""
        with self.begin(name, plays) as process:
            said = process.communicate()[0]
        if "unshare:" in said or "mount:" in said:
            pytest.skip(f"this machine allows no mount namespace: {said.strip()}")
        found: dict[str, dict[str, dict]] = {title: {} for title in plays}
        for text in re.findall(r'"msg": ("TOLD .*")$', said, re.MULTILINE):
            title, host, told = json.loads(text).removeprefix("TOLD ").split(" ", 2)
            found[title][host] = json.loads(told)
        assert process.returncode == 0 and all(found.values()), said
        return found


def on_controller(words: str) -> dict:
    """A task in which the controller, where the host `here` is, runs a shell command without any module: what it printed is `msg`."""
    return {"ansible.builtin.debug": {"msg": "{{ lookup('ansible.builtin.pipe', words) }}"}, "vars": {"words": words}}
