# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the report of a run, on the controller and without a module, from its plan and its log."""

from __future__ import annotations

import os

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._run.run_folder import RunFolder


class ActionModule(ActionBase):
    """See the documentation of the module."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset(("runs_dir", "run_id", "path", "next_command"))

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        options = dict(self._task.args)
        missing = [name for name in ("runs_dir", "run_id") if not options.get(name)]
        if missing:
            raise AnsibleActionFail(f"missing required arguments: {', '.join(missing)}")
        folder = RunFolder(os.path.join(os.path.expanduser(options["runs_dir"]), options["run_id"]))
        try:
            document, damaged = folder.report(options.get("next_command"))
            if not self._task.check_mode:
                folder.write_report(document, *filter(None, [options.get("path")]))
        except (OSError, ValueError) as error:
            raise AnsibleActionFail(
                f"the report of run {options['run_id']} could not be written to {folder.report_path}: {error}. The run itself is not concerned") from error
        if damaged:
            self._display.warning(f"{damaged} lines of the run log in {folder.path} cannot be read; the report is without them")
        return {**result, "changed": True, "path": folder.report_path, "report": document}
