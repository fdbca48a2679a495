# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of maintenance_mark: whose process it is, and the copy."""

from __future__ import annotations

import datetime as dt

from ansible.errors import AnsibleConnectionFailure
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.mark_file import Foreign, MarkError
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._mark.controller_copy import copy_of
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._mark.liveness import run_process, stamp
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._run.guest_action import explained

MODULE = "fleetops.azure_maintenance.maintenance_mark"


class ActionModule(ActionBase):
    """Adds what only the controller knows; an unreachable host is a failure like any other, so that rescue sees it."""

    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        state = arguments.get("state", "present")
        if state not in ("absent", "present"):
            return {**result, "failed": True, "msg": f"state {state!r} is neither present nor absent; maintenance_mark_info reads the mark"}
        copy_only = getattr(self._connection._shell, "_IS_WINDOWS", False) or not boolean(arguments.get("on_host", True))
        arguments["stamp"] = self._stamp(arguments, task_vars["inventory_hostname"])
        copy = copy_of(arguments.get("directory"), task_vars["inventory_hostname"])
        try:
            if copy_only:
                return {**result, **self._copy_alone(copy, arguments, state)}
            result.update(explained(self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars), MODULE))
            # The host's first, for nothing is changed before both are there, and what the host has is what is true.
            if copy and not result.get("failed") and not self._task.check_mode:
                if state == "absent":
                    copy.clear(arguments["run_id"], arguments["stamp"]["heartbeat"])
                else:
                    copy.put(result["mark"])
        except AnsibleConnectionFailure as error:
            return {**result, "failed": True, "msg": f"the host cannot be reached: {error}"}
        except Foreign as error:
            return {**result, "failed": True, "msg": str(error), "foreign": error.mark}
        except MarkError as error:
            return {**result, "failed": True, "msg": str(error)}
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
