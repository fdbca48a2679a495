#!/usr/bin/python
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vm_maintenance_info
short_description: List Azure VMs under planned maintenance, their windows, and whether they can be started now
version_added: 1.0.0
description:
  - Reads whole subscriptions in a few list requests. Returns one record per VM or scale-set instance, and a summary.
  - A record has the maintenance windows, state, update domain, health and hazards of the VM.
  - The answer is complete, or the task fails and says what was asked for, seen and missing.
  - A VM that one list names and another does not show is read by itself.
  - Where the bulk status list does not show maintenance statuses, each VM's own view is read, at Azure's documented 25 reads a second and
    subscription.
options:
  subscriptions:
    description: Subscriptions to read. Default is O(subscription_id), else every subscription the identity can see.
    type: list
    elements: str
    default: []
  resource_groups:
    description:
      - Only VMs of these resource groups (any letter case). Default is all. A pattern such as V(*) is refused.
      - The lists of the whole subscription are read all the same, so rights on a resource group alone are not enough.
    type: list
    elements: str
    default: []
  exclude_resource_groups:
    description: No VMs of these resource groups (any letter case).
    type: list
    elements: str
    default: []
  only_affected:
    description: Return only VMs for which maintenance is planned.
    type: bool
    default: false
  query:
    description:
      - JMESPath expression over a record. VMs for which it is true are returned. For example V(tags.tier == 'web').
      - When it is true for none, a warning and RV(summary.text) say so.
    type: str
  addresses:
    description:
      - Read network interfaces and public IPs too.
      - Without them RV(vms[].addresses) are empty and the hazard dynamic_public_ip is never found.
    type: bool
    default: true
  trust_status_list:
    description:
      - V(true) uses the bulk status list alone. A VM that it shows without a maintenance status has no planned maintenance.
      - By default that counts only while the list shows the status of some VM. Otherwise each VM's own view is read, which takes 40 seconds per
        1,000 VMs of a subscription after the first 250.
      - Set it once RV(counts.views_listed) was equal to RV(counts.vms) during planned maintenance. Then your cloud's list is known to show it.
    type: bool
    default: false
  complete:
    description:
      - V(true) fails when anything could not be read.
      - V(false) skips a subscription, scale set or VM that could not be read. Each is named in RV(left_out) and in a warning. It still fails when
        nothing could be read.
    type: bool
    default: true
    aliases: [strict]
  second_opinion:
    description:
      - Another of Azure's lists of VMs with planned maintenance, to compare with the instance views. Differences are in RV(second_opinion). They
        decide nothing.
      - V(resource_graph) is the table C(maintenanceresources) of Azure Resource Graph.
      - V(service_health) is the impacted resources of active planned maintenance events.
      - Both may be minutes old. When the list cannot be read, there is a warning.
    type: str
    choices: [none, resource_graph, service_health]
    default: none
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

- name: Show the summary
  ansible.builtin.debug:
    var: maintenance.summary.text

- name: The startable web servers
  fleetops.azure_maintenance.vm_maintenance_info:
    subscriptions: [11111111-1111-1111-1111-111111111111]
    query: maintenance.state == 'startable' && tags.tier == 'web'
  delegate_to: localhost

- name: All that can be read, with a list of what cannot
  fleetops.azure_maintenance.vm_maintenance_info:
    complete: false
    exclude_resource_groups: [sandbox]
  delegate_to: localhost

- name: Does Resource Graph know of anything else?
  fleetops.azure_maintenance.vm_maintenance_info:
    second_opinion: resource_graph
  delegate_to: localhost
  register: compared
  failed_when: compared.second_opinion.only_there | default([])
"""

RETURN = r"""
vms:
  description:
    - One record per VM and per instance of a uniform scale set, in the order of their ids. Times are ISO-8601 in UTC.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: ARM id, spelled as Azure answered it. Compare ids without regard to letter case.
      type: str
      sample: /subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines/web-01
    name:
      description: Name of the VM; C(<scale set>_<instance>) for an instance of a uniform scale set.
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
      description: Instance number in a uniform scale set, or null. Members of flexible scale sets are VMs and have none.
      type: str
      sample: null
    computer_name:
      description: Host name that the guest was given (C(osProfile.computerName)), or null.
      type: str
      sample: web-01
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
      description: Guest agent, one of ready, not_ready, unknown (also of a deallocated VM).
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
          description: Allowed again after an attempt that did not succeed.
          type: bool
          sample: false
        self_service_window:
          description: The window in which you may start it, or null.
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
summary:
  description: Who is affected, until when, can I start now. Over the VMs returned.
  returned: success
  type: dict
  contains:
    states:
      description: Number of VMs by state.
      type: dict
      sample: {startable: 12, upcoming: 1, not_scheduled: 2}
    startable:
      description: Names of VMs that may be started now.
      type: list
      elements: str
      sample: [web-01, web-02]
    need_consent:
      description: Names of VMs that may be started now, with a blocking hazard that needs consent by name.
      type: list
      elements: str
      sample: [cache-02]
    next_deadline:
      description: End of the self-service window that ends first among VMs that can still be started, or null.
      type: str
      sample: "2026-04-06T23:30:00Z"
    next_deadline_vms:
      description: Names of the VMs whose window ends then. Those that cannot be started in it any more, such as after an aborted attempt, are not among them.
      type: list
      elements: str
      sample: [web-01, web-02]
    text:
      description: All that in one sentence; or that O(query) matched none of so many VMs.
      type: str
      sample: 13 of 18 VMs affected, 12 may be started now; self-service ends first at 2026-04-06T23:30:00Z (in 30 days).
counts:
  description: What was asked and seen. All are numbers.
  returned: success
  type: dict
  contains:
    subscriptions:
      description: Subscriptions asked.
      type: int
      sample: 1
    vms:
      description: VMs and instances known, in the resource groups asked for.
      type: int
      sample: 18
    affected:
      description: VMs of these for which maintenance is planned.
      type: int
      sample: 15
    returned:
      description: Those of them that O(only_affected) and O(query) let through.
      type: int
      sample: 15
    gone:
      description: VMs that were deleted while reading, see RV(gone).
      type: int
      sample: 0
    left_out:
      description: What could not be read, see RV(left_out).
      type: int
      sample: 0
    views_listed:
      description: Views that came with lists.
      type: int
      sample: 18
    views_read:
      description: Views that were read one by one.
      type: int
      sample: 0
    requests:
      description: HTTP answers of Resource Manager.
      type: int
      sample: 8
gone:
  description: Ids that were listed and then no longer existed.
  returned: success
  type: list
  elements: str
  sample: []
left_out:
  description: What O(complete=false) skipped, each a C(subscription) or the C(id) of a VM or scale set, with the C(reason). Otherwise empty.
  returned: success
  type: list
  elements: dict
  sample: []
second_opinion:
  description:
    - C(source), and lower-case ids that are C(only_there) (in the other list) or C(only_here) (in RV(vms), planned and not done).
    - Null when none was asked for, or it could not be read.
  returned: success
  type: dict
  sample: null
now:
  description: Azure's clock when the answer was complete.
  returned: success
  type: str
  sample: "2026-03-07T00:00:00Z"
"""

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.maintenance import format_time
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._fleet.fleet import Selection, read_fleet
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._fleet.selection import SECOND_OPINIONS
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._module import run

SPEC = {
    "subscriptions": {"type": "list", "elements": "str", "default": []},
    "resource_groups": {"type": "list", "elements": "str", "default": []},
    "exclude_resource_groups": {"type": "list", "elements": "str", "default": []},
    "only_affected": {"type": "bool", "default": False},
    "query": {"type": "str"},
    "addresses": {"type": "bool", "default": True},
    "trust_status_list": {"type": "bool", "default": False},
    "complete": {"type": "bool", "default": True, "aliases": ["strict"]},
    "second_opinion": {"type": "str", "choices": list(SECOND_OPINIONS), "default": "none"},
}


def info(module, connect):
    """Read the fleet and return the records asked for."""
    selection = Selection.from_options(module.params)
    fleet = read_fleet(connect(), selection)
    for warning in fleet.warnings:
        module.warn(warning)
    return {"changed": False, "vms": list(fleet.records()), "summary": fleet.summary(),
            "counts": fleet.counts, "gone": fleet.gone,
            "left_out": fleet.left_out, "second_opinion": fleet.second_opinion, "now": format_time(fleet.now)}


def main():
    run(SPEC, info, supports_check_mode=True)


if __name__ == "__main__":
    main()
