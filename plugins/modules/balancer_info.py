#!/usr/bin/python
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: balancer_info
short_description: On a host that runs HAProxy, read the servers of backends, and fail if too few of them would stay up
version_added: 1.0.0
description:
  - B(Internal to the roles of this collection); its options and return values may change without notice.
  - With O(min_up) it fails if too few servers of a backend would stay up without O(server), without those that have a mark of
    M(fleetops.azure_maintenance.maintenance_mark) on this balancer, and without O(leaving).
options:
  server:
    description: Name in the backends of the server that is about to be taken out. Needed with O(min_up).
    type: str
  backends:
    description: Backends to look into.
    type: list
    elements: str
    required: true
  socket:
    description: Admin socket of HAProxy.
    type: path
    default: /run/haproxy/admin.sock
  min_up:
    description:
      - Servers of each of O(backends) that must stay up, a count or a percentage of the backend's servers such as V(50%), which is rounded up.
      - One that is down, drained or in maintenance is not up. One that HAProxy does not check is, and so is a backup.
      - A backend in which the server takes no requests as it is loses none with it, and refuses nothing.
    type: str
  allow_last:
    description: Backends for which O(min_up) does not hold.
    type: list
    elements: str
    default: []
  leaving:
    description:
      - What is about to be taken out as well and has no mark on the balancer, as in check mode. Of each its C(server), and as C(balancers) its backends by
        name of the balancer.
    type: list
    elements: dict
    default: []
  balancer:
    description: Inventory name of the balancer, for messages and for O(leaving).
    type: str
    default: this balancer
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
- name: Go no further if the backend web is left with less than half of its servers
  fleetops.azure_maintenance.balancer_info:
    server: web-03
    backends: [web]
    min_up: 50%
    balancer: lb-01
  delegate_to: lb-01
  become: true
"""

RETURN = r"""
servers:
  description: Status of the servers of each backend.
  returned: success
  type: dict
  sample: {web: {web-01: UP, web-02: DOWN, web-03: UP}}
"""

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.haproxy import must_stay_up, statuses, tables, understood
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.mark_file import MarkFile, balancer_paths
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.module import run

SPEC = {
    "server": {"type": "str"}, "backends": {"type": "list", "elements": "str", "required": True},
    "socket": {"type": "path", "default": "/run/haproxy/admin.sock"}, "min_up": {"type": "str"},
    "allow_last": {"type": "list", "elements": "str", "default": []}, "leaving": {"type": "list", "elements": "dict", "default": []},
    "balancer": {"type": "str", "default": "this balancer"},
}


def read(module):
    """Status of the servers of each backend. Raises MarkError if too few stay up when all leave that have a mark or are named as leaving."""
    options = module.params
    gone = leaving(options)
    with understood(options["socket"]):
        servers = statuses(*tables(options["socket"]), options["backends"])
        if options["min_up"] is not None:
            must_stay_up(options, servers, gone)
    return {"changed": False, "servers": servers}


def leaving(options):
    """(backend, server) of all that are about to be taken out."""
    found = {(backend, entry.get("server")) for entry in options["leaving"] for backend in (entry.get("balancers") or {}).get(options["balancer"], ())}
    for path in balancer_paths():
        for undo in (MarkFile(path).read() or {}).get("undo", ()):
            # Whatever socket it names: one HAProxy may have several.
            found |= {(backend, undo["server"]) for backend in undo["backends"]}
    return found


def main():
    run(SPEC, read, required_by={"min_up": "server"})


if __name__ == "__main__":
    main()
