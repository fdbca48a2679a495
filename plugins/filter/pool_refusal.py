# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: pool_refusal
short_description: Why a VM may not leave its backend pools of Azure load balancers
version_added: 1.0.0
description:
  - B(Internal to the roles of this collection); what it takes and gives may change without notice.
  - Takes a result of M(fleetops.azure_maintenance.lb_backend_state) in check mode with O(fleetops.azure_maintenance.lb_backend_state#module:state=down), and
    counts the members of each pool that stay up when others leave with it.
  - A member whose C(adminState) is Down is not up. Azure does not tell here what its health probes see.
positional: _input, minimum, allow_last, leaving
options:
  _input:
    description: The result, of which C(pools) and C(previous) are looked at.
    type: dict
    required: true
  minimum:
    description: How many members of each pool must stay up, a count or a percentage such as V(50%), which is rounded up.
    type: str
    required: true
  allow_last:
    description: Pools, by name or id, that may lose all their members.
    type: list
    elements: str
    default: []
  leaving:
    description: Members (C(pool) and C(name)) that leave as well. Without it, only what could not be granted if all members were up is refused.
    type: list
    elements: dict
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: See what would be taken out
  fleetops.azure_maintenance.lb_backend_state:
    vm: "{{ azure_vm_id }}"
    state: down
  check_mode: true
  register: seen

- name: Leave half of each pool up
  ansible.builtin.assert:
    that: refusal | length == 0
    fail_msg: "{{ refusal }}"
  vars:
    refusal: "{{ seen | fleetops.azure_maintenance.pool_refusal('50%', [], seen.previous) }}"
"""

RETURN = r"""
_value:
  description: The reason and what to do; empty when it may leave.
  type: str
  sample: >-
    drain refused: pool 'web' of load balancer shop/front would have 0 of 1 member up, drain_azure_load_balancer_min_up is 1. Nothing was drained.
    Add a member, or name the pool in drain_azure_load_balancer_allow_last
"""

from ansible.errors import AnsibleFilterError

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.minimum import Minimum, Terms

TERMS = Terms("pool", "member", ("none", "up"), "drain_azure_load_balancer_min_up", "drain_azure_load_balancer_allow_last")


def pool_refusal(result, minimum, allow_last=(), leaving=None):
    """See DOCUMENTATION."""
    allowed = {str(name).lower() for name in allow_last}
    pools = {pool.lower(): pool for pool in result["pools"] if not {pool.lower(), pool.lower().rpartition("/")[2]} & allowed}
    places = {pool: _words(shown) for pool, shown in pools.items()}
    gone = None if leaving is None else {(places[entry["pool"].lower()], entry["name"]) for entry in leaving if entry["pool"].lower() in places}
    own = {entry["name"] for entry in result["previous"]}
    try:
        return Minimum(str(minimum), TERMS).refusal({places[pool]: result["pools"][shown] for pool, shown in pools.items()}, own, gone)
    except ValueError as error:
        raise AnsibleFilterError(f"{TERMS.minimum} {error}. Nothing was drained. Correct it") from error


def _words(pool):
    """The pool for people, by the parts of its id: /subscriptions/S/resourceGroups/GROUP/providers/Microsoft.Network/loadBalancers/BALANCER/..."""
    parts = pool.split("/")
    return f"pool {parts[-1]!r} of load balancer {parts[4]}/{parts[8]}"


class FilterModule:
    """The filter."""

    def filters(self):
        return {"pool_refusal": pool_refusal}
