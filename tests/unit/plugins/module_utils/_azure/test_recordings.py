# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every recorded body of the real API is read without error. The recordings are not part of the collection: skipped without them."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.transport import error_of
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.addresses import Nic, PublicIp, addresses_of
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.instance_view import Model, View, make_vm, pairs_from_locations
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import Addresses, VmId, normal_location

RECORDINGS = Path(__file__).resolve().parents[6] / "shared" / "cassettes"
NOW = dt.datetime(2026, 3, 2, tzinfo=dt.timezone.utc)
AGENTS, SUCCESS = {"ready", "not_ready", "unknown"}, range(200, 300)

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recordings beside this checkout")


def bodies(*folders, statuses=SUCCESS):
    """(file, URL, body) of every recorded answer with a JSON object in it; lists give their items."""
    for folder in folders:
        for file in sorted((RECORDINGS / folder).glob("*.json")):
            for interaction in json.loads(file.read_text(encoding="utf-8")).get("interactions", ()):
                body = interaction["response"]["body"]
                if interaction["response"]["status"] in statuses and isinstance(body, dict):
                    for item in body["value"] if isinstance(body.get("value"), list) else [body]:
                        yield f"{folder}/{file.name}", interaction["request"]["uri"], item


def is_vm(item):
    try:
        return bool(VmId.parse(item.get("id")))
    except ValueError:
        return False


def test_virtual_machines():
    seen = 0
    for file, dummy, item in bodies("vm_get", "vm_list", "vm_instance_view", "vmss_vm"):
        if not is_vm(item):
            continue
        view = View.of((item.get("properties") or {}).get("instanceView")) or View.of({"statuses": [{}]})
        vm = make_vm(Model.of(item), view, Addresses(), {})
        assert vm.location == normal_location(item["location"]) and vm.agent in AGENTS, file
        assert json.dumps(vm.to_record(NOW)) and vm.provisioning_state == vm.provisioning_state.lower(), file
        seen += 1
    assert seen > 50


def test_instance_views():
    seen = with_domain = 0
    model = Model.of({"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/v", "location": "westus"})
    for file, dummy, item in bodies("vm_instance_view", "vmss_instance_view", "vmss_vm", "vm_get"):
        view = item if "statuses" in item and "vmAgent" in item else (item.get("properties") or {}).get("instanceView")
        if View.of(view) is None:
            continue
        vm = make_vm(model, View.of(view), Addresses(), {})
        assert vm.power_state in ("running", "deallocated", "stopped", "starting", "stopping", "deallocating", "unknown"), file
        assert vm.provisioning_state.isalpha() and vm.status is None, file
        seen += 1
        with_domain += vm.update_domain is not None
    assert seen > 20 and with_domain > 5


def test_network_interfaces_and_public_addresses():
    interfaces = {item["id"].lower(): Nic.of(item) for dummy, url, item in bodies("nic") if "networkinterfaces" in str(item.get("id")).lower()}
    public = {item["id"].lower(): PublicIp.of(item) for dummy, url, item in bodies("public_ip") if "id" in item}
    found = addresses_of([key.upper() for key in interfaces], interfaces, public)
    assert len(interfaces) > 3 and len(public) > 3 and found.private
    assert all(address.count(".") == 3 or ":" in address for address in (*found.private, *found.public))


def test_locations():
    locations = [item for dummy, url, item in bodies("locations")]
    assert len(locations) > 10 and isinstance(pairs_from_locations(locations), dict)


def test_errors():
    codes = [error_of(json.dumps(item))[0] for dummy, url, item in bodies("http_error", "not_found", "perform_maintenance", statuses=range(400, 600))]
    assert codes and all(codes) and "OperationNotAllowed" in codes
    sample = json.loads((RECORDINGS / "transcribed" / "crp_throttle_429.json").read_text(encoding="utf-8"))
    assert error_of(json.dumps(sample["body"]))[0] == "OperationNotAllowed"
