# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole module in this process: complete or a failure, filters, one documented record."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from unit.plugins.cloud import OTHER, SUBSCRIPTION

from ansible_collections.fleetops.azure_maintenance.plugins.modules import vm_maintenance_info


@pytest.fixture
def execute(cloud, capsys):
    def run(**params):
        with patch_module_args({**cloud.options(), **params}), pytest.raises(SystemExit) as ended:
            vm_maintenance_info.main()
        return ended.value.code, json.loads(capsys.readouterr().out)

    return run


def names(result):
    return sorted(vm["name"] for vm in result["vms"])


@pytest.mark.parametrize("params, expected", [
    ({}, ["calm", "disk", "duo", "far", "solo", "web-0a", "web-0b", "web-1"]), ({"subscriptions": [OTHER]}, ["far"]),
    ({"subscription_id": OTHER}, ["far"]), ({"subscription_id": OTHER, "subscriptions": [SUBSCRIPTION], "query": "zone"}, []),
    ({"resource_groups": ["SHOP-ne"]}, ["far"]), ({"resource_groups": ["SHOP-ne"], "addresses": False}, ["far"]),
    ({"only_affected": True, "subscriptions": [SUBSCRIPTION]}, ["disk", "duo", "solo", "web-0a", "web-0b", "web-1"]),
    ({"query": "update_domain == `0`"}, ["web-0a", "web-0b"]), ({"query": "hazards[?blocking]"}, ["disk"]), ({"resource_groups": ["nowhere"]}, [])])
def test_what_is_returned(execute, params, expected):
    code, result = execute(**params)
    assert code == 0 and names(result) == expected and result["changed"] is False
    assert result["counts"]["returned"] == len(expected) and result["gone"] == []
    other = "SHOP-ne" in str(params) or OTHER in (params.get("subscriptions") or [params.get("subscription_id")])
    known = 1 if other else 7 if params.get("subscriptions") else 8
    assert result["counts"]["vms"] == (0 if "nowhere" in str(params) else known)


def test_the_record_is_the_documented_one(execute):
    documented = yaml.safe_load(vm_maintenance_info.RETURN)
    dummy, result = execute()
    assert set(result) - {"invocation", "warnings"} == set(documented) | {"changed"}
    contains = documented["vms"]["contains"]
    for vm in result["vms"]:
        assert set(vm) == set(contains) and set(vm["maintenance"]) == set(contains["maintenance"]["contains"])
        assert set(vm["addresses"]) == set(contains["addresses"].get("contains", vm["addresses"]))
    assert set(documented["counts"]["contains"]) == set(result["counts"])
    assert set(documented["summary"]["contains"]) == set(result["summary"])
    assert [vm["id"].lower() for vm in result["vms"]] == sorted(vm["id"].lower() for vm in result["vms"])


@pytest.mark.parametrize("params, words", [({"query": "tags."}, "query 'tags.' is not a JMESPath"), ({"query": "length(zone)"}, "fails on")])
def test_a_query_that_cannot_be_used(execute, params, words):
    code, result = execute(**params)
    assert code == 1 and words in result["msg"] and result["failure"]["doing"] == "use the options"


def test_never_a_short_list(cloud, execute):
    cloud.fault(f"{OTHER}.*networkInterfaces", status=403, count=0)
    code, result = execute()
    assert code == 1 and "vms" not in result and OTHER in result["msg"]
    assert result["failure"]["status"] == 403 and result["failure"]["code"] == "AuthorizationFailed"


def test_it_only_reads(cloud, execute):
    execute()
    assert cloud.simulator.ledger() == [] and cloud.requests("POST") == []


def test_who_is_affected_until_when_can_i_start(cloud, execute):
    cloud.change("duo", code="MaintenanceCompleted", allowed=False)
    cloud.change("web-1", wave="next")
    dummy, result = execute()
    summary = result["summary"]
    assert summary["states"] == {"not_scheduled": 1, "done": 1, "startable": 5, "upcoming": 1}
    assert summary["startable"] == ["solo", "web-0a", "web-0b", "far"] and summary["need_consent"] == ["disk"]
    assert summary["next_deadline"] == next(vm for vm in result["vms"] if vm["name"] == "solo")["maintenance"]["self_service_window"]["end"]
    assert set(summary["next_deadline_vms"]) == {"solo", "disk", "web-0a", "web-0b", "far", "web-1"}
    assert summary["text"].startswith("7 of 8 VMs affected, 5 may be started now (1 of them only with consent), 1 done; self-service ends first at ")


def test_nobody_is_affected(cloud, execute):
    dummy, result = execute(query="name == 'calm'")
    assert result["summary"]["text"] == "0 of 1 VM affected, 0 may be started now." and result["summary"]["next_deadline"] is None


@pytest.mark.parametrize("params, number, hint", [
    ({"query": "name == solo"}, 8, "no VM has solo (text goes in single quotes: 'solo')"), ({"query": "nme == 'solo'"}, 8, "did you mean name?"),
    ({"query": "tags.env == prod && zone"}, 0, "no VM has prod (text goes in single quotes: 'prod')"),
    ({"query": "name == 'x'", "only_affected": True}, 7, "keys of a record are id, name"),
    ({"query": "name == 'solo'", "resource_groups": ["shop-ne"]}, 1, "keys of tags are none")])
def test_a_query_that_matches_nothing_says_so(execute, monkeypatch, params, number, hint):
    warned = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda module, text: warned.append(text))
    code, result = execute(**params)
    (warning,) = warned
    assert code == 0 and hint in warning and (result["vms"] == []) is bool(number)
    assert (result["summary"]["text"] == f"The query matched none of {number} VMs.") is bool(number)
    assert f"query {params['query']!r} {f'matches none of the {number} VMs' if number else 'no VM has prod'}" in warning


@pytest.mark.parametrize("name", ["complete", "strict"])  # the second is what it was called before 1.0.0
def test_what_is_left_out_is_in_the_result_and_on_the_screen(cloud, execute, monkeypatch, name):
    said = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda self, text: said.append(text))
    cloud.fault(f"{OTHER}.*networkInterfaces", status=403, count=0)
    code, result = execute(**{name: False})
    assert code == 0 and [item["subscription"] for item in result["left_out"]] == [OTHER] and "far" not in names(result)
    assert any(OTHER in warning for warning in said)


def test_a_failure_says_what_was_asked_seen_and_is_missing(cloud, execute):
    cloud.fault(f"{OTHER}.*availabilitySets", status=403, count=0)
    code, result = execute()
    assert code == 1 and result["failure"]["asked"] == {"subscriptions": 2} and result["failure"]["seen"] == {"subscriptions": 1, "vms": 8}
    assert [item["subscription"] for item in result["failure"]["missing"]] == [OTHER]


def test_every_key_is_in_the_guide_too(execute):
    guide = (Path(__file__).resolve().parents[4] / "docs" / "records.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`([a-z_.]+)`", "".join(line.split("|")[1] for line in guide.splitlines() if line.startswith("| `"))))
    dummy, result = execute()
    record = result["vms"][0]
    keys = {key for key in record if key not in ("addresses", "maintenance")}
    keys |= {f"{part}.{key}" for part in ("addresses", "maintenance") for key in record[part]}
    assert keys <= told
