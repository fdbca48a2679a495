#!/usr/bin/python
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: maintenance_mark
short_description: The drain marker, which says who took a host out of service, how far that got, and what to undo
version_added: 1.0.0
description:
  - B(Internal to the roles of this collection); its options and return values may change without notice.
  - Writes the local fact C(/etc/ansible/facts.d/azure_maintenance.fact) on the host, and a copy on the controller.
  - It is written atomically, and is on disk before anything is changed.
  - With O(haproxy) it runs on a balancer, and is about a host that is a server there. It reads in which backends the server takes traffic, and writes the
    local fact C(/etc/ansible/facts.d/azure_maintenance_drained_HOST.fact) about it, without a copy. A guest that never returns cannot hide a backend that
    is drained for it. It changes nothing in HAProxy; that is what M(community.general.haproxy) does.
  - A backend in which somebody else has drained the server, or put it into maintenance, is not recorded. It is theirs to bring back.
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
      - Without it what is recorded stays. With O(haproxy) it is learnt from HAProxy.
    type: list
    elements: dict
  vm_id:
    description: ARM id of the VM.
    type: str
  boot_id:
    description: Boot id of the host before it was touched. Without it the one that the host has when it is first marked; what is recorded stays.
    type: str
  expires:
    description: Seconds the step may take at most. After them the run counts as crashed for controllers on other machines.
    type: int
    default: 900
  take_over:
    description: Run id of a crashed run whose mark becomes this run's.
    type: str
  earlier_runs:
    description: Runs whose marks V(absent) removes as well, because this one has taken over from them.
    type: list
    elements: str
    default: []
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
  haproxy:
    description: What the host is on this balancer. Without it the host is the one that the module runs on.
    type: dict
    suboptions:
      host:
        description: Inventory host that the server is.
        type: str
        required: true
      server:
        description: Its name in the backends. Needed for O(state=present).
        type: str
      backends:
        description: Backends to look into. One that does not know the server is an error.
        type: list
        elements: str
        default: []
      socket:
        description: Admin socket of HAProxy.
        type: path
        default: /run/haproxy/admin.sock
      min_up:
        description:
          - Servers of each of O(haproxy.backends) that must stay up, a count or a percentage of the backend's servers such as V(50%), which is rounded up.
          - What could not be granted if all of them were up is refused, such as the only server of a backend. Hosts that are taken out together each write
            their mark first, and ask M(fleetops.azure_maintenance.balancer_info) when the marks of all are there.
          - A backend in which the server takes no requests as it is loses none with it, and refuses nothing.
        type: str
      allow_last:
        description: Backends for which O(haproxy.min_up) does not hold.
        type: list
        elements: str
        default: []
      balancer:
        description: Inventory name of the balancer, for messages.
        type: str
        default: this balancer
  stamp:
    description: Filled in by the action plugin.
    type: dict
attributes:
  check_mode:
    support: full
    details: Writes nothing, and returns what the undo would be.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: V(present) renews the time of every call, and what was recorded first stays; V(absent) changes nothing when there is no mark.
extends_documentation_fragment:
  - fleetops.azure_maintenance.attributes.guest
seealso:
  - module: fleetops.azure_maintenance.maintenance_mark_info
  - module: fleetops.azure_maintenance.balancer_info
  - module: community.general.haproxy
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

- name: Mark on its balancer that web-03 is about to be taken out of the backend web
  fleetops.azure_maintenance.maintenance_mark:
    run_id: by-hand-20260302
    owner: alice@bastion
    haproxy: {host: web-03, server: web-03, backends: [web]}
  delegate_to: lb-01
  become: true
  register: places

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
backends:
  description: Backends in which the server takes traffic, or would if it were healthy.
  returned: when O(state=present) with O(haproxy)
  type: list
  elements: str
  sample: [web]
unhealthy:
  description: Those of them in which its health check fails now.
  returned: when O(state=present) with O(haproxy)
  type: list
  elements: str
  sample: []
unchecked:
  description: Those of RV(backends) in which HAProxy does not check it, and so never calls it UP.
  returned: when O(state=present) with O(haproxy)
  type: list
  elements: str
  sample: []
taken_out:
  description: Backends in which somebody else has taken it out.
  returned: when O(state=present) with O(haproxy)
  type: list
  elements: str
  sample: []
foreign:
  description: The other run's mark.
  returned: when another run has the host
  type: dict
  sample: {run_id: 20260301T220000Z-99aabbcc, owner: bob@laptop, step: drain, undo: []}
"""

import os
import time

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest import haproxy
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.mark_file import FINISHED, WATCH_MARK, MarkError, MarkFile, balancer_path
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.module import run
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.state import boot_id, service_states

WATCH_LOOKS = 5
"""Seconds in which a watch that has just noted itself sees the mark."""
HAPROXY_SPEC = {
    "host": {"type": "str", "required": True}, "server": {"type": "str"}, "backends": {"type": "list", "elements": "str", "default": []},
    "socket": {"type": "path", "default": "/run/haproxy/admin.sock"}, "min_up": {"type": "str"},
    "allow_last": {"type": "list", "elements": "str", "default": []}, "balancer": {"type": "str", "default": "this balancer"},
}
SPEC = {
    "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
    "run_id": {"type": "str", "required": True}, "owner": {"type": "str", "default": "unknown"}, "step": {"type": "str", "default": "drain"},
    "undo": {"type": "list", "elements": "dict"}, "vm_id": {"type": "str"}, "boot_id": {"type": "str"},
    "expires": {"type": "int", "default": 900}, "take_over": {"type": "str"}, "earlier_runs": {"type": "list", "elements": "str", "default": []},
    "watch_timeout": {"type": "int", "default": 300}, "directory": {"type": "str", "default": ""}, "on_host": {"type": "bool", "default": True},
    "haproxy": {"type": "dict", "options": HAPROXY_SPEC}, "stamp": {"type": "dict"},
}


def set_mark(module):
    """Write or remove, on the host itself or on a balancer of it."""
    options = module.params
    server = options["haproxy"]
    file = MarkFile(balancer_path(server["host"])) if server else MarkFile()
    if options["state"] == "absent":
        finished = "" if server else FINISHED
        before = file.read() if module.check_mode else file.remove(options["run_id"], *options["earlier_runs"], finished=finished)
        return {"changed": before is not None, "before": before, "mark": None}
    return mark_server(module, file) if server else mark_host(module, file)


def base_of(options):
    """What every mark has of the options."""
    return {**{key: options[key] for key in ("run_id", "owner", "step", "vm_id", "boot_id") if options[key] is not None}, **options["stamp"]}


# -- on the host itself ---------------------------------------------------------------------------------------------------


def mark_host(module, file):
    """Write the mark of this host."""
    if module.check_mode:
        return {"changed": True, "before": file.read(), "mark": mark_of(module)}
    before = written(module, file)
    return {"changed": True, "before": before, "mark": file.read()}


def mark_of(module):
    """What is asked for, as a mark."""
    options = module.params
    mark = base_of(options)
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
            raise MarkError(f"the host is drained by watch_events for an event of Azure's ({WATCH_MARK}); nothing was changed. "
                            "Run again when the event is over")
        time.sleep(1)


# -- on a balancer --------------------------------------------------------------------------------------------------------


def mark_server(module, file):
    """Learn where the server takes traffic, and write that into the mark. What an earlier call of the run, or of one before it, learnt stays."""
    options = module.params
    server = options["haproxy"]
    if not server["server"]:
        raise MarkError("haproxy.server is missing: a server of HAProxy is marked by its name. Nothing was drained")
    before = file.read()
    if before is not None and before.get("run_id") in (options["run_id"], options["take_over"]):
        learnt = {"unchecked": [], **before["undo"][0]}
    else:
        learnt = haproxy.learn(server)
    undo = {"provider": "haproxy", "server": server["server"], "socket": server["socket"], **learnt}
    mark = {**base_of(options), "undo": [undo]}
    if not module.check_mode:
        file.write(mark, options["take_over"])
        mark = file.read()
    return {"changed": True, "before": before, "mark": mark, **{key: undo[key] for key in ("backends", "unhealthy", "unchecked", "taken_out")}}


def main():
    run(SPEC, set_mark, required_if=[("state", "present", ["stamp"])])


if __name__ == "__main__":
    main()
