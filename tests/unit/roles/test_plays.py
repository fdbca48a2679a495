# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What no play may leave to a user's ansible.cfg or environment: its strategy, and whether one host's failure ends it for all."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

PLAYBOOKS = sorted((Path(__file__).resolve().parents[3] / "playbooks").glob("*.yml"))
PLAYS = [(path.stem, play) for path in PLAYBOOKS for play in yaml.safe_load(path.read_text(encoding="utf-8"))]
FATAL = [("rolling_redeploy", "Plan the redeployment")]
"""Where nothing was touched yet and one answer is for all hosts."""


@pytest.mark.parametrize("book, play", PLAYS, ids=lambda part: part if isinstance(part, str) else part["name"])
def test_a_play_says_itself_how_it_runs(book, play):
    assert play["strategy"] == "ansible.builtin.linear" and play["gather_facts"] is False
    assert play["any_errors_fatal"] is ((book, play["name"]) in FATAL)
