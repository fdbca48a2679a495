#!/usr/bin/python
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: balancer_mark
short_description: On a host that runs HAProxy, learn where a server takes traffic, and note who takes it out
version_added: 1.0.0
description:
  - B(Internal to the roles of this collection); its options and return values may change without notice.
  - Reads in which backends a server takes traffic, and writes the local fact C(/etc/ansible/facts.d/azure_maintenance_drained_HOST.fact) about it before
    anything is changed. A guest that never returns cannot hide a backend that is drained for it.
  - A backend in which somebody else has drained the server, or put it into maintenance, is not noted. It is theirs to bring back.
  - With O(min_up) a server is refused without which too few servers of a backend can ever stay up. Hosts that are taken out together each note first, and
    ask M(fleetops.azure_maintenance.balancer_info) when the notes of all are there, for of the servers that have a note none stays up.
  - Changes nothing in HAProxy; that is what M(community.general.haproxy) does.
options:
  state:
    description:
      - V(present) learns and notes, V(absent) removes this run's note.
    type: str
    choices: [absent, present]
    default: present
  host:
    description: Inventory host that the server is.
    type: str
    required: true
  server:
    description: Its name in the backends. Needed for V(present).
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
  run_id:
    description: Run that takes the server out.
    type: str
    required: true
  owner:
    description: Who runs it.
    type: str
    default: unknown
  vm_id:
    description: ARM id of the VM.
    type: str
  expires:
    description: Seconds after which the run counts as dead for controllers on other machines.
    type: int
    default: 900
  take_over:
    description: Run id of a dead run whose note becomes this run's.
    type: str
  earlier_runs:
    description: Runs whose notes V(absent) removes as well, because this one has taken over from them.
    type: list
    elements: str
    default: []
  min_up:
    description:
      - Servers of each of O(backends) that must stay up, a count or a percentage of the backend's servers such as V(50%), which is rounded up.
      - What could not be granted if all of them were up is refused, such as the only server of a backend.
      - A backend in which the server takes no requests as it is loses none with it, and refuses nothing.
    type: str
  allow_last:
    description: Backends for which O(min_up) does not hold.
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
    details: Learns, and writes nothing.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: What was noted first stays; the time is renewed.
extends_documentation_fragment:
  - fleetops.azure_maintenance.attributes.guest
seealso:
  - module: fleetops.azure_maintenance.balancer_info
  - module: fleetops.azure_maintenance.maintenance_mark
  - module: community.general.haproxy
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Note that web-03 is about to be taken out of the backend web
  fleetops.azure_maintenance.balancer_mark:
    host: web-03
    server: web-03
    backends: [web]
    run_id: by-hand-20260302
    owner: alice@bastion
  delegate_to: lb-01
  become: true
  register: places
"""

RETURN = r"""
backends:
  description: Backends in which the server takes traffic, or would if it were healthy.
  returned: when O(state=present)
  type: list
  elements: str
  sample: [web]
unhealthy:
  description: Those of them in which its health check fails now.
  returned: when O(state=present)
  type: list
  elements: str
  sample: []
unchecked:
  description: Those of RV(backends) in which HAProxy does not check it, and so never calls it UP.
  returned: when O(state=present)
  type: list
  elements: str
  sample: []
taken_out:
  description: Backends in which somebody else has taken it out.
  returned: when O(state=present)
  type: list
  elements: str
  sample: []
foreign:
  description: The other run's note.
  returned: when another run has taken the server out
  type: dict
  sample: {run_id: 20260301T220000Z-99aabbcc, owner: bob@laptop, step: drain, undo: []}
"""

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest import haproxy
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.haproxy import ask, must_stay_up, tables, understood
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.mark_file import MarkError, MarkFile, balancer_path
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.module import run


def note(module):
    """Learn and note, or forget."""
    options = module.params
    file = MarkFile(balancer_path(options["host"]))
    if options["state"] == "absent":
        before = file.read() if module.check_mode else file.remove(options["run_id"], *options["earlier_runs"])
        return {"changed": before is not None}
    before = file.read()
    if before is not None and before.get("run_id") in (options["run_id"], options["take_over"]):
        learnt = {"unchecked": [], **before["undo"][0]}
    else:
        learnt = places(options)
    mark = {key: options[key] for key in ("run_id", "owner", "vm_id") if options[key] is not None}
    undo = {"provider": "haproxy", "server": options["server"], "socket": options["socket"], **learnt}
    if not module.check_mode:
        file.write({**mark, **options["stamp"], "step": "drain", "undo": [undo]}, options["take_over"])
    return {"changed": True, **{key: undo[key] for key in ("backends", "unhealthy", "unchecked", "taken_out")}}


def places(options):
    """Where the server takes traffic. Raises MarkError for a backend that does not know it or can never spare it, and for a socket that could not drain it."""
    path, server, backends = options["socket"], options["server"], options["backends"]
    level = ask(path, "show cli level").strip()
    if level in ("user", "operator"):
        raise MarkError(f"HAProxy's socket {path} has the level {level}, which may not drain; see drain_haproxy_socket, and give that one the level admin")
    state, stat = tables(path)
    with understood(path):
        try:
            learnt = haproxy.places(state, stat, server, backends)
        except LookupError as error:
            raise MarkError(f"HAProxy at {path} has no server {server} in backend {error}; correct drain_haproxy_server or drain_haproxy_backends") from None
        if options["min_up"] is not None:
            must_stay_up(options, haproxy.statuses(state, stat, learnt["backends"]), None)
    return learnt


SPEC = {
    "state": {"type": "str", "choices": ["absent", "present"], "default": "present"}, "host": {"type": "str", "required": True},
    "server": {"type": "str"}, "backends": {"type": "list", "elements": "str", "default": []},
    "socket": {"type": "path", "default": "/run/haproxy/admin.sock"}, "run_id": {"type": "str", "required": True},
    "owner": {"type": "str", "default": "unknown"}, "vm_id": {"type": "str"}, "expires": {"type": "int", "default": 900},
    "min_up": {"type": "str"}, "allow_last": {"type": "list", "elements": "str", "default": []},
    "balancer": {"type": "str", "default": "this balancer"},
    "take_over": {"type": "str"}, "earlier_runs": {"type": "list", "elements": "str", "default": []}, "stamp": {"type": "dict"},
}


def main():
    run(SPEC, note, required_if=[("state", "present", ["server", "stamp"])])


if __name__ == "__main__":
    main()
