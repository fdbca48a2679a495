# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's screen: what failed, and what a task wants to say; rollout_progress tells the rest."""

from __future__ import annotations

from ansible import constants as C
from ansible.plugins.callback.default import CallbackModule as Default

DOCUMENTATION = """
name: quiet
type: stdout
short_description: What failed, and what a task wants to say
description: The default output without plays, includes and hosts that are well, and without quotes around text.
extends_documentation_fragment: [default_callback, result_format_callback]
"""


class CallbackModule(Default):
    """Prints nothing of hosts that are well."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "quiet"

    def _nothing(self, *dummy, **dummies):
        """Neither steps nor what was done is told here."""

    v2_playbook_on_play_start = v2_playbook_on_handler_task_start = v2_playbook_on_include = v2_playbook_on_no_hosts_matched = _nothing
    v2_runner_item_on_ok = v2_runner_on_skipped = v2_runner_item_on_skipped = v2_playbook_on_stats = _nothing

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._last_task_banner = task._uuid  # so that none is printed

    def v2_runner_on_ok(self, result):
        self._handle_warnings(result.result)
        if result.task.action in C._ACTION_DEBUG:
            said = result.result.get("msg")
            self._display.display("\n".join(said) if isinstance(said, list) else str(said))

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._handle_warnings(result.result)
        said = "\n    ".join(filter(None, (result.result.get(key) for key in ("msg", "module_stderr"))))
        self._display.display(f"FAILED {result.host.get_name()}: {result.task.get_name().strip()}\n    {said}", color=C.COLOR_ERROR)

    def v2_runner_item_on_failed(self, result):
        self._display.display(f"FAILED {result.host.get_name()}: {result.result.get('msg')}", color=C.COLOR_ERROR)
