# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of modules that run on hosts: a host that is lost, or a module that breaks off, is one failure that says why.

Ansible itself drops an unreachable host from the play, past every rescue, and of a module that printed no JSON it only says "No start of json char found".
"""

from __future__ import annotations

import re
import typing as t

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

# What ssh says beside the matter.
_NOISE = re.compile(r"(Shared connection to|Connection to) .* closed\.?$|Warning: Permanently added |\*\* ")
_TRACEBACK = "Traceback (most recent call last):"
_MOST = 500


def explained(result: dict[str, t.Any], module: str) -> dict[str, t.Any]:
    """The result of a module; of one that gave no answer with a message that says what the host printed instead."""
    if not result.get("failed") or not result.keys() & {"module_stderr", "module_stdout"}:
        return result
    said = _first_line(result.get("module_stderr")) or _first_line(result.get("module_stdout")) or "the host printed nothing"
    name = module.rpartition(".")[2]
    # Core shows the exception rather than the message.
    return {**{key: value for key, value in result.items() if key != "exception"},
            "msg": f"{name} gave no answer (exit status {result.get('rc', 'unknown')}): {said[:_MOST]}"}


def _first_line(text: t.Any) -> str:
    """The first line that says something; of a traceback the last, which is what went wrong."""
    lines = [line.strip() for line in str(text or "").splitlines()]
    lines = [line for line in lines if line and not _NOISE.match(line)]
    if not lines:
        return ""
    return lines[-1] if lines[0] == _TRACEBACK else lines[0]


class GuestAction(ActionBase):
    """Runs the module of the same name on the host."""

    TRANSFERS_FILES = False

    @property
    def place(self) -> str:
        """What cannot be reached, for messages."""
        return "the host"

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        try:
            return {**result, **self.ask(dict(self._task.args), task_vars)}
        except AnsibleConnectionFailure as error:
            return {**result, "failed": True, "msg": f"{self.place} cannot be reached: {error}"}

    def ask(self, arguments: dict[str, t.Any], task_vars: t.Any) -> dict[str, t.Any]:
        """What the module answers. Raises AnsibleConnectionFailure."""
        name = self._task.resolved_action or self._task.action
        return explained(self._execute_module(module_name=name, module_args=arguments, task_vars=task_vars), name)
