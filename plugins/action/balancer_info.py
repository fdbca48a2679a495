# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of balancer_info: a failure in place of a lost balancer."""

from __future__ import annotations

from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._run.guest_action import GuestAction


class ActionModule(GuestAction):
    """A balancer that cannot be reached must fail the task of the host it serves, not lose that host to the run."""

    @property
    def place(self):
        return "the balancer"
