# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: left_over
short_description: Hosts that earlier runs left out of service, by what hosts, balancers and the controller know
version_added: 1.0.0
description:
  - B(Internal to the roles of this collection); what it takes and gives may change without notice.
  - Puts together the drain markers that M(fleetops.azure_maintenance.maintenance_mark_info) found on hosts and balancers, and those on this controller.
  - A host that answered and has no drain marker is only recovered where a balancer or this controller has one, and only as far as that says.
positional: _input
options:
  _input:
    description: Results of M(fleetops.azure_maintenance.maintenance_mark_info), by host.
    type: dict
    required: true
  directory:
    description: Directory of the copies on this controller.
    type: str
    required: true
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Find what earlier runs left
  ansible.builtin.debug:
    msg: "{{ {'web-03': found} | fleetops.azure_maintenance.left_over('.azure_maintenance/marks') }}"
"""

RETURN = r"""
_value:
  description:
    - C(finish), the drain marker by host, of crashed runs.
    - C(live), the drain marker by host, of active runs. Its C(alive) says why, and its C(words) whose it is.
    - C(finished), this controller's drain marker by host, of hosts that another controller has recovered.
    - C(unread), why, by host, for drain markers that cannot be understood.
  type: dict
"""

import contextlib
import datetime as dt
from pathlib import Path

from ansible.errors import AnsibleFilterError

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils import _files
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.mark_file import MarkError, MarkFile
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._mark.liveness import alive_because, describe
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._mark.recovery import sort_out


def left_over(seen, directory):
    """See RETURN."""
    now = dt.datetime.now(dt.timezone.utc)
    folder = Path(directory).expanduser()
    try:
        with contextlib.suppress(FileNotFoundError):
            _files.check_folder(str(folder))
        copies = {path.stem: MarkFile(str(path)).read() for path in sorted(folder.glob("*.json"))}
    except (MarkError, OSError) as error:
        raise AnsibleFilterError(str(error)) from error
    copies = {host: {**mark, "alive": alive_because(mark, now)} for host, mark in copies.items() if mark}
    found = sort_out(seen, copies)
    for mark in [*found["live"].values(), *found["finish"].values()]:
        mark["words"] = describe(mark)
    return found


class FilterModule:
    """The filter."""

    def filters(self):
        return {"left_over": left_over}
