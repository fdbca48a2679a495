# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Azure SDK drives it with nothing but public options."""

from __future__ import annotations

import pytest
from azure.core.exceptions import ClientAuthenticationError, ResourceExistsError
from azure.identity import ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential
from azure.mgmt.compute import ComputeManagementClient


def client(simulator, credential):
    """A compute client."""
    env = simulator.env()
    return ComputeManagementClient(
        credential,
        env["AZURE_SUBSCRIPTION_ID"],
        base_url=simulator.url,
        credential_scopes=[f"{simulator.url}/.default"],
        connection_verify=str(simulator.ca),
        polling_interval=0.2,
        retry_total=0,
    )


def secret(simulator, **changes):
    """A client secret credential."""
    env = {**simulator.env(), **changes}
    return ClientSecretCredential(
        env["AZURE_TENANT_ID"],
        env["AZURE_CLIENT_ID"],
        env["AZURE_CLIENT_SECRET"],
        authority=simulator.url,
        disable_instance_discovery=True,
        connection_verify=str(simulator.ca),
    )


def test_lists_views_and_maintenance(run, small):
    simulator = run(small | {"page_size": 2, "operations": {"default": {"after_polls": 1}}}).simulator
    compute = client(simulator, secret(simulator))
    assert [vm.name for vm in compute.virtual_machines.list_all()] == [
        "app-0",
        "app-1",
        "solo",
        "calm",
        "later",
        "idle",
    ]
    status = {vm.name: vm for vm in compute.virtual_machines.list_all(status_only="true")}
    assert status["app-0"].instance_view.platform_update_domain == 0
    assert list(compute.virtual_machine_scale_sets.list_all()) == []
    assert len(next(iter(compute.availability_sets.list("alpha"))).virtual_machines) == 2
    poller = compute.virtual_machines.begin_perform_maintenance("alpha", "solo")
    poller.result(timeout=10)
    assert poller.status() == "Succeeded"
    block = compute.virtual_machines.instance_view("alpha", "solo").maintenance_redeploy_status
    assert block.is_customer_initiated_maintenance_allowed is False
    assert block.last_operation_result_code == "MaintenanceCompleted"
    with pytest.raises(ResourceExistsError, match="not eligible"):
        compute.virtual_machines.begin_perform_maintenance("alpha", "solo")
    assert [entry["status"] for entry in simulator.ledger()] == [202, 409]


def test_default_credential_from_the_environment(arm, monkeypatch):
    for name, value in arm.simulator.env().items():
        monkeypatch.setenv(name, value)
    credential = DefaultAzureCredential(disable_instance_discovery=True)
    assert len(list(client(arm.simulator, credential).virtual_machines.list_all())) == 6


def test_managed_identity(arm, monkeypatch):
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{arm.simulator.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", arm.simulator.fleet.identity_header)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(arm.simulator.ca))
    assert len(list(client(arm.simulator, ManagedIdentityCredential()).virtual_machines.list_all())) == 6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"AZURE_CLIENT_SECRET": "wrong"}, "AADSTS7000215"),
        ({"AZURE_TENANT_ID": "00000000-dead-4000-8000-000000000000"}, "double check your tenant"),
    ],
)
def test_wrong_secret_and_tenant(arm, change, words):
    with pytest.raises(ClientAuthenticationError, match=words):
        secret(arm.simulator, **change).get_token(f"{arm.simulator.url}/.default")
