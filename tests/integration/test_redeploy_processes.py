# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of the module that are killed, terminated or interrupted: nothing is started twice, no outcome is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.forks import Fork, Forks
from simulator.server import Simulator

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
def runs(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "ANSIBLE_AZURE_", "ARM_"))}
    started = Forks("vm_redeploy", {**kept, **simulator.env()}, tmp_path_factory.mktemp("runs"))
    yield started
    started.close()


def order(simulator: Simulator, journal: Path, **more: Any) -> dict[str, Any]:
    ids = [vm.id for vm in simulator.fleet.vms.values()]
    return {"vms": ids, "journal": str(journal), "poll_interval": 1, "settle_seconds": 1, "timeout": 40, "retries": 0, **more}


def ended(run: Fork) -> tuple[int, dict[str, Any]]:
    """Exit status and result, empty when it left none."""
    status, out, dummy = run.finish()
    return status, json.loads(out) if out.strip() else {}


def executed(simulator: Simulator) -> Counter[str]:
    return Counter(entry["name"] for entry in simulator.ledger() if entry["operation_id"])


def finish(runs: Forks, simulator: Simulator, journal: Path) -> None:
    """Run again until all is done, as an operator would; every run tells of every VM."""
    for dummy in range(3):
        status, result = ended(runs.start(order(simulator, journal)))
        assert len(result["vms"]) == len(NAMES), "every outcome is told"
        # A set whose other members are still in motion, started by the run that was killed, is refused: that is right.
        if set(result["counts"]) <= {"succeeded", "already_done"}:
            assert status == 0
            return
        assert set(result["counts"]) <= {"succeeded", "already_done", "refused", "unknown", "still_running"}, result["msg"]
    raise AssertionError(result["msg"])


@pytest.mark.parametrize("points", [6, pytest.param(30, marks=pytest.mark.long)])
def test_killed_at_random_points_of_a_wave(simulator: Simulator, runs: Forks, tmp_path: Path, points: int) -> None:
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    print(f"seed {seed}")
    began, cut = time.monotonic(), 0
    for point in range(points):
        simulator.reset()
        journal = tmp_path / f"journal-{point}"
        run = runs.start(order(simulator, journal))
        run.signal(signal.SIGKILL, after=0.05 + 1.85 * (point + chance.random()) / points)
        status, dummy = ended(run)
        cut += status == -signal.SIGKILL
        finish(runs, simulator, journal)
        assert executed(simulator) == Counter(NAMES), f"seed {seed}, point {point}: each exactly once"
    print(f"{cut} of {points} runs were killed under way, {time.monotonic() - began:.0f} s")
    assert cut >= points // 2, "the points lie within the runs"


@pytest.mark.parametrize(("number", "after"), [(signal.SIGTERM, 0.4), (signal.SIGINT, 1.0), (signal.SIGTERM, 2.5)])
def test_terminated_or_interrupted(simulator: Simulator, runs: Forks, tmp_path: Path, number: int, after: float) -> None:
    """It stops starting, notes what it has begun, tells of every VM and ends soon; the next run attaches."""
    simulator.reset()
    for vm in simulator.fleet.vms.values():
        vm.state.operations = {"default": [{"after_seconds": 4}]}
    run = runs.start(order(simulator, tmp_path))
    run.signal(number, after)
    told = time.monotonic()
    status, result = ended(run)
    assert status == 1 and time.monotonic() - told < 5, "soon, and not by the signal"
    assert len(result["vms"]) == len(NAMES) and "interrupted" in json.dumps(result)
    begun = {vm["name"] for vm in result["vms"].values() if vm["outcome"] == "still_running"}
    assert begun == set(executed(simulator))
    entries = [json.loads(path.read_text())["attempts"][-1] for path in tmp_path.glob("vm-*.json")]
    assert len(entries) == len(begun) and all(entry["operation_url"] and entry["outcome"] is None for entry in entries)
    finish(runs, simulator, tmp_path)
    assert executed(simulator) == Counter(NAMES)


def test_a_second_signal_ends_it_at_once(simulator: Simulator, runs: Forks, tmp_path: Path) -> None:
    simulator.reset()
    simulator.world.faults.add([{"match": {"path": r"virtualMachines/vm-49\?", "count": 0}, "delay": 12.0}])
    run = runs.start(order(simulator, tmp_path))
    # Two that come before a busy machine has looked at the first are one, so there are more.
    for after in (1.0, 2.0, 3.0, 4.0):
        run.signal(signal.SIGTERM, after)
    assert ended(run)[0] == -signal.SIGTERM and time.monotonic() - run.began < 10, "long before the answer that it waited for"
    simulator.world.faults.clear()
    finish(runs, simulator, tmp_path)
    assert executed(simulator) == Counter(NAMES)
