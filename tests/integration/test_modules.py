# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules through ansible: what they return, how they start once, and one clear line for bad input."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from integration.cli import Project
from integration.cloud import ALL, Cloud

GROUP = "/subscriptions/a1000000-0000-4000-8000-000000000001/resourceGroups/shop/providers/Microsoft.Compute"
WEB_1, WEB_2, WEB_4, SOLO_1 = (f"{GROUP}/virtualMachines/{name}" for name in ("web-1", "web-2", "web-4", "solo-1"))
REDEPLOY = "fleetops.azure_maintenance.vm_redeploy"
QUICK = {"poll_interval": 1, "settle_seconds": 3, "timeout": 60}


def test_info_returns_records(arm: Cloud, arm_project: Project) -> None:
    rc, result = arm_project.module("vm_maintenance_info", {"query": "maintenance.state == 'startable'"}, "--check")
    assert rc == 0 and {vm["name"] for vm in result["vms"]} == set(ALL) and result["changed"] is False
    web = next(vm for vm in result["vms"] if vm["name"] == "web-1")
    assert web["update_domain"] == 0 and web["maintenance"]["allowed"] is True and web["paired_regions"] == ["northeurope"]
    assert result["counts"]["vms"] == len(arm.sim.fleet.vms) and arm.methods() == {"GET"}


def test_redeploy_starts_once_and_attaches_to_what_it_did_not_wait_for(arm: Cloud, arm_project: Project) -> None:
    """In one play: forecast, done, again; and another set's VM without waiting, and then attached."""
    order, other = {"vms": [WEB_1.upper(), WEB_4], **QUICK}, {"vms": [SOLO_1], **QUICK}
    steps = {"would": {"check_mode": True, REDEPLOY: order}, "done": {REDEPLOY: order}, "again": {REDEPLOY: order},
             "started": {REDEPLOY: {**other, "wait": False}}, "ended": {REDEPLOY: other}}
    told = arm_project.play(steps)[1]
    assert told["would"]["counts"] == {"would_start": 2}
    assert told["done"]["changed"] and {vm["outcome"] for vm in told["done"]["vms"].values()} == {"succeeded"}
    assert set(told["done"]["vms"]) == {WEB_1.upper(), WEB_4}
    assert not told["again"]["changed"] and told["again"]["counts"] == {"already_done": 2}
    assert told["started"]["vms"][SOLO_1]["outcome"] == "started" and told["ended"]["vms"][SOLO_1]["outcome"] in ("succeeded", "already_done")
    arm.check_ledger(["web-1", "web-4", "solo-1"])


@pytest.mark.parametrize(("options", "said"), [
    ({"vms": [WEB_1, WEB_2]}, "the VMs named span 2 update domains of one set (0: web-1; 1: web-2)"),
    pytest.param({"vms": [WEB_1], "accept": ["luck"]}, "Got no match for: luck", marks=pytest.mark.long),
], ids=["by the guards", "by ansible-core"])
def test_bad_input_is_one_clear_line(arm: Cloud, arm_project: Project, options: dict[str, Any], said: str) -> None:
    """All that can be wrong is with the module's unit tests; a result that ansible shows is one line all the same."""
    rc, result = arm_project.module("vm_redeploy", options)
    assert rc != 0 and said in result["msg"] and "\n" not in result["msg"]
    assert not arm.writes()


def test_a_missing_package_is_named_with_the_line_that_installs_it(arm_project: Project) -> None:
    bare = arm_project.folder / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    python = bare / "bin" / "python"
    rc, result = arm_project.module("vm_redeploy", {"vms": [WEB_1]}, "-e", f"ansible_python_interpreter={python}")
    packages = "azure-identity azure-mgmt-compute jmespath"
    assert rc != 0 and result["msg"].startswith(f"missing Python package {packages.replace(' ', ', ')} in ")
    assert result["msg"].endswith(f"{python} -m pip install {packages}")
    arm_project.write("stub/azure/__init__.py", "")
    run = arm_project.inventory("--list", env={"PYTHONPATH": str(arm_project.folder / "stub")})
    assert run.rc != 0 and "missing Python package azure-identity, azure-mgmt-compute in" in run.text
    assert "-m pip install azure-identity azure-mgmt-compute" in run.text
