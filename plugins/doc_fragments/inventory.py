# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which VMs the inventory plugin reads, and whether it adds hosts or describes those that are there."""

from __future__ import annotations


class ModuleDocFragment:

    DOCUMENTATION = r"""
options:
  subscriptions:
    description: Subscriptions to read. Default is O(subscription_id), else every subscription the identity can see.
    type: list
    elements: str
    default: []
  resource_groups:
    description:
      - Add only VMs of these resource groups (any letter case). Default is all. A pattern such as V(*) is refused.
      - The lists of the whole subscription are read all the same, so rights on a resource group alone are not enough.
    type: list
    elements: str
    default: []
  exclude_resource_groups:
    description: Add no VM of these resource groups (any letter case).
    type: list
    elements: str
    default: []
  only_affected:
    description: Add (as an O(overlay), describe) only VMs for which maintenance is planned.
    type: bool
    default: false
  query:
    description: JMESPath expression over a record, see M(fleetops.azure_maintenance.vm_maintenance_info). Only VMs for which it is true are added.
    type: str
  complete:
    description:
      - V(false) skips a subscription, scale set or VM that cannot be read. Each is named in a warning and in C(azure_maintenance_left_out).
      - Such an answer is not cached, and VMs that are missing do not count as down.
      - It is not O(strict), which is about your own expressions.
    type: bool
    default: true
  addresses:
    description:
      - Read network interfaces and public IPs too.
      - Without them no host gets an C(ansible_host), and the hazard dynamic_public_ip is never found.
    type: bool
    default: true
  trust_status_list:
    description:
      - V(true) uses the bulk status list alone. A VM that it shows without a maintenance status has no planned maintenance.
      - By default that counts only while the list shows the status of some VM. Otherwise each VM's own view is read, which takes 40 seconds per
        1,000 VMs of a subscription after the first 250.
      - Set it once RV(fleetops.azure_maintenance.vm_maintenance_info#module:counts.views_listed) was equal to the number of VMs during planned
        maintenance. Then your cloud's list is known to show it.
    type: bool
    default: false
  second_opinion:
    description: Compare with the list of affected VMs in another Azure service, with a warning for every difference.
    type: str
    choices: [none, resource_graph, service_health]
    default: none
  overlay:
    description:
      - Add no host and change no C(ansible_host). Hosts that earlier sources added get the variables and groups. List this source after them.
      - A host that carries the id of a VM (O(overlay_id_vars)) is that VM.
      - Any other host is the VM of its name, with or without resource group and subscription, or of the name that O(hostnames) gives.
      - Where two VMs or two hosts could be meant, and where no host is a VM, the source fails.
      - Hosts that are no VM are not changed.
    type: bool
    default: false
  overlay_id_vars:
    description:
      - Host variables that may hold the id of a VM. The first that does counts. V(id) is what C(azure.azcollection.azure_rm) sets.
      - They may be set by earlier sources, for a host or its groups, and in C(host_vars) and C(group_vars) beside them, also as templates.
    type: list
    elements: str
    default: [azure_vm_id, id, resource_id]
"""
