# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of balancer_mark: whose process it is, and failures in place of lost balancers."""

from __future__ import annotations

import datetime as dt

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.mark_owner import run_process, stamp


class ActionModule(ActionBase):
    """A balancer that cannot be reached must fail the task of the host it serves, not lose that host to the run."""

    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        arguments, now = dict(self._task.args), dt.datetime.now(dt.timezone.utc)
        arguments["stamp"] = {"version": 1, "host": arguments.get("host"), "process": run_process(), "since": stamp(now),
                              "heartbeat": stamp(now), "expires": stamp(now, int(arguments.get("expires", 900)))}
        try:
            return {**result, **self._execute_module(module_name="fleetops.azure_maintenance.balancer_mark", module_args=arguments, task_vars=task_vars)}
        except AnsibleConnectionFailure as error:
            return {**result, "failed": True, "msg": f"the balancer cannot be reached: {error}"}
