# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the report of a run, on the controller and without a module: what it is about are variables of hosts, which only the controller has."""

from __future__ import annotations

import datetime as dt
import json
import os

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils import _files
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._bounds import loads
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.report import report

_NEEDED = ("inventory_hostname", "ansible_host", "redeploy_result", "redeploy_forecast", "rollout_queued_at", "verify_address_before", "__rollout_lost_words",
           "__rollout_left_out", "__rollout_stopped", "__rollout_done", "__rollout_drain_at", "__rollout_drained_at", "__redeploy_over_at",
           "__rollout_back_at")


class ActionModule(ActionBase):
    """See the documentation of the module."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset(("runs_dir", "run_id", "hosts", "path", "next_command"))

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        options = dict(self._task.args)
        missing = [name for name in ("runs_dir", "run_id", "hosts") if not options.get(name)]
        if missing:
            raise AnsibleActionFail(f"missing required arguments: {', '.join(missing)}")
        folder = os.path.join(os.path.expanduser(options["runs_dir"]), options["run_id"])
        own = os.path.join(folder, "report.json")
        try:
            plan = loads(_files.read(f"{folder}.json"))
            document = report(plan, [_variables(task_vars["hostvars"][host]) for host in options["hosts"]], options["run_id"],
                              dt.datetime.now(dt.timezone.utc), options.get("next_command"))
            if not self._task.check_mode:
                os.makedirs(folder, mode=0o700, exist_ok=True)
                content = (json.dumps(document, indent=4, sort_keys=True) + "\n").encode()
                for path in filter(None, (own, options.get("path"))):
                    _files.replace(path, content)
        except (OSError, ValueError) as error:
            raise AnsibleActionFail(f"the report of run {options['run_id']} could not be written to {own}: {error}. The run itself is not concerned") from error
        return {**result, "changed": True, "path": own, "report": document}


def _variables(host):
    """Those that the report is about: each variable of a host is evaluated when it is asked for, and some cannot be."""
    return {name: host[name] for name in _NEEDED if name in host}
