# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""azure-mgmt-compute reads a uniform scale set and moves one of its instances, unchanged."""

from __future__ import annotations

import pytest
from integration.cli import ROOT
from integration.clients.venvs import Client
from simulator.server import Simulator

PROGRAM = ROOT / "tests" / "integration" / "clients" / "sdk_scale_sets.py"


def test_a_scale_set(simulator: Simulator, sdk: Client, tmp_path_factory: pytest.TempPathFactory) -> None:
    simulator.reset()
    run = sdk.run("python", str(PROGRAM), "pool", home=tmp_path_factory.mktemp("sdk"), env=simulator.env())
    assert run.rc == 0, run.text
    answer = run.json()
    assert answer["sets"] == {"pool": 3} and answer["mode"] == "Uniform"
    assert answer["bare"] == ["pool_0", "pool_1", "pool_2"]
    assert {number: seen["domain"] for number, seen in answer["instances"].items()} == {"0": 0, "1": 1, "2": 0}
    assert all(seen["maintenance"]["allowed"] for seen in answer["instances"].values())
    assert answer["status"] == "Succeeded"
    assert answer["after"]["maintenance"]["code"] == "MaintenanceCompleted"
    assert answer["after"]["maintenance"]["allowed"] is False
    assert answer["refused"] == [409, "OperationNotAllowed"]
    assert [(write["name"], write["outcome"], write["via"]) for write in simulator.ledger()] == [
        ("pool_1", "completed", "vm"), ("pool_1", "refused", "vm"),
    ]
