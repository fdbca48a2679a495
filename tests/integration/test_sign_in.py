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


def test_by_options_alone(arm: Cloud, bare: Project) -> None:
    rc, result = bare.module("vm_maintenance_info", values(arm))
    assert rc == 0 and result["counts"]["vms"] == len(arm.sim.fleet.vms)
    assert len(bare.hosts(bare.inventory_file(**values(arm)))[1]) == len(arm.sim.fleet.vms)


@pytest.mark.parametrize("which", [0, -1], ids=["collection_names", "sdk_names"])
def test_by_the_environment_alone(arm: Cloud, bare: Project, which: int) -> None:
    env = {names[which]: values(arm)[option] for option, names in NAMES.items()}
    rc, result = bare.module("vm_maintenance_info", {"only_affected": True}, env=env)
    assert rc == 0 and result["counts"]["vms"] == len(arm.sim.fleet.vms)
    assert len(bare.hosts(INVENTORY, env=env)[1]) == len(arm.sim.fleet.vms)


def test_a_dictionary_of_options_serves_the_playbooks(arm: Cloud, bare: Project) -> None:
    source = bare.inventory_file(**values(arm))
    run = bare.playbook("plan", inventory=source, rollout_auth=values(arm))
    assert run.rc == 0 and "Plan for perform_maintenance: 6 VMs" in run.text


def test_by_managed_identity(arm: Cloud, bare: Project) -> None:
    env = {"IDENTITY_ENDPOINT": f"{arm.sim.url}/msi/token", "IDENTITY_HEADER": arm.sim.fleet.identity_header}
    options: dict[str, Any] = {name: values(arm)[name] for name in ("cloud_environment", "authority_host", "subscription_id")}
    rc, result = bare.module("vm_maintenance_info", {**options, "auth_source": "msi"}, env=env)
    assert rc == 0 and result["counts"]["vms"] == len(arm.sim.fleet.vms), result
    source = bare.inventory_file(**options)
    assert len(bare.hosts(source, env={**env, "ANSIBLE_AZURE_AUTH_SOURCE": "msi"})[1]) == len(arm.sim.fleet.vms)


def test_half_a_service_principal_is_named(arm: Cloud, bare: Project) -> None:
    rc, result = bare.module("vm_maintenance_info", {**values(arm), "tenant": ""})
    assert rc != 0 and "signing in as a service principal needs tenant too" in result["msg"] and "AZURE_TENANT_ID" in result["msg"]
    assert not [request for request in arm.sim.requests() if "/subscriptions" in request["path"]]
