#!/usr/bin/python
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The action plugin of this name does it all, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_event
short_description: Write down in the log of a rollout what happened to a host
version_added: 1.0.0
description:
  - B(Internal to the roles of this collection); its options and return values may change without notice.
  - Adds one line to C(events.jsonl) in the directory of the run. It is on disk when the task ends.
  - The gates of later waves, the hooks and the report are decided and written by these lines alone.
  - Runs on the controller, whatever host the task is of. Host, wave and run are those of the task's host.
options:
  event:
    description:
      - The phase that the host has reached, or how it ended.
      - V(planned) opens the log of a run with the hosts of its plan, V(stopped) says that the run stops before its end.
      - The phases V(draining) and V(starting) are written by M(fleetops.azure_maintenance.rollout_gate).
    type: str
    required: true
    choices: [planned, stopped, prepared, admitted, draining, drained, starting, azure_done, in_service, already_done, left_out, not_prepared,
      refused, restored, left_drained]
  reason:
    description: Why, in words. Required for everything that is a failure, for V(left_out) and for V(stopped).
    type: str
  left:
    description: How a host that failed was left.
    type: str
  evidence:
    description: What was learnt about the host, such as its boot id or what Azure said of it. Kept with the event.
    type: dict
  plan:
    description: The plan of the run, for V(planned).
    type: dict
  run_id:
    description: The run, for V(planned), as M(fleetops.azure_maintenance.rollout_plan) named it.
    type: str
  runs_dir:
    description: Directory of the runs, for V(planned).
    type: path
  run_dir:
    description: Directory of this run, for V(stopped) before any host is queued.
    type: path
  where:
    description: Where the run stops, for V(stopped).
    type: str
  advice:
    description: What to do about it, for V(stopped).
    type: str
    default: Run again
  command:
    description: The command that goes on with the rest, for V(stopped).
    type: str
attributes:
  check_mode:
    support: full
    details: Writes into a directory of the running process, which ansible-core removes at its end, for the gates to decide by.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: Each call is a line. The same event twice changes nothing that is decided by it.
extends_documentation_fragment:
  - fleetops.azure_maintenance.attributes.guest
seealso:
  - module: fleetops.azure_maintenance.rollout_gate
  - module: fleetops.azure_maintenance.rollout_report
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Note that this host is drained
  fleetops.azure_maintenance.rollout_event:
    event: drained
"""

RETURN = r"""
event:
  description: What was written.
  returned: success
  type: str
  sample: drained
words:
  description: How a host failed or why the run stops, in one sentence; empty otherwise.
  returned: for events of hosts, and for C(stopped)
  type: str
  sample: "web-02: the host cannot be reached: timed out -- left: not changed"
run_dir:
  description: Directory of the run.
  returned: for C(planned)
  type: str
  sample: /srv/ops/.azure_maintenance/runs/20260302T220000000000
hosts:
  description: The hosts of the run in the order of its waves. C(place) is what goes down together in its set.
  returned: for C(planned)
  type: list
  elements: dict
  sample:
    - host: web-01
      vm_id: /subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines/web-01
      wave: 1
      lane: 1
      set: /subscriptions/11111111-1111-1111-1111-111111111111/resourcegroups/shop/providers/microsoft.compute/availabilitysets/web
      place: /subscriptions/11111111-1111-1111-1111-111111111111/resourcegroups/shop/providers/microsoft.compute/availabilitysets/web None/0
      canary: false
"""
