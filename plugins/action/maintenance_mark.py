# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of maintenance_mark: whose process it is, the copy, and asking a host without running Python there."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

from ansible.errors import AnsibleConnectionFailure
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.mark_file import (
    GUEST_MARK, READ_COMMAND, Foreign, MarkError, MarkFile, drained_host, finished_in, parse_all,
)
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._mark.liveness import alive_because, run_process, stamp
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._run.guest_action import explained

MODULE = "fleetops.azure_maintenance.maintenance_mark"


class ActionModule(ActionBase):
    """Adds what only the controller knows; an unreachable host is a failure like any other, so that rescue sees it."""

    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        state = arguments.get("state", "present")
        copy_only = getattr(self._connection._shell, "_IS_WINDOWS", False) or not boolean(arguments.get("on_host", True))
        if state == "query":
            return {**result, **_told(self._query, _copy(arguments, task_vars["inventory_hostname"]), copy_only)}
        arguments["stamp"] = self._stamp(arguments, task_vars["inventory_hostname"])
        copy = _copy(arguments, task_vars["inventory_hostname"])
        try:
            if copy_only:
                return {**result, **self._copy_alone(copy, arguments, state)}
            result.update(explained(self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars), MODULE))
            # The host's first, for nothing is changed before both are there, and what the host has is what is true.
            if copy and not result.get("failed") and not self._task.check_mode:
                if state == "absent":
                    copy.clear(arguments)
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

    def _query(self, copy, copy_only):
        if copy_only:
            mark = copy.file.read() if copy else None
            return {GUEST_MARK: mark} if mark else {}, [], mark
        said = self._low_level_execute_command(READ_COMMAND)
        if said["rc"] != 0:
            why = (said.get("stderr") or said["stdout"]).strip()[:200]
            raise MarkError(f"the marks of this host cannot be read: {why}; become root on it, or let others read {os.path.dirname(GUEST_MARK)}")
        marks = parse_all(said["stdout"])
        return marks, finished_in(said["stdout"]), copy.file.read() if copy and GUEST_MARK not in marks else None

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


def _told(query, *how):
    """The answer of a query; what went wrong is in it, for one silent host must not end the search on the others."""
    answer = {"changed": False, "mark": None, "alive": None, "drained": {}, "finished": [], "controller_copy": None, "reached": False, "trouble": None}
    try:
        marks, finished, copy = query(*how)
    except AnsibleConnectionFailure as error:
        return {**answer, "trouble": f"the host cannot be reached: {error}"}
    except MarkError as error:
        return {**answer, "reached": True, "trouble": str(error)}
    now = dt.datetime.now(dt.timezone.utc)
    mark = marks.pop(GUEST_MARK, None)
    drained = {other.get("host") or drained_host(path): {**other, "alive": alive_because(other, now)} for path, other in marks.items()}
    known = {"drained": drained, "finished": finished, "controller_copy": copy}
    return {**answer, **known, "reached": True, "mark": mark, "alive": alive_because(mark, now) if mark else None}


class _Copy:
    """The controller's copy of a mark."""

    def __init__(self, path):
        self.file = MarkFile(str(path))

    def put(self, mark):
        self.make_room()
        self.file.replace(mark)

    def make_room(self):
        try:
            os.makedirs(os.path.dirname(self.file.path), mode=0o700, exist_ok=True)
        except OSError as error:
            raise MarkError(f"there is no room for the controller's copy of the mark, {self.file.path}: {error}; see drain_marks_dir") from None

    def clear(self, arguments):
        """The host has none of ours any more, so this one has had its day, whoever's it was; unless another run put it here just now."""
        self.file.clear(arguments["run_id"], arguments["stamp"]["heartbeat"])


def _copy(arguments, host):
    folder = arguments.get("directory")
    return _Copy(Path(folder).expanduser() / f"{host}.json") if folder else None
