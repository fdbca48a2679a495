# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host was restarted: the verdict of the run that started it, and of one that recovers it."""

from __future__ import annotations

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._run.restart import verdict


def azure(outcome, operation="perform_maintenance"):
    return {"outcome": outcome, "operation": operation, "id": "/vms/web-01"}


@pytest.mark.parametrize("operation, word", [("perform_maintenance", "maintenance"), ("redeploy", "redeploy")])
def test_the_run_that_started_it_keeps_it_out_of_service(operation, word):
    found = verdict("one", ["", "one"], azure("succeeded", operation), azure("would_start", operation), False)
    assert (found["restarted"], found["holds"]) == (False, False)
    assert f"Azure says that the {word} succeeded, but the boot id is the one from before the drain (one). It stays out" in found["words"]
    assert "az vm get-instance-view --ids /vms/web-01" in found["words"]


@pytest.mark.parametrize("result, forecast", [({}, azure("already_done")), (azure("succeeded"), azure("started")), (azure("already_done"), azure("started")),
                                              ({}, azure("already_done", "redeploy"))])
def test_the_run_that_recovers_it_says_the_same_and_returns_it(result, forecast):
    found = verdict("one", ["one"], result, forecast, True)
    assert (found["restarted"], found["holds"]) == (False, True)
    assert "NOT RESTARTED" in found["words"] and "It is healthy, and so it was returned to service" in found["words"] and "NOT RESTARTED" in found["short"]


@pytest.mark.parametrize("boot_id, before, result, forecast, finishing", [
    ("two", ["one"], azure("succeeded"), {}, False), ("two", ["one"], {}, azure("already_done"), True),
    ("one", ["one"], azure("succeeded", "reapply"), {}, False), ("one", ["one"], {}, azure("already_done", "reapply"), True),
    ("one", ["one"], {}, azure("would_start"), True),  # never started
    ("one", ["one"], azure("already_done"), azure("would_start"), False),  # Azure, or somebody else, did it before the host was looked at
    ("one", ["one"], azure("failed"), {}, False), ("one", ["one"], {}, {}, False),
    ("one", [], azure("succeeded"), {}, False), ("", [""], azure("succeeded"), {}, False),  # unknown from before, or unknown now
])
def test_nothing_is_said_where_it_was_restarted_or_need_not_be(boot_id, before, result, forecast, finishing):
    assert verdict(boot_id, before, result, forecast, finishing) == {"restarted": True, "holds": True, "words": "", "short": ""}
