#!/usr/bin/python
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: maintenance_mark
short_description: The mark that says who took a host out of service, how far that got, and what to undo
version_added: 1.0.0
description:
  - B(Internal to the roles of this collection); its options and return values may change without notice.
  - Writes the local fact C(/etc/ansible/facts.d/azure_maintenance.fact) on the host, whole or not at all and on disk before anything is changed, and a
    copy on the controller.
  - A host has one owner. The mark of another run is never overwritten; the task fails, naming run, owner and age.
  - Works together with an action plugin of the same name, which knows the run's process and keeps the copy.
  - On Windows hosts, which are experimental, there is only the copy on the controller.
options:
  state:
    description:
      - V(present) writes the mark, or updates step and time limit of this run's mark.
      - V(absent) removes this run's mark, and the copy.
    type: str
    choices: [absent, present]
    default: present
  run_id:
    description: Run that owns the mark.
    type: str
    required: true
  owner:
    description: Who runs it, for people who find the mark.
    type: str
    default: unknown
  step:
    description: What is about to happen to the host.
    type: str
    default: drain
  undo:
    description:
      - What restore will have to undo, in the order of the drain. Each has C(provider) and what that needs.
      - An entry of the provider C(services) has C(candidates); those that run at this moment are recorded.
      - Without it what is recorded stays.
    type: list
    elements: dict
  vm_id:
    description: ARM id of the VM.
    type: str
  boot_id:
    description: Boot id of the host before it was touched. Without it the one that the host has when it is first marked; what is recorded stays.
    type: str
  expires:
    description: Seconds the step may take at most. After them the run counts as dead for controllers on other machines.
    type: int
    default: 900
  take_over:
    description: Run id of a dead run whose mark becomes this run's.
    type: str
  watch_timeout:
    description: Seconds to wait while the role C(watch_events) has the host drained for an event of Azure's. It is looked at before the mark is
      written and after it, for the watch does the same the other way round.
    type: int
    default: 300
  directory:
    description: Directory of the controller's copies. Empty for none.
    type: str
    default: ""
  on_host:
    description: V(false) leaves it at the copy on the controller. Other controllers do not see that, and cannot finish what this one left.
    type: bool
    default: true
  stamp:
    description: Filled in by the action plugin.
    type: dict
attributes:
  check_mode:
    support: full
    details: Writes nothing, and tells what the undo would be.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: V(present) renews the time of every call; V(absent) changes nothing when there is no mark.
extends_documentation_fragment:
  - fleetops.azure_maintenance.attributes.guest
seealso:
  - module: fleetops.azure_maintenance.maintenance_mark_info
  - module: fleetops.azure_maintenance.balancer_mark
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Mark this host before anything is changed
  fleetops.azure_maintenance.maintenance_mark:
    run_id: by-hand-20260302
    owner: alice@bastion
    undo:
      - {provider: services, candidates: [nginx]}
    directory: /srv/ops/.azure_maintenance/marks
  become: true

- name: Take the mark away
  fleetops.azure_maintenance.maintenance_mark:
    state: absent
    run_id: by-hand-20260302
    directory: /srv/ops/.azure_maintenance/marks
  become: true
"""

RETURN = r"""
mark:
  description: The mark that is there now, or null.
  returned: success
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
before:
  description: The mark that was there, or null.
  returned: success
  type: dict
  sample: null
foreign:
  description: The other run's mark.
  returned: when another run has the host
  type: dict
  sample: {run_id: 20260301T220000Z-99aabbcc, owner: bob@laptop, step: drain, undo: []}
"""

import os
import time

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.mark_file import FINISHED, WATCH_MARK, MarkError, MarkFile
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.module import run
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.state import boot_id, service_states

WATCH_LOOKS = 5
"""Seconds in which a watch that has just noted itself sees the mark."""
SPEC = {
    "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
    "run_id": {"type": "str", "required": True}, "owner": {"type": "str", "default": "unknown"}, "step": {"type": "str", "default": "drain"},
    "undo": {"type": "list", "elements": "dict"}, "vm_id": {"type": "str"}, "boot_id": {"type": "str"},
    "expires": {"type": "int", "default": 900}, "take_over": {"type": "str"}, "watch_timeout": {"type": "int", "default": 300},
    "directory": {"type": "str", "default": ""}, "on_host": {"type": "bool", "default": True}, "stamp": {"type": "dict"},
}


def set_mark(module):
    """Write or remove."""
    options, file = module.params, MarkFile()
    if options["state"] == "absent":
        before = file.read() if module.check_mode else file.remove(options["run_id"], finished=FINISHED)
        return {"changed": before is not None, "before": before, "mark": None}
    if module.check_mode:
        return {"changed": True, "before": file.read(), "mark": mark_of(module)}
    before = written(module, file)
    return {"changed": True, "before": before, "mark": file.read()}


def mark_of(module):
    """What is asked for, as a mark."""
    options = module.params
    mark = {key: options[key] for key in ("run_id", "owner", "step", "vm_id", "boot_id") if options[key] is not None}
    mark.update(options["stamp"])
    if options["undo"] is not None:
        mark.setdefault("boot_id", boot_id())
        mark["undo"] = [resolved(entry, module.run_command) for entry in options["undo"]]
    return mark


def written(module, file):
    """Write it, and be sure that the watch of Scheduled Events does not have the host; what was there before.

    What runs is looked at after the watch has let go, or what it had stopped would be taken for stopped by somebody else.
    """
    options = module.params
    deadline = time.monotonic() + options["watch_timeout"]
    while True:
        wait_for_the_watch(deadline)
        before = file.write(mark_of(module), options["take_over"])
        # A watch that had not begun sees the mark now, and gives way. One that had begun keeps still while a mark is there, and would never end.
        try:
            wait_for_the_watch(min(deadline, time.monotonic() + WATCH_LOOKS))
            return before
        except MarkError:
            if before is None:
                file.remove(options["run_id"])
            if before is not None or time.monotonic() >= deadline:
                raise


def resolved(entry, run_command):
    """Of candidates only what runs now is ours to stop, and so to start again."""
    if entry.get("provider") != "services" or "candidates" not in entry:
        return entry
    states = service_states(entry["candidates"], run_command)
    missing = [name for name, state in states.items() if state == "missing"]
    if missing:
        raise MarkError(f"there is no service {', '.join(missing)} on this host; correct drain_services. Nothing was changed")
    return {"provider": "services", "services": [name for name, state in states.items() if state == "running"]}


def wait_for_the_watch(deadline):
    """Raises MarkError when the watch of Scheduled Events does not let go of the host until then, by the monotonic clock."""
    while os.path.lexists(WATCH_MARK):
        if time.monotonic() >= deadline:
            raise MarkError(f"the host is drained by watch_events for an event of Azure's ({WATCH_MARK}); it was left alone, try again when that is over")
        time.sleep(1)


def main():
    run(SPEC, set_mark, required_if=[("state", "present", ["stamp"])])


if __name__ == "__main__":
    main()
