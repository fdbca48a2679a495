# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fleet says of guests: agent and extensions, which the list of many VMs may leave out."""

from __future__ import annotations

import pytest
from unit.plugins.cloud import SUBSCRIPTION

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._fleet.fleet import Selection, read_fleet


def hazards(fleet):
    return {vm.name: sorted({hazard.name for hazard in vm.hazards} & {"agent_not_ready", "failed_extension"}) for vm in fleet.vms}


@pytest.mark.parametrize("shape", ["full", "lean", "guestless", "minimal"])
@pytest.mark.parametrize("addresses", [True, False])
def test_agent_and_extensions_are_known_whatever_the_status_list_leaves_out(cloud, shape, addresses):
    cloud.change("web-1", agent="not_ready")
    cloud.change("web-0b", agent="absent")
    cloud.change("solo", extensions=[{"name": "mon", "status": "failed"}])
    cloud.simulator.fleet.status_only = shape
    fleet = read_fleet(cloud.arm(), Selection(subscriptions=[SUBSCRIPTION], addresses=addresses))
    assert {name: found for name, found in hazards(fleet).items() if found} == {"web-1": ["agent_not_ready"], "solo": ["failed_extension"]}
    assert {vm.name: vm.agent for vm in fleet.vms if vm.name.startswith("web")} == {"web-0a": "ready", "web-0b": "unknown", "web-1": "not_ready"}


@pytest.mark.parametrize("lacking, hazard", [("vmAgent", "agent_not_ready"), ("extensions", "failed_extension")])
def test_a_status_list_that_leaves_out_one_of_them(cloud, lacking, hazard):
    cloud.change("solo", agent="not_ready" if lacking == "vmAgent" else "ready", extensions=[{"name": "mon", "status": "failed"}])
    items = [cloud.simulator.world.view.status_only(vm) for vm in cloud.simulator.fleet.vms.values() if vm.subscription == SUBSCRIPTION]
    for item in items:
        item["properties"]["instanceView"] = {key: value for key, value in item["properties"]["instanceView"].items() if key != lacking}
    cloud.fault("statusOnly", count=0, body={"value": items})
    assert hazard in hazards(read_fleet(cloud.arm(), Selection(subscriptions=[SUBSCRIPTION])))["solo"]


@pytest.mark.parametrize("options, read", [({}, {"solo", "web-0a", "web-1", "web-0b"}), ({"only_affected": True}, {"solo", "web-0a"}),
                                           ({"thorough": True}, {"solo", "web-0a", "web-1", "web-0b", "duo", "calm", "disk"})])
def test_views_are_read_only_where_a_decision_depends_on_them(cloud, options, read):
    """Of VMs in a wave and of the members of their sets; others that the list shows need no request each."""
    cloud.simulator.fleet.status_only = "guestless"
    for name in ("web-0b", "web-1", "duo", "disk"):
        cloud.change(name, wave=None)
    read_fleet(cloud.arm(), Selection(subscriptions=[SUBSCRIPTION], **options))
    assert {path.rsplit("/", 2)[1] for path in cloud.requests(having="/instanceView?")} == read
