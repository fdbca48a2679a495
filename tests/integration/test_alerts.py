# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module maintenance_alert through real ansible runs: created once, changed, removed, its secrets printed nowhere."""

from __future__ import annotations

import json
from typing import Any

ALERT = {"name": "vm-maint", "resource_group": "shop", "regions": ["westeurope", "Global"], "emails": ["OnCall@example.org", "b@example.org"],
         "webhooks": [{"name": "eda", "url": "https://hooks.example.org/in?code=s3cret"}], "arm_roles": ["owner"]}


REFUSED = {"Code": "WebhookReceiverServiceUriIsInvalid", "Message": "https://hooks.example.org/in?code=s3cret is refused"}


def alert(**more: Any) -> dict[str, Any]:
    """A task of the module; what is not an option of it is for the task."""
    task = {key: more.pop(key) for key in ("check_mode", "ignore_errors") if key in more}
    return {"fleetops.azure_maintenance.maintenance_alert": {**ALERT, **more}, **task}


def test_the_life_of_an_alert(arm, arm_project):
    """Refused at first, in Azure's own words; then created, changed and removed."""
    reordered = {"emails": ["B@example.org", "oncall@example.org"], "regions": ["global", "West Europe"],
                 "services": ["virtual machine scale sets", "Virtual Machines"]}
    arm.faults({"match": {"method": "PUT", "path": "actionGroups", "nth": 1, "count": 1}, "status": 400, "body": REFUSED})
    steps = [alert(check_mode=True), alert(), alert(), alert(**reordered), alert(emails=None, description="other"),
             alert(state="absent", check_mode=True), alert(state="absent"), alert(state="absent")]
    tasks = {"refused": alert(ignore_errors=True), **{f"step_{number}": step for number, step in enumerate(steps)}}
    run, results = arm_project.play(tasks, "--diff", "-vvv")
    refused = results["refused"]
    assert refused["failed"] and "could not write the action group vm-maint: HTTP 400 WebhookReceiverServiceUriIsInvalid" in refused["msg"]
    assert "s3cret" not in json.dumps(results)
    create = ["create action group vm-maint", "create alert vm-maint"]
    delete = ["delete alert vm-maint", "delete action group vm-maint"]
    assert [results[f"step_{n}"]["actions"] for n in range(8)] == [create, create, [], [], ["update alert vm-maint"], delete, delete, []]
    assert [results[f"step_{n}"]["changed"] for n in range(8)] == [True, True, False, False, True, True, True, False]
    assert [(w["method"], w["name"], w["outcome"]) for w in arm.writes()] == [
        ("PUT", "vm-maint", "refused"),
        ("PUT", "vm-maint", "created"), ("PUT", "vm-maint", "created"), ("PUT", "vm-maint", "updated"),
        ("DELETE", "vm-maint", "deleted"), ("DELETE", "vm-maint", "deleted")]
    assert arm.sim.world.insights == {}
    assert "s3cret" not in run.out + run.err and "hooks.example.org" not in run.text, "webhook URLs are never printed"
    assert "oncall@example.org" in run.text and "(hidden)" in run.text, "the diff shows who is told"
