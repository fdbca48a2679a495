#!/usr/bin/python
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vm_maintenance_info
short_description: Tell which Azure VMs are under planned maintenance, until when, and whether they can be started now
version_added: 1.0.0
description:
  - Reads whole subscriptions in a few list requests and returns one record per VM with its maintenance windows, state, update domain, health and hazards.
  - The answer is complete or the task fails, saying what could not be read. A short list is never returned.
options:
  subscriptions:
    description: Subscriptions to read. Default is O(subscription_id), else every subscription the identity can see.
    type: list
    elements: str
  resource_groups:
    description: Return only VMs of these resource groups (any letter case). The whole subscription is read all the same.
    type: list
    elements: str
  only_affected:
    description: Return only VMs that are in a maintenance wave.
    type: bool
    default: false
  query:
    description: JMESPath expression over a record; VMs for which it is true are returned. For example V(tags.tier == 'web').
    type: str
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
  - module: fleetops.azure_maintenance.vm_redeploy
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Who is affected, until when, and can I start now?
  fleetops.azure_maintenance.vm_maintenance_info:
    only_affected: true
  delegate_to: localhost
  register: maintenance

- name: The startable web servers
  fleetops.azure_maintenance.vm_maintenance_info:
    subscriptions: [11111111-1111-1111-1111-111111111111]
    query: maintenance.state == 'startable' && tags.tier == 'web'
  delegate_to: localhost
"""

RETURN = r"""
vms:
  description:
    - One record per VM, in the order of their ids. Times are ISO-8601 in UTC.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: ARM id, spelled as Azure answered it. Compare ids without regard to letter case.
      type: str
      sample: /subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines/web-01
    name:
      description: Name of the VM.
      type: str
      sample: web-01
    resource_group:
      description: Resource group, from the id.
      type: str
      sample: shop
    subscription_id:
      description: Subscription, from the id.
      type: str
      sample: 11111111-1111-1111-1111-111111111111
    location:
      description: Region, short lower-case name.
      type: str
      sample: westeurope
    paired_regions:
      description: Regions paired with it, from the locations API, both ways even where Azure lists a pair one way.
      type: list
      elements: str
      sample: [northeurope]
    zone:
      description: Availability zone, or null.
      type: str
      sample: "1"
    tags:
      description: Tags of the VM.
      type: dict
      sample: {tier: web}
    availability_set:
      description: ARM id of the availability set, or null.
      type: str
      sample: /subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/SHOP/providers/Microsoft.Compute/availabilitySets/WEB
    scale_set:
      description: ARM id of the scale set, or null.
      type: str
      sample: null
    instance_id:
      description: Instance number in a uniform scale set, or null.
      type: str
      sample: null
    update_domain:
      description: Update domain number in the set (C(platformUpdateDomain)); null outside sets. 0 is a value.
      type: int
      sample: 0
    fault_domain:
      description: Fault domain number in the set, or null.
      type: int
      sample: 1
    power_state:
      description: From the C(PowerState/) status, for example running, stopped, deallocated; V(unknown) when Azure sends none.
      type: str
      sample: running
    provisioning_state:
      description: From the C(ProvisioningState/) status, for example succeeded, updating, failed.
      type: str
      sample: succeeded
    agent:
      description: Guest agent, one of ready, not_ready, unknown.
      type: str
      sample: ready
    addresses:
      description: Addresses from NICs and public IPs, primary ones first.
      type: dict
      sample: {private: [10.0.0.4], public: [], fqdns: [], dynamic_public: false}
    maintenance:
      description: What the maintenance block of the instance view says.
      type: dict
      contains:
        state:
          description:
            - not_hosted (deallocated), not_scheduled (in no wave), unknown (never acted on), done, startable, upcoming (before the self-service
              window), retry_later, skipped (aborted, out of this iteration), blocked, waiting (between the windows), azure_controlled (in the
              scheduled window), expired.
          type: str
          sample: startable
        allowed:
          description: C(isCustomerInitiatedMaintenanceAllowed), the only permission to start.
          type: bool
          sample: true
        retry:
          description: Allowed again after an attempt that came to nothing.
          type: bool
          sample: false
        self_service_window:
          description: The pre-emptive window, or null.
          type: dict
          sample: {start: "2026-03-02T00:00:00Z", end: "2026-04-06T23:30:00Z"}
        scheduled_window:
          description: The window in which Azure does it, or null.
          type: dict
          sample: {start: "2026-04-07T00:00:00Z", end: "2026-04-13T23:59:00Z"}
        last_operation:
          description: Result code and message of the last attempt, or null.
          type: dict
          sample: {code: None, message: null}
        seconds_left:
          description: Seconds to the end of the self-service window by Azure's clock, 0 when past, or null.
          type: int
          sample: 2592000
    hazards:
      description: What makes a redeploy risky. Blocking ones need consent by name.
      type: list
      elements: dict
      sample: [{name: temp_disk, blocking: false, detail: size Standard_D2ds_v5 has a temporary disk; what is on it is lost}]
counts:
  description: Subscriptions asked, VMs seen, affected and returned, VMs that vanished while reading, instance views read one by one, and HTTP requests.
  returned: success
  type: dict
  sample: {subscriptions: 1, vms: 18, affected: 15, returned: 15, gone: 0, views_from_list: 18, views_read: 0, requests: 8}
gone:
  description: Ids that were listed and then no longer existed.
  returned: success
  type: list
  elements: str
  sample: []
now:
  description: Azure's clock when the answer was complete.
  returned: success
  type: str
  sample: "2026-03-07T00:00:00Z"
"""

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.fleet import read_fleet, subscriptions_of
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.maintenance import format_time
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.module import run
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.query import compile_query


def info(module, connect):
    """Read the fleet and return the records asked for."""
    params = module.params
    matches = compile_query(params["query"], "query") if params["query"] else lambda record: True
    arm = connect()
    fleet = read_fleet(arm, subscriptions_of(arm, params["subscriptions"]))
    groups = {name.lower() for name in params["resource_groups"] or ()}
    records = []
    for vm in fleet.vms:
        if params["only_affected"] and not vm.status or groups and vm.id.resource_group.lower() not in groups:
            continue
        record = vm.to_record(fleet.now)
        if matches(record):
            records.append(record)
    counts = {**fleet.counts, "affected": sum(1 for vm in fleet.vms if vm.status), "returned": len(records)}
    return {"changed": False, "vms": records, "counts": counts, "gone": fleet.gone, "now": format_time(fleet.now)}


def main():
    run({"subscriptions": {"type": "list", "elements": "str"}, "resource_groups": {"type": "list", "elements": "str"},
         "only_affected": {"type": "bool", "default": False}, "query": {"type": "str"}}, info, supports_check_mode=True)


if __name__ == "__main__":
    main()
