# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's screen: a line per task that changed something on machines, naming them; failures; text as text."""

from __future__ import annotations

import time

from ansible import constants as C
from ansible.plugins.callback.default import CallbackModule as Default

DOCUMENTATION = """
name: quiet
type: stdout
short_description: What was changed, what failed, and what a task wants to say
description: The default output without plays, includes, skipped and unchanged hosts, and without quotes around text.
extends_documentation_fragment: [default_callback, result_format_callback]
"""


class CallbackModule(Default):
    """Holds a task's changed hosts back until the next task starts, to name them in one line."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "quiet"

    def __init__(self):
        super().__init__()
        self._started = time.monotonic()
        self._task = ""
        self._changed = []

    def _flush(self):
        if self._changed:
            seconds = int(time.monotonic() - self._started)
            name = self._task.rsplit(" : ", 1)[-1]
            hosts = " ".join(sorted(self._changed))
            self._display.display(f"{seconds // 60:4}:{seconds % 60:02}  {name:<62} {hosts}", color=C.COLOR_CHANGED)
        self._changed = []

    def _begin(self, task):
        self._flush()
        self._task = task.get_name().strip()
        self._last_task_banner = task._uuid

    def v2_playbook_on_play_start(self, play):
        self._flush()

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._begin(task)

    def v2_playbook_on_handler_task_start(self, task):
        self._begin(task)

    def v2_playbook_on_include(self, included_file):
        self._flush()

    def v2_runner_on_ok(self, result):
        self._handle_warnings(result.result)
        if result.task.action in C._ACTION_DEBUG:
            self._flush()
            said = result.result.get("msg")
            self._display.display("\n".join(said) if isinstance(said, list) else str(said))
        elif result.result.get("changed") and result.task.delegate_to != "localhost":
            self._changed.append(result.host.get_name())

    def v2_runner_item_on_ok(self, result):
        """The task as a whole is told by its line."""

    def v2_runner_on_skipped(self, result):
        """Nothing was done."""

    def v2_runner_item_on_skipped(self, result):
        """Nothing was done."""

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._flush()
        self._handle_warnings(result.result)
        said = "\n    ".join(filter(None, (result.result.get(key) for key in ("msg", "module_stderr"))))
        self._display.display(f"FAILED {result.host.get_name()}: {self._task}\n    {said}", color=C.COLOR_ERROR)

    def v2_runner_item_on_failed(self, result):
        self._flush()
        self._display.display(f"FAILED {result.host.get_name()}: {result.result.get('msg')}", color=C.COLOR_ERROR)

    def v2_runner_on_unreachable(self, result):
        self._flush()
        super().v2_runner_on_unreachable(result)

    def v2_playbook_on_no_hosts_matched(self):
        """A play for hosts of an earlier run, and there are none."""

    def v2_playbook_on_stats(self, stats):
        """The demo ends with a table of its own."""
        self._flush()
