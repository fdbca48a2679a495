#!/usr/bin/python
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: balancer_mark
short_description: On a host that runs HAProxy, learn where a server takes traffic, note who takes it out, and refuse to take out the last ones
version_added: 1.0.0
description:
  - B(Internal to the roles of this collection); its options and return values may change without notice.
  - Reads in which backends a server takes traffic, and writes the local fact C(/etc/ansible/facts.d/azure_maintenance_drained_HOST.fact) about it before
    anything is changed. A guest that never returns cannot hide a backend that is drained for it.
  - A backend in which somebody else has drained the server, or put it into maintenance, is not noted. It is theirs to bring back.
  - With O(min_up) a server is refused without which too few servers of a backend stay up. Hosts that are taken out together each note first (V(present)),
    and ask when the notes of all are there (V(query)), for of the servers that have a note none stays up.
  - Changes nothing in HAProxy; that is what M(community.general.haproxy) does.
options:
  state:
    description:
      - V(present) learns and notes, V(absent) removes this run's note.
      - V(query) fails if fewer than O(min_up) servers of one of the backends would stay up, and writes nothing.
    type: str
    choices: [absent, present, query]
    default: present
  host:
    description: Inventory host that the server is.
    type: str
    required: true
  server:
    description: Its name in the backends. Needed for V(present) and V(query).
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
      - Servers of each of O(backends) that must stay up, a count or a percentage of the backend's servers such as V(50%), which is rounded up. Needed
        for V(query).
      - One that is down, drained or in maintenance is not up. One that HAProxy does not check is, and so is a backup.
      - V(query) counts who is up now. V(present) refuses what could not be granted if all were, such as the only server of a backend.
      - A backend in which the server takes no requests as it is loses none with it, and refuses nothing.
    type: str
  allow_last:
    description: Backends for which O(min_up) does not hold.
    type: list
    elements: str
    default: []
  leaving:
    description:
      - For V(query), what is about to be taken out as well and has no note on the balancer, as in check mode. Of each its C(server), and as C(balancers) its
        backends by name of the balancer.
    type: list
    elements: dict
    default: []
  balancer:
    description: Inventory name of the balancer, for messages and for O(leaving).
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

- name: Go no further if that leaves the backend web with less than half of its servers
  fleetops.azure_maintenance.balancer_mark:
    state: query
    host: web-03
    server: web-03
    backends: [web]
    run_id: by-hand-20260302
    min_up: 50%
    balancer: lb-01
  delegate_to: lb-01
  become: true
"""

RETURN = r"""
backends:
  description: Backends in which the server takes traffic, or would if it were healthy.
  returned: O(state=present)
  type: list
  elements: str
  sample: [web]
unhealthy:
  description: Those of them in which its health check fails now.
  returned: O(state=present)
  type: list
  elements: str
  sample: []
unchecked:
  description: Those of RV(backends) in which HAProxy does not check it, and so never calls it UP.
  returned: O(state=present)
  type: list
  elements: str
  sample: []
taken_out:
  description: Backends in which somebody else has taken it out.
  returned: O(state=present)
  type: list
  elements: str
  sample: []
servers:
  description: Status of the servers of each backend.
  returned: O(state=query)
  type: dict
  sample: {web: {web-01: UP, web-02: DOWN, web-03: UP}}
foreign:
  description: The other run's note.
  returned: when another run has taken the server out
  type: dict
  sample: {run_id: 20260301T220000Z-99aabbcc, owner: bob@laptop, step: drain, undo: []}
"""

import contextlib
import csv
import io
import socket

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest import haproxy
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.mark_file import MarkError, MarkFile, balancer_path, balancer_paths
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.module import run


def note(module):
    """Learn and note, forget, or see who stays up."""
    options = module.params
    if options["state"] == "query":
        return stay_up(options)
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
            refuse(options, haproxy.statuses(state, stat, learnt["backends"]), None)
    return learnt


def stay_up(options):
    """Status of the servers of each backend. Raises MarkError if too few stay up when all leave that have a note or are named as leaving."""
    leaving = {(backend, entry.get("server")) for entry in options["leaving"] for backend in (entry.get("balancers") or {}).get(options["balancer"], ())}
    for path in balancer_paths():
        for undo in (MarkFile(path).read() or {}).get("undo", ()):
            # Whatever socket it names: one HAProxy may have several.
            leaving |= {(backend, undo["server"]) for backend in undo["backends"]}
    with understood(options["socket"]):
        servers = haproxy.statuses(*tables(options["socket"]), options["backends"])
        refuse(options, servers, leaving)
    return {"changed": False, "servers": servers}


def refuse(options, servers, leaving):
    """Raise MarkError if that leaves too few servers up."""
    try:
        words = haproxy.Rule(options["min_up"], options["allow_last"]).refusal(servers, options["server"], options["balancer"], leaving)
    except ValueError as error:
        raise MarkError(f"drain_haproxy_min_up {error}. Nothing was drained. Correct it") from None
    if words:
        raise MarkError(words)


def tables(path):
    """Rows of what HAProxy knows of its servers: their administrative state, and their statistics."""
    return table(ask(path, "show servers state"), " "), table(ask(path, "show stat"), ",")


@contextlib.contextmanager
def understood(path):
    """Raises MarkError for rows that are none of HAProxy's."""
    try:
        yield
    except ValueError as error:
        raise MarkError(f"HAProxy at {path} cannot be understood: {error}; nothing was drained; is drain_haproxy_socket its admin socket?") from None


def ask(path, command):
    """The answer of HAProxy's admin socket."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(10)
            connection.connect(path)
            connection.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    except OSError as error:
        raise MarkError(f"HAProxy's admin socket {path} cannot be asked: {error}; see drain_haproxy_socket, and become root there (drain_become)") from None


def table(text, delimiter):
    """Rows of an answer by column; the line of names begins with a hash."""
    lines = text.splitlines()
    start = next((number for number, line in enumerate(lines) if line.startswith("# ")), None)
    if start is None:
        raise MarkError(f"HAProxy answered something else than a table: {text.strip()[:200] or 'nothing'}; is drain_haproxy_socket its admin socket?")
    if not text.endswith("\n\n"):
        raise MarkError("HAProxy's answer broke off; try again")
    lines[start] = lines[start][2:]
    return list(csv.DictReader(io.StringIO("\n".join(line for line in lines[start:] if line)), delimiter=delimiter))


SPEC = {
    "state": {"type": "str", "choices": ["absent", "present", "query"], "default": "present"}, "host": {"type": "str", "required": True},
    "server": {"type": "str"}, "backends": {"type": "list", "elements": "str", "default": []},
    "socket": {"type": "path", "default": "/run/haproxy/admin.sock"}, "run_id": {"type": "str", "required": True},
    "owner": {"type": "str", "default": "unknown"}, "vm_id": {"type": "str"}, "expires": {"type": "int", "default": 900},
    "min_up": {"type": "str"}, "allow_last": {"type": "list", "elements": "str", "default": []},
    "leaving": {"type": "list", "elements": "dict", "default": []}, "balancer": {"type": "str", "default": "this balancer"},
    "take_over": {"type": "str"}, "earlier_runs": {"type": "list", "elements": "str", "default": []}, "stamp": {"type": "dict"},
}


def main():
    run(SPEC, note, required_if=[("state", "present", ["server", "stamp"]), ("state", "query", ["server", "min_up"])])


if __name__ == "__main__":
    main()
