# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of the module that are killed, terminated or interrupted: nothing is started twice, no outcome is lost."""

from __future__ import annotations

import json
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.redeploy_process import Runs
from simulator.server import Simulator

POINTS = 30
NAMES = [f"vm-{number:02}" for number in range(50)]
# Forty VMs alone, ten in two sets of one update domain each.
FLEET: dict[str, Any] = {
    "waves": {"now": {"self_service": {"start": "-2d", "end": "+28d"}, "scheduled": {"start": "+30d", "end": "+37d"}}},
    "regions": {"westeurope": {}},
    "agent_after_seconds": 0,
    "availability_sets": [{"name": f"set-{number}", "resource_group": "shop", "region": "westeurope", "update_domains": 2} for number in range(2)],
    "defaults": {"resource_group": "shop", "region": "westeurope", "wave": "now"},
    "operations": {"default": {"after_seconds": 0.4}},
    "vms": [{"name": name, **({"availability_set": f"set-{at % 2}", "update_domain": 0} if at < 10 else {})} for at, name in enumerate(NAMES)],
}


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator(FLEET, tmp_path_factory.mktemp("azure")) as running:
        yield running


@pytest.fixture(scope="module")
def runs(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    started = Runs(simulator.env(), tmp_path_factory.mktemp("runs"))
    yield started
    started.close()


def order(simulator: Simulator, journal: Path, **more: Any) -> dict[str, Any]:
    ids = [vm.id for vm in simulator.fleet.vms.values()]
    return {"vms": ids, "journal": str(journal), "poll_interval": 1, "settle_seconds": 1, "timeout": 40, "retries": 0, **more}


def executed(simulator: Simulator) -> Counter[str]:
    return Counter(entry["name"] for entry in simulator.ledger() if entry["operation_id"])


def finish(runs: Runs, simulator: Simulator, journal: Path) -> None:
    """Run again until all is done, as an operator would; every run tells of every VM."""
    for dummy in range(3):
        status, result = runs.start(order(simulator, journal)).finish()
        assert len(result["vms"]) == len(NAMES), "every outcome is told"
        # A set whose other members are still in motion, started by the run that was killed, is refused: that is right.
        if set(result["counts"]) <= {"succeeded", "already_done"}:
            assert status == 0
            return
        assert set(result["counts"]) <= {"succeeded", "already_done", "refused", "unknown", "still_running"}, result["msg"]
    raise AssertionError(result["msg"])


def test_killed_at_random_points_of_a_wave(simulator: Simulator, runs: Runs, tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    print(f"seed {seed}")
    began, cut = time.monotonic(), 0
    for point in range(POINTS):
        simulator.reset()
        journal = tmp_path / f"journal-{point}"
        run = runs.start(order(simulator, journal))
        run.signal(signal.SIGKILL, after=chance.uniform(0.05, 1.9))
        status, dummy = run.finish()
        cut += status == -signal.SIGKILL
        finish(runs, simulator, journal)
        assert executed(simulator) == Counter(NAMES), f"seed {seed}, point {point}: each exactly once"
    print(f"{cut} of {POINTS} runs were killed under way, {time.monotonic() - began:.0f} s")
    assert cut >= POINTS // 2, "the points lie within the runs"


@pytest.mark.parametrize(("number", "after"), [(signal.SIGTERM, 0.4), (signal.SIGINT, 1.0), (signal.SIGTERM, 2.5)])
def test_terminated_or_interrupted(simulator: Simulator, runs: Runs, tmp_path: Path, number: int, after: float) -> None:
    """It stops starting, notes what it has begun, tells of every VM and ends soon; the next run attaches."""
    simulator.reset()
    for vm in simulator.fleet.vms.values():
        vm.state.operations = {"default": [{"after_seconds": 4}]}
    run = runs.start(order(simulator, tmp_path))
    run.signal(number, after)
    told = time.monotonic()
    status, result = run.finish()
    assert status == 1 and time.monotonic() - told < 5, "soon, and not by the signal"
    assert len(result["vms"]) == len(NAMES) and "interrupted" in json.dumps(result)
    begun = {vm["name"] for vm in result["vms"].values() if vm["outcome"] == "still_running"}
    assert begun == set(executed(simulator))
    entries = [json.loads(path.read_text())["attempts"][-1] for path in tmp_path.glob("vm-*.json")]
    assert len(entries) == len(begun) and all(entry["operation_url"] and entry["outcome"] is None for entry in entries)
    finish(runs, simulator, tmp_path)
    assert executed(simulator) == Counter(NAMES)


def test_a_second_signal_ends_it_at_once(simulator: Simulator, runs: Runs, tmp_path: Path) -> None:
    simulator.reset()
    simulator.world.faults.add([{"match": {"path": r"virtualMachines/vm-49\?", "count": 0}, "delay": 5.0}])
    run = runs.start(order(simulator, tmp_path))
    run.signal(signal.SIGTERM, 1.0)
    run.signal(signal.SIGTERM, 1.2)
    assert run.finish()[0] == -signal.SIGTERM and time.monotonic() - run.began < 4
    simulator.world.faults.clear()
    finish(runs, simulator, tmp_path)
    assert executed(simulator) == Counter(NAMES)
