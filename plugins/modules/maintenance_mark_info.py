#!/usr/bin/python
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The action plugin of this name does it all, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: maintenance_mark_info
short_description: Read the mark that says who took a host out of service, and those that it keeps of others as a balancer
version_added: 1.0.0
description:
  - B(Internal to the roles of this collection); its options and return values may change without notice.
  - Runs no Python on the host, and does not fail when the host cannot be reached; RV(reached) and RV(trouble) say so.
  - On Windows hosts, which are experimental, there is only the copy on the controller.
options:
  directory:
    description: Directory of the controller's copies. Empty for none.
    type: str
    default: ""
  on_host:
    description: V(false) only looks at the copy on the controller.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    details: Only reads.
  diff_mode:
    support: N/A
    details: Changes nothing.
  idempotent:
    support: full
extends_documentation_fragment:
  - fleetops.azure_maintenance.attributes.guest
seealso:
  - module: fleetops.azure_maintenance.maintenance_mark
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Who has this host
  fleetops.azure_maintenance.maintenance_mark_info:
  register: found
"""

RETURN = r"""
mark:
  description: The host's mark, or null.
  returned: always
  type: dict
  sample:
    run_id: 20260302T081500Z-1a2b3c4d
    owner: alice@bastion
    host: web-03
    vm_id: /subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines/web-03
    since: "2026-03-02T08:16:02Z"
    heartbeat: "2026-03-02T08:17:40Z"
    expires: "2026-03-02T09:37:40Z"
    step: redeploy
    boot_id: 1d3f4b0e-6a0c-4c1e-9d43-6a6f9f0e6a10
    process: {machine: "7c8e0d0e/pid:[4026531836]", pid: 4711, started: "118804", command: 3f1d}
    undo:
      - {provider: services, services: [nginx]}
alive:
  description: Why the run of the drain marker counts as active. Null when it crashed.
  returned: always
  type: str
  sample: its process 4711 runs on this machine
drained:
  description: Marks that this host keeps as a balancer, by host.
  returned: always
  type: dict
  sample: {}
finished:
  description: Runs that are done with the host, the last 50. Their marks were taken away; copies of those on other controllers are of no use any more.
  returned: always
  type: list
  elements: str
  sample: [20260301T220000Z-99aabbcc]
controller_copy:
  description: The controller's copy in O(directory), where the host itself has no mark; null otherwise.
  returned: always
  type: dict
  sample: null
reached:
  description: Whether the host could be asked.
  returned: always
  type: bool
  sample: true
trouble:
  description: Why it could not be asked, or its mark not be understood; null otherwise.
  returned: always
  type: str
  sample: null
"""
