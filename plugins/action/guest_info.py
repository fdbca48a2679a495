# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of guest_info."""

from __future__ import annotations

from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._run.guest_action import GuestAction


class ActionModule(GuestAction):
    """A host that cannot be reached, or gives no answer, fails the task and says why."""
