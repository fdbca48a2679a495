# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what a run has come to, by its log: what hooks are told, and what of the plan was not done."""

from __future__ import annotations

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.run_state import concerned, hook_payload, rest_words
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._run.rollout_action import RolloutAction


class ActionModule(RolloutAction):
    """See the documentation of the module."""

    _VALID_ARGS = frozenset(("point", "command"))

    def act(self, options):
        state = self.state()
        point = options.get("point")
        return {"hook": hook_payload(state, point, self.run_id, self.host, self.wave) if point else None,
                "rest": rest_words(state, options.get("command") or ""),
                "concerned": concerned(state, list(self._variables["ansible_play_hosts"]))}
