# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of balancer_mark: whose process it is, and failures in place of lost balancers."""

from __future__ import annotations

import datetime as dt

from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._mark.liveness import run_process, stamp
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._run.guest_action import GuestAction


class ActionModule(GuestAction):
    """A balancer that cannot be reached must fail the task of the host it serves, not lose that host to the run."""

    PLACE = "the balancer"

    def ask(self, arguments, task_vars):
        now = dt.datetime.now(dt.timezone.utc)
        arguments["stamp"] = {"version": 1, "host": arguments.get("host"), "process": run_process(), "since": stamp(now),
                              "heartbeat": stamp(now), "expires": stamp(now, int(arguments.get("expires", 900)))}
        return super().ask(arguments, task_vars)
