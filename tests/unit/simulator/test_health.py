# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Service Health, Azure Maintenance and Resource Graph tell of the waves what the views tell, or what they shall."""

from __future__ import annotations

from urllib.parse import quote

import pytest

EVENTS = "providers/Microsoft.ResourceHealth/events"
GRAPH = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"
UPDATES = "maintenanceresources | where type =~ 'microsoft.maintenance/updates'"
# The first documented query for planned maintenance, shortened by the columns nobody reads here.
DOCUMENTED = """
maintenanceresources
| where type == 'microsoft.maintenance/updates'
| extend p = parse_json(properties)
| mv-expand d = p.value
| where tostring(d.notificationId) == '{id}'
| extend
    targetResourceId = tolower(name),
    status = tostring(d.status),
    resourceType = strcat(
        tostring(split(split(id, '/providers/')[1], '/')[0]), '/', tostring(split(split(id, '/providers/')[1], '/')[1])
    )
| project targetResourceId, subscriptionId, resourceType, status, source = 'Maintenance'
| union (
servicehealthresources
| where type =~ 'microsoft.resourcehealth/events/impactedresources'
| extend p = parse_json(properties)
| project targetResourceId = tolower(tostring(p.targetResourceId)), subscriptionId, status = tostring(p.status)
)
"""


def ask(arm, query, subscriptions=None, **options):
    """What Resource Graph answers."""
    named = {name if name == "resultFormat" else f"${name}": value for name, value in options.items()}
    body = {"query": query, "options": named}
    return arm.call("POST", GRAPH, body | ({"subscriptions": subscriptions} if subscriptions else {}))


def names(ids):
    """The last parts of ids, sorted."""
    return sorted(text.rsplit("/", 1)[1] for text in ids)


def impacted(arm, wave=0):
    """The VMs that an event names."""
    event = arm.get(EVENTS)["value"][wave]["name"]
    items = arm.get(f"{EVENTS}/{event}/impactedResources")["value"]
    return names(item["properties"]["targetResourceId"] for item in items)


def test_events(arm):
    now, later = arm.get(EVENTS)["value"]
    about = now["properties"]
    assert (about["eventType"], about["status"]) == ("PlannedMaintenance", "Active")
    assert about["impact"][0]["impactedRegions"][0]["impactedRegion"] == "West Europe"
    assert arm.get(f"{EVENTS}/{now['name']}") == now != later
    assert arm.get(f"{EVENTS}/NONE-000", 404)["error"]["code"] == "ResourceNotFound"


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("$filter=" + quote("eventType eq 'PlannedMaintenance' and status eq 'Active'"), 2),
        ("$filter=" + quote("properties/eventType eq 'ServiceIssue'"), 0),
        ("$filter=" + quote("Status eq 'Resolved'"), 0),
        ("queryStartTime=1/1/2020", 2),
        ("queryStartTime=2999-01-01", 0),
    ],
)
def test_events_chosen(arm, query, count):
    assert len(arm.get(f"{EVENTS}?{query}")["value"]) == count


def test_events_badly_chosen(arm):
    arm.get(f"{EVENTS}?$filter=x", 400)
    arm.get(f"{EVENTS}?queryStartTime=soon", 400)


def test_an_event_ends_with_its_window(arm):
    arm.control("POST", "clock", {"advance": "60d"})
    assert {event["properties"]["status"] for event in arm.get(EVENTS)["value"]} == {"Resolved"}


def test_they_name_what_the_views_show(run, sets):
    arm = run(sets)
    assert impacted(arm) == ["0", "1", "2", "app-0", "app-1", "flex-a", "flex-b", "solo"]
    assert impacted(arm, 1) == ["later"]
    rows = ask(arm, UPDATES)[2]["data"]
    assert names(row["name"] for row in rows if row["subscriptionId"] == arm.subscription) == sorted(
        impacted(arm) + impacted(arm, 1)
    )


def test_they_may_differ(run, small):
    place = f"/subscriptions/{small['subscriptions'][0]['id']}/resourceGroups/alpha"
    gone = f"{place}/providers/Microsoft.Compute/virtualMachines/gone"
    arm = run(small | {"service_health": {"extra": ["calm", gone], "missing": ["solo"]}})
    assert impacted(arm) == ["app-0", "app-1", "calm", "gone"]
    assert "maintenanceRedeployStatus" in arm.view("solo")
    assert "maintenanceRedeployStatus" not in arm.view("calm")
    assert len(arm.get(arm.vm("calm", "/providers/Microsoft.Maintenance/updates"))["value"]) == 1
    assert arm.get(arm.vm("solo", "/providers/Microsoft.Maintenance/updates")) == {"value": []}


def test_statuses_follow_the_operation(run, small):
    arm = run(small | {"operations": {"default": {"after_seconds": 60}}})

    def status():
        [row] = ask(arm, f"{UPDATES} | where name contains 'solo'")[2]["data"]
        [update] = arm.get(arm.vm("solo", "/providers/Microsoft.Maintenance/updates"))["value"]
        assert row["properties"]["value"][0]["status"] == update["status"]
        return update["status"]

    assert status() == "Pending"
    arm.post("solo")
    assert status() == "InProgress"
    arm.control("POST", "clock", {"seconds": 61})
    assert status() == "Completed"


def test_updates_of_an_instance(run, sets):
    arm = run(sets)
    instances = "resourceGroups/alpha/providers/Microsoft.Compute/virtualMachineScaleSets/pool/virtualMachines"
    [update] = arm.get(f"{instances}/1/providers/Microsoft.Maintenance/updates")["value"]
    assert update["impactType"] == "Restart"


def test_the_documented_query(arm):
    identity = arm.get(EVENTS)["value"][0]["properties"]["externalIncidentId"]
    rows = ask(arm, DOCUMENTED.replace("{id}", identity))[2]["data"]
    ours = [row for row in rows if row.get("source") == "Maintenance"]
    assert names(row["targetResourceId"] for row in ours) == ["app-0", "app-1", "far", "solo"]
    assert {row["resourceType"] for row in ours} == {"Microsoft.Compute/virtualMachines"}
    assert len(rows) == len(ours) + 5


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("resources | where type =~ 'Microsoft.Compute/virtualMachines' and name == 'solo' | project name", ["solo"]),
        ("Resources | where name in~ ('SOLO', 'calm') | project name | order by name asc", ["calm", "solo"]),
        ("where name has 'app' | project name | sort by name", ["app-1", "app-0"]),
        ("resources | where name !in~ ('solo') and location != 'westeurope' | project name", ["far"]),
        ("resources | where name startswith 'ap' or (name contains 'ol') | project name | take 2", ["app-0", "app-1"]),
        ("where isempty(tags) and not(name == 'calm') and name !~ 'SOLO' | project name | take 1", ["later"]),
        ("resources | where tags['tier'] == '1' | extend n = name | project name = n // why not", ["app-0", "app-1"]),
        ("resources | where properties.networkProfile.networkInterfaces[0].id has 'idle' | project name", ["idle"]),
    ],
)
def test_queries(arm, query, found):
    status, dummy, body = ask(arm, query)
    assert status == 200 and [row.get("name") for row in body["data"]] == found


def test_power_but_no_block(arm):
    body = ask(arm, "resources | where name == 'idle' | project id, properties.extended.instanceView")[2]
    view = body["data"][0]["properties_extended_instanceView"]
    assert view["powerState"]["code"] == "PowerState/deallocated" and "maintenanceRedeployStatus" not in view


def test_pages_and_tables(arm):
    first = ask(arm, "resources | project id, name", top=4)[2]
    assert (first["totalRecords"], first["count"], first["resultTruncated"]) == (7, 4, "true")
    second = ask(arm, "resources | project id, name", top=4, skipToken=first["$skipToken"])[2]
    assert (second["count"], second["resultTruncated"]) == (3, "false") and "$skipToken" not in second
    assert "$skipToken" not in ask(arm, "resources | project name", top=4)[2]
    table = ask(arm, "resources | project id, name", resultFormat="table")[2]["data"]
    assert [column["name"] for column in table["columns"]] == ["id", "name"] and len(table["rows"]) == 7
    assert ask(arm, "resources | count")[2]["data"] == [{"Count": 7}]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("resources | join kind=inner (resources) on id", "InvalidQuery"),
        ("resources | where", "InvalidQuery"),
        ("resources | where name ~ 'x'", "InvalidQuery"),
        ("resources | where frob(name)", "InvalidQuery"),
        ("secrets | take 1", "DisallowedLogicalTableName"),
    ],
)
def test_wrong_queries(arm, query, code):
    status, dummy, body = ask(arm, query)
    assert (status, body["error"]["code"], body["error"]["details"][0]["code"]) == (400, "BadRequest", code)


def test_it_hides_what_the_caller_may_not_read(run, small):
    small["credentials"][0]["roles"] = {"Other": "listed"}
    arm = run(small)
    both = list(arm.simulator.fleet.subscriptions)
    assert {row["subscriptionId"] for row in ask(arm, "resources", both)[2]["data"]} == {both[0]}
    refused = ask(arm, "resources", [both[1]])
    assert refused[0] == 400
    assert refused[2]["error"]["details"][0]["code"] == "NoValidSubscriptionsInQueryRequest"
