# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole module in this process: a new plan, a reviewed one, what it learns from a report; and beside it rollout_recheck, for one wave of it."""

from __future__ import annotations

import functools
import json

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from unit.plugins.cloud import OTHER, SUBSCRIPTION

from ansible_collections.fleetops.azure_maintenance.plugins.modules import rollout_plan, rollout_recheck

NAMES = ("web-0a", "web-0b", "web-1", "solo")


@pytest.fixture
def execute(cloud, capsys):
    """Run the module, or another one: (exit code, result)."""

    def run(*names, module=rollout_plan, **params):
        hosts = {name: cloud.id(name) for name in names or NAMES}
        given = {"hosts": hosts, **cloud.options(), **params}
        with patch_module_args(given), pytest.raises(SystemExit) as ended:
            module.main()
        return ended.value.code, json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def recheck(execute):
    """Run the module rollout_recheck: (exit code, result)."""
    return functools.partial(execute, module=rollout_recheck)


@pytest.fixture
def reviewed(execute, tmp_path):
    """A plan of all, written to a file: its path."""
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(execute()[1]["plan"]), encoding="utf-8")
    return str(path)


def waves(result):
    return [sorted(vm["name"] for vm in wave["vms"]) for wave in result["plan"]["waves"]]


def test_a_new_plan(execute):
    code, result = execute(next_command="do it")
    assert code == 0 and waves(result) == [["solo", "web-0a", "web-0b"], ["web-1"]] and not result["changed"]
    assert result["text"].endswith("  do it\n") and result["csv"].count("\n") == 1 + len(NAMES) + len(result["plan"]["skipped"])
    assert set(result["vms"]) == {vm["id"] for wave in result["plan"]["waves"] for vm in wave["vms"]}


def test_policy_options_reach_the_plan(execute):
    options = {"tier": ["late", "later"], "minutes_per_vm": {"default": 7, "later": 9}, "groups": {"web-1": ["late"], "solo": ["later"]},
               "calendar": {"time_zone": "Europe/Amsterdam"}, "canary": "name == 'solo'", "soak_minutes": 3}
    code, result = execute(**options)
    assert code == 0 and waves(result)[:2] == [["solo"], ["web-1"]]
    vms = {vm["name"]: vm for wave in result["plan"]["waves"] for vm in wave["vms"]}
    assert {name: (vm["minutes"], vm["tier"], vm["canary"]) for name, vm in vms.items()} == {
        "solo": (9, "later", True), "web-1": (7, "late", False), "web-0a": (7, None, False), "web-0b": (7, None, False)}
    assert result["plan"]["policy"]["calendar"] == {"time_zone": "Europe/Amsterdam"}


@pytest.mark.parametrize("options, words", [
    ({"max_unavailable": "two"}, "max_unavailable: 'two' is not possible: set a count of VMs such as 2"),
    ({"max_unavailable": 0}, "max_unavailable: '0' is not possible: with less than 1 nothing could ever go"),
    ({"max_parallel": 0}, "max_parallel: 0 is not possible: set a whole number of at least 1"), ({"tier": []}, "tier: [] is not possible"),
    ({"exclude": "tags.=="}, "exclude 'tags.==' is not a JMESPath expression"), ({"accept": ["no_such_hazard"]}, "'no_such_hazard'"),
    ({"hosts": {}}, "hosts is empty"), ({"lanes": 9}, "lanes: 9 is not possible"), ({"canary": "0"}, "canary: '0' is not possible"),
    ({"calendar": {"open": []}}, "calendar.open: [] is not possible"), ({"minutes_per_vm": "soon"}, "minutes_per_vm: 'soon' is not possible"),
    ({"tier": "tags."}, "tier"), ({"wave": 1}, "Unsupported parameters for"),
    ({"lane": 1}, "missing parameter(s) required by 'lane': plan_file"), ({"plan_file": "/absent.json"}, "the plan file /absent.json cannot be read"),
    ({"learn_from": "/absent.json"}, "the report /absent.json cannot be read")])
def test_what_cannot_be_is_named(execute, options, words):
    code, result = execute(**options)
    assert code == 1 and words in result["msg"]


@pytest.mark.parametrize("option, value", [("plan_out", "{}/plan.json"), ("csv_out", "{}/plan.csv"), ("runs_dir", "{}/runs")])
@pytest.mark.parametrize("folder", ["/proc/nowhere", "a file"])
def test_a_folder_that_cannot_be_written_names_the_variables_that_move_it(execute, tmp_path, option, value, folder):
    if folder == "a file":
        folder = tmp_path / "file"
        folder.write_text("", encoding="utf-8")
    code, result = execute(**{option: value.format(folder)})
    assert (code, "cannot be written: " in result.get("msg", "")) == (1, True)
    assert "Set rollout_journal_dir to a folder that can be (or, where they are set, rollout_plan_out" in result["msg"] and "Traceback" not in result["msg"]


@pytest.mark.parametrize("expression, hint", [
    ("tags.maintenance && 'manual'", "no VM has tags.maintenance; "), ("nme", "no VM has nme (did you mean name?; "),
    ("name == 'slo' && 'x' || ''", "keys of a record are id, name")])
@pytest.mark.parametrize("option", ["exclude", "service", "tier"])
def test_an_expression_that_matches_no_vm_is_refused(execute, option, expression, hint):
    code, result = execute(**{option: expression})
    assert code == 1 and option in result["msg"] and f"Correct it, or leave rollout_{option} out" in result["msg"]
    assert "any of the 7 VMs read: " in result["msg"] or "none of the 7 VMs read: " in result["msg"]
    assert hint in result["msg"] and "keys of tags are none" in result["msg"]


@pytest.mark.parametrize("option, expression", [
    ("exclude", "tags.env == prod"), ("exclude", "name == 'solo' || nme == 'calm'"), ("exclude", "zone == `null` && maintenance.sate == 'x' || name"),
    ("service", "nme || name"), ("tier", "tag.tier || name")])
def test_an_expression_with_a_key_that_no_record_has_is_refused_whatever_it_matches(execute, option, expression):
    code, result = execute(**{option: expression})
    assert code == 1 and "no VM has " in result["msg"] and f"Correct it, or leave rollout_{option} out" in result["msg"]


@pytest.mark.parametrize("options", [
    {"exclude": "name == 'calm'"}, {"service": "name == 'duo' && 'x' || null"}, {"tier": "`0`"}, {"tier": "name == 'duo' && '1' || null"},
    {"service": "name == 'web-1' && 'x' || null"}, {"exclude": ""}, {"exclude": "tags.hands_off || name == 'duo'"}])
def test_an_expression_that_matches_a_vm_outside_of_the_run_is_no_mistake(execute, options):
    assert execute(*NAMES, **options)[0] == 0


@pytest.mark.parametrize("option, value", [
    ("canary", "nme == 'solo'"), ("sequence", "nme"), ("sequence", "nme == 'web-1'"), ("canary", "nme == other"), ("sequence", "nme || `1`")])
def test_a_canary_or_sequence_that_is_a_mistake_is_warned_of(execute, option, value):
    code, result = execute(**{option: value})
    (warning,) = [text for text in result["plan"]["warnings"] if f"rollout_{option}" in text]
    assert code == 0 and "no VM has nme (did you mean name?" in warning and "keys of a record are id" in warning


def test_a_reviewed_plan_and_the_difference(cloud, execute, reviewed):
    code, result = execute(plan_file=reviewed)
    assert code == 0 and waves(result) == [["solo", "web-0a", "web-0b"], ["web-1"]]
    code, result = execute("web-0a", "web-1", plan_file=reviewed)
    assert waves(result) == [["web-0a"], ["web-1"]] and result["plan"]["counts"]["skipped_by_reason"]["not_in_run"] == 2
    cloud.change("web-1", wave="next", allowed=False)
    code, result = execute(plan_file=reviewed)
    assert code == 1 and list(result["differences"]) == ["web-1"] and "state was startable, is now upcoming" in result["msg"]


def test_one_wave(cloud, recheck, reviewed):
    hosts = ("solo", "web-0a", "web-0b")
    code, result = recheck(*hosts, plan_file=reviewed, wave=1)
    assert set(result) - {"changed", "invocation"} == set(yaml.safe_load(rollout_recheck.RETURN))
    assert code == 0 and sorted(result["go"]) == sorted(hosts) and result["left_out"] == {} and result["stop"] is None and "plan" not in result
    code, result = recheck(*hosts, plan_file=reviewed, wave=1, lost=[cloud.id("web-1").upper().replace("/SUBSCRIPTIONS/", "/subscriptions/")])
    assert result["go"] == ["solo"] and set(result["left_out"]) == {"web-0a", "web-0b"}
    code, result = recheck(*hosts, plan_file=reviewed, wave=7)
    assert code == 1 and "the plan has no wave 7" in result["msg"] and reviewed in result["msg"]


@pytest.mark.parametrize("options, words", [
    ({"plan_file": None}, "missing required arguments: plan_file"), ({"plan_file": "/absent.json"}, "the plan file /absent.json cannot be read"),
    ({"hosts": {}}, "hosts is empty"), ({"lane": 2}, "there is no lane 2")])
def test_a_wave_that_cannot_be_checked(recheck, reviewed, options, words):
    given = {name: value for name, value in {"plan_file": reviewed, "wave": 1, **options}.items() if value is not None}
    code, result = recheck(**given)
    assert code == 1 and words in result["msg"]


def test_a_service_over_subscriptions_stays_whole_when_its_plan_is_applied(cloud, execute, recheck, tmp_path):
    """Whoever applies the plan need not name again what it was made from."""
    code, made = execute("solo", service="'all'", subscriptions=[SUBSCRIPTION, OTHER], region_pairs="parallel")
    assert code == 0 and waves(made) == [["solo"]] and made["plan"]["subscriptions"] == [SUBSCRIPTION, OTHER]
    path = tmp_path / "service.json"
    path.write_text(json.dumps(made["plan"]), encoding="utf-8")
    cloud.change("far", power="stopped")
    for more in ({}, {"subscriptions": [SUBSCRIPTION]}):
        code, result = recheck("solo", plan_file=str(path), wave=1, **more)
        assert code == 0 and result["go"] == [] and "far (power state is stopped)" in result["left_out"]["solo"]
    code, result = execute("solo", plan_file=str(path))
    assert code == 0 and result["plan"]["subscriptions"] == [SUBSCRIPTION, OTHER]


@pytest.mark.parametrize("shape", ["full", "guestless", "minimal"])
@pytest.mark.parametrize("options", [{"service": "'shop'"}, {"operation": "redeploy"}])
def test_a_member_that_is_not_ready_holds_its_service_back(cloud, execute, recheck, tmp_path, shape, options):
    """Also one in no wave, of which the status list does not say how its agent is: in the plan, and when a wave is to begin."""
    cloud.simulator.fleet.status_only = shape
    ill, due = ("calm", ("solo", "duo")) if "service" in options else ("web-1", ("web-0a",))
    for name in ("web-1", "web-0a", "web-0b"):
        cloud.change(name, wave=None)
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(execute(*due, ill, **options)[1]["plan"]), encoding="utf-8")
    cloud.change(ill, agent="not_ready")
    code, result = execute(*due, ill, **options)
    assert code == 0 and "guest agent is not ready" in json.dumps(result["plan"]["skipped"])
    code, result = recheck(*due, ill, plan_file=str(path), wave=1, lane=1)
    assert code == 0 and "guest agent is not ready" in json.dumps(result), result


def test_minutes_are_learnt_from_a_report(execute, tmp_path):
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"vms": [{"outcome": "succeeded", "elapsed_seconds": 400}]}), encoding="utf-8")
    code, result = execute(learn_from=str(report))
    assert code == 0 and result["plan"]["policy"]["minutes_per_vm"] == 7 and result["plan"]["policy"]["scheduled_events_minutes"] == 0
    assert f"LEARNT: 7 minutes per VM, the wait for Scheduled Events included, is the 90th percentile of 1 redeploys in {report}" in result["plan"]["warnings"]
    report.write_text("{}", encoding="utf-8")
    code, result = execute(learn_from=str(report))
    assert code == 1 and "it is not the report of a rollout" in result["msg"]
