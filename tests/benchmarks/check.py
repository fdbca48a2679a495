# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench-check`: what `rolling_redeploy --check` costs by the number of planned hosts, over one ping of the same hosts.

The hosts are light: all of them are this machine, over a local connection, in one update domain of a few sets. So the figures are what
Ansible and the roles cost, without SSH. Ends with 1 when a run fails.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from benchmarks import measure
from benchmarks.reading import Target
from integration import cloud as clouds
from integration import fleets
from integration.cli import BIN, INVENTORY, Project
from integration.conftest import environment

NET = "127.250.1"
SETS = 2
VARIABLES = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}", "verify_temp_disk": "",
             "drain_mark": False, "redeploy_poll_interval": 1}


def main() -> int:
    """Measure each size and print a row for it."""
    parser = argparse.ArgumentParser(prog="benchmarks.check", description=__doc__)
    parser.add_argument("--hosts", default="20,40,80", help="numbers of planned hosts, even ones")
    parser.add_argument("--limit", type=float, default=1.3, help="how many times the CPU per host of the first size the last one may cost")
    options = parser.parse_args()
    print(f"{'hosts':>5} {'CPU s':>7} {'CPU s/host':>10} {'wall s/host':>11} {'x ping':>7} {'lines/host':>10}   ({os.cpu_count()} processors)")
    per_host = []
    for hosts in map(int, options.hosts.split(",")):
        with tempfile.TemporaryDirectory(prefix="check-") as folder:
            ping, check, lines = measured(hosts, Path(folder))
        per_host.append(check.cpu / hosts)
        print(f"{hosts:5} {check.cpu:7.1f} {per_host[-1]:10.2f} {check.seconds / hosts:11.2f} {check.cpu / ping.cpu:7.1f} {lines / hosts:10.1f}", flush=True)
    target = Target("CPU per host at the last size over that at the first", per_host[-1] / per_host[0], options.limit)
    print(target.line())
    return 0 if target.met else 1


def measured(hosts: int, folder: Path) -> tuple[measure.Cost, measure.Cost, int]:
    """Cost of a ping and of a check of so many planned hosts, and how many lines the check printed."""
    data = fleets.many(NET, SETS, 1, hosts // SETS, [])
    for vm in data["vms"]:
        vm["guest"] = None
    cloud = clouds.start(data, folder / "azure", guests=False)
    try:
        home = folder / "home"
        home.mkdir()
        project = Project(folder / "project", environment(cloud, home), {"all": VARIABLES})
        ping = measure.run([BIN / "ansible", "-i", INVENTORY, "maintenance_due", "-m", "ansible.builtin.ping"],
                           project.environment, project.folder, folder / "ping")
        command, *words = project.playbook_command("rolling_redeploy", "--check")
        check = measure.run([BIN / command, *words], project.environment, project.folder, folder / "check")
        said = (folder / "check").read_text(encoding="utf-8", errors="replace")
        if said.count("would_start") < hosts or cloud.writes():
            raise measure.Failed(f"not every host was checked, or something was written: {json.dumps(cloud.posts())}\n{said[-2000:]}")
        return ping, check, len(said.splitlines())
    finally:
        cloud.sim.stop()


if __name__ == "__main__":
    sys.exit(main())
