# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's program for azure-mgmt-compute: lists, reads, redeploys, prints what came back. Run in the SDK's venv."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from azure.core.exceptions import HttpResponseError
from azure.identity import ClientSecretCredential
from azure.mgmt.compute import ComputeManagementClient

GROUP = "alpha"


def connect() -> ComputeManagementClient:
    """A client of the cloud, tenant and subscription in the environment."""
    url = os.environ["AZURE_CLOUD_ENVIRONMENT"]
    credential = ClientSecretCredential(
        os.environ["AZURE_TENANT_ID"], os.environ["AZURE_CLIENT_ID"], os.environ["AZURE_CLIENT_SECRET"],
        authority=url, disable_instance_discovery=True,
    )
    return ComputeManagementClient(
        credential, os.environ["AZURE_SUBSCRIPTION_ID"],
        base_url=url, credential_scopes=[f"{url}/.default"], polling_interval=0.2,
    )


def shown(view: Any) -> dict[str, Any]:
    """The parts of an instance view that a redeploy is decided by."""
    block = view.maintenance_redeploy_status
    return {
        "codes": [status.code for status in view.statuses],
        "domain": view.platform_update_domain,
        "agent": view.vm_agent.statuses[0].display_status if view.vm_agent else None,
        "maintenance": block and {
            "allowed": block.is_customer_initiated_maintenance_allowed,
            "code": block.last_operation_result_code,
            "window": [block.maintenance_window_start_time.isoformat(), block.maintenance_window_end_time.isoformat()],
        },
    }


def refusal(vms: Any, name: str) -> dict[str, Any]:
    """How the refusal of a redeploy reaches the caller."""
    try:
        vms.begin_perform_maintenance(GROUP, name)
    except HttpResponseError as error:
        told = error.error
        return {"type": type(error).__name__, "status": error.status_code, "code": told.code, "message": told.message}
    raise SystemExit(f"the redeploy of {name} was not refused")


def main(name: str, refused: str) -> dict[str, Any]:
    """Redeploy the VM of the first name; the second one's is refused."""
    vms = connect().virtual_machines
    answer = {
        "all": {vm.name: vm.location for vm in vms.list_all()},
        "status_only": {vm.name: shown(vm.instance_view) for vm in vms.list_all(status_only="true")},
        "before": shown(vms.instance_view(GROUP, name)),
    }
    poller = vms.begin_perform_maintenance(GROUP, name)
    poller.wait(60)
    after = shown(vms.instance_view(GROUP, name))
    return answer | {"status": poller.status(), "after": after, "refused": refusal(vms, refused)}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
