# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what happened to a host, or to the run as a whole, into the run log."""

from __future__ import annotations

import os

from ansible import constants as C
from ansible.errors import AnsibleActionFail

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.run_queue import queue
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.run_state import STEPS, failure_words, stop_words
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._run.rollout_action import RolloutAction
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._run.run_folder import RunFolder

_RUN = ("planned", "stopped")


class ActionModule(RolloutAction):
    """See the documentation of the module."""

    _VALID_ARGS = frozenset(("event", "reason", "left", "evidence", "plan", "run_id", "runs_dir", "run_dir", "where", "advice", "command"))

    def act(self, options):
        event = options.get("event")
        if event not in (*STEPS, *_RUN):
            raise AnsibleActionFail(f"event is {event!r}; it must be one of {', '.join((*_RUN, *STEPS))}")
        if event == "planned":
            return self._begin(options)
        if event == "stopped":
            return self._stop(options)
        words = self._words(event, options)
        self.folder.record(event, self.host, wave=self.wave, reason=options.get("reason"), words=words, **(options.get("evidence") or {}))
        return {"event": event, "words": words}

    def _begin(self, options):
        """Open the log of a run that is planned, and say how its hosts are queued. Check mode has a log, too: the gates decide by it."""
        runs = os.path.join(C.DEFAULT_LOCAL_TMP, "runs") if self._task.check_mode else options["runs_dir"]
        folder = RunFolder(os.path.join(os.path.expanduser(runs), options["run_id"]))
        hosts = queue(options["plan"])
        folder.begin()
        folder.record("planned", run_id=options["run_id"], hosts=hosts, soak_minutes=options["plan"]["policy"]["soak_minutes"])
        return {"event": "planned", "run_dir": folder.path, "hosts": hosts}

    def _stop(self, options):
        folder = RunFolder(options["run_dir"]) if options.get("run_dir") else self.folder
        state, dummy = folder.state()
        words = stop_words(options["where"], options["reason"], state.not_started(self.wave, self.unreachable), options.get("advice") or "Run again",
                           options["command"])
        folder.record("stopped", reason=options["reason"], words=words)
        return {"event": "stopped", "words": words}

    def _words(self, event, options):
        if event == "left_out":
            return options["reason"]
        if not options.get("reason"):
            return ""
        domain, group = self._variables.get("azure_update_domain"), self._variables.get("azure_availability_set")
        return failure_words(self.host, event, options["reason"], options.get("left"), group, domain)
