# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line az, told of the cloud in both ways it knows, signs in, reads and redeploys unchanged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from integration.cli import Run
from integration.clients.venvs import Client
from simulator.server import Simulator

Az = Callable[..., Run]


@pytest.fixture(scope="module")
def client(install: Callable[..., Client]) -> Client:
    """The environment of az."""
    return install("azure-cli", ["azure-cli"], shows=["azure-cli", "azure-mgmt-compute", "azure-core"])


def signed_in(client: Client, simulator: Simulator, home: Path, cloud: str, *register: str, **env: str) -> Az:
    """Run az as one who has signed in to a cloud, with settings of its own; `register` is a command given first."""
    settings = {
        "AZURE_CONFIG_DIR": str(home / "azure"),
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
        "REQUESTS_CA_BUNDLE": str(simulator.ca),
        **env,
    }

    def az(*arguments: str, status: int = 0) -> Run:
        run = client.run("az", *arguments, "--output", "json", home=home, env=settings)
        assert run.rc == status, run.text
        return run

    azure = simulator.env()
    if register:
        az(*register)
    az("cloud", "set", "--name", cloud)
    az("login", "--service-principal", "--tenant", azure["AZURE_TENANT_ID"], "--username", azure["AZURE_CLIENT_ID"],
       "--password", azure["AZURE_CLIENT_SECRET"])
    return az


@pytest.fixture(scope="module")
def az(client: Client, simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Az:
    """az in a registered cloud."""
    register = ("cloud", "register", "--name", "Registered", "--endpoint-resource-manager", simulator.url)
    return signed_in(client, simulator, tmp_path_factory.mktemp("az"), "Registered", *register)


def test_the_metadata_url_is_enough(client: Client, simulator: Simulator, tmp_path: Path) -> None:
    env = simulator.env()
    az = signed_in(client, simulator, tmp_path, "SimulatedCloud",
                   **{name: env[name] for name in ("ARM_CLOUD_METADATA_URL", "SSL_CERT_FILE")})
    account = az("account", "show").json()
    assert (account["environmentName"], account["id"]) == ("SimulatedCloud", env["AZURE_SUBSCRIPTION_ID"])
    names = [vm["name"] for vm in az("vm", "list", "--resource-group", "alpha").json()]
    assert names == ["app-0", "app-1", "solo", "calm", "later", "idle"]


def test_vm_list_with_details(az: Az, simulator: Simulator) -> None:
    mark = len(simulator.requests())
    vms = {vm["name"]: vm for vm in az("vm", "list", "--show-details").json()}
    assert {name: vm["powerState"] for name, vm in vms.items()} == {
        **dict.fromkeys(["app-0", "app-1", "solo", "calm", "later"], "VM running"), "idle": "VM deallocated"
    }
    assert (vms["solo"]["privateIps"], vms["solo"]["publicIps"]) == ("10.1.0.6", "20.50.0.6")
    assert (vms["app-1"]["privateIps"], vms["app-1"]["publicIps"]) == ("10.1.0.5", "")
    asked = simulator.requests()[mark:]
    assert {request["method"] for request in asked if "/oauth2/" not in request["path"]} == {"GET"}


def test_instance_view(az: Az) -> None:
    view = az("vm", "get-instance-view", "--resource-group", "alpha", "--name", "app-1").json()["instanceView"]
    assert view["platformUpdateDomain"] == 1
    assert "PowerState/running" in [status["code"] for status in view["statuses"]]
    assert view["maintenanceRedeployStatus"]["isCustomerInitiatedMaintenanceAllowed"] is True


def test_perform_maintenance(az: Az, simulator: Simulator) -> None:
    az("vm", "perform-maintenance", "--resource-group", "alpha", "--name", "solo")
    write = simulator.ledger()[-1]
    assert (write["name"], write["operation"], write["outcome"]) == ("solo", "performMaintenance", "completed")
    assert sum(f"/operations/{write['operation_id']}" in request["path"] for request in simulator.requests()) >= 2
    view = az("vm", "get-instance-view", "--resource-group", "alpha", "--name", "solo").json()["instanceView"]
    assert view["maintenanceRedeployStatus"]["isCustomerInitiatedMaintenanceAllowed"] is False
    assert view["maintenanceRedeployStatus"]["lastOperationResultCode"] == "MaintenanceCompleted"


def test_a_refused_perform_maintenance(az: Az, simulator: Simulator) -> None:
    run = az("vm", "perform-maintenance", "--resource-group", "alpha", "--name", "calm", status=1)
    assert "(OperationNotAllowed) Operation 'performMaintenance' is not allowed on VM 'calm'" in run.text
    assert "Traceback" not in run.text
    write = simulator.ledger()[-1]
    assert (write["name"], write["status"], write["outcome"]) == ("calm", 409, "refused")
