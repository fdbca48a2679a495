# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Control path, saved state, restart, reset."""

from __future__ import annotations

import json
import time

import pytest


def test_patch_a_vm(arm):
    answer = arm.control(
        "POST", "vms/solo", {"power": "stopped", "agent": "not_ready", "allowed": False, "code": "RetryLater"}
    )
    assert answer["power"] == "stopped"
    view = arm.view("solo")
    assert view["statuses"][1]["code"] == "PowerState/stopped"
    assert view["vmAgent"]["statuses"][0]["displayStatus"] == "Not Ready"
    assert view["maintenanceRedeployStatus"]["lastOperationResultCode"] == "RetryLater"
    arm.control("POST", "vms/solo", {"wave": None, "provisioning": "failed/X", "tags": {"a": "b"}})
    assert "maintenanceRedeployStatus" not in arm.view("solo")
    assert arm.view("solo")["statuses"][0]["code"] == "ProvisioningState/failed/X"
    assert arm.get(arm.vm("solo"))["tags"] == {"a": "b"}


def test_a_new_transition_starts_with_its_first_attempt(arm):
    arm.post("solo", "redeploy")
    arm.control("POST", "vms/solo", {"operations": {"redeploy": ["failed", "completed"]}})
    assert [arm.poll(arm.post("solo", "redeploy"))["status"] for dummy in range(2)] == ["Failed", "Succeeded"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "vms/nope", {}, 400),
        ("POST", "vms/solo", {"colour": "red"}, 400),
        ("POST", "vms/solo", {"wave": "nope"}, 400),
        ("POST", "clock", {"advance": "soon"}, 400),
        ("POST", "faults", {"match": {}}, 400),
        ("GET", "nothing", None, 404),
    ],
)
def test_wrong_control_requests(arm, method, path, body, status):
    answer = arm.raw(method, f"/_sim/{path}", json.dumps(body).encode())
    assert answer[0] == status and answer[2]["error"]["message"]


def test_clock(arm):
    before = arm.control("GET", "clock")["now"]
    assert arm.control("POST", "clock", {"advance": "1d"})["now"] > before
    assert arm.control("POST", "clock", {"set": "2030-01-02T03:04:05Z"})["now"].startswith("2030-01-02T03:04:05")
    assert arm.control("POST", "clock", {"seconds": -5})["now"].startswith("2030-01-02T03:04:00")
    assert arm.call("GET", arm.vm("solo"))[1]["date"].startswith("Wed, 02 Jan 2030")


def test_a_declared_clock(run, small):
    arm = run(small | {"clock": "2026-03-02T10:00:00Z"})
    assert arm.control("GET", "clock")["now"].startswith("2026-03-02T10:00:0")
    block = arm.view("solo")["maintenanceRedeployStatus"]
    assert block["preMaintenanceWindowStartTime"] == "2026-02-28T10:00:00+00:00"


def test_operations_end_while_nobody_asks(run, small):
    arm = run(small | {"operations": {"default": {"after_seconds": 0.2}}})
    arm.post("solo")
    path = arm.simulator.directory / "ledger.json"
    for dummy in range(40):
        with arm.simulator.world.engine.changed:
            arm.simulator.world.engine.changed.wait(0.05)
        saved = json.loads(path.read_text(encoding="utf-8"))
        if saved[0]["end"]:
            break
    assert saved[0]["outcome"] == "completed"


def test_saved_after_every_write_and_taken_over(run, small):
    fleet = small | {"operations": {"default": {"after_polls": 1}}}
    arm = run(fleet)
    first = arm.post("solo")
    assert [arm.poll(first)["status"] for dummy in range(2)] == ["InProgress", "Succeeded"]
    answer = arm.post("app-0")
    arm.control("POST", "vms/calm", {"agent": "not_ready"})
    arm.control("POST", "clock", {"advance": "2h"})
    url, now = arm.simulator.url, arm.control("GET", "clock")["now"]
    for dummy in range(100):  # on a machine that is busy, saving is slow and so waits
        saved = json.loads((arm.simulator.directory / "ledger.json").read_text(encoding="utf-8"))
        if len(saved) == 2:
            break
        time.sleep(0.05)
    assert [entry["name"] for entry in saved] == ["solo", "app-0"]
    before = arm.view("solo")["maintenanceRedeployStatus"]
    token = arm.token
    arm.simulator.stop()

    again = run(fleet)
    again.token = token
    assert again.simulator.url == url
    assert again.control("GET", "clock")["now"] >= now
    assert again.view("solo")["maintenanceRedeployStatus"] == before
    assert again.view("calm")["vmAgent"]["statuses"][0]["displayStatus"] == "Not Ready"
    assert [again.poll(answer)["status"] for dummy in range(2)] == ["InProgress", "Succeeded"]
    assert [entry["name"] for entry in again.simulator.ledger()] == ["solo", "app-0"]


@pytest.mark.parametrize("how", ["fresh", "other fleet"])
def test_not_taken_over(run, small, how):
    arm = run(small)
    arm.post("solo")
    arm.simulator.stop()
    again = run(small, fresh=True) if how == "fresh" else run(small | {"page_size": 3})
    assert again.simulator.ledger() == []
    assert again.view("solo")["maintenanceRedeployStatus"]["lastOperationResultCode"] == "None"


def test_reset(arm):
    arm.post("solo")
    arm.control("POST", "faults", {"match": {"path": "nowhere"}, "status": 500})
    arm.control("POST", "clock", {"advance": "1d"})
    arm.control("POST", "reset", {})
    assert arm.control("GET", "ledger") == [] and arm.control("GET", "faults") == []
    assert arm.view("solo")["maintenanceRedeployStatus"]["lastOperationResultCode"] == "None"
    assert arm.post("solo")[0] == 202


def test_environment(arm):
    env = arm.simulator.env()
    assert env["AZURE_CLOUD_ENVIRONMENT"] == env["AZURE_AUTHORITY_HOST"] == arm.simulator.url
    assert env["REQUESTS_CA_BUNDLE"] == env["SSL_CERT_FILE"] == str(arm.simulator.ca)
    assert env["AZURE_SUBSCRIPTION_ID"] == arm.subscription
    assert f"export AZURE_CLIENT_ID={env['AZURE_CLIENT_ID']}\n" in arm.simulator.env_text()
