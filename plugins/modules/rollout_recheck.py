#!/usr/bin/python
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_recheck
short_description: Say which hosts of a wave of a rollout may still go
version_added: 1.0.0
description:
  - B(Internal to the roles of this collection); its options and return values may change without notice.
  - Reads the fleet again before a wave of a plan of M(fleetops.azure_maintenance.rollout_plan). A plan only ever shrinks.
  - A host is left out when a fact of its VM changed, the VM vanished or may not be started any more, or its set cannot spare it.
options:
  hosts:
    description: The hosts of this wave that are still in the run, host name to ARM id of the VM.
    type: dict
    required: true
  plan_file:
    description: The run's own copy of its plan. It must be a regular file of the user who runs this, not a link.
    type: path
    required: true
  wave:
    description: The wave of O(plan_file) that is about to begin.
    type: int
    required: true
  lane:
    description: Experimental. The lane of O(plan_file) that the wave is of, from 1. Required when the plan has several.
    type: int
  lost:
    description:
      - ARM ids of VMs that this run has lost or still has drained. They count as unavailable in their set, whatever Azure says, and hold the
        paired region back.
    type: list
    elements: str
    default: []
  failed:
    description: ARM ids of VMs whose hosts failed in earlier waves, in service again or not. They count against O(error_budget).
    type: list
    elements: str
    default: []
  error_budget:
    description:
      - Hosts that may fail before the next wave does not begin, as a count, or a percentage of the planned hosts.
      - Or a mapping of C(overall) and C(per_set), the latter of the planned members of one set, of which no more are taken then.
    type: raw
    default: 0
  subscriptions:
    description: Subscriptions to read besides those that the plan was made from, which are always read.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - fleetops.azure_maintenance.azure
  - fleetops.azure_maintenance.attributes
attributes:
  check_mode:
    support: full
    details: Only reads.
  diff_mode:
    support: N/A
    details: Changes nothing.
  idempotent:
    support: full
seealso:
  - module: fleetops.azure_maintenance.rollout_plan
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: See which hosts of the second wave of a run may still go
  fleetops.azure_maintenance.rollout_recheck:
    hosts:
      web-02: /subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines/web-02
    plan_file: .azure_maintenance/runs/20260307T000000Z-5a0c6f0f/plan.json
    wave: 2
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
go:
  description: Hosts of the wave that may go.
  returned: success
  type: list
  elements: str
  sample: [web-02]
left_out:
  description: Hosts of the wave that may not go, with the reason.
  returned: success
  type: dict
  sample: {web-05: "web-05: window start was 2026-03-02T00:00:00Z, is now 2026-03-09T00:00:00Z"}
stop:
  description: Why the run must stop before this wave, or null.
  returned: success
  type: str
  sample: "the calendar is closed: this wave takes 27 minutes, and it could begin 2026-03-07T22:00:00Z"
not_before:
  description: When the wave could begin, if the calendar stops it.
  returned: success
  type: str
  sample: "2026-03-07T22:00:00Z"
counts:
  description: What was read, see M(fleetops.azure_maintenance.vm_maintenance_info).
  returned: success
  type: dict
  sample: {subscriptions: 1, vms: 18, requests: 8}
"""

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.maintenance import format_time
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import VmId
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import OptionsError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._fleet.fleet import Selection, read_fleet
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._module import run
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout import plan_file, recheck
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.documents import read_json
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.plan import PlanError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.policy import PolicyError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.targets import (
    RUN_SPEC, budget_of, judges_everybody, subscriptions_of, with_hosts,
)

SPEC = {
    **RUN_SPEC,
    "plan_file": {"type": "path", "required": True},
    "wave": {"type": "int", "required": True},
    "lost": {"type": "list", "elements": "str", "default": []},
    "failed": {"type": "list", "elements": "str", "default": []},
}


def rollout_recheck(module, connect):
    """Read the fleet, and judge the wave."""
    params = module.params
    if not params["hosts"]:
        raise OptionsError("hosts is empty: there is nothing to check")
    budget = budget_of(params["error_budget"])
    try:
        reviewed = plan_file.from_json(read_json(params["plan_file"], "plan file", ours=True))
        chosen = recheck.select_lane(reviewed, params["lane"], None)
        subscriptions = subscriptions_of(params["hosts"], params["subscriptions"], reviewed)
        thorough = judges_everybody(reviewed.policy.service, reviewed.operation)
        fleet = read_fleet(connect(), Selection(subscriptions=subscriptions, addresses=False, thorough=thorough))
        for warning in fleet.warnings:
            module.warn(warning)
        lost, failed = ({VmId.parse(vm_id).key for vm_id in params[name]} for name in ("lost", "failed"))
        vms = with_hosts(fleet.vms, params["hosts"])
        verdict = recheck.recheck(chosen, params["lane"] or 1, params["wave"], vms, fleet.now, lost, failed, budget)
    except (PlanError, PolicyError) as error:
        raise OptionsError(f"{params['plan_file']}: {error}") from error
    hosts = {VmId.parse(vm_id).key: host for host, vm_id in params["hosts"].items()}
    return {
        "changed": False, "counts": fleet.counts, "stop": verdict.stop, "not_before": format_time(verdict.not_before),
        "go": [hosts[vm_id.lower()] for vm_id in verdict.go if vm_id.lower() in hosts],
        "left_out": {hosts[vm_id.lower()]: why for vm_id, why in verdict.left_out.items() if vm_id.lower() in hosts},
    }


def main():
    run(SPEC, rollout_recheck, supports_check_mode=True)


if __name__ == "__main__":
    main()
