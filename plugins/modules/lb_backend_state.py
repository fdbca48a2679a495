#!/usr/bin/python
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lb_backend_state
short_description: Take a VM out of the backend pools of Azure load balancers, and bring it back
version_added: 1.0.0
description:
  - Sets the administrative state (C(adminState)) of one VM's members in backend pools of Azure load balancers.
  - With V(down) a member gets no new connections, whatever its health probe says. Established TCP connections go on until they end.
  - A pool is written as a whole, with only the state of this VM's members changed. When the pool changed in between, it is read and written again.
  - The module waits until Azure has finished with each pool.
  - Pools of network interfaces and pools of addresses are handled, in load balancers of the SKU Standard.
options:
  members:
    description: Members of pools, as RV(previous) returns them, instead of a VM. Members that do not exist any more are named in RV(left).
    type: list
    elements: dict
    suboptions: &member
      pool:
        description: ARM id of the backend pool.
        type: str
        required: true
      name:
        description: Name of the member in it.
        type: str
        required: true
      ip:
        description: Its private address. A member of the same name with another address is not changed.
        type: str
      admin_state:
        description: Its administrative state.
        type: str
        choices: [down, none, up]
  restore:
    description:
      - Members of pools, as RV(previous) returned them, to get the state back that they had then.
      - Only those that are still V(down) are changed. Members that changed meanwhile, or do not exist any more, are named in RV(left).
    type: list
    elements: dict
    suboptions: *member
  state:
    description:
      - V(down) takes the VM out of service.
      - V(up) lets it take connections whatever its probe says.
      - V(none) leaves it to the probe.
      - V(down) is refused where a rule of the load balancer has no health probe, because it has no effect there.
    type: str
    choices: [down, none, up]
  timeout:
    description: Seconds in which Azure must finish with all pools.
    type: int
    default: 600
  poll_interval:
    description: Seconds between two polls.
    type: int
    default: 3
extends_documentation_fragment:
  - fleetops.azure_maintenance.backend_members
  - fleetops.azure_maintenance.azure
  - fleetops.azure_maintenance.attributes
attributes:
  check_mode:
    support: full
    details: Reads, and returns in RV(previous) what would be changed.
  diff_mode:
    support: full
  idempotent:
    support: full
notes:
  - Needs C(Microsoft.Network/loadBalancers/read), C(Microsoft.Network/loadBalancers/backendAddressPools/read) and
    C(Microsoft.Network/loadBalancers/backendAddressPools/write), and to find pools the read actions of the VM and its network interfaces. See the collection's
    docs/permissions.md.
  - Microsoft's article on the administrative state says that established connections go on. The API's reference says that they are reset. Count the
    connections on the VM.
seealso:
  - module: fleetops.azure_maintenance.lb_backend_info
  - module: fleetops.azure_maintenance.vm_redeploy
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: No new connections for this VM
  fleetops.azure_maintenance.lb_backend_state:
    vm: "{{ azure_vm_id }}"
    state: down
  delegate_to: localhost
  register: taken_out

- name: What it was before, and nothing that somebody else changed meanwhile
  fleetops.azure_maintenance.lb_backend_state:
    restore: "{{ taken_out.previous }}"
  delegate_to: localhost
"""

RETURN = r"""
members:
  description: The VM's members of pools with their state now (in check mode, as it stays).
  returned: always
  type: list
  elements: dict
  sample:
    - pool: /subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/shop/providers/Microsoft.Network/loadBalancers/front/backendAddressPools/web
      name: web-1-nic-ipconfig1
      ip: 10.0.0.4
      admin_state: down
previous:
  description: Those that were changed (in check mode, would be), with the state that they had. This is what O(restore) takes.
  returned: always
  type: list
  elements: dict
  sample:
    - pool: /subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/shop/providers/Microsoft.Network/loadBalancers/front/backendAddressPools/web
      name: web-1-nic-ipconfig1
      ip: 10.0.0.4
      admin_state: none
pools:
  description: The state of every member of these pools, other VMs' too, by pool and name.
  returned: always
  type: dict
  sample:
    /subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/shop/providers/Microsoft.Network/loadBalancers/front/backendAddressPools/web:
      web-1-nic-ipconfig1: down
      web-2-nic-ipconfig1: none
left:
  description: Members that O(members) or O(restore) named and that were not changed, with the reason.
  returned: always
  type: list
  elements: dict
  sample:
    - pool: /subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/shop/providers/Microsoft.Network/loadBalancers/front/backendAddressPools/web
      name: web-2-nic-ipconfig1
      reason: it is not in the pool any more
"""

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.rate_limit import WallClock
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import VmId
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import AzureError, OptionsError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._load_balancer.pool import ENTRY_SPEC, MEMBERS_SPEC, PoolStore, Work
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._module import check_seconds, run

CLOCK = WallClock


def settle(module, connect):
    """Bring the members to the state asked for; a failure half way still returns what was changed before it."""
    params, state = module.params, module.params["state"]
    check_seconds(params, "timeout", "poll_interval")
    entries = params["members"] if params["restore"] is None else params["restore"]
    if params["restore"] and not all(entry["admin_state"] for entry in entries):
        raise OptionsError("an entry of restore has no admin_state; set restore to what previous was")
    vm, clock = VmId.parse(params["vm"]) if params["vm"] else None, CLOCK()
    arm = connect(clock)
    work = Work(PoolStore(arm, clock, params["timeout"], params["poll_interval"], module.check_mode))
    failure = {}
    try:
        if entries is not None:
            work.of_entries(entries, state, params["restore"] is not None)
        else:
            work.of_vm(arm, vm, params, state)
    except AzureError as error:
        failure = {"failed": True, "msg": str(error), "failure": error.to_result()}
    except OptionsError as error:
        failure = {"failed": True, "msg": str(error), "failure": {"doing": "use the options", "detail": str(error)}}
    result = {"changed": work.changed, "members": work.members, "previous": work.previous, "pools": work.pools, "left": work.left, **failure}
    if module._diff:
        result["diff"] = {when: "".join(f"{line[0]}: {line[column]}\n" for line in work.lines) for when, column in (("before", 1), ("after", 2))}
    return result


def main():
    run({**MEMBERS_SPEC, "members": {"type": "list", "elements": "dict", "options": ENTRY_SPEC},
         "restore": {"type": "list", "elements": "dict", "options": ENTRY_SPEC}, "state": {"type": "str", "choices": ["down", "none", "up"]},
         "timeout": {"type": "int", "default": 600}, "poll_interval": {"type": "int", "default": 3}}, settle, supports_check_mode=True,
        mutually_exclusive=[("vm", "addresses", "members", "restore"), ("state", "restore")],
        required_one_of=[("vm", "addresses", "members", "restore"), ("state", "restore")])


if __name__ == "__main__":
    main()
