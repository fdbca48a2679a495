# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules ad hoc: what they return, how they start once, and one clear line for bad input."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from integration.cli import Project
from integration.cloud import ALL, Cloud

GROUP = "/subscriptions/a1000000-0000-4000-8000-000000000001/resourceGroups/shop/providers/Microsoft.Compute"
WEB_1, WEB_2, WEB_4, DONE_1 = (f"{GROUP}/virtualMachines/{name}" for name in ("web-1", "web-2", "web-4", "done-1"))
QUICK = {"poll_interval": 1, "settle_seconds": 3, "timeout": 60}


def test_info_returns_records(arm: Cloud, arm_project: Project) -> None:
    rc, result = arm_project.module("vm_maintenance_info", {"query": "maintenance.state == 'startable'"}, "--check")
    assert rc == 0 and {vm["name"] for vm in result["vms"]} == set(ALL) and result["changed"] is False
    web = next(vm for vm in result["vms"] if vm["name"] == "web-1")
    assert web["update_domain"] == 0 and web["maintenance"]["allowed"] is True and web["paired_regions"] == ["northeurope"]
    assert result["counts"]["vms"] == len(arm.sim.fleet.vms) and arm.methods() == {"GET"}


def test_redeploy_starts_once(arm: Cloud, arm_project: Project) -> None:
    order = {"vms": [WEB_1.upper(), WEB_4], **QUICK}
    rc, would = arm_project.module("vm_redeploy", order, "--check")
    assert rc == 0 and would["counts"] == {"would_start": 2} and not arm.writes()
    rc, done = arm_project.module("vm_redeploy", order)
    assert rc == 0 and done["changed"] and {vm["outcome"] for vm in done["vms"].values()} == {"succeeded"}
    assert set(done["vms"]) == {WEB_1.upper(), WEB_4}
    rc, again = arm_project.module("vm_redeploy", order)
    assert rc == 0 and not again["changed"] and again["counts"] == {"already_done": 2}
    arm.check_ledger(["web-1", "web-4"])


def test_without_waiting_and_then_attached(arm: Cloud, arm_project: Project) -> None:
    rc, started = arm_project.module("vm_redeploy", {"vms": [WEB_1], "wait": False, **QUICK})
    assert rc == 0 and started["vms"][WEB_1]["outcome"] == "started"
    rc, ended = arm_project.module("vm_redeploy", {"vms": [WEB_1], **QUICK})
    assert rc == 0 and ended["vms"][WEB_1]["outcome"] in ("succeeded", "already_done")
    arm.check_ledger(["web-1"])


@pytest.mark.parametrize(("options", "said"), [
    ({"vms": []}, "vms is empty"),
    ({"vms": ["web-1"]}, "'web-1' is not an Azure resource id; expected /subscriptions/"),
    ({"vms": [f"{GROUP}/availabilitySets/web"]}, "is the id of a Microsoft.Compute/availabilitySets, not of a virtual machine"),
    ({"vms": [f"{WEB_1}-absent"]}, "web-1-absent: refused: there is no such VM"),
    ({"vms": [WEB_1], "accept": ["luck"]}, "Got no match for: luck"),
    ({"vms": [WEB_1], "max_unavailable": "some"}, "max_unavailable 'some' must be a count of VMs such as 2"),
    ({"vms": [WEB_1], "operation": "redeploy"}, "operation is redeploy but all of the following are missing: since"),
    ({"vms": [WEB_1], "operation": "redeploy", "since": "yesterday"}, "since 'yesterday' is not a time; write it as 2026-"),
    ({"vms": [WEB_1, WEB_2]}, "the VMs named span 2 update domains of one set (0: web-1; 1: web-2)"),
    ({"vms": [WEB_1], "journal": "/proc/nowhere"}, "the journal directory /proc/nowhere cannot be written"),
    ({"vms": [WEB_1], "secret": "wrong"}, "could not sign in: Authentication failed: AADSTS7000215"),
    ({"vms": [WEB_1], "auth_source": "magic"}, "value of auth_source must be one of"),
], ids=["empty", "name", "type", "absent", "hazard", "count", "since", "time", "domains", "journal", "secret", "source"])
def test_bad_input_is_one_clear_line(arm: Cloud, arm_project: Project, options: dict[str, Any], said: str) -> None:
    rc, result = arm_project.module("vm_redeploy", options)
    assert rc != 0 and said in result["msg"] and "\n" not in result["msg"]
    assert not arm.writes()


def test_a_missing_package_is_named_with_the_line_that_installs_it(arm_project: Project) -> None:
    bare = arm_project.folder / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    python = bare / "bin" / "python"
    rc, result = arm_project.module("vm_redeploy", {"vms": [WEB_1]}, "-e", f"ansible_python_interpreter={python}")
    packages = "azure-identity azure-mgmt-core jmespath"
    assert rc != 0 and result["msg"].startswith(f"missing Python package {packages.replace(' ', ', ')} in ")
    assert result["msg"].endswith(f"{python} -m pip install {packages}")
    arm_project.write("stub/azure/__init__.py", "")
    run = arm_project.inventory("--list", env={"PYTHONPATH": str(arm_project.folder / "stub")})
    assert run.rc != 0 and "missing Python package azure-identity, azure-mgmt-core in" in run.text
    assert "-m pip install azure-identity azure-mgmt-core" in run.text
