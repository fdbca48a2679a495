# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's program for scale sets with azure-mgmt-compute: lists, reads, moves one instance. Run in the SDK's venv."""

from __future__ import annotations

import json
import sys
from typing import Any

from azure.core.exceptions import HttpResponseError
from sdk_program import GROUP, connect, shown


def main(name: str) -> dict[str, Any]:
    """Move instance 1 of the set of this name, then ask for the same again."""
    compute = connect()
    instances = compute.virtual_machine_scale_set_vms
    listed = list(instances.list(GROUP, name, expand="instanceView"))
    poller = instances.begin_perform_maintenance(GROUP, name, "1")
    poller.wait(60)
    answer = {
        "sets": {item.name: item.sku.capacity for item in compute.virtual_machine_scale_sets.list_all()},
        "mode": compute.virtual_machine_scale_sets.get(GROUP, name).orchestration_mode,
        "instances": {item.instance_id: shown(item.instance_view) for item in listed},
        "bare": [item.name for item in instances.list(GROUP, name)],
        "status": poller.status(),
        "after": shown(instances.get_instance_view(GROUP, name, "1")),
    }
    try:
        instances.begin_perform_maintenance(GROUP, name, "1")
    except HttpResponseError as error:
        return answer | {"refused": [error.status_code, error.error.code]}
    raise SystemExit("the second redeploy was not refused")


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
