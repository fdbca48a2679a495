# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action plugins that write and read the run log share: the run that a task is of, by the variables that its host was queued with."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ...module_utils._errors import OptionsError
from ...module_utils._rollout.run_state import NOT_ADMITTED, RunState
from .run_folder import RunFolder


class RolloutAction(ActionBase):
    """Runs on the controller, whatever host the task is of; costs that host nothing."""

    TRANSFERS_FILES = False

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        self._variables = task_vars
        try:
            return {**result, "changed": False, **self.act(dict(self._task.args))}
        except FileNotFoundError:
            raise AnsibleActionFail(NOT_ADMITTED) from None
        except (OSError, OptionsError, ValueError) as error:
            raise AnsibleActionFail(f"the log of this run cannot be used: {error}") from error

    def act(self, options: dict[str, t.Any]) -> dict[str, t.Any]:
        """The result of the task. Raises OSError, OptionsError and ValueError."""
        raise NotImplementedError

    @property
    def folder(self) -> RunFolder:
        """Raises AnsibleActionFail for a host that no run has queued, such as a member of a group that somebody else called rollout."""
        path = self._of_run("rollout_run_dir")
        if not path:
            raise AnsibleActionFail(NOT_ADMITTED)
        return RunFolder(str(path))

    def _of_run(self, name: str) -> t.Any:
        """A variable that all queued hosts share, also for a host that is not queued itself but speaks for the run."""
        queued = next(iter(self._variables["groups"].get("rollout", ())), None)
        return self._variables.get(name) or (self._variables["hostvars"][queued].get(name) if queued else None)

    @property
    def run_id(self) -> str:
        return str(self._of_run("rollout_run_id"))

    @property
    def host(self) -> str:
        return str(self._variables["inventory_hostname"])

    @property
    def wave(self) -> int:
        return int(self._variables.get("rollout_wave") or 0)

    @property
    def batch(self) -> list[str]:
        """Hosts of the wave that core still reaches."""
        return list(self._variables["ansible_play_batch"])

    @property
    def unreachable(self) -> list[str]:
        """Hosts of the play that core does not reach any more."""
        reached = set(self._variables["ansible_play_hosts"])
        return [host for host in self._variables["ansible_play_hosts_all"] if host not in reached]

    def state(self) -> RunState:
        """What the run has come to; a damaged log is said."""
        state, damaged = self.folder.state()
        if damaged:
            self._display.warning(f"{damaged} lines of the run log in {self.folder.path} cannot be read; what they said is taken as not having happened")
        return state
