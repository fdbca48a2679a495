# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole module in this process: complete or a failure, filters, one documented record."""

from __future__ import annotations

import json

import pytest
import yaml
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
    ({"resource_groups": ["SHOP-ne"]}, ["far"]),
    ({"only_affected": True, "subscriptions": [SUBSCRIPTION]}, ["disk", "duo", "solo", "web-0a", "web-0b", "web-1"]),
    ({"query": "update_domain == `0`"}, ["web-0a", "web-0b"]), ({"query": "hazards[?blocking]"}, ["disk"]), ({"resource_groups": ["nowhere"]}, [])])
def test_what_is_returned(execute, params, expected):
    code, result = execute(**params)
    assert code == 0 and names(result) == expected and result["changed"] is False
    assert result["counts"]["returned"] == len(expected) and result["gone"] == []
    assert result["counts"]["vms"] == (1 if OTHER in (params.get("subscriptions") or [params.get("subscription_id")]) else
                                       7 if params.get("subscriptions") else 8)


def test_the_record_is_the_documented_one(execute):
    documented = yaml.safe_load(vm_maintenance_info.RETURN)
    dummy, result = execute()
    assert set(result) - {"invocation"} == set(documented) | {"changed"}
    contains = documented["vms"]["contains"]
    for vm in result["vms"]:
        assert set(vm) == set(contains) and set(vm["maintenance"]) == set(contains["maintenance"]["contains"])
        assert set(vm["addresses"]) == set(contains["addresses"].get("contains", vm["addresses"]))
    assert set(documented["counts"]["sample"]) == set(result["counts"])
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
