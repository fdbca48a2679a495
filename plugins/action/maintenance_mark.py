# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of maintenance_mark: whose process it is, and the copy."""

from __future__ import annotations

import datetime as dt

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.mark_file import ClaimedByAnotherRun, MarkError
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._mark.controller_copy import copy_of
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._mark.liveness import run_process, stamp
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._run.guest_action import GuestAction


class ActionModule(GuestAction):
    """Adds what only the controller knows; an unreachable host or balancer is a failure like any other, so that rescue sees it."""

    @property
    def place(self):
        return "the balancer" if self._task.args.get("haproxy") else "the host"

    def ask(self, arguments, task_vars):
        """What the module answers, and the copy where a host has one. Raises AnsibleConnectionFailure."""
        state = arguments.get("state", "present")
        if state not in ("absent", "present"):
            return {"failed": True, "msg": f"state {state!r} is neither present nor absent; maintenance_mark_info reads the mark"}
        host, server = task_vars["inventory_hostname"], arguments.get("haproxy")
        if server:
            arguments["stamp"] = self._stamp(arguments, server.get("host") if isinstance(server, dict) else None)
            return super().ask(arguments, task_vars)
        arguments["stamp"] = self._stamp(arguments, host)
        copy = copy_of(arguments.get("directory"), host)
        try:
            if getattr(self._connection._shell, "_IS_WINDOWS", False) or not boolean(arguments.get("on_host", True)):
                return self._copy_alone(copy, arguments, state)
            result = super().ask(arguments, task_vars)
            # The host's first, for nothing is changed before both are there, and what the host has is what is true.
            if copy and not result.get("failed") and not self._task.check_mode:
                if state == "absent":
                    copy.clear(arguments["run_id"], arguments["stamp"]["heartbeat"])
                else:
                    copy.put(result["mark"])
        except ClaimedByAnotherRun as error:
            return {"failed": True, "msg": str(error), "foreign": error.mark}
        except MarkError as error:
            return {"failed": True, "msg": str(error)}
        return result

    def _stamp(self, arguments, host):
        now = dt.datetime.now(dt.timezone.utc)
        return {"version": 1, "host": host, "process": run_process(), "since": stamp(now), "heartbeat": stamp(now),
                "expires": stamp(now, int(arguments.get("expires", 900)))}

    def _copy_alone(self, copy, arguments, state):
        if not arguments.get("run_id"):
            raise MarkError("run_id is missing: a mark needs the run that it is of")
        keys = ("run_id", "owner", "step", "vm_id", "boot_id", "undo")
        mark = {**{key: arguments[key] for key in keys if arguments.get(key) is not None}, **arguments["stamp"]}
        if copy is None or self._task.check_mode:
            return {"changed": copy is not None, "mark": mark if state == "present" else None, "before": None}
        if state == "absent":
            before = copy.file.remove(arguments["run_id"])
            return {"changed": before is not None, "mark": None, "before": before}
        copy.make_room()
        before = copy.file.write(mark, arguments.get("take_over"))
        return {"changed": True, "mark": copy.file.read(), "before": before}
