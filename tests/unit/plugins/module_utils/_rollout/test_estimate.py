# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Minutes per VM from a report: a high quantile of what was measured, or an error that says what is wrong with it."""

from __future__ import annotations

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.estimate import learn
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.plan import PlanError


def report(*seconds, outcome="succeeded"):
    return {"vms": [{"name": "a", "outcome": outcome, "elapsed_seconds": one} for one in seconds]}


@pytest.mark.parametrize("seconds, minutes", [
    ([5], 1), ([60], 1), ([61], 2), ([0], 1), ([60, 600], 10), ([60] * 9 + [6000], 1), ([60] * 8 + [300, 6000], 5),
    ([*range(60, 6060, 60)], 90)])
def test_the_ninetieth_percentile_in_whole_minutes(seconds, minutes):
    assert learn(report(*seconds)) == (minutes, len(seconds))


def test_only_measured_successes_count():
    vms = [*report(120)["vms"], *report(9000, outcome="failed")["vms"], *report(None)["vms"], *report(None, outcome="already_done")["vms"]]
    assert learn({"vms": vms}) == (2, 1)


@pytest.mark.parametrize("data, words", [
    (None, "not the report"), ([], "not the report"), ({}, "not the report"), ({"vms": ["a"]}, "not the report"),
    ({"vms": []}, "none of the 0 VMs"), (report(None), "none of the 1 VMs"), (report(60, outcome="failed"), "none of the 1 VMs")])
def test_what_cannot_be_learnt_from(data, words):
    with pytest.raises(PlanError, match=words):
        learn(data)
