#!/usr/bin/python
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vm_redeploy
short_description: Start the planned maintenance (or a plain redeploy) of Azure VMs, safely and once
version_added: 1.0.0
description:
  - Starts the self-service maintenance of the VMs named and waits until each is up again.
  - Azure grants one attempt per VM and iteration. Everything is read again and checked before anything is started, and nothing is started twice.
  - Name only VMs that may be out of service together. VMs of two update domains of one set are refused.
  - A VM is refused while the rest of its set is not healthy.
  - Every VM has an outcome, also when the task fails. The module fails when any VM did not end in would_start, started, succeeded or already_done.
  - It also fails, with a warning, when another controller started another update domain of a set in the same moment. See docs/safety.md.
  - SIGTERM or Ctrl-C ends it after the next poll. Every outcome known so far is returned, and the next run waits for the operations that still run.
options:
  vms:
    description:
      - ARM ids of the VMs, in any letter case.
      - Instances of uniform scale sets have ids such as C(.../virtualMachineScaleSets/pool/virtualMachines/3). Members of flexible ones are VMs.
      - An instance is started by a call of its own, never by one to its set.
    type: list
    elements: str
    required: true
  operation:
    description:
      - V(perform_maintenance) starts the planned maintenance of a VM in its self-service window.
      - V(redeploy) moves a VM to another host.
      - V(reapply) re-applies its state.
      - Both need O(since).
    type: str
    choices: [perform_maintenance, redeploy, reapply]
    default: perform_maintenance
  since:
    description:
      - Time of the mail that asks for a V(redeploy) or V(reapply), for example V(2026-03-02T00:00:00Z).
      - A success after it, in the journal or the activity log, counts as done.
    type: str
  accept:
    description:
      - Blocking hazards consented to, by name. A VM with another blocking hazard is refused.
      - V(unknown_attempt) starts a redeploy or reapply again whose earlier start has an unknown result, where no activity log can be read.
      - Before you set it, look at the VM's activity log in the portal and at its boot time. If the earlier start was carried out, there is nothing to do.
      - It has no effect while anything still moves on that VM, and none on V(perform_maintenance) in O(operation).
    type: list
    elements: str
    choices: [ephemeral_os_disk, completed_but_allowed, not_running, retry_after_abort, temp_disk_in_use, unknown_attempt]
    default: []
  refuse:
    description: Noted hazards for which a VM is refused.
    type: list
    elements: str
    choices: [temp_disk, dynamic_public_ip, agent_not_ready, failed_extension, spot, scheduled_events_on]
    default: []
  max_unavailable:
    description:
      - How many members of a set may be down at once, counting those already down, as a count or a percentage.
      - Without it, all members that are not named must be healthy.
    type: str
  min_available:
    description: How many members of a set must stay up, as a count or a percentage.
    type: str
  start:
    description:
      - V(false) starts nothing new. The call only waits for what an earlier one started, as a recovery needs.
    type: bool
    default: true
  wait:
    description:
      - Wait for the end.
      - V(false) starts the VMs and returns them as started. Run again with V(true) to wait for the end.
    type: bool
    default: true
  timeout:
    description:
      - Seconds for the whole call. A VM that is not done then is returned as still_running, and the next run waits for it.
      - Nothing is started after it. A Retry-After and the answer to a start do not outlast it.
    type: int
    default: 4500
  poll_interval:
    description:
      - Seconds between two polls.
      - However short it is, an operation is polled at most 15 times a minute and a VM is read at most 12 times, as Azure allows.
      - From 10 VMs of a subscription on, one list shows which still change, so that a short interval costs little.
    type: int
    default: 10
  retries:
    description:
      - How often a VM is tried again in this call when Azure answers RetryLater and still allows a start. V(0) never tries again.
      - The same limit holds after TooManyVMRedeploymentRequests and, with V(retry_after_abort) in O(accept), after an abort.
      - Before each try the VM and its set are read again and all preflight checks are made again.
      - Each try must begin within O(timeout).
    type: int
    default: 2
  retry_pause:
    description: Seconds before such a try.
    type: int
    default: 600
  approve_scheduled_events:
    description:
      - A guest that listens to Scheduled Events makes its own redeploy wait for approval, or 10 to 15 minutes.
      - V(true) approves the events of the VMs that this call started, and no others, from outside, through Resource Manager.
      - Azure must publish the events (C(scheduledEventsPolicy) of the VM), and the identity needs the role Scheduled Events Contributor.
        Otherwise the reason says so.
      - The other way, C(redeploy_approve_events) of the role redeploy, lets each guest approve its own event.
    type: bool
    default: false
  settle_seconds:
    description:
      - Seconds for which the maintenance status may lag behind its operation.
      - For as long a start that got no answer has an unknown result.
    type: int
    default: 120
  journal:
    description:
      - Directory in which intents and unfinished operations are kept (mode 0600, no secrets). Use the same one for every run.
      - A relative path counts from the working directory, but inside a playbook from the playbook's folder. Set an absolute one there.
    type: path
    default: .azure_maintenance
extends_documentation_fragment:
  - fleetops.azure_maintenance.azure
  - fleetops.azure_maintenance.attributes
attributes:
  check_mode:
    support: full
    details: Reads and makes every preflight check. Writes nothing, in Azure or on disk.
  diff_mode:
    support: full
    details: Shows the maintenance state of each VM before and after.
  idempotent:
    support: full
    details: A VM that is done, by its maintenance status or by the journal, is not started.
seealso:
  - module: fleetops.azure_maintenance.vm_maintenance_info
  - module: fleetops.azure_maintenance.rollout_plan
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: What would happen?
  fleetops.azure_maintenance.vm_redeploy:
    vms: ["{{ azure_vm_id }}"]
  delegate_to: localhost
  check_mode: true

- name: Redeploy one whole update domain
  fleetops.azure_maintenance.vm_redeploy:
    vms: "{{ groups['update_domain_shop_web_0'] | map('extract', hostvars, 'azure_vm_id') | list }}"
    accept: [ephemeral_os_disk]
  delegate_to: localhost
  run_once: true

- name: Azure predicts a hardware failure and asks for a redeploy
  fleetops.azure_maintenance.vm_redeploy:
    vms: ["{{ azure_vm_id }}"]
    operation: redeploy
    since: "2026-03-02T08:15:00Z"
  delegate_to: localhost
"""

RETURN = r"""
vms:
  description: The outcome of every VM, keyed by the id as it was given. The keys are always the same, on failure too.
  returned: always, once the options are valid
  type: dict
  contains:
    id:
      description: The id as given.
      type: str
      sample: /subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines/web-01
    name:
      description: Name of the VM.
      type: str
      sample: web-01
    outcome:
      description:
        - C(would_start) (check mode, or O(start=false)), C(started) (O(wait=false)), C(succeeded), C(already_done).
        - C(not_allowed) (Azure does not allow it now), C(refused) (by a preflight check), C(retry_later), C(aborted).
        - C(failed), C(still_running) (at the time limit), C(still_due) (moved to a host that is due too), C(unknown) (Azure's answer was lost).
        - The collection's docs/outcomes.md says what to do about each.
      type: str
      sample: succeeded
    reason:
      description: Why, as a sentence.
      type: str
      sample: Azure reports MaintenanceCompleted
    advice:
      description: What to do next and, for a VM that was not redeployed, what Azure will do.
      type: str
      sample: Return the VM to service.
    code:
      description: Azure's code of the refusal or failure, or null.
      type: str
      sample: OperationNotAllowed
    attempts:
      description: Starts sent to Azure for this VM in this call, refused ones included.
      type: int
      sample: 1
    operation:
      description: The operation asked for.
      type: str
      sample: perform_maintenance
    availability_set:
      description: ARM id of its availability set, or null.
      type: str
      sample: /subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/SHOP/providers/Microsoft.Compute/availabilitySets/WEB
    scale_set:
      description: ARM id of its scale set, or null.
      type: str
      sample: /subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/pool
    update_domain:
      description: Its update domain, or null.
      type: int
      sample: 0
    state_before:
      description: Maintenance state when the call began.
      type: str
      sample: startable
    state_after:
      description: Maintenance state when the call ended.
      type: str
      sample: done
    started_at:
      description: When the start was written to the journal, or null when nothing was started.
      type: str
      sample: "2026-03-02T10:00:00Z"
    ended_at:
      description: When the outcome was final, or null.
      type: str
      sample: "2026-03-02T10:06:41Z"
    elapsed_seconds:
      description: Seconds between RV(vms.started_at) and RV(vms.ended_at), or null.
      type: int
      sample: 401
    client_request_id:
      description: C(x-ms-client-request-id) sent with the start, to find it in the activity log.
      type: str
      sample: 5f1c1b52-3d0f-4ad1-8f0e-0d8f2f5a2e55
    request_id:
      description: C(x-ms-request-id) of Azure's answer to the start.
      type: str
      sample: 9a3c2a44-7c0c-4c63-9a3f-1b8d4a1f0a11
    before:
      description: The VM's record when the call began; see M(fleetops.azure_maintenance.vm_maintenance_info).
      type: dict
      sample: {name: web-01, power_state: running}
    after:
      description: The VM's record when its outcome was known, with its addresses. Null when no operation was watched.
      type: dict
      sample: {name: web-01, power_state: running}
counts:
  description: How many VMs had each outcome.
  returned: always, once the options are valid
  type: dict
  sample: {succeeded: 2}
failure:
  description: What could not be done and why, when the call as a whole failed.
  returned: when the sign-in failed, or the journal cannot be read
  type: dict
  sample: {doing: sign in, detail: the client secret is wrong}
msg:
  description: The counts as a sentence. On failure, the first few VMs with their reasons.
  returned: always, once the options are valid
  type: str
  sample: 2 succeeded
"""

import contextlib

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.availability import Availability
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.maintenance import CONSENTS, NOTED_HAZARDS, parse_time
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import VmId
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import AzureError, OptionsError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._module import check_seconds, run
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy.guards import Policy
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy.journal import Journal
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy.redeploy import Redeploy
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy.session import InterruptibleClock, Order, Patience

CLOCK = InterruptibleClock

SPEC = {
    "vms": {"type": "list", "elements": "str", "required": True},
    "operation": {"type": "str", "choices": ["perform_maintenance", "redeploy", "reapply"], "default": "perform_maintenance"},
    "since": {"type": "str"},
    "accept": {"type": "list", "elements": "str", "choices": list(CONSENTS), "default": []},
    "refuse": {"type": "list", "elements": "str", "choices": list(NOTED_HAZARDS), "default": []},
    "max_unavailable": {"type": "str"},
    "min_available": {"type": "str"},
    "start": {"type": "bool", "default": True},
    "wait": {"type": "bool", "default": True},
    "timeout": {"type": "int", "default": 4500},
    "poll_interval": {"type": "int", "default": 10},
    "settle_seconds": {"type": "int", "default": 120},
    "retries": {"type": "int", "default": 2},
    "retry_pause": {"type": "int", "default": 600},
    "approve_scheduled_events": {"type": "bool", "default": False},
    "journal": {"type": "path", "default": ".azure_maintenance"},
}


def order_of(params, check):
    """The order in the module's options; raises OptionsError for what cannot be meant."""
    if not params["vms"]:
        raise OptionsError("vms is empty: name at least one VM id")
    instances = [text for text in params["vms"] if VmId.parse(text).scale_set]
    if instances and params["operation"] == "reapply":
        raise OptionsError(f"{instances[0]} is an instance of a uniform scale set; Azure reapplies only VMs")
    check_seconds(params, "timeout", "poll_interval", "settle_seconds", "retry_pause")
    if params["retries"] < 0:
        raise OptionsError(f"retries {params['retries']} must be 0 or more")
    try:
        availability = Availability.parse(params["max_unavailable"], params["min_available"])
    except ValueError as error:
        raise OptionsError(str(error)) from error
    try:
        since = parse_time(params["since"])
    except ValueError as error:
        raise OptionsError(f"since {params['since']!r} is not a time; write it as 2026-03-02T08:15:00Z") from error
    if since is None and params["operation"] != "perform_maintenance":
        raise OptionsError(f"since is empty: {params['operation']} needs the time of the mail that asks for it")
    policy = Policy(params["operation"], frozenset(params["accept"]), frozenset(params["refuse"]), availability)
    return Order(params["vms"], policy, since, params["start"], params["wait"], check, params["approve_scheduled_events"])


def redeploy(module, connect):
    """Carry out the order and return every VM's outcome."""
    params = module.params
    clock = CLOCK()
    journal = Journal(params["journal"])
    order = order_of(params, module.check_mode)
    patience = Patience(params["poll_interval"], clock.monotonic() + params["timeout"], params["settle_seconds"], clock.stopping,
                        params["retries"], params["retry_pause"])
    if not module.check_mode:
        journal.prepare()
    clock.watch_signals()
    with contextlib.closing(journal):
        call = Redeploy(connect(clock), journal, clock, patience, order)
        try:
            result = call.run()
        except AzureError as error:
            result = {**call.failed(error), "failure": error.to_result()}
        except OptionsError as error:
            result = {**call.failed(error), "failure": {"doing": "use the journal", "detail": str(error)}}
        except Exception as error:  # whatever it is, what is known of every VM is told
            broken = RuntimeError(f"{type(error).__name__}: {error}")
            result = {**call.failed(broken), "failure": {"doing": "redeploy", "detail": str(broken)}}
    if module._diff:
        result["diff"] = difference(result["vms"].values())
    return result


def difference(vms):
    """State, power and outcome of each VM before and after; in check mode the outcome is the prediction."""
    def line(vm, when):
        record = vm[when] or {}
        words = [vm[f"state_{when}"] or "unknown", *([record["power_state"]] if record else [])]
        return f"{vm['name']}: {', '.join(words)}" + (f" ({vm['outcome']})" if when == "after" else "") + "\n"

    return {when: "".join(line(vm, when) for vm in vms) for when in ("before", "after")}


def main():
    run(SPEC, redeploy, supports_check_mode=True,
        required_if=[("operation", "redeploy", ["since"]), ("operation", "reapply", ["since"])])


if __name__ == "__main__":
    main()
