# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a redeploy takes here, learnt from the report of an earlier rollout.

Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import math
import typing as t

from .plan import PlanError

QUANTILE = 0.9


class Learnt(t.NamedTuple):
    """``minutes`` is the 90th percentile of the ``redeploys`` that succeeded, rounded up to whole minutes."""

    minutes: int
    redeploys: int


def learn(report: t.Any) -> Learnt:
    """Minutes per VM from a report as the playbook writes it (``vms`` with ``outcome`` and ``elapsed_seconds``).

    Raises :class:`PlanError` when it is no report, or no redeploy in it succeeded in a time that was measured.
    """
    vms = report.get("vms") if isinstance(report, t.Mapping) else None
    if not isinstance(vms, list) or not all(isinstance(vm, t.Mapping) for vm in vms):
        raise PlanError("it is not the report of a rollout; give the report.json that rolling_redeploy wrote")
    seconds = sorted(vm["elapsed_seconds"] for vm in vms if vm.get("outcome") == "succeeded" and _measured(vm))
    if not seconds:
        raise PlanError(f"none of the {len(vms)} VMs in it has a redeploy that succeeded in a measured time; "
                        "give another report, or minutes_per_vm")
    # Nearest rank: a time that was seen, and the longest one while there are fewer than ten.
    slow = seconds[math.ceil(QUANTILE * len(seconds)) - 1]
    return Learnt(max(1, math.ceil(slow / 60)), len(seconds))


def _measured(vm: t.Mapping[str, t.Any]) -> bool:
    value = vm.get("elapsed_seconds")
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
