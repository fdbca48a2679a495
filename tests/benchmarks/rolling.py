# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench-rolling`: what orchestration costs. A rolling redeploy of guests whose operations take no time, over one ping of them all.

Guests are reached over SSH, so it wants what the simulated guests want (root on Debian). Says where the time goes and which modules
ran on the guests. Ends with 1 when the target is missed, with 2 when it cannot run.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.reading import Target
from integration import cloud as clouds
from integration import fleets, module_counts, run_log
from integration.cli import INVENTORY, Project
from integration.cloud import MARK
from integration.conftest import environment
from simulator.guests import Guests

NET = f"127.{200 + os.getpid() % 40}.{os.getpid() // 40 % 250}"
SETS, DOMAINS, MEMBERS = 3, 5, 4
PINGS = 3
TOP = 15
_SECONDS = 3600
_LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Found:
    """Wall times in seconds, modules by guest (of the whole run, and from the first wave on), the profile, and by guest the seconds
    for which it carried a drain mark beyond the time for which Azure had it down."""

    pings: list[float]
    rollout: float
    modules: dict[str, list[str]]
    in_waves: dict[str, list[str]]
    profile: list[run_log.Share]
    out: dict[str, float]


class MarkWatch(threading.Thread):
    """Sees on the guests' disks for how long each carries a drain mark: that is how long it is out of service because of us."""

    def __init__(self, state: Path, names: Iterable[str]) -> None:
        super().__init__(daemon=True)
        self._marks = {name: state / "guests" / name / MARK.removeprefix("/") for name in names}
        self._over = threading.Event()
        self.seconds = dict.fromkeys(self._marks, 0.0)

    def run(self) -> None:
        last = time.monotonic()
        while not self._over.wait(_LOOK_SECONDS):
            now = time.monotonic()
            for name, mark in self._marks.items():
                self.seconds[name] += (now - last) * mark.exists()
            last = now

    def stop(self) -> None:
        self._over.set()
        self.join()


def main() -> int:
    """Measure, print, judge."""
    options = parse_arguments()
    problems = Guests.check()
    if problems:
        print(f"bench-rolling: cannot run on this machine: {'; '.join(problems)}", file=sys.stderr)
        return 2
    load = " ".join(f"{average:.2f}" for average in os.getloadavg())
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rolling-") as folder:
        found = measured(options, Path(folder))
    target = Target("wall time of the rollout over that of one ping", found.rollout / statistics.median(found.pings), options.limit)
    print(f"{len(found.modules)} guests in {DOMAINS} waves behind {options.balancers} balancers, {options.forks} forks, {os.cpu_count()} processors; "
          f"load averages before it began: {load}; {time.monotonic() - began:.0f} s in all")
    print(f"ansible -m ping: {', '.join(f'{seconds:.1f}' for seconds in found.pings)} s; rolling_redeploy: {found.rollout:.1f} s")
    print(f"\nmodule executions on each guest, from the first wave on:\n{module_counts.table(found.in_waves)}")
    print(f"and in the preparation:\n{module_counts.table(preparation(found))}")
    print(f"\nwhere the {found.rollout:.0f} s went, by task:")
    for share in found.profile[:TOP]:
        print(f"  {share.seconds:6.1f} s  {share.seconds / found.rollout:4.0%}  {share.times:3} x  {share.name}")
    out = found.out.values()
    print(f"\nout of service beyond Azure's own operation: median {statistics.median(out):.1f} s a guest, at most {max(out):.1f} s")
    print(f"\n{target.line()}")
    return 0 if target.met else 1


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.rolling", description=__doc__)
    parser.add_argument("--members", type=int, default=MEMBERS, help=f"guests of each of the {SETS} sets in an update domain")
    parser.add_argument("--balancers", type=int, choices=(0, 1, 2), default=0, help="HAProxy guests that every guest is drained from")
    parser.add_argument("--forks", type=int, default=SETS * MEMBERS)
    parser.add_argument("--limit", type=float, default=25.0, help="the ratio that fails the benchmark")
    return parser.parse_args()


def measured(options: argparse.Namespace, folder: Path) -> Found:
    """Boot the guests, ping them, roll over them."""
    balancers = fleets.BALANCERS[:options.balancers]
    data = fleets.many(NET, SETS, DOMAINS, options.members, balancers)
    cloud = clouds.start(data, folder / "azure", guests=True)
    try:
        for balancer in balancers:
            clouds.wait_until(lambda name=balancer: set(cloud.backends(name).values()) == {"UP"}, f"all servers of {balancer} are up", 60)
        project = project_of(cloud, folder, options.forks, fleets.drained_by(balancers))
        return rolled(cloud, project, fleets.due(data), folder / "ansible.log")
    finally:
        cloud.sim.stop()


def project_of(cloud: clouds.Cloud, folder: Path, forks: int, drained: Mapping[str, Any]) -> Project:
    """A user's project; both commands run in it with the same settings."""
    home = folder / "home"
    home.mkdir()
    python = module_counts.install(folder, str(cloud.guests["python"]))
    reached = {**clouds.variables(cloud.guests)["all"], "ansible_python_interpreter": str(python), "drain_timeout": 60, "redeploy_timeout": 600}
    settings = {**environment(cloud, home), "ANSIBLE_FORKS": str(forks)}
    return Project(folder / "project", settings, {"all": reached, "maintenance_due": dict(drained)})


def rolled(cloud: clouds.Cloud, project: Project, due: list[str], log: Path) -> Found:
    """The pings, the first of which only opens the connections, then the rollout; SystemExit when either fails."""
    ping = ["ansible", "-i", INVENTORY, "maintenance_due", "-m", "ansible.builtin.ping"]
    pings = [timed(project, *ping) for dummy in range(1 + PINGS)][1:]
    began = time.time()
    watch = MarkWatch(cloud.sim.directory, due)
    watch.start()
    rollout = timed(project, *project.playbook_command("rolling_redeploy"), env={"ANSIBLE_LOG_PATH": str(log)})
    watch.stop()
    if cloud.posts() != dict.fromkeys(due, 1):
        raise SystemExit(f"not every VM was started once: {cloud.posts()}")
    cloud.check_distance()
    waves = run_log.play_began(log, "Redeploy wave by wave")
    state = cloud.sim.directory
    down = {write["name"]: (datetime.fromisoformat(write["end"]) - datetime.fromisoformat(write["start"])).total_seconds() for write in cloud.writes()}
    out = {name: seconds - down[name] for name, seconds in watch.seconds.items()}
    return Found(pings, rollout, module_counts.executions(state, due, began), module_counts.executions(state, due, waves), run_log.profile(log), out)


def timed(project: Project, *command: str, env: dict[str, str] | None = None) -> float:
    """Seconds of wall time of a command that must end with 0."""
    began = time.monotonic()
    run = project.run(*command, env=env, seconds=_SECONDS)
    seconds = time.monotonic() - began
    if run.rc:
        raise SystemExit(f"{command[0]} ended with {run.rc}:\n{run.out[-3000:]}\n{run.err[-1000:]}")
    return seconds


def preparation(found: Found) -> dict[str, list[str]]:
    """What ran on each guest before the first wave."""
    return {name: modules[:len(modules) - len(found.in_waves[name])] for name, modules in found.modules.items()}


if __name__ == "__main__":
    sys.exit(main())
