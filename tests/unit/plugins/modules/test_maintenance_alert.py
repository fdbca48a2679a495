# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole module in this process: what Azure is told, what others made, and errors that say what to do."""

from __future__ import annotations

import json

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from unit.plugins.cloud import SUBSCRIPTION

from ansible_collections.fleetops.azure_maintenance.plugins.modules import maintenance_alert

ALERT = {"name": "vm-maint", "resource_group": "shop", "regions": ["westeurope", "Global"], "emails": ["OnCall@example.org"],
         "webhooks": [{"name": "eda", "url": "https://hooks.example.org/in?code=s3cret"}], "arm_roles": ["owner"], "subscription_id": SUBSCRIPTION}
NOBODY = dict.fromkeys(("emails", "webhooks", "arm_roles"))


@pytest.fixture
def execute(cloud, capsys):
    """Run the module: (exit code, result)."""

    def run(*, credential=0, check=False, diff=False, **params):
        given = {name: value for name, value in {**ALERT, **cloud.options(credential), **params}.items() if value is not None}
        with patch_module_args({**given, "_ansible_check_mode": check, "_ansible_diff": diff}), pytest.raises(SystemExit) as ended:
            maintenance_alert.main()
        return ended.value.code, json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def stored(cloud):
    """Resources of Azure Monitor by kind and name, lower-case."""
    return lambda: {"/".join(key.split("/")[-2:]): body for key, body in cloud.simulator.world.insights.items()}


def writes(cloud):
    return [(entry["method"], entry["operation"].rpartition("/")[2], entry["outcome"]) for entry in cloud.simulator.ledger()]


@pytest.fixture
def by_hand(cloud):
    """An action group that a person made; its id."""
    key = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Shop/providers/Microsoft.Insights/actionGroups/ops"
    cloud.simulator.world.insights[key.lower()] = {"id": key, "name": "ops", "location": "Global", "tags": {}, "properties": {
        "groupShortName": "ops", "enabled": True, "smsReceivers": [{"name": "night", "countryCode": "31", "phoneNumber": "1"}]}}
    return key


def test_what_azure_is_told(execute, stored):
    code, result = execute(short_name="maint", tags={"team": "ops"})
    assert code == 0 and result["action_group_id"].endswith("/actionGroups/vm-maint") and "diff" not in result
    documented = yaml.safe_load(maintenance_alert.RETURN)
    assert set(result) - {"changed", "invocation"} == set(documented)
    rule, group = stored()["activitylogalerts/vm-maint"], stored()["actiongroups/vm-maint"]
    conditions = {leaf["field"].rpartition(".")[2]: leaf["equals"] or leaf["containsAny"] for leaf in rule["properties"]["condition"]["allOf"]}
    assert conditions == {"category": "ServiceHealth", "incidentType": "Maintenance", "RegionName": ["West Europe", "Global"],
                          "ServiceName": ["Virtual Machines", "Virtual Machine Scale Sets"]}
    assert rule["properties"]["actions"]["actionGroups"][0]["actionGroupId"] == group["id"].lower() and rule["tags"] == {"team": "ops"}
    assert group["properties"]["groupShortName"] == "maint" and group["tags"] == {"team": "ops", "fleetops-azure-maintenance": "vm-maint"}
    assert group["properties"]["webhookReceivers"][0]["serviceUri"] == ALERT["webhooks"][0]["url"]


def test_the_second_run_writes_nothing_and_a_change_only_what_changed(cloud, execute):
    created = [("PUT", "actionGroups", "created"), ("PUT", "activityLogAlerts", "created")]
    assert execute(check=True)[1]["changed"] and writes(cloud) == []
    assert execute()[1]["changed"] and writes(cloud) == created
    assert not execute()[1]["changed"] and not execute(resource_group="SHOP", regions=["Global", "West Europe"])[1]["changed"]
    assert execute(enabled=False)[1]["actions"] == ["update alert vm-maint"]
    assert execute(enabled=False, emails=["a@example.org"])[1]["actions"] == ["update action group vm-maint"]
    assert execute(state="absent")[1]["actions"] == ["delete alert vm-maint", "delete action group vm-maint"]
    assert not execute(state="absent")[1]["changed"]
    assert writes(cloud)[2:] == [("PUT", "activityLogAlerts", "updated"), ("PUT", "actionGroups", "updated"),
                                 ("DELETE", "activityLogAlerts", "deleted"), ("DELETE", "actionGroups", "deleted")]


def test_a_difference_without_secrets(execute):
    execute()
    dummy, result = execute(diff=True, check=True, webhooks=[{"name": "eda", "url": "https://hooks.example.org/in?code=n3w"}], regions=[])
    before, after = result["diff"]["before"], result["diff"]["after"]
    assert before["action_group"]["webhooks"] == {"eda": "(hidden)"} and after["action_group"]["webhooks"] == {"eda": "(hidden, another one)"}
    assert "properties.impactedservices[*].impactedregions[*].regionname" in before["alert"]["conditions"] and len(after["alert"]["conditions"]) == 3
    assert "s3cret" not in json.dumps(result) and "n3w" not in json.dumps(result)
    dummy, same = execute(diff=True)
    assert same["diff"]["before"] == same["diff"]["after"]
    assert execute(diff=True, check=True, state="absent")[1]["diff"]["after"] == {"alert": {}, "action_group": {}}


def test_what_others_made_is_taken_over_only_on_request(cloud, execute, by_hand, stored):
    code, refused = execute(action_group="ops")
    assert code == 1 and "was not made by this module" in refused["msg"] and "set adopt" in refused["msg"] and writes(cloud) == []
    assert execute(action_group="ops", adopt=True)[1]["actions"] == ["update action group ops", "create alert vm-maint"]
    assert stored()["actiongroups/ops"]["properties"]["smsReceivers"][0]["name"] == "night", "other kinds of receiver stay"
    assert not execute(action_group="ops", adopt=True)[1]["changed"]
    gone = execute(action_group="ops", state="absent")[1]
    assert gone["actions"] == ["delete alert vm-maint"] and gone["kept"] == "action group ops was not made by this module"
    assert "actiongroups/ops" in stored()


def test_groups_of_others_are_told_as_they_are(cloud, execute, by_hand, stored):
    code, result = execute(**NOBODY, action_group_ids=[by_hand])
    assert code == 0 and result["action_group_id"] is None and result["actions"] == ["create alert vm-maint"]
    assert not execute(**NOBODY, action_group_ids=[by_hand.upper().replace("SHOP", "shop")])[1]["changed"]
    assert execute(action_group_ids=[by_hand])[1]["actions"] == ["create action group vm-maint", "update alert vm-maint"]
    assert len(stored()["activitylogalerts/vm-maint"]["properties"]["actions"]["actionGroups"]) == 2


def test_a_group_in_use_stays_and_a_foreign_alert_is_refused(execute, stored):
    execute()
    assert execute(name="second", action_group="vm-maint")[1]["actions"] == ["create alert second"]
    gone = execute(state="absent")[1]
    assert gone["actions"] == ["delete alert vm-maint"] and gone["kept"] == "action group vm-maint is used by the alerts second"
    stored()["activitylogalerts/second"]["properties"]["condition"]["allOf"] = [{"field": "category", "equals": "Administrative"}]
    for state in ("present", "absent"):
        code, refused = execute(name="second", action_group="vm-maint", state=state)
        assert code == 1 and "is not about planned maintenance" in refused["msg"]
    assert execute(name="second", action_group="vm-maint", adopt=True)[1]["actions"] == ["update alert second"]


@pytest.mark.parametrize("params, words", [
    ({"resource_group": "nowhere"}, "create the resource group first"), ({"resource_group": "nowhere", "check": True}, "create the resource group first"),
    ({"regions": ["westeurop"]}, "did you mean westeurope"), (NOBODY, "no receiver is set"),
    ({"subscription_id": None}, "set subscription_id or AZURE_SUBSCRIPTION_ID"), ({"subscription_id": "x"}, "correct subscription_id"),
    ({"subscription_id": "x", "state": "absent"}, "correct subscription_id"), ({"credential": 2}, "give the identity the role Monitoring Contributor"),
    ({"webhooks": [{"name": "eda", "url": "s3cret.example.org"}]}, "URL of 'eda' does not begin with https://")])
def test_errors_that_say_what_to_do(cloud, execute, params, words):
    code, result = execute(**params)
    assert code == 1 and words in result["msg"] and result["failure"]["doing"] and "s3cret" not in json.dumps(result)
    assert {outcome for dummy, dummy, outcome in writes(cloud)} <= {"refused"}


def test_nothing_to_remove_where_nothing_is(execute):
    code, result = execute(resource_group="nowhere", state="absent")
    assert code == 0 and not result["changed"]


@pytest.mark.parametrize("fault, words", [
    ({"status": 409, "code": "ScopeLocked"}, "remove the lock"), ({"status": 409, "code": "MissingSubscriptionRegistration"}, "az provider register"),
    ({"status": 400, "body": {"Code": "Odd", "Message": "https://hooks.example.org/in?code=s3cret is odd"}},
     "could not write the action group vm-maint: HTTP 400 Odd")])
def test_what_azure_refuses(cloud, execute, fault, words):
    cloud.fault("actionGroups", "PUT", count=0, **fault)
    code, result = execute()
    assert code == 1 and words in result["msg"] and "s3cret" not in json.dumps(result)


@pytest.mark.parametrize("quoted", [
    "https://hooks.example.org/in?code=s3cret", "HTTPS://HOOKS.EXAMPLE.ORG:443/in?code=s3cret", "https%3A%2F%2Fhooks.example.org%2Fin%3Fcode%3Ds3cret"])
def test_azures_words_are_shown_without_the_url_in_whatever_spelling(cloud, execute, quoted):
    cloud.fault("actionGroups", "PUT", count=0, status=400, body={"Code": "Odd", "Message": f"serviceUri '{quoted}' is odd"})
    code, result = execute()
    assert code == 1 and "Odd: serviceUri '(hidden)' is odd" in result["msg"] and "s3cret" not in json.dumps(result).lower()


def test_what_is_gone_by_the_time_it_is_deleted_is_deleted(cloud, execute):
    execute()
    cloud.fault("activityLogAlerts", "DELETE", status=404, body={})
    assert execute(state="absent")[0] == 0


def test_a_list_that_azure_does_not_give_removes_nothing(cloud, execute):
    execute()
    before = writes(cloud)
    cloud.fault(f"subscriptions/{SUBSCRIPTION}/providers/Microsoft.Insights/activityLogAlerts", "GET", count=0, status=404, code="NotFound")
    code, result = execute(state="absent")
    assert code == 1 and "could not list the alerts that use the action group" in result["msg"] and writes(cloud) == before


@pytest.mark.parametrize("fault", [{"status": 503, "executed": True}, {"status": 429, "retry_after": 0}, {"drop": "after"}, {"drop": "before"}])
def test_a_write_that_got_no_answer_is_repeated(cloud, execute, fault):
    cloud.fault("activityLogAlerts", "PUT", **fault)
    assert execute()[0] == 0 and not execute()[1]["changed"]
    cloud.fault("actionGroups", "DELETE", **fault)
    assert execute(state="absent")[0] == 0 and cloud.simulator.world.insights == {}
