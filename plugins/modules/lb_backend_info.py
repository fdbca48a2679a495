#!/usr/bin/python
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lb_backend_info
short_description: List the backend pools of Azure load balancers that a VM is in, with its administrative state
version_added: 1.0.0
description:
  - Reads the administrative state (C(adminState)) of one VM's members in backend pools of Azure load balancers, which
    M(fleetops.azure_maintenance.lb_backend_state) changes.
  - A VM that is in no pool has no members. That is no error.
  - Pools of network interfaces and pools of addresses are read, in load balancers of the SKU Standard.
extends_documentation_fragment:
  - fleetops.azure_maintenance.backend_members
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
notes:
  - Needs C(Microsoft.Network/loadBalancers/read) and C(Microsoft.Network/loadBalancers/backendAddressPools/read), and to find pools the read actions of the
    VM and its network interfaces. See the collection's docs/permissions.md.
seealso:
  - module: fleetops.azure_maintenance.lb_backend_state
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: See in which pools it is
  fleetops.azure_maintenance.lb_backend_info:
    vm: "{{ azure_vm_id }}"
    load_balancers: [front]
  delegate_to: localhost
"""

RETURN = r"""
members:
  description: The VM's members of pools with their state.
  returned: success
  type: list
  elements: dict
  sample:
    - pool: /subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/shop/providers/Microsoft.Network/loadBalancers/front/backendAddressPools/web
      name: web-1-nic-ipconfig1
      ip: 10.0.0.4
      admin_state: down
pools:
  description: The state of every member of these pools, other VMs' too, by pool and name.
  returned: success
  type: dict
  sample:
    /subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/shop/providers/Microsoft.Network/loadBalancers/front/backendAddressPools/web:
      web-1-nic-ipconfig1: down
      web-2-nic-ipconfig1: none
"""

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.rate_limit import WallClock
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import VmId
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._load_balancer.pool import MEMBERS_SPEC, PoolStore, Work
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._module import run

CLOCK = WallClock


def read(module, connect):
    """The VM's members of pools, and those of others beside them."""
    vm, clock = VmId.parse(module.params["vm"]) if module.params["vm"] else None, CLOCK()
    arm = connect(clock)
    work = Work(PoolStore(arm, clock, timeout=600, interval=3, dry=True))
    work.of_vm(arm, vm, module.params, None)
    return {"changed": False, "members": work.members, "pools": work.pools}


def main():
    run(MEMBERS_SPEC, read, supports_check_mode=True, mutually_exclusive=[("vm", "addresses")], required_one_of=[("vm", "addresses")])


if __name__ == "__main__":
    main()
