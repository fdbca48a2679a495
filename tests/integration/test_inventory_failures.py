# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An inventory source that cannot be read completely fails, in one clear line; it is never short."""

from __future__ import annotations

import pytest
from integration.cli import INVENTORY, Project, plain
from integration.cloud import Cloud

UNREACHABLE = {"AZURE_CLOUD_ENVIRONMENT": "https://127.0.0.1:9", "AZURE_AUTHORITY_HOST": "https://127.0.0.1:9"}
NO_SUCH_SUBSCRIPTION = "99999999-0000-4000-8000-000000000009"
TOLERANT = {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "false"}


@pytest.mark.parametrize(("options", "said"), [
    ({"query": "maintenance.state =="}, "query 'maintenance.state ==' is not a JMESPath expression"),
    ({"query": "contains(update_domain, 'x')"}, "query \"contains(update_domain, 'x')\" fails on"),
    ({"hostnames": ["tags.role"]}, "hostnames gives no name for"),
    ({"hostnames": ["location"]}, "to both"),
    ({"default_groups": ["regions"]}, "default_groups 'regions' is unknown; use true, false, or a list of maintenance_state,"),
    ({"address_preference": ["privat"]}, "privat"),
    ({"only_afected": True}, "there is no option 'only_afected'; did you mean only_affected?"),
    ({"auth_source": "magic"}, "magic"),
    ({"cloud_environment": "AzureMoon"}, "cloud_environment 'AzureMoon' is unknown; use AzureCloud,"),
    ({"subscriptions": [NO_SUCH_SUBSCRIPTION]}, f"of subscription {NO_SUCH_SUBSCRIPTION}"),
], ids=["query", "query_type", "no_name", "same_name", "groups", "address", "misspelt", "auth", "cloud", "subscription"])
def test_bad_options_are_named(arm: Cloud, arm_project: Project, options: dict, said: str) -> None:
    run = arm_project.inventory("--list", source=arm_project.inventory_file(**options))
    assert run.rc != 0
    assert said in run.text and "Traceback" not in run.text
    assert arm.methods() <= {"GET"}


def test_an_unreachable_azure_stops_the_run(arm_project: Project) -> None:
    run = arm_project.playbook("rolling_redeploy", env=UNREACHABLE)
    assert run.rc != 0 and "PLAY [" not in run.out
    assert "no answer from 127.0.0.1:9" in run.text and "Connection refused" in run.text


def test_a_wrong_secret_stops_the_run_or_warns(arm: Cloud, arm_project: Project) -> None:
    wrong = {"AZURE_CLIENT_SECRET": "wrong", "AZURE_SECRET": "wrong"}
    stopped = arm_project.playbook("plan", env=wrong)
    assert stopped.rc != 0 and "PLAY [" not in stopped.out
    assert "could not sign in" in stopped.text and "AADSTS7000215" in stopped.text
    warned = arm_project.playbook("plan", env={**wrong, **TOLERANT})
    assert "could not sign in" in warned.text and "WARNING" in warned.text
    assert "/subscriptions/" not in str([request["path"] for request in arm.sim.requests()])


def test_an_identity_without_rights_fails(arm_project: Project) -> None:
    nobody = {"AZURE_CLIENT_ID": "22222222-2222-4222-8222-222222222222", "AZURE_CLIENT_SECRET": "nobody-secret", "AZURE_SECRET": "nobody-secret"}
    run = arm_project.inventory("--list", env=nobody)
    assert run.rc != 0 and "AuthorizationFailed" in run.text


@pytest.mark.parametrize(("fault", "complete", "said"), [
    ({"match": {"path": "virtualMachines\\?", "nth": 2}, "status": 429, "retry_after": 1}, True, ""),
    ({"match": {"path": "networkInterfaces"}, "status": 503}, True, ""),
    ({"match": {"path": "virtualMachines\\?.*skip", "nth": 2}, "truncate": 300}, True, ""),
    ({"match": {"path": "virtualMachines\\?", "count": 0}, "status": 403, "code": "AuthorizationFailed"}, False, "virtual machines of subscription"),
    ({"match": {"path": "virtualMachines\\?.*skip", "count": 0}, "truncate": 300}, False, "could not list"),
    pytest.param({"match": {"path": "availabilitySets", "count": 0}, "body": "<html>proxy</html>"}, False, "list availability sets",
                 marks=pytest.mark.long),  # tried again for as long as the one above
    ({"match": {"path": "virtualMachines\\?", "count": 0}, "lose_next_link": True}, True, ""),
], ids=["429", "503", "truncated_once", "403", "truncated", "html", "lost_next_link"])
def test_complete_or_failed(arm: Cloud, arm_project: Project, fault: dict, complete: bool, said: str) -> None:
    everything = len(arm.sim.fleet.vms)
    arm.faults(fault)
    run = arm_project.inventory("--list", source=INVENTORY)
    assert arm.sim.world.faults.report()[0]["acted"] > 0
    assert (run.rc == 0) is complete
    if complete:
        assert len(run.json()["_meta"]["hostvars"]) == everything
    else:
        assert said in run.text and "Traceback" not in run.text and not run.err.startswith("Incomplete")


FORBIDDEN = {"match": {"path": "a1000000-0000-4000-8000-000000000002/providers/Microsoft.Compute/virtualMachines\\?", "count": 0},
             "status": 403, "code": "AuthorizationFailed"}
BOTH = ["a1000000-0000-4000-8000-000000000001", "a1000000-0000-4000-8000-000000000002"]


def test_a_subscription_that_refuses_stops_the_run(arm: Cloud, arm_project: Project) -> None:
    arm.faults(FORBIDDEN)
    run = arm_project.inventory("--list", source=arm_project.inventory_file(subscriptions=BOTH))
    assert run.rc != 0 and BOTH[1] in run.text and "AuthorizationFailed" in run.text


def test_what_is_left_out_is_named_and_not_cached(arm: Cloud, arm_project: Project) -> None:
    arm.faults(FORBIDDEN)
    arm_project.inventory_file(subscriptions=BOTH, complete=False, cache=True, cache_plugin="ansible.builtin.jsonfile",
                               cache_connection=str(arm_project.folder / "cache"))
    run = arm_project.inventory("--list")
    hosts = plain(run.json())["_meta"]["hostvars"]
    assert run.rc == 0 and {"web-1", "ne-1"} <= set(hosts)
    [left_out] = hosts["web-1"]["azure_maintenance_left_out"]
    assert left_out["subscription"] == BOTH[1] and "AuthorizationFailed" in left_out["reason"]
    assert "WARNING" in run.err and BOTH[1] in " ".join(run.err.split()).replace(" ", "")
    arm.faults()
    assert arm_project.hosts()[1]["web-1"]["azure_maintenance_left_out"] == [], "asked again: an incomplete answer is not kept"
