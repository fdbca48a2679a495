# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options and environment variables alone lead every plugin to the cloud, by each of their names."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from integration.cli import INVENTORY, Project
from integration.cloud import Cloud

NAMES = {
    "tenant": ("AZURE_TENANT", "AZURE_TENANT_ID"), "client_id": ("AZURE_CLIENT_ID",), "secret": ("AZURE_SECRET", "AZURE_CLIENT_SECRET"),
    "subscription_id": ("AZURE_SUBSCRIPTION_ID",), "cloud_environment": ("AZURE_CLOUD_ENVIRONMENT",), "authority_host": ("AZURE_AUTHORITY_HOST",),
    "disable_instance_discovery": ("AZURE_DISABLE_INSTANCE_DISCOVERY",),
}
ALL_NAMES = [*itertools.chain.from_iterable(NAMES.values())]


@pytest.fixture
def bare(arm_project: Project) -> Project:
    """A project without any sign-in variable; only the private CA is trusted."""
    for name in ALL_NAMES:
        arm_project.environment.pop(name, None)
    return arm_project


def values(cloud: Cloud) -> dict[str, str]:
    """Each option's right value."""
    return {option: cloud.environment[names[-1]] for option, names in NAMES.items()}


INFO = "fleetops.azure_maintenance.vm_maintenance_info"


def test_every_way_to_sign_in_leads_the_modules_to_the_cloud(arm: Cloud, bare: Project) -> None:
    """By options alone, by each of the environment's names, by managed identity; and half of a service principal is named."""
    collection, sdk = ({names[which]: values(arm)[option] for option, names in NAMES.items()} for which in (0, -1))
    steps = {
        "options": {INFO: values(arm)}, "collection_names": {INFO: {"only_affected": True}, "environment": collection},
        "sdk_names": {INFO: {"only_affected": True}, "environment": sdk},
        "identity": {INFO: {**managed(arm), "auth_source": "msi"}, "environment": identity(arm)}}
    assert {name: told["counts"]["vms"] for name, told in bare.play(steps)[1].items()} == dict.fromkeys(steps, len(arm.sim.fleet.vms))
    asked = len(arm.sim.requests())
    half = bare.play({"half": {INFO: {**values(arm), "tenant": ""}, "ignore_errors": True}})[1]["half"]
    assert half["failed"] and "signing in as a service principal needs tenant too" in half["msg"] and "AZURE_TENANT_ID" in half["msg"]
    assert not [request for request in arm.sim.requests()[asked:] if "/subscriptions" in request["path"]]


def managed(cloud: Cloud) -> dict[str, Any]:
    """Options beside a managed identity."""
    return {name: values(cloud)[name] for name in ("cloud_environment", "authority_host", "subscription_id")}


def identity(cloud: Cloud) -> dict[str, str]:
    """Where a managed identity gets its token."""
    return {"IDENTITY_ENDPOINT": f"{cloud.sim.url}/msi/token", "IDENTITY_HEADER": cloud.sim.fleet.identity_header}


def test_by_options_alone(arm: Cloud, bare: Project) -> None:
    assert len(bare.hosts(bare.inventory_file(**values(arm)))[1]) == len(arm.sim.fleet.vms)


@pytest.mark.parametrize("which", [0, -1], ids=["collection_names", "sdk_names"])
def test_by_the_environment_alone(arm: Cloud, bare: Project, which: int) -> None:
    env = {names[which]: values(arm)[option] for option, names in NAMES.items()}
    assert len(bare.hosts(INVENTORY, env=env)[1]) == len(arm.sim.fleet.vms)


def test_by_managed_identity(arm: Cloud, bare: Project) -> None:
    source = bare.inventory_file(**managed(arm))
    assert len(bare.hosts(source, env={**identity(arm), "ANSIBLE_AZURE_AUTH_SOURCE": "msi"})[1]) == len(arm.sim.fleet.vms)


def test_a_dictionary_of_options_serves_the_playbooks(arm: Cloud, bare: Project) -> None:
    source = bare.inventory_file(**values(arm))
    run = bare.playbook("plan", inventory=source, rollout_auth=values(arm))
    assert run.rc == 0 and "Plan for perform_maintenance: 6 VMs" in run.text
