# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Activity-log alerts and action groups: what is stored, what is added, what is refused, and the ledger."""

from __future__ import annotations

import pytest

from .conftest import Arm

INSIGHTS = "resourceGroups/alpha/providers/Microsoft.Insights"
GROUP, RULE = f"{INSIGHTS}/actionGroups/ops", f"{INSIGHTS}/activityLogAlerts/maint"
MAIL = {"name": "oncall", "emailAddress": "oncall@example.org"}
HOOK = {"name": "eda", "serviceUri": "https://example.org/hook"}


def group(**properties):
    """The body of an action group."""
    return {"location": "Global", "properties": {"groupShortName": "ops", "emailReceivers": [MAIL], "webhookReceivers": [HOOK], **properties}}


def rule(arm: Arm, **properties):
    """The body of an alert that tells the group ops."""
    to = f"/subscriptions/{arm.subscription}/{GROUP}"
    conditions = [{"field": "category", "equals": "ServiceHealth"}, {"field": "properties.incidentType", "equals": "Maintenance"}]
    return {
        "location": "Global",
        "properties": {
            "scopes": [f"/subscriptions/{arm.subscription}"],
            "condition": {"allOf": conditions},
            "actions": {"actionGroups": [{"actionGroupId": to}]},
            **properties,
        },
    }


def test_an_action_group_comes_back_with_what_azure_adds(arm: Arm) -> None:
    status, dummy, body = arm.call("PUT", GROUP, group())
    assert status == 201 and body == arm.get(GROUP)
    assert body["type"] == "Microsoft.Insights/ActionGroups" and "/providers/microsoft.insights/actionGroups/ops" in body["id"]
    properties = body["properties"]
    assert properties["enabled"] is True and properties["smsReceivers"] == [] and properties["armRoleReceivers"] == []
    assert properties["emailReceivers"] == [{**MAIL, "useCommonAlertSchema": False, "status": "Enabled"}]
    assert properties["webhookReceivers"] == [{**HOOK, "useCommonAlertSchema": False, "useAadAuth": False}]
    assert arm.call("PUT", GROUP.upper(), group(enabled=False))[0] == 200
    assert arm.get(GROUP)["properties"]["enabled"] is False and arm.get(GROUP)["name"] == "ops"


def test_an_alert_comes_back_in_another_order(arm: Arm) -> None:
    arm.call("PUT", GROUP, group())
    status, dummy, body = arm.call("PUT", RULE, rule(arm))
    assert status == 201 and body == arm.get(RULE)
    assert [leaf["field"] for leaf in body["properties"]["condition"]["allOf"]] == ["properties.incidentType", "category"]
    assert body["properties"]["condition"]["allOf"][0]["containsAny"] is None
    action = body["properties"]["actions"]["actionGroups"][0]
    assert action["actionGroupId"] == action["actionGroupId"].lower() and action["webhookProperties"] == {}


def test_lists_and_deletion(arm: Arm) -> None:
    assert arm.get(GROUP, 404)["error"]["code"] == "ResourceNotFound"
    arm.call("PUT", GROUP, group())
    arm.call("PUT", f"{INSIGHTS}/actionGroups/more", group())
    below = ("providers/Microsoft.Insights/actionGroups", f"{INSIGHTS}/actionGroups")
    assert [[item["name"] for item in arm.get(path)["value"]] for path in below] == [["ops", "more"]] * 2
    assert arm.get("providers/Microsoft.Insights/activityLogAlerts")["value"] == []
    assert [arm.call("DELETE", GROUP)[0] for dummy in range(2)] == [200, 204]
    assert [item["name"] for item in arm.get(below[0])["value"]] == ["more"]


def test_every_write_is_in_the_ledger(arm: Arm) -> None:
    arm.call("PUT", GROUP, group())
    arm.call("PUT", GROUP, group())
    arm.call("PUT", GROUP, group(groupShortName=None))
    arm.call("DELETE", GROUP)
    found = [(entry["method"], entry["name"], entry["status"], entry["outcome"]) for entry in arm.simulator.ledger()]
    assert found == [("PUT", "ops", 201, "created"), ("PUT", "ops", 200, "updated"), ("PUT", "ops", 400, "refused"), ("DELETE", "ops", 200, "deleted")]
    assert not any(entry["down"] for entry in arm.simulator.ledger())


@pytest.mark.parametrize(("change", "code"), [
    ({"groupShortName": "thirteen-char"}, "GroupShortNameIsTooLong"), ({"groupShortName": ""}, "GroupShortNameIsNullOrEmpty"),
    ({"emailReceivers": [{"emailAddress": "a@b"}]}, "EmailReceiverNameIsNullOrEmpty"),
    ({"emailReceivers": [{"name": "a", "emailAddress": "nobody"}]}, "EmailReceiverEmailAddressIsInvalid"),
    ({"webhookReceivers": [{"name": "a", "serviceUri": "example.org"}]}, "WebhookReceiverServiceUriIsInvalid"),
    ({"armRoleReceivers": [{"name": "ONCALL", "roleId": "x"}]}, "ReceiverNameIsNotUnique")])
def test_what_an_action_group_must_not_be(arm: Arm, change, code) -> None:
    assert arm.call("PUT", GROUP, group(**change))[::2] == (400, {"Code": code, "Message": code})


def test_what_an_alert_must_not_be(arm: Arm) -> None:
    assert arm.call("PUT", RULE, rule(arm))[2]["error"]["code"] == "ActionGroupNotFound"
    arm.call("PUT", GROUP, group())
    for change in ({"scopes": ["/subscriptions/5ab00000-0000-4000-8000-000000000002"]}, {"condition": {"allOf": []}},
                   {"condition": {"allOf": [{"field": "category", "equals": "ServiceHealth"}, {"field": "level"}]}}):
        assert arm.call("PUT", RULE, rule(arm, **change))[2]["error"]["code"] == "BadRequest", change
    assert arm.call("PUT", RULE, {**rule(arm), "location": None})[2]["error"]["code"] == "LocationRequired"
    assert arm.call("PUT", RULE, {**rule(arm), "location": "Mars"})[2]["error"]["code"] == "LocationNotAvailableForResourceType"
    assert arm.call("PUT", RULE.replace("alpha", "none"), rule(arm))[2]["error"]["code"] == "ResourceGroupNotFound"
    assert arm.call("PUT", RULE, rule(arm))[0] == 201
    assert arm.call("PUT", RULE, {**rule(arm), "location": "westeurope"})[2]["error"]["code"] == "InvalidResourceLocation"


def test_a_reader_writes_nothing(run) -> None:
    reader = Arm(run().simulator, 1)
    assert reader.call("PUT", GROUP, group())[2]["error"]["code"] == "AuthorizationFailed"
    assert reader.call("DELETE", GROUP)[0] == 403 and reader.get(GROUP, 404)


def test_they_survive_a_restart(run) -> None:
    first = run()
    first.call("PUT", GROUP, group())
    first.simulator.stop()
    assert run().get(GROUP)["properties"]["groupShortName"] == "ops"
