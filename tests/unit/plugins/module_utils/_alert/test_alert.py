# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the alert and its audience must say, and when what Azure answers says it already."""

from __future__ import annotations

import copy
import json

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._alert import action_group as groups
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._alert import alert
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import OptionsError

S = "11111111-1111-1111-1111-111111111111"
OPS = f"/subscriptions/{S}/resourceGroups/Mon/providers/Microsoft.Insights/actionGroups/ops"
OWN = f"/subscriptions/{S}/resourceGroups/mon/providers/Microsoft.Insights/actionGroups/vm-maint"
SECRET = "https://example.org/hook?code=s3cret"
OPTIONS = {"name": "vm-maint", "resource_group": "mon", "state": "present", "enabled": True, "description": "planned", "services": list(alert.SERVICES),
           "regions": [], "action_group": None, "short_name": None, "emails": ["oncall@example.org", "b@example.org"],
           "webhooks": [{"name": "eda", "url": SECRET}], "arm_roles": ["owner"], "action_group_ids": [OPS], "tags": None}


def wanted(**options):
    return alert.Wanted.from_options({**OPTIONS, **options})


def answered_group(body):
    """The group as Azure answers it: other order, other letter case, defaults added."""
    body = copy.deepcopy(body)
    properties = body["properties"]
    mails = reversed(properties["emailReceivers"])
    properties["emailReceivers"] = [{**item, "emailAddress": item["emailAddress"].upper(), "status": "Enabled"} for item in mails]
    properties["webhookReceivers"] = [{**item, "useAadAuth": False, "objectId": None} for item in properties["webhookReceivers"]]
    properties["armRoleReceivers"] = [{**item, "roleId": item["roleId"].upper()} for item in properties["armRoleReceivers"]]
    return {**body, "id": OWN.upper(), "location": "global", "kind": None, "properties": {"smsReceivers": [], "voiceReceivers": [], **properties}}


def answered_rule(body):
    body = copy.deepcopy(body)
    properties = body["properties"]
    leaves = reversed(properties["condition"]["allOf"])
    properties["condition"]["allOf"] = [{"equals": None, "containsAny": None, "anyOf": None, **leaf} for leaf in leaves]
    for item in properties["actions"]["actionGroups"]:
        item["actionGroupId"] = item["actionGroupId"].upper()
    properties["actions"]["actionGroups"].reverse()
    properties["scopes"] = [scope + "/" for scope in properties["scopes"]]
    return {**body, "location": "global"}


# -- the second run changes nothing -------------------------------------------------------------------------------------

def test_what_azure_answers_is_what_was_wanted():
    want = wanted(tags={"Team": "ops"})
    group = want.group(None)
    assert groups.same_group(answered_group(group), want.group(answered_group(group)))
    rule = want.rule(None, S, ["West Europe", "Global"], OWN)
    assert alert.same_rule(answered_rule(rule), want.rule(answered_rule(rule), S, ["Global", "West Europe"], OWN.upper()))
    assert not groups.same_group(None, group) and not alert.same_rule(None, rule)


@pytest.mark.parametrize("options", [
    {"emails": ["oncall@example.org"]}, {"emails": []}, {"webhooks": [{"name": "eda", "url": SECRET + "2"}]}, {"webhooks": []},
    {"webhooks": [{"name": "other", "url": SECRET}]}, {"arm_roles": ["reader"]}, {"short_name": "short"}, {"tags": {"team": "ops"}}])
def test_a_different_audience_is_seen(options):
    present = answered_group(wanted().group(None))
    assert not groups.same_group(present, wanted(**options).group(present))


@pytest.mark.parametrize("options", [
    {"enabled": False}, {"description": "other"}, {"services": []}, {"services": ["Virtual Machines"]}, {"action_group_ids": []},
    {"tags": {"team": "ops"}}])
def test_a_different_alert_is_seen(options):
    present = answered_rule(wanted().rule(None, S, ["Global"], OWN))
    assert not alert.same_rule(present, wanted(**options).rule(present, S, ["Global"], OWN))
    assert not alert.same_rule(present, wanted().rule(present, S, [], OWN))


def test_alternatives_of_one_field_are_containsany():
    rule = wanted(services=["A", "B"]).rule(None, S, [], OWN)
    by_hand = copy.deepcopy(rule)
    field = "properties.impactedServices[*].ServiceName"
    by_hand["properties"]["condition"]["allOf"][2] = {"anyOf": [{"field": field, "equals": "b"}, {"field": field, "equals": "a"}]}
    assert alert.same_rule(by_hand, rule)
    by_hand["properties"]["condition"]["allOf"][2] = {"anyOf": [{"field": field, "equals": "b"}, {"field": "level", "equals": "a"}]}
    assert not alert.same_rule(by_hand, rule)


def test_a_webhook_that_is_sent_something_else_is_seen():
    present = answered_group(wanted().group(None))
    hook = present["properties"]["webhookReceivers"][0]
    del hook["useCommonAlertSchema"]
    assert groups.same_group(present, wanted().group(present)), "left out of the answer"
    hook["useCommonAlertSchema"] = False
    assert not groups.same_group(present, wanted().group(present))
    hook.update(useCommonAlertSchema=True, serviceUri="https://[odd")
    assert not groups.same_group(present, wanted().group(present)) and groups.shown_group(present)["webhooks"] == {"eda": groups.HIDDEN}


def test_tags_are_texts():
    body = wanted(tags={"cost": 7, "on": True}).group(None)
    assert body["tags"] == {"cost": "7", "on": "True", groups.MARK: "vm-maint"}


def test_what_is_missing_or_null_in_an_answer_is_a_default():
    rule = wanted(description="").rule(None, S, [], OWN)
    bare = copy.deepcopy(rule)
    del bare["tags"], bare["properties"]["enabled"], bare["location"]
    bare["properties"]["description"] = None
    for action in bare["properties"]["actions"]["actionGroups"]:
        del action["webhookProperties"]
    assert alert.same_rule(bare, wanted(description="").rule(bare, S, [], OWN))
    group = wanted().group(None)
    bare_group = {"tags": None, **copy.deepcopy(group), "location": None}
    del bare_group["properties"]["enabled"]
    assert groups.same_group(bare_group, wanted().group(bare_group))
    assert not alert.same_rule({}, rule) and not groups.same_group({"properties": None}, group)
    assert not alert.is_maintenance_rule({"properties": None}) and not alert.uses_group({}, OWN)


# -- what is kept -------------------------------------------------------------------------------------------------------

def test_other_receivers_tags_names_and_the_location_stay():
    present = answered_group(wanted().group(None))
    present["location"], present["tags"] = "swedencentral", {"Owner": "x", **present["tags"]}
    present["properties"]["smsReceivers"] = [{"name": "night", "phoneNumber": "1"}]
    present["properties"]["emailReceivers"] = [{"name": "by hand", "emailAddress": "oncall@example.org", "useCommonAlertSchema": True,
                                                "status": "Enabled"}]
    body = wanted(tags={"owner": "y"}, webhooks=None, arm_roles=None).group(present)
    assert body["location"] == "swedencentral" and body["tags"] == {"Owner": "y", groups.MARK: "vm-maint"}
    assert body["properties"]["smsReceivers"] == [{"name": "night", "phoneNumber": "1"}]
    assert body["properties"]["webhookReceivers"] == present["properties"]["webhookReceivers"]
    mails = [(item["name"], item["emailAddress"]) for item in body["properties"]["emailReceivers"]]
    assert mails == [("by hand", "oncall@example.org"), ("b-example-org", "b@example.org")]
    assert "status" not in json.dumps(body["properties"]["emailReceivers"]), "read-only"


def test_the_payload_of_an_action_group_stays():
    present = wanted().rule(None, S, [], OWN)
    present["properties"]["actions"]["actionGroups"][1].update(actionGroupId=OPS.lower(), webhookProperties={"key": "value"})
    body = wanted().rule(present, S, [], OWN)
    assert body["properties"]["actions"]["actionGroups"][1] == {"actionGroupId": OPS, "webhookProperties": {"key": "value"}}
    assert alert.same_rule(present, body)


def test_receivers_have_names_of_their_own():
    body = wanted(emails=["a.b@x.org", "a-b@x.org", "A.B@X.ORG"], webhooks=[{"name": "Owner", "url": SECRET}]).group(None)
    names = [item["name"] for kind in ("emailReceivers", "webhookReceivers", "armRoleReceivers") for item in body["properties"][kind]]
    assert names == ["A-B-X-ORG", "a-b-x-org-2", "Owner", "owner-2"]


def test_only_those_of_others_are_told():
    want = wanted(emails=None, webhooks=None, arm_roles=None)
    assert not want.has_group
    assert [item["actionGroupId"] for item in want.rule(None, S, [], OWN)["properties"]["actions"]["actionGroups"]] == [OPS]


# -- what is shown ------------------------------------------------------------------------------------------------------

def test_no_webhook_url_is_shown():
    old = wanted().group(None)
    new = wanted(webhooks=[{"name": "eda", "url": SECRET + "2"}, {"name": "more", "url": SECRET}]).group(old)
    shown = groups.shown_group(old), groups.shown_group(new, old)
    assert "s3cret" not in json.dumps(shown) and "example.org/hook" not in json.dumps(shown)
    assert shown[0]["webhooks"] == {"eda": groups.HIDDEN} and shown[1]["webhooks"] == {"eda": groups.HIDDEN_NEW, "more": groups.HIDDEN}
    assert shown[0]["emails"] == ["b@example.org", "oncall@example.org"] and shown[0]["arm_roles"] == ["owner"]
    rule = wanted().rule(None, S, [], OWN)
    rule["properties"]["actions"]["actionGroups"][0]["webhookProperties"] = {"token": "s3cret"}
    assert "s3cret" not in json.dumps(alert.shown_rule(rule))
    assert groups.shown_group(None) == {} and alert.shown_rule(None) == {}


@pytest.mark.parametrize("one, other, same", [
    ("https://example.org", "HTTPS://Example.org/", True), ("https://example.org/A", "https://example.org/a", False),
    ("https://x/a?b=1", "https://x/a?b=2", False),
    (None, "https://x/", False)])
def test_the_same_url(one, other, same):
    assert (groups._same_url(one) == groups._same_url(other)) is same


# -- whose alert it is --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("conditions, ours", [
    ([("category", "ServiceHealth")], False), ([("category", "servicehealth"), ("properties.incidentType", "MAINTENANCE")], True),
    ([("category", "ServiceHealth"), ("properties.incidentType", "Incident")], False), ([("category", "Administrative")], False), ([], False)])
def test_whose_alert_it_is(conditions, ours):
    rule = {"properties": {"condition": {"allOf": [{"field": field, "equals": value} for field, value in conditions]}}}
    assert alert.is_maintenance_rule(rule) is ours


def test_who_made_the_group():
    assert groups.is_marked(wanted().group(None)) and not groups.is_marked(wanted().group({"properties": {}}))
    assert groups.is_marked({"tags": {groups.MARK.upper(): "x"}}) and not groups.is_marked({"tags": None})
    rule = wanted().rule(None, S, [], OWN)
    assert alert.uses_group(rule, OWN.upper()) and not alert.uses_group(rule, OWN + "2")


# -- options ------------------------------------------------------------------------------------------------------------

LOCATIONS = [{"name": "westeurope", "displayName": "West Europe"}, {"name": "northeurope", "displayName": "North Europe"}, {"name": "old"}]


def test_regions_are_spelled_as_notices_spell_them():
    spelled = alert.display_regions(["westeurope", "WEST EUROPE", "North Europe", "global", "old"], LOCATIONS)
    assert spelled == ["West Europe", "North Europe", "Global", "old"]
    with pytest.raises(OptionsError, match="'westeurop' is no region of this subscription; did you mean westeurope"):
        alert.display_regions(["westeurop"], LOCATIONS)


@pytest.mark.parametrize("options, words", [
    ({"emails": [], "webhooks": None, "arm_roles": None, "action_group_ids": []}, "no receiver is set"),
    ({"name": "a/b"}, "name 'a/b' cannot be a name"),
    ({"action_group": "ops."}, "action_group 'ops.'"), ({"short_name": "thirteen-char"}, "has 13 characters; Azure takes 1 to 12"),
    ({"emails": ["nobody"]}, "'nobody' is not a mail address"), ({"arm_roles": ["boss"]}, "neither a role definition's id nor one of owner,"),
    ({"action_group_ids": ["ops"]}, "'ops' is not the id of an action group"),
    ({"webhooks": [{"name": "a", "url": SECRET}, {"name": "A", "url": SECRET}]}, "'a' is there twice"),
    ({"webhooks": [{"name": "a", "url": "https://[s3cret/x"}]}, "the URL of 'a' does not begin with https://"),
    ({"webhooks": [{"name": "a", "url": "https://x.example.org/s3cret y"}]}, "the URL of 'a' does not begin with https://"),
    ({"webhooks": [{"name": "a", "url": "s3cret.example.org"}]}, "the URL of 'a' does not begin with https://")])
def test_options_that_cannot_work(options, words):
    with pytest.raises(OptionsError, match=words) as caught:
        wanted(**options)
    assert "s3cret" not in str(caught.value)


def test_absent_needs_no_audience():
    assert wanted(state="absent", emails=None, webhooks=None, arm_roles=None, action_group_ids=[]).short_name == "vm-maint"
    assert wanted(name="a-long-name-of-an-alert").short_name == "a-long-name-"
