# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a rolling redeploy may be run, and what does not get past its gates, seen from Azure's ledger, the guests and the balancer."""

from __future__ import annotations

from integration.cli import Project
from integration.cloud import Cloud

PAIR = ("web-1", "web-4", "web-2")
"""Two waves: update domain 0, then 1."""


def test_check_mode_writes_nothing(cloud: Cloud, project: Project) -> None:
    cloud.reset(PAIR)
    before = cloud.boot_ids(PAIR)
    run = project.playbook("rolling_redeploy", "--check")
    assert run.rc == 0, run.out
    assert not cloud.writes() and cloud.methods() == {"GET"}
    assert not project.files()
    assert cloud.boot_ids(PAIR) == before
    cloud.all_in_service()
    assert run.text.count("would_start") >= len(PAIR), run.out


def test_a_limit_across_domains_under_strategy_free_with_a_stop_between(cloud: Cloud, project: Project) -> None:
    """Only hosts of the limit, each once, domains apart; a stop file ends the run before the next wave. One rollout per process."""
    limit = ["--limit", "web-1,web-2,lb-1"]
    first = project.start_playbook("rolling_redeploy", *limit, env={"ANSIBLE_STRATEGY": "free"})
    first.wait_until(lambda: bool(cloud.writes()), "the first wave began")
    project.write(".azure_maintenance/stop", "")
    stopped = first.finish()
    assert cloud.posts() == {"web-1": 1}
    assert "stop file" in stopped.text and str(project.journal / "stop") in stopped.text, stopped.out
    assert project.marks() == []
    # The limit names hosts, so none but a host of the run can carry the failure: one that was not started.
    assert stopped.rc != 0 and stopped.recap()["web-1"]["failed"] == 0 and stopped.recap()["web-2"]["failed"] == 1
    assert stopped.recap().keys() == {"web-1", "web-2", "lb-1"}
    (project.journal / "stop").unlink()
    twice = project.write("twice.yml", [{"ansible.builtin.import_playbook": "fleetops.azure_maintenance.rolling_redeploy"}] * 2)
    rest = project.playbook(str(twice), *limit, env={"ANSIBLE_STRATEGY": "free"})
    assert rest.rc != 0 and "Run one rollout per ansible-playbook process" in rest.text, rest.out
    cloud.check_ledger(["web-1", "web-2"])
    cloud.all_in_service()


def test_walking_past_the_gates_starts_nothing(cloud: Cloud, project: Project) -> None:
    for arguments in (["--start-at-task", "Queue the waves"], ["--start-at-task", "Redeploy in bulk from the controller"], ["--tags", "none"]):
        project.playbook("rolling_redeploy", *arguments)
        assert not cloud.writes() and not project.marks()
    # A group of that name makes the last plays reachable without a plan.
    member = {"rollout": {"hosts": {"web-2": {"rollout_wave": 1, "rollout_run_id": "mine", "redeploy_forecast": {"outcome": "would_start"}}}}}
    group = ["-i", project.write("group.yml", member).name]
    past = project.playbook("rolling_redeploy", *group, "--start-at-task", "Redeploy this wave")
    assert past.rc != 0 and "the gate of this wave was not passed; nothing was started" in past.text, past.out
    assert not cloud.writes() and not project.marks()
    whole = project.playbook("rolling_redeploy", *group)
    assert whole.rc != 0 and "The group rollout already has members" in whole.text
    assert not cloud.writes() and not project.marks()
