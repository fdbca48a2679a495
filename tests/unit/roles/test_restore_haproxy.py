# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drain role's way back into a real HAProxy whose backends track each other, whatever order they are named in."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from unit.plugins.marks import open_to_all

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.haproxy import ask, table

TASKS = Path(__file__).resolve().parents[3] / "roles" / "drain" / "tasks" / "restore_haproxy.yml"
PLACES = [{"lb-1": ["web", "api", "edge"]}, {"lb-1": ["api", "web", "edge"]}, {"lb-1": ["edge", "api", "web"]}, {"lb-1": ["edge"], "lb-2": ["api", "web"]},
          {"lb-1": ["plain", "api", "edge", "web", "ill"]}]
UNDO = {f"host-{number}": {"server": f"host-{number}", "balancers": places, "unhealthy": {"lb-1": ["ill"]}, "unchecked": {"lb-1": ["plain"]}}
        for number, places in enumerate(PLACES)}
"""What hosts have to undo; both balancers are one HAProxy, in which edge tracks api, and api tracks web."""
CONFIG = """
global
    stats socket {folder}/admin.sock mode 600 level admin
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
"""
SERVERS = {"web": "127.0.0.1:{up} check inter 100ms", "api": "127.0.0.1:{up} track web/{name}", "edge": "127.0.0.1:{up} track api/{name}",
           "plain": "127.0.0.1:{up}", "ill": "127.0.0.1:{down} check inter 100ms fall 1"}


@pytest.fixture
def haproxy():
    """Admin socket of a HAProxy in which every host is drained."""
    program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("no haproxy on this machine")
    with open_to_all() as folder, socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: refused
        ports = {"up": server.getsockname()[1], "down": closed.getsockname()[1]}
        backends = (f"backend {backend}\n" + "".join(f"    server {name} {words.format(name=name, **ports)}\n" for name in UNDO)
                    for backend, words in SERVERS.items())
        (folder / "haproxy.cfg").write_text(CONFIG.format(folder=folder) + "".join(backends))
        path = folder / "admin.sock"
        with subprocess.Popen([program, "-db", "-f", str(folder / "haproxy.cfg")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                deadline = time.monotonic() + 10
                while not path.exists() or {status for (backend, name), status in states(path).items() if backend == "ill"} != {"DOWN"}:
                    assert process.poll() is None and time.monotonic() < deadline
                    time.sleep(0.05)
                for name, undo in UNDO.items():
                    for backend in sum(undo["balancers"].values(), []):
                        assert ask(str(path), f"set server {backend}/{name} state drain").strip() == ""
                yield path
            finally:
                process.terminate()


def states(path):
    rows = table(ask(str(path), "show stat"), ",")
    return {(row["pxname"], row["svname"]): row["status"] for row in rows if row["svname"] in UNDO}


def test_the_order_of_backends_does_not_matter(haproxy, tmp_path):
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    hosts = {name: {"drain_undo": {**undo, "socket": str(haproxy)}} for name, undo in UNDO.items()}
    tasks = [task for task in yaml.safe_load(TASKS.read_text(encoding="utf-8")) if "ansible.builtin.include_tasks" not in task]
    inventory = {"all": {"vars": local, "children": {"web": {"hosts": hosts}, "balancers": {"hosts": {"lb-1": {}, "lb-2": {}}}}}}
    (tmp_path / "hosts.yml").write_text(json.dumps(inventory))
    play = {"hosts": "web", "gather_facts": False, "vars": {"drain_timeout": 2, "drain_become": False}, "tasks": tasks}
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    done = subprocess.run([Path(sys.executable).with_name("ansible-playbook"), "-i", "hosts.yml", "play.yml"], cwd=tmp_path, text=True, capture_output=True,
                          env={**os.environ, "ANSIBLE_LOCAL_TEMP": str(tmp_path), "ANSIBLE_REMOTE_TEMP": str(tmp_path)}, check=False)
    assert done.returncode == 0, done.stdout
    told = {(backend, name): states(haproxy)[backend, name] for name, undo in UNDO.items() for backend in sum(undo["balancers"].values(), [])}
    assert told == {place: {"ill": "DOWN", "plain": "no check"}.get(place[0], "UP") for place in told}
