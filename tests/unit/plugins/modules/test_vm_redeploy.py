# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole module in this process: options, check mode, diff, one shape of results on every path."""

from __future__ import annotations

import json

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy.redeploy import Redeploy
from ansible_collections.fleetops.azure_maintenance.plugins.modules import vm_redeploy

SINCE = "2026-01-01T00:00:00Z"


@pytest.fixture
def execute(cloud, capsys, monkeypatch, tmp_path):
    """Run the module: (exit code, result)."""
    monkeypatch.setattr(vm_redeploy, "CLOCK", lambda: cloud.clock)
    monkeypatch.chdir(tmp_path)

    def run(*names, check=False, diff=False, **params):
        ids = [name if "/" in name or name == "web-01" else cloud.id(name) for name in names]
        given = {"vms": ids, "journal": str(cloud.journal), "settle_seconds": 30, "timeout": 300, **cloud.options(), **params}
        with patch_module_args({**given, "_ansible_check_mode": check, "_ansible_diff": diff}), pytest.raises(SystemExit) as ended:
            vm_redeploy.main()
        return ended.value.code, json.loads(capsys.readouterr().out)

    return run


def outcomes(result):
    return {vm["name"]: vm["outcome"] for vm in result["vms"].values()}


def test_a_redeploy_and_its_repetition(cloud, execute):
    code, result = execute("web-0a", "web-0b")
    assert (code, outcomes(result), result["changed"]) == (0, {"web-0a": "succeeded", "web-0b": "succeeded"}, True)
    assert result["counts"] == {"succeeded": 2} and "failed" not in result and "diff" not in result
    code, result = execute("web-0a", "web-0b")
    assert (code, outcomes(result), result["changed"]) == (0, {"web-0a": "already_done", "web-0b": "already_done"}, False)
    assert cloud.executed() == ["web-0a", "web-0b"]


def test_a_failure_returns_every_outcome(cloud, execute):
    code, result = execute("solo", "calm", "disk")
    assert (code, result["failed"], result["changed"]) == (1, True, True)
    assert outcomes(result) == {"solo": "succeeded", "calm": "not_allowed", "disk": "refused"}
    assert "calm: not_allowed" in result["msg"] and "disk: refused" in result["msg"]


def test_a_difference_for_people(cloud, execute):
    dummy, result = execute("solo", "duo", diff=True)
    assert result["diff"] == {"before": "solo: startable, running\nduo: startable, running\n",
                              "after": "solo: done, running (succeeded)\nduo: done, running (succeeded)\n"}
    dummy, result = execute("far", diff=True, check=True)
    assert result["diff"] == {"before": "far: startable, running\n", "after": "far: startable (would_start)\n"}
    dummy, result = execute("nobody", diff=True)
    assert result["diff"] == {"before": "nobody: unknown\n", "after": "nobody: unknown (refused)\n"}


def test_no_secret_in_a_result(cloud, execute):
    for check in (True, False):
        assert "simulated-secret" not in json.dumps(execute("solo", check=check)[1])


@pytest.mark.parametrize("params, words", [
    ({"vms": []}, "vms is empty"), ({"timeout": 0}, "timeout 0 must be at least 1 second"), ({"poll_interval": -1}, "poll_interval -1"),
    ({"settle_seconds": 0}, "settle_seconds 0"), ({"max_unavailable": "many"}, "max_unavailable 'many' must be a count"),
    ({"max_unavailable": "0"}, "would never let a VM move"), ({"operation": "redeploy"}, "operation is redeploy but all of the following are missing: since"),
    ({"operation": "reapply", "since": "yesterday"}, "'yesterday' is not a time"),
    ({"operation": "redeploy", "since": ""}, "since is empty"), ({"accept": ["everything"]}, "Got no match for: everything"),
    ({"auth_source": "magic"}, "value of auth_source must be one of"), ({"refuse": ["ephemeral_os_disk"]}, "refuse"),
    ({"journal": "/proc/nowhere"}, "journal directory /proc/nowhere cannot be written"), ({"vms": ["web-01"]}, "'web-01' is not an Azure resource id"),
    ({"vms": ["/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/p/virtualMachines/3"], "operation": "reapply",
      "since": SINCE}, "reapplies only VMs"),
    ({"vms": ["/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/availabilitySets/a"]}, "id of a Microsoft.Compute/availabilitySets"),
    ({"secret": None, "x509_certificate_path": "/none.pem", "client_id": None}, "needs client_id too")])
def test_options_that_cannot_be_meant(cloud, execute, params, words):
    code, result = execute("solo", **params)
    assert code == 1 and words in result["msg"] and "\n" not in result["msg"] and "Traceback" not in json.dumps(result)
    assert cloud.simulator.requests() == [], "found before anything is asked"


# -- check mode -----------------------------------------------------------------------------------------------------------

def snapshot(folder):
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None) for path in folder.rglob("*")}


PATHS = {
    "would start": ({}, ["web-0a", "web-0b"], {}, 0), "done": ({"solo": {"code": "MaintenanceCompleted"}}, ["solo"], {}, 0),
    "not allowed": ({}, ["calm"], {}, 1), "refused": ({"web-1": {"power": "stopped"}}, ["web-0a"], {}, 1), "unknown id": ({}, ["nobody"], {}, 1),
    "hazard": ({}, ["disk"], {}, 1), "with consent": ({}, ["disk"], {"accept": ["ephemeral_os_disk"]}, 0),
    "redeploy": ({}, ["solo"], {"operation": "redeploy", "since": SINCE}, 0), "no start": ({}, ["solo"], {"start": False}, 0),
    "no wait": ({}, ["solo"], {"wait": False}, 0)}


@pytest.mark.parametrize("case", PATHS)
@pytest.mark.parametrize("before", ["no journal", "an old journal"])
def test_check_mode_writes_nothing(cloud, execute, tmp_path, case, before):
    changes, names, params, expected = PATHS[case]
    if before == "an old journal":
        execute("far", wait=False)
    for name, state in changes.items():
        cloud.change(name, **state)
    disk, ledger = snapshot(tmp_path), cloud.simulator.ledger()
    code, result = execute(*names, check=True, **params)
    assert code == expected and set(outcomes(result)) == set(names)
    assert result["changed"] is ("would_start" in result["counts"])
    assert snapshot(tmp_path) == disk and [e["entry"] for e in cloud.simulator.ledger()] == [e["entry"] for e in ledger]
    assert cloud.requests("POST", "/providers/") == (cloud.requests("POST", "virtualMachines/far/") if before == "an old journal" else [])


@pytest.mark.parametrize("transition", [{"result": "stuck"}, {"result": "forgotten", "block": "unchanged"}, {"result": "aborted"}, {"result": "still_due"}, {}])
def test_check_mode_after_every_kind_of_attempt_writes_nothing(cloud, execute, tmp_path, transition):
    cloud.change("solo", operations={"default": transition})
    execute("solo", timeout=40)
    disk, requests = snapshot(tmp_path), len(cloud.requests("POST"))
    for params in ({}, {"operation": "redeploy", "since": SINCE}):
        dummy, result = execute("solo", check=True, **params)
        assert set(outcomes(result)) == {"solo"}
    assert snapshot(tmp_path) == disk and len(cloud.requests("POST")) == requests


# -- one shape ------------------------------------------------------------------------------------------------------------

def test_results_have_the_documented_keys_on_every_path(cloud, execute):
    documented = yaml.safe_load(vm_redeploy.RETURN)
    keys = set(documented["vms"]["contains"])
    cloud.change("duo", operations={"default": {"result": "stuck"}})
    cloud.post_fault("far", status=503)
    cloud.post_fault("web-0b", status=429, retry_after=5000)
    seen = set()
    for params in ({"check": True}, {"wait": False}, {"timeout": 30, "settle_seconds": 10}):
        for names in (("solo", "duo", "far", "calm", "disk", "nobody"), ("web-0a", "web-0b"), ("web-1", "web-0a")):
            dummy, result = execute(*names, **params)
            assert set(result) - {"failed", "msg", "invocation", "warnings"} == {"changed", "vms", "counts"}, "one shape"
            for key, vm in result["vms"].items():
                assert set(vm) == keys and vm["id"] == key, vm["outcome"]
                seen.add(vm["outcome"])
    assert {"would_start", "started", "succeeded", "already_done", "not_allowed", "refused", "still_running", "unknown"} <= seen


class Odd(Exception):
    """Nobody has foreseen it."""


def raising(*dummy, **named):
    raise Odd("out of the blue")


@pytest.mark.parametrize("trouble", ["sign-in", "bug", "bug on the way"])
def test_a_call_that_fails_as_a_whole_tells_of_every_vm(cloud, execute, monkeypatch, trouble):
    """What an earlier run left open is not called untouched."""
    execute("solo", wait=False)
    if trouble.startswith("bug"):
        monkeypatch.setattr(Redeploy, "_without_past" if trouble == "bug" else "_read", raising)
    code, result = execute("solo", "duo", **({"secret": "wrong"} if trouble == "sign-in" else {}))
    assert trouble == "sign-in" or "Odd: out of the blue" in result["msg"]
    assert code == 1 and outcomes(result) == {"solo": "unknown", "duo": "refused"} and result["failure"]["detail"]
    assert {frozenset(vm) for vm in result["vms"].values()} == {frozenset(yaml.safe_load(vm_redeploy.RETURN)["vms"]["contains"])}
    assert cloud.executed() == ["solo"]


def test_the_argument_spec_is_the_documentation():
    documented = yaml.safe_load(vm_redeploy.DOCUMENTATION)["options"]
    assert set(documented) == set(vm_redeploy.SPEC)
    for name, option in vm_redeploy.SPEC.items():
        for fact in ("type", "default", "choices", "elements", "required"):
            assert documented[name].get(fact) == option.get(fact), f"{name}.{fact}"
