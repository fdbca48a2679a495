#!/usr/bin/python
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The action plugin of this name does it all, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_gate
short_description: Decide whether a wave of a rollout may begin, and whether a host may be drained and started
version_added: 1.0.0
description:
  - B(Internal to the roles of this collection); its options and return values may change without notice.
  - Decides by the log of the run, which M(fleetops.azure_maintenance.rollout_event) writes, and by the hosts that ansible-core still reaches.
    What the log does not say has not happened.
  - Runs on the controller, whatever host the task is of.
options:
  before:
    description:
      - V(wave) decides for the whole batch, and is run once. It never fails; RV(stop) says why the wave may not begin.
      - V(drain) fails for a host that the gate of its wave has not admitted. Otherwise the host is noted as draining.
      - V(start) fails for a host that is not drained, and for all hosts of a wave of which one did not drain. Otherwise the host is noted
        as starting.
    type: str
    required: true
    choices: [wave, drain, start]
  stop_file:
    description: The wave does not begin while this file is there.
    type: path
  marked:
    description: Hosts that have a drain marker on this controller. They count as out of service.
    type: list
    elements: str
    default: []
  partial_wave:
    description: Whether the drained hosts of a wave are started although others of it did not drain.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    details: Decides the same, by the log that check mode has.
  diff_mode:
    support: none
  idempotent:
    support: full
extends_documentation_fragment:
  - fleetops.azure_maintenance.attributes.guest
seealso:
  - module: fleetops.azure_maintenance.rollout_event
  - module: fleetops.azure_maintenance.rollout_recheck
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Decide whether this wave may begin
  fleetops.azure_maintenance.rollout_gate:
    before: wave
    stop_file: /srv/ops/.azure_maintenance/stop
  run_once: true
  register: rollout_gate
"""

RETURN = r"""
members:
  description: Hosts of the wave that were prepared and have not failed.
  returned: before a wave
  type: list
  elements: str
  sample: [web-01, web-02]
stop:
  description: Why the run stops before this wave, or null.
  returned: before a wave
  type: str
  sample: the stop file /srv/ops/.azure_maintenance/stop is there
advice:
  description: What to do about it; the command follows.
  returned: before a wave
  type: str
  sample: Take it away and run again
soak_seconds:
  description: Seconds to wait until the sets of the wave have settled. Then the gate is asked again.
  returned: before a wave
  type: int
  sample: 420
going:
  description: Before a wave its hosts that have not failed, with the ARM ids of their VMs. Before a start the names of the hosts that are started.
  returned: before a wave and before a start
  type: raw
  sample: [web-01, web-02]
lost:
  description: ARM ids of VMs that this run has taken out of service and not returned.
  returned: before a wave
  type: list
  elements: str
  sample: [/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines/db-01]
failed_vms:
  description: ARM ids of VMs whose hosts failed so far, in service again or not.
  returned: before a wave
  type: list
  elements: str
  sample: [/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines/db-01]
"""
