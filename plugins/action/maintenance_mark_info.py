# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All of maintenance_mark_info: asks a host for its marks without running Python there, and looks at the controller's copy."""

from __future__ import annotations

import datetime as dt
import os

from ansible.errors import AnsibleConnectionFailure
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.mark_file import (
    GUEST_MARK, READ_COMMAND, MarkError, drained_host, finished_in, parse_all,
)
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._mark.controller_copy import copy_of
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._mark.liveness import alive_because


class ActionModule(ActionBase):
    """What went wrong is in the answer, for one silent host must not end the search on the others."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset(("directory", "on_host"))

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        answer = {**result, "changed": False, "mark": None, "alive": None, "drained": {}, "finished": [], "controller_copy": None, "reached": False,
                  "trouble": None}
        try:
            marks, finished, copy = self._read(copy_of(self._task.args.get("directory"), task_vars["inventory_hostname"]))
        except AnsibleConnectionFailure as error:
            return {**answer, "trouble": f"the host cannot be reached: {error}"}
        except MarkError as error:
            return {**answer, "reached": True, "trouble": str(error)}
        now = dt.datetime.now(dt.timezone.utc)
        mark = marks.pop(GUEST_MARK, None)
        drained = {other.get("host") or drained_host(path): {**other, "alive": alive_because(other, now)} for path, other in marks.items()}
        known = {"drained": drained, "finished": finished, "controller_copy": copy}
        return {**answer, **known, "reached": True, "mark": mark, "alive": alive_because(mark, now) if mark else None}

    def _read(self, copy):
        """Marks by path, runs that are done with the host, and the copy where the host has no mark."""
        if getattr(self._connection._shell, "_IS_WINDOWS", False) or not boolean(self._task.args.get("on_host", True)):
            mark = copy.file.read() if copy else None
            return {GUEST_MARK: mark} if mark else {}, [], mark
        said = self._low_level_execute_command(READ_COMMAND)
        if said["rc"] != 0:
            why = (said.get("stderr") or said["stdout"]).strip()[:200]
            raise MarkError(f"the marks of this host cannot be read: {why}; become root on it, or let others read {os.path.dirname(GUEST_MARK)}")
        marks = parse_all(said["stdout"])
        return marks, finished_in(said["stdout"]), copy.file.read() if copy and GUEST_MARK not in marks else None
