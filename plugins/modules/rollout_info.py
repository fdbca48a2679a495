#!/usr/bin/python
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The action plugin of this name does it all, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_info
short_description: Say what a rollout has come to
version_added: 1.0.0
description:
  - B(Internal to the roles of this collection); its options and return values may change without notice.
  - Reads the log of the run, which M(fleetops.azure_maintenance.rollout_event) writes.
  - Runs on the controller, whatever host the task is of.
options:
  point:
    description: The point of the run whose hooks are about to run. Without it RV(hook) is null.
    type: str
    choices: [before_run, before_wave, before_drain, after_verify, after_wave, on_failure, after_run]
  command:
    description: The command that makes a new plan, for RV(rest).
    type: str
attributes:
  check_mode:
    support: full
    details: Only reads.
  diff_mode:
    support: none
  idempotent:
    support: full
extends_documentation_fragment:
  - fleetops.azure_maintenance.attributes.guest
seealso:
  - module: fleetops.azure_maintenance.rollout_event
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Put together what hooks are told
  fleetops.azure_maintenance.rollout_info:
    point: after_wave
  run_once: true
  register: rollout_told
"""

RETURN = r"""
hook:
  description: What the hooks of this point get as C(rollout_hook), see docs/hooks.md.
  returned: success
  type: dict
  sample:
    point: after_wave
    run_id: 20260302T220000000000
    wave: 1
    waves: 2
    hosts: [web-01]
    host: null
    reason: null
    succeeded: [web-01]
    lost: []
    left_out: []
    not_started: []
    summary: "Azure maintenance: after wave: wave 1: 1 hosts: 1 done, 0 failed, 0 skipped"
rest:
  description: What of the plan was not done and why, in words; empty when all was.
  returned: success
  type: str
  sample: "STOPPED before wave 2: the stop file /srv/ops/.azure_maintenance/stop is there. Not started: web-02. Take it away and run again: ansible-playbook"
concerned:
  description: Hosts that are still reached, those first that stand for what was not done.
  returned: success
  type: list
  elements: str
  sample: [web-02, web-01]
"""
