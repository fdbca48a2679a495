# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module maintenance_alert through real ansible runs: created once, changed, removed, its secrets printed nowhere."""

from __future__ import annotations

import json
from typing import Any

ALERT = {"name": "vm-maint", "resource_group": "shop", "regions": ["westeurope", "Global"], "emails": ["OnCall@example.org", "b@example.org"],
         "webhooks": [{"name": "eda", "url": "https://hooks.example.org/in?code=s3cret"}], "arm_roles": ["owner"]}


def play(project, *tasks: dict[str, Any], arguments: tuple[str, ...] = ()) -> tuple[Any, dict[str, Any]]:
    """Run tasks in one playbook; the run, and the results by name of the task."""
    steps = [{"name": f"step {number}", "fleetops.azure_maintenance.maintenance_alert": {**ALERT, **task.get("options", {})},
              **{key: value for key, value in task.items() if key != "options"}, "register": f"step_{number}"} for number, task in enumerate(tasks)]
    names = [f"step_{number}" for number in range(len(tasks))]
    keep = {"name": "keep", "ansible.builtin.copy": {"dest": "{{ playbook_dir }}/results.json", "mode": "0600", "content": "{{ kept | to_json }}"},
            "vars": {"kept": "{{ {%s} }}" % ", ".join(f"'{name}': {name}" for name in names)}, "check_mode": False, "diff": False}
    project.write("site.yml", [{"hosts": "localhost", "gather_facts": False, "tasks": [*steps, keep]}])
    run = project.run("ansible-playbook", "site.yml", *arguments)
    assert run.rc == 0, run.text
    return run, json.loads((project.folder / "results.json").read_text(encoding="utf-8"))


def test_the_life_of_an_alert(arm, arm_project):
    reordered = {"emails": ["B@example.org", "oncall@example.org"], "regions": ["global", "West Europe"],
                 "services": ["virtual machine scale sets", "Virtual Machines"]}
    run, results = play(
        arm_project, {"check_mode": True}, {}, {}, {"options": reordered}, {"options": {"emails": None, "description": "other"}},
        {"options": {"state": "absent"}, "check_mode": True}, {"options": {"state": "absent"}}, {"options": {"state": "absent"}},
        arguments=("--diff", "-vvv"))
    create = ["create action group vm-maint", "create alert vm-maint"]
    delete = ["delete alert vm-maint", "delete action group vm-maint"]
    assert [results[f"step_{n}"]["actions"] for n in range(8)] == [create, create, [], [], ["update alert vm-maint"], delete, delete, []]
    assert [results[f"step_{n}"]["changed"] for n in range(8)] == [True, True, False, False, True, True, True, False]
    assert [(w["method"], w["name"], w["outcome"]) for w in arm.writes()] == [
        ("PUT", "vm-maint", "created"), ("PUT", "vm-maint", "created"), ("PUT", "vm-maint", "updated"),
        ("DELETE", "vm-maint", "deleted"), ("DELETE", "vm-maint", "deleted")]
    assert arm.sim.world.insights == {}
    assert "s3cret" not in run.out + run.err and "hooks.example.org" not in run.text, "webhook URLs are never printed"
    assert "oncall@example.org" in run.text and "(hidden)" in run.text, "the diff shows who is told"


def test_azures_own_words_about_a_refused_write(arm, arm_project):
    body = {"Code": "WebhookReceiverServiceUriIsInvalid", "Message": "https://hooks.example.org/in?code=s3cret is refused"}
    arm.faults({"match": {"method": "PUT", "path": "actionGroups", "nth": 1, "count": 0}, "status": 400, "body": body})
    rc, result = arm_project.module("maintenance_alert", ALERT)
    assert rc and "could not write the action group vm-maint: HTTP 400 WebhookReceiverServiceUriIsInvalid" in result["msg"]
    assert "s3cret" not in json.dumps(result)
