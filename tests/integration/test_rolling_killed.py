# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller is killed at random moments, and another one, with a directory of its own, goes on each time."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from integration import cloud as clouds
from integration.cli import Project, Run, Running
from integration.cloud import Cloud
from integration.conftest import environment

KILLS = 20
VMS = ("web-1", "web-4", "web-2")
"""Two waves of one set behind a balancer."""
QUICK = {"redeploy_settle_seconds": 3, "verify_timeout": 40}


def controllers(cloud: Cloud, folder: Path, home: Path) -> Iterator[Project]:
    """Two controllers in turn, that share nothing but the fleet."""
    settings = clouds.variables(cloud.guests)
    settings["all"] |= QUICK
    made = [Project(folder / name, environment(cloud, home), settings) for name in ("one", "two")]
    return cycle(made)


def tasks_begun(running: Running) -> int:
    """How many tasks the run has begun."""
    return running.out.count("\nTASK [")


def kill_at(running: Running, task: int, delay: float) -> bool:
    """Kill the run some time into its n-th task; False when it ended before."""
    while tasks_begun(running) < task:
        if running.process.poll() is not None:
            return False
        time.sleep(0.02)
    time.sleep(delay)
    if running.process.poll() is not None:
        return False
    running.kill()
    return True


def check_whole(cloud: Cloud, run: Run) -> None:
    """Every VM was redeployed once, nothing is drained, and no guest carries a mark."""
    assert run.rc == 0, run.out[-6000:]
    cloud.check_ledger(VMS)
    cloud.all_in_service()
    assert "azure_maintenance_drained" not in cloud.ssh("lb-1", "ls /etc/ansible/facts.d 2>/dev/null || true")


@pytest.mark.long
def test_killed_at_random_moments_and_finished_from_elsewhere(cloud: Cloud, tmp_path: Path, home: Path, record_property: Callable[[str, Any], None]) -> None:
    """A run until it is killed, the next one from the other directory; once one gets through, all starts over on a fresh fleet."""
    seed = int(os.environ.get("KILL_SEED", random.randrange(10**6)))
    record_property("seed", seed)
    print(f"KILL_SEED={seed}")
    chance = random.Random(seed)
    turns = controllers(cloud, tmp_path, home)
    cloud.reset(VMS)
    whole = next(turns).playbook("rolling_redeploy")
    check_whole(cloud, whole)
    total = len(whole.tasks())
    # The last kills fall on a fleet that is nearly done: its runs are short, and so they are counted only when they were cut off.
    kills = 0
    cloud.reset(VMS)
    while kills < KILLS:
        project = next(turns)
        running = project.start_playbook("rolling_redeploy")
        if kill_at(running, chance.randrange(5, total), chance.uniform(0, 0.4)):
            kills += 1
            cloud.check_distance()
            assert all(count == 1 for count in cloud.posts().values()), cloud.writes()
            continue
        check_whole(cloud, running.finish())
        cloud.reset(VMS)
    # Each of the two has copies of marks that the other one finished; both must come to know that.
    for project in (next(turns), next(turns)):
        last = project.playbook("rolling_redeploy")
        assert last.rc == 0, last.out[-6000:]
        assert project.marks() == [], last.out[-3000:]
    check_whole(cloud, last)
