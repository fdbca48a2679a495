# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that the demo starts outlives it; and it says in one line when it cannot run."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from demo.cloud import Cloud, CloudError
from demo.stage import FLEET

TESTS = Path(__file__).parents[2]
RUN = TESTS / "demo" / "run.py"
# A child that leaves its session and its parent, as Ansible's workers and ssh's masters do; it tells its pid and stays.
DAEMON = """
import os, time
child = os.fork()
if child:
    print(child, flush=True)
    os._exit(0)
os.setsid()
time.sleep(60)
"""
PARENT = """
import os, sys
from demo import processes
processes.adopt_orphans()
child = processes.start([sys.executable, "-c", sys.argv[1]], os.environ, background=True)
child.wait()
print("ended", flush=True)
if sys.argv[2] == "end":
    processes.end_orphans()
"""
LONG = "import os,time; print(os.getpid(), flush=True); time.sleep(60)"


def parent(child: str, last: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    return subprocess.Popen(
        [sys.executable, "-c", PARENT, child, last], env=environment, stdout=subprocess.PIPE, text=True
    )


def is_gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


def test_descendants_that_went_into_the_background_are_ended():
    process = parent(DAEMON, "end")
    pid = int(process.stdout.readline())
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert is_gone(pid)


def test_a_child_ends_when_the_demo_is_killed():
    process = parent(LONG, "stay")
    pid = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    assert is_gone(pid)


def test_a_name_that_is_not_startable_is_refused_with_those_that_are(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, RUN, "--abort", "lb-01", "--out", tmp_path / "out"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    line = done.stderr.strip()
    assert len(line.splitlines()) == 1
    # On a machine that cannot run guests, that is what the line says.
    assert "--abort lb-01" in line and "web-03" in line or "cannot run on this machine" in line
    assert not (tmp_path / "out").exists()


def test_what_is_missing_is_said_in_one_line(tmp_path: Path):
    # In a user namespace of its own a process is nobody and can still read the checkout.
    nobody = ["unshare", "--user"]
    if subprocess.run([*nobody, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no user namespaces here")
    done = subprocess.run([*nobody, sys.executable, RUN], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert done.stdout == "" and done.stderr.count("\n") == 1
    assert "cannot run on this machine" in done.stderr and "guests need root" in done.stderr


def test_addresses_in_use_are_named(tmp_path: Path):
    cloud = Cloud(FLEET, tmp_path, Path(sys.executable))
    with socket.socket() as other:
        other.bind(("127.20.0.11", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(CloudError, match=f"127.20.0.11 port {port}, the address of web-01, is not free"):
            cloud.check_addresses(port)


def test_the_truth_about_the_fleet_is_the_simulators(tmp_path: Path):
    cloud = Cloud(FLEET, tmp_path, Path(sys.executable))
    names = sorted(vm_id.rsplit("/", 1)[-1] for vm_id in cloud.startable())
    assert names == ["api-01", "api-02", "batch-01", "db-01", "db-02", "db-03", *(f"web-0{n}" for n in range(1, 7))]
    assert cloud.pairs() == {frozenset(("westeurope", "northeurope"))}
    assert cloud.addresses()["batch-01"] == "127.30.0.31" and "old-01" not in cloud.addresses()
