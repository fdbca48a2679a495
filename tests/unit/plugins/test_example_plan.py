# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example in docs/planning.md is what the planner makes of the demo fleet today.

After a change that is meant, `UPDATE_EXAMPLE=1 pytest` on this file writes it anew; read the difference.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from pathlib import Path

import pytest
import yaml
from unit.plugins.cloud import Cloud

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._fleet.fleet import Selection, read_fleet
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout import plan_file
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.planner import plan
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.policy import Policy
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.table import render

ROOT = Path(__file__).resolve().parents[3]
GUIDE, FROZEN = ROOT / "docs" / "planning.md", ROOT / "docs" / "example-plan.json"
COMMAND = ("ansible-playbook -i prod.azure_maintenance.yml fleetops.azure_maintenance.rolling_redeploy"
           " -e rollout_plan_file=.azure_maintenance/plan.json")


def block(language: str, text: str, beginning: str) -> re.Match[str]:
    """The one fenced block of the guide that begins like this."""
    found = [match for match in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) if match[1].startswith(beginning)]
    assert len(found) == 1, f"{len(found)} blocks of {GUIDE.name} begin with {beginning!r}"
    return found[0]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory):
    """The plan of the demo fleet, on a fixed day, by the policy that the guide shows."""
    demo = yaml.safe_load((ROOT / "tests" / "simulator" / "fleets" / "demo.yml").read_text(encoding="utf-8"))
    # Guests and their metadata services play no part, and so may not be started: the ports of the latter are fixed.
    del demo["imds"]
    for vm in (demo["defaults"], *demo["vms"]):
        vm.pop("guest", None)
    cloud = Cloud({**demo, "clock": "2026-03-06T17:00:00Z"}, tmp_path_factory.mktemp("demo"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(cloud.simulator.ca))
        cloud.begin(tmp_path_factory.mktemp("journal"))
        fleet = read_fleet(cloud.arm(), Selection(subscriptions=[demo["subscriptions"][0]["id"]]))
    cloud.simulator.stop()
    options = yaml.safe_load(block("yaml", GUIDE.read_text(encoding="utf-8"), "# group_vars/all.yml")[1])
    policy = Policy.from_options({name.removeprefix("rollout_"): value for name, value in options.items()})
    made = plan([vm.with_host(vm.name) for vm in fleet.vms], policy, fleet.now.replace(minute=0, second=0, microsecond=0))
    return dataclasses.replace(made, subscriptions=(demo["subscriptions"][0]["id"],))


def test_the_frozen_plan_is_today_s(example):
    made = json.dumps(plan_file.to_json(example), indent=1) + "\n"
    if os.environ.get("UPDATE_EXAMPLE"):
        FROZEN.write_text(made, encoding="utf-8")
    assert made == FROZEN.read_text(encoding="utf-8")
    assert plan_file.from_json(json.loads(made)) == example


def test_the_guide_shows_its_table(example):
    table, text = render(plan_file.to_json(example), command=COMMAND), GUIDE.read_text(encoding="utf-8")
    shown = block("text", text, "Plan for")
    if os.environ.get("UPDATE_EXAMPLE"):
        text = text[:shown.start(1)] + table + text[shown.end(1):]
        GUIDE.write_text(text, encoding="utf-8")
        shown = block("text", text, "Plan for")
    assert shown[1] == table
