# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the redeploy role lets a guest approve: events of its own VM and of members of its own set that were started with it."""

from __future__ import annotations

from pathlib import Path

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

TASKS = Path(__file__).resolve().parents[3] / "roles" / "redeploy" / "tasks" / "approve.yml"
SHOP = "/subscriptions/s/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines"
OTHER = "/subscriptions/s/resourceGroups/shop-2/providers/Microsoft.Compute/virtualMachines"
POOL = "/subscriptions/s/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/pool/virtualMachines"


def vm(name, outcome="started"):
    return {"name": name, "outcome": outcome, "before": {"name": name}}


VMS = {
    f"{SHOP}/web-1": vm("web-1"), f"{SHOP.upper()}/web-2": vm("web-2"), f"{SHOP}/web-3": vm("web-3", "refused"), f"{OTHER}/web-4": vm("web-4"),
    f"{POOL}/3": vm("pool_3"), f"{SHOP}/lost": {"name": "lost", "outcome": "unknown", "before": None},
}


def render(expression: str, vm_id: str):
    variables = {"azure_vm_id": vm_id, "__redeploy_wave": {"vms": VMS}}
    return Templar(loader=DataLoader(), variables=variables).template(trust_as_template(expression))


def task(name: str):
    return next(task for task in yaml.safe_load(TASKS.read_text(encoding="utf-8")) if task["name"] == name)


def test_companions_were_started_too_and_are_of_the_same_set_or_group():
    companions = task("Approve this host's own event")["fleetops.azure_maintenance.scheduled_events_approve"]["companions"]
    assert render(companions, f"{SHOP}/web-1") == ["web-1", "web-2"], "a namesake of another group may be in an event of this one"
    assert render(companions, f"{POOL}/3") == ["pool_3"]


def test_what_the_hosts_were_like_is_remembered_for_all_of_them():
    remembered = task("Remember what the hosts were like")
    before = render(remembered["ansible.builtin.set_fact"]["__redeploy_before"], f"{SHOP}/web-1")
    assert remembered["run_once"] and before == {key: value["before"] for key, value in VMS.items()}
