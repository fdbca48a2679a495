#!/usr/bin/python
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The action plugin of this name does it all, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_report
short_description: Write down what a rollout did with each host, and when
version_added: 1.0.0
description:
  - B(Internal to the roles of this collection); its options and return values may change without notice.
  - Puts together what the log of the run says of its hosts, and writes it as JSON beside the log.
  - Runs on the controller, whatever host the task is of.
options:
  runs_dir:
    description: Directory of the runs. C(<run_id>) in it has the plan and the log of the run, and gets C(report.json).
    type: path
    required: true
  run_id:
    description: The run, as M(fleetops.azure_maintenance.rollout_plan) named it.
    type: str
    required: true
  path:
    description: A second file that gets the same, such as one for the newest report.
    type: path
  next_command:
    description: The command that goes on with what is left.
    type: str
attributes:
  check_mode:
    support: full
    details: Puts the report together, and writes nothing.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: The report has the time at which it was written.
extends_documentation_fragment:
  - fleetops.azure_maintenance.attributes.guest
seealso:
  - module: fleetops.azure_maintenance.rollout_plan
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Write the report
  fleetops.azure_maintenance.rollout_report:
    runs_dir: "{{ playbook_dir }}/.azure_maintenance/runs"
    run_id: "{{ rollout_run_id }}"
  run_once: true
"""

RETURN = r"""
path:
  description: The file with the report.
  returned: success
  type: str
  sample: /srv/ops/.azure_maintenance/runs/20260302T220000000000/report.json
report:
  description: What is in it. C(begin) and C(end) of the run, C(totals), C(next) and, by host, C(outcome), C(reason) and C(steps); docs/planning.md has all.
  returned: success
  type: dict
  sample:
    run_id: 20260302T220000000000
    begin: "2026-03-02T22:00:04Z"
    end: "2026-03-02T22:09:10Z"
    totals: {planned: 1, succeeded: 1, skipped: 0}
    next: null
    hosts:
      - host: web-01
        vm: web-01
        wave: 1
        update_domain: 0
        outcome: succeeded
        reason: Azure reports MaintenanceCompleted
        steps:
          drain: {begin: "2026-03-02T22:01:00Z", end: "2026-03-02T22:01:09Z"}
          redeploy: {begin: "2026-03-02T22:01:10Z", end: "2026-03-02T22:08:31Z"}
          return: {begin: "2026-03-02T22:08:32Z", end: "2026-03-02T22:08:59Z"}
"""
