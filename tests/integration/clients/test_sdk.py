# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""azure-mgmt-compute, in the version azure.azcollection asks for and in the newest, reads and redeploys unchanged."""

from __future__ import annotations

from typing import Any

import pytest
from integration.cli import ROOT
from integration.clients.venvs import Client
from simulator.server import Simulator

PROGRAM = ROOT / "tests" / "integration" / "clients" / "sdk_program.py"
MAINTENANCE = "/virtualMachines/app-0/performMaintenance?"
REFUSED = "/virtualMachines/calm/performMaintenance?"


@pytest.fixture(scope="module")
def answer(simulator: Simulator, sdk: Client, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the program printed, against the fleet as on the first day."""
    simulator.reset()
    run = sdk.run("python", str(PROGRAM), "app-0", "calm", home=tmp_path_factory.mktemp("sdk"), env=simulator.env())
    assert run.rc == 0, run.text
    return run.json()


def test_it_lists_every_vm_and_its_status(answer: dict[str, Any], simulator: Simulator) -> None:
    assert answer["all"] == dict.fromkeys(["app-0", "app-1", "solo", "calm", "later", "idle"], "westeurope")
    status = answer["status_only"]
    assert set(status) == set(answer["all"])
    assert [status[name]["domain"] for name in ("app-0", "app-1")] == [0, 1]
    assert status["app-0"]["maintenance"]["allowed"] is True
    assert status["later"]["maintenance"]["allowed"] is False
    assert status["calm"]["maintenance"] is None
    assert "PowerState/deallocated" in status["idle"]["codes"]
    pages = [request["path"] for request in simulator.requests() if "/virtualMachines?" in request["path"]]
    assert len(pages) == 6 and sum("statusOnly=true" in page for page in pages) == 3


def test_it_follows_a_redeploy_to_its_end(answer: dict[str, Any], simulator: Simulator) -> None:
    assert answer["status"] == "Succeeded"
    before, after = answer["before"], answer["after"]
    assert "PowerState/running" in before["codes"] and "PowerState/running" in after["codes"]
    assert before["agent"] == "Ready"
    assert before["maintenance"]["allowed"] is True and after["maintenance"]["allowed"] is False
    assert after["maintenance"]["code"] == "MaintenanceCompleted"
    assert after["maintenance"]["window"] == before["maintenance"]["window"]
    requests = simulator.requests()
    assert [request["status"] for request in requests if MAINTENANCE in request["path"]] == [202]
    assert sum("/operations/" in request["path"] for request in requests) >= 3
    write = simulator.ledger()[0]
    assert (write["name"], write["operation"], write["outcome"]) == ("app-0", "performMaintenance", "completed")
    assert write["down"] and write["caller"] == simulator.fleet.credentials[0]["client_id"]


def test_it_is_told_why_a_vm_is_not_redeployed(answer: dict[str, Any], simulator: Simulator) -> None:
    refused = answer["refused"]
    assert (refused["type"], refused["status"], refused["code"]) == ("ResourceExistsError", 409, "OperationNotAllowed")
    assert "'calm'" in refused["message"] and "not eligible" in refused["message"]
    assert [(write["name"], write["status"]) for write in simulator.ledger()] == [("app-0", 202), ("calm", 409)]
    [failed] = [request["path"] for request in simulator.requests() if request["status"] >= 400]
    assert REFUSED in failed
