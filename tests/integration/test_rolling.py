# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rolling redeploy as a user runs it, seen from Azure's ledger, the guests and the balancer."""

from __future__ import annotations

import json
import subprocess
import sys

from integration.cli import ROOT, Project
from integration.cloud import ALL, Cloud


def test_a_whole_rollout_and_again(cloud: Cloud, project: Project) -> None:
    before = cloud.boot_ids()
    run = project.playbook("rolling_redeploy")
    open("/tmp/prof.log","w").write(run.out)
    assert run.rc == 0, run.out
    cloud.check_ledger(ALL)
