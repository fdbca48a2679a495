# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists: pages, the three shapes of statusOnly, batch."""

from __future__ import annotations

import pytest

VMS = "providers/Microsoft.Compute/virtualMachines"


@pytest.mark.parametrize(("size", "pages"), [(1, 6), (2, 3), (5, 2), (6, 1)])
def test_pages(run, small, size, pages):
    arm = run(small | {"page_size": size})
    items, count = arm.follow(VMS)
    assert count == pages
    assert [item["name"] for item in items] == ["app-0", "app-1", "solo", "calm", "later", "idle"]


def test_an_empty_page_may_have_a_next_one(run, small):
    arm = run(small | {"page_size": 4, "quirks": {"empty_first_page": True}})
    assert arm.get(VMS)["value"] == []
    items, pages = arm.follow(VMS)
    assert (len(items), pages) == (6, 3)


def test_next_link_is_absolute_and_keeps_the_query(run, small):
    link = run(small | {"page_size": 2}).get(f"{VMS}?statusOnly=true")["nextLink"]
    assert link.startswith("https://127.0.0.1:")
    assert "statusOnly=true" in link and "$skiptoken=" in link and "api-version=" in link


def test_bad_skip_token(arm):
    assert arm.get(f"{VMS}?$skiptoken=!!", 400)["error"]["code"] == "InvalidSkipToken"


@pytest.mark.parametrize(
    ("shape", "has_block", "has_domain"), [("full", True, True), ("lean", False, True), ("minimal", False, False)]
)
def test_status_only(run, small, shape, has_block, has_domain):
    items, dummy = run(small | {"status_only": shape, "page_size": 4}).follow(f"{VMS}?statusOnly=true")
    assert len(items) == 6
    properties = items[0]["properties"]
    assert not {"hardwareProfile", "storageProfile", "networkProfile"} & set(properties)
    view = properties["instanceView"]
    assert ("maintenanceRedeployStatus" in view) is has_block
    assert ("platformUpdateDomain" in view) is has_domain
    assert [status["code"] for status in view["statuses"]] == ["ProvisioningState/succeeded", "PowerState/running"]


def test_the_full_shape_is_the_instance_view(arm):
    items, dummy = arm.follow(f"{VMS}?statusOnly=true")
    views = {item["name"]: item["properties"]["instanceView"] for item in items}
    for name in ("app-1", "solo", "idle"):
        assert set(views[name]) == set(arm.view(name))


def test_scale_sets_are_none(arm):
    assert arm.get("providers/Microsoft.Compute/virtualMachineScaleSets") == {"value": []}
    assert arm.get("resourceGroups/alpha/providers/Microsoft.Compute/virtualMachineScaleSets") == {"value": []}
    query = "$filter='virtualMachineScaleSet/id' eq 'x'".replace(" ", "%20")
    assert arm.get(f"resourceGroups/alpha/{VMS}?{query}") == {"value": []}


def test_batch_answers_by_name_in_any_order(arm):
    parts = [
        {"httpMethod": "GET", "name": "a", "url": arm.vm("solo", "/instanceView?api-version=2024-11-01")},
        {"httpMethod": "GET", "name": "b", "url": f"{arm.simulator.url}{arm.vm('nope')}?api-version=2024-11-01"},
    ]
    status, dummy, body = arm.call("POST", "/batch?api-version=2015-11-01", {"requests": parts})
    assert status == 200
    answers = {part["name"]: part for part in body["responses"]}
    assert [part["name"] for part in body["responses"]] == ["b", "a"]
    assert answers["a"]["httpStatusCode"] == 200 and "statuses" in answers["a"]["content"]
    assert answers["b"]["httpStatusCode"] == 404 and answers["b"]["content"]["error"]["code"] == "ResourceNotFound"
