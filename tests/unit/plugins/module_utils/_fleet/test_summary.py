# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deadline that comes first is that of VMs for which something can still be done."""

from __future__ import annotations

import pytest
from unit.plugins.module_utils.rollout_fleet import NOW, status, vm

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.maintenance import format_time
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._fleet.fleet import Fleet

SOON = (-5, 0.2)
STATES = {
    "startable": (status(own=SOON), {}), "upcoming": (status(own=(0.1, 0.2), allowed=False), {}),
    "retry_later": (status(own=SOON, allowed=False, code="RetryLater"), {}),
    "skipped": (status(own=SOON, allowed=False, code="MaintenanceAborted"), {}), "blocked": (status(own=SOON, allowed=False), {}),
    "unknown": (status(own=SOON, code="Strange"), {}), "done": (status(own=SOON, allowed=False, code="MaintenanceCompleted"), {}),
    "waiting": (status(own=(-5, -1), allowed=False), {}), "azure_controlled": (status(own=(-5, -3), azure=(-2, 2), allowed=False), {}),
    "expired": (status(own=(-9, -8), azure=(-7, -6), allowed=False), {}), "not_hosted": (status(own=SOON), {"power_state": "deallocated"}),
    "not_scheduled": (None, {})}


@pytest.mark.parametrize("state", STATES)
def test_only_what_can_still_be_started_has_a_deadline(state):
    found, fields = STATES[state]
    one, later = vm("one", status=found, **fields), vm("later", status=status(own=(-5, 9)))
    assert one.state(NOW) == state
    summary = Fleet([one, later], NOW).summary()
    counts = state in ("startable", "upcoming", "retry_later")
    assert summary["next_deadline_vms"] == (["one"] if counts else ["later"])
    assert summary["next_deadline"] == format_time((one if counts else later).status.self_service_window.end)
    alone = Fleet([one], NOW).summary()
    assert alone["next_deadline_vms"] == (["one"] if counts else []) and (alone["next_deadline"] is not None) is ("ends first" in alone["text"]) is counts
