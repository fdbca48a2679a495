# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Resource Graph and Service Health list, compared with the instance views; they decide nothing and may be missing."""

from __future__ import annotations

import json

import pytest
from unit.plugins.cloud import SUBSCRIPTION

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._fleet.fleet import Selection, read_fleet

GRAPH, EVENTS = "/providers/Microsoft.ResourceGraph/resources", "Microsoft.ResourceHealth/events[?]"
DUE = ["disk", "duo", "solo", "web-0a", "web-0b", "web-1"]


def compare(cloud, source, **more):
    fleet = read_fleet(cloud.arm(), Selection(subscriptions=[SUBSCRIPTION], second_opinion=source, **more))
    return fleet, fleet.second_opinion


def ids(cloud, *names):
    return sorted(cloud.id(name).lower() for name in names)


def row(cloud, name, upper=False):
    """A row as documented: its name is the VM's id, and its own id lies under the VM."""
    vm_id = cloud.id(name).upper() if upper else cloud.id(name)
    return {"id": f"{vm_id}/providers/Microsoft.Maintenance/updates/default", "target": vm_id, "status": "Pending"}


def test_resource_graph_page_by_page(cloud):
    first, second = [row(cloud, name) for name in DUE[:3]], [row(cloud, name, upper=True) for name in (*DUE[4:], "calm")]
    second[0]["target"] = "default"  # then the row's own id tells
    cloud.fault(GRAPH, "POST", body={"data": first, "$skipToken": "more", "resultTruncated": "true"})
    cloud.fault(GRAPH, "POST", body={"data": [*second, {"id": "x", "target": None}], "resultTruncated": "false"})
    fleet, opinion = compare(cloud, "resource_graph")
    assert opinion == {"source": "resource_graph", "only_there": ids(cloud, "calm"), "only_here": ids(cloud, "web-0a")}
    assert fleet.warnings == [] and len(fleet.vms) == 7


def test_what_is_asked_of_resource_graph(cloud, monkeypatch):
    arm, asked = cloud.arm(), []
    monkeypatch.setattr(arm, "query", lambda path, version, doing, body: asked.append(json.loads(json.dumps(body))) or {
        "data": [], **({"$skipToken": "t"} if len(asked) == 1 else {})})
    dummy, opinion = compare(cloud, "resource_graph")
    assert [body["options"].get("$skipToken") for body in asked] == [None, "t"] and asked[0]["subscriptions"] == [SUBSCRIPTION]
    assert "project id" in asked[0]["query"] and opinion["only_there"] == [] and opinion["only_here"] == ids(cloud, *DUE)


def test_what_is_done_is_no_difference(cloud):
    cloud.change("duo", code="MaintenanceCompleted", allowed=False)
    cloud.fault(GRAPH, "POST", body={"data": [row(cloud, name) for name in DUE if name != "duo"]})
    assert compare(cloud, "resource_graph")[1] == {"source": "resource_graph", "only_there": [], "only_here": []}


def test_only_the_resource_groups_asked_for_are_compared(cloud):
    cloud.fault(GRAPH, "POST", body={"data": [row(cloud, "solo")]})
    assert compare(cloud, "resource_graph", exclude_resource_groups=["shop"])[1] == {"source": "resource_graph", "only_there": [], "only_here": []}


def test_service_health(cloud):
    events = [{"name": "TRACK-1", "properties": {"eventType": "PlannedMaintenance", "status": "Active"}},
              {"name": "OLD-2", "properties": {"eventType": "PlannedMaintenance", "status": "Resolved"}},
              {"name": "SEC-3", "properties": {"eventType": "SecurityAdvisory", "status": "Active"}}]
    cloud.fault(EVENTS, body={"value": events})
    touched = [{"properties": {"targetResourceId": cloud.id(name).upper()}} for name in ("solo", "calm")]
    cloud.fault("events/TRACK-1/impactedResources", body={"value": [*touched, {"properties": {"targetResourceId": "/subscriptions/s"}}, {"properties": None}]})
    dummy, opinion = compare(cloud, "service_health")
    assert opinion == {"source": "service_health", "only_there": ids(cloud, "calm"), "only_here": ids(cloud, *[name for name in DUE if name != "solo"])}
    assert cloud.requests(having="OLD-2") == cloud.requests(having="SEC-3") == []


@pytest.mark.parametrize("source, path, method", [("resource_graph", GRAPH, "POST"), ("service_health", EVENTS, "GET")])
@pytest.mark.parametrize("fault", [{"status": 403}, {"status": 500}, {"body": {"data": None, "value": None}}, {"body": "<html>"}])
def test_without_it_there_is_a_warning_and_the_fleet(cloud, source, path, method, fault):
    cloud.fault(path, method, count=0, **fault)
    fleet, opinion = compare(cloud, source)
    assert opinion is None and len(fleet.vms) == 7
    assert len(fleet.warnings) == 1 and fleet.warnings[0].startswith(f"no second opinion of {source}: could not ")


def test_nobody_is_asked_unless_told_to(cloud):
    assert compare(cloud, "none")[1] is None
    assert not [r for r in cloud.simulator.requests() if "ResourceGraph" in r["path"] or "ResourceHealth" in r["path"]]
