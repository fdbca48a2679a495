# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options failed and error_budget of rollout_recheck, the whole module in this process."""

from __future__ import annotations

import json

import pytest
from unit.plugins.marks import run_module

from ansible_collections.fleetops.azure_maintenance.plugins.modules import rollout_plan, rollout_recheck

NAMES = ("web-0a", "web-0b", "web-1", "solo")


@pytest.fixture
def execute(cloud, capsys):
    def run(code=0, module=rollout_plan, **params):
        return run_module(module, capsys, code, **{"hosts": {name: cloud.id(name) for name in NAMES}, **cloud.options(), **params})

    return run


@pytest.fixture
def second(execute, tmp_path):
    """The module, asked about the second of two waves, which is web-1 alone; solo, web-0a and web-0b are in the first."""
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(execute()["plan"]), encoding="utf-8")
    return lambda **params: execute(module=rollout_recheck, plan_file=str(path), wave=2, **params)


def test_without_failures_the_wave_goes(second):
    result = second(error_budget=0)
    assert (result["stop"], result["go"], result["left_out"], result["not_before"]) == (None, ["web-1"], {}, None)


@pytest.mark.parametrize("budget, stops", [(0, True), ("0", True), (1, False), ("25%", False), ("24%", True), ({"overall": 1}, False), ({"per_set": 5}, True)])
def test_a_failed_host_eats_the_budget_also_when_it_is_in_service_again(second, cloud, budget, stops):
    failed = [cloud.id("solo").upper().replace("/SUBSCRIPTIONS/", "/subscriptions/")]
    result = second(failed=failed, error_budget=budget)
    assert (result["go"], result["left_out"]) == ([] if stops else ["web-1"], {})
    assert (result["stop"] or "").startswith("solo failed, and rollout_error_budget is" if stops else "")
    assert (result["stop"] is None) is not stops


def test_what_one_set_may_lose(second, cloud):
    failed = [cloud.id("web-0a"), cloud.id("solo")]
    result = second(failed=failed, error_budget={"overall": 2, "per_set": 0})
    assert result["stop"] is None and result["go"] == [] and "web-0a failed, and rollout_error_budget.per_set is 0" in result["left_out"]["web-1"]
    assert second(failed=failed, error_budget={"overall": 2, "per_set": 1})["go"] == ["web-1"]


@pytest.mark.parametrize("budget, words", [
    ("some", "rollout_error_budget 'some' must be a count of VMs such as 2, or a percentage"),
    ({"overall": "200%"}, "rollout_error_budget.overall '200%' must be a count"), ({"per_region": 1}, "rollout_error_budget has no per_region")])
@pytest.mark.parametrize("wave", [None, 1])
def test_a_budget_that_is_not_understood_is_refused_before_anything_is_read(execute, cloud, tmp_path, budget, words, wave):
    result = execute(1, error_budget=budget, **({"plan_file": str(tmp_path / "none.json"), "wave": wave, "module": rollout_recheck} if wave else {}))
    assert words in result["msg"] and "none.json" not in result["msg"]


def test_an_id_that_is_none_is_refused(second):
    result = second(code=1, failed=["web-0a"], error_budget=1)
    assert "web-0a" in result["msg"]
