# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: contradicting
short_description: Hosts whose variables speak of two VMs
version_added: 1.0.0
description:
  - B(Internal to the roles of this collection); what it takes and gives may change without notice.
  - The inventory source describes a host (C(azure_vm_name), C(azure_resource_group), C(azure_subscription_id)) and says which VM it is (C(azure_vm_id)).
    A variable that wins over the inventory, in a play or in C(host_vars) beside a playbook, can name another VM while groups and settings stay those of the
    first.
  - Hosts without C(azure_vm_id), and variables that a host does not have, are passed over.
positional: _input, hostvars
options:
  _input:
    description: Names of hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: Variables by host.
    type: dict
    required: true
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Refuse hosts that are made of two VMs
  ansible.builtin.assert:
    that: wrong | length == 0
    fail_msg: "{{ wrong | join('; ') }}"
  vars:
    wrong: "{{ groups['maintenance_due'] | fleetops.azure_maintenance.contradicting(hostvars) }}"
"""

RETURN = r"""
_value:
  description: Each such host, with what contradicts what.
  type: list
  elements: str
  sample: ["web-01: azure_vm_id is /subscriptions/S/resourceGroups/G/providers/Microsoft.Compute/virtualMachines/web-02, but azure_vm_name is web-01"]
"""

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import BadVmId, VmId


def contradicting(hosts, hostvars):
    """See RETURN."""
    found = []
    for host in hosts:
        variables = hostvars[host]
        try:
            vm_id = VmId.parse(variables.get("azure_vm_id"))
        except BadVmId:
            continue
        expected = {"azure_vm_name": f"{vm_id.scale_set}_{vm_id.name}" if vm_id.scale_set else vm_id.name,
                    "azure_resource_group": vm_id.resource_group, "azure_subscription_id": vm_id.subscription_id}
        others = [f"{name} is {variables.get(name)}" for name, value in expected.items()
                  if variables.get(name) and str(variables.get(name)).lower() != value.lower()]
        if others:
            found.append(f"{host}: azure_vm_id is {vm_id}, but {' and '.join(others)}")
    return found


class FilterModule:
    """The filter."""

    def filters(self):
        return {"contradicting": contradicting}
