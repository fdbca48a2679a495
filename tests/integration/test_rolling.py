# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rolling redeploy as a user runs it when all goes well, seen from Azure's ledger, the guests and the balancer."""

from __future__ import annotations

import json

from integration.cli import Project
from integration.cloud import ALL, Cloud

PAIR = ("web-1", "web-4", "web-2")
"""Two waves: update domain 0, then 1."""
TEXTS = (
    "drain_timeout=10 drain_mark=true verify_timeout=30 verify_port_timeout=10 verify_warmup_seconds=1 redeploy_timeout=90 redeploy_poll_interval=1 "
    "redeploy_settle_seconds=4 redeploy_retries=1 redeploy_retry_pause=5 redeploy_approve_events=false redeploy_approve_scheduled_events=false "
    "rollout_partial_wave=false rollout_break_glass=false rollout_error_budget=1 rollout_soak_minutes=0 rollout_lanes=1 rollout_max_parallel=2 "
    "rollout_scheduled_events_minutes=10 rollout_drain_minutes=0 rollout_minutes_per_vm=1 rollout_include_unlisted=false"
)


def test_a_whole_rollout_and_again(cloud: Cloud, project: Project) -> None:
    before = cloud.boot_ids()
    strict = {"ANSIBLE_HOST_PATTERN_MISMATCH": "error"}  # what names nobody is no error of the user's
    run = project.playbook("rolling_redeploy", env=strict)
    assert run.rc == 0, run.out
    cloud.check_ledger(ALL)
    after = cloud.boot_ids()
    assert all(before[name] != after[name] for name in ALL)
    cloud.all_in_service()
    assert project.marks() == []
    report = json.loads((project.journal / "report.json").read_text(encoding="utf-8"))
    assert {vm["name"]: vm["outcome"] for vm in report["vms"]} == dict.fromkeys(ALL, "succeeded") and not report["not_started"]
    again = project.playbook("rolling_redeploy", env=strict)
    assert again.rc == 0 and "Nothing to do" in again.text
    assert not any(counts["changed"] for counts in again.recap().values())
    cloud.check_ledger(ALL)
    assert cloud.boot_ids() == after


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
    """Only hosts of the limit, each once, domains apart; a stop file ends the run before the next wave. Options as -e gives them, all text."""
    limit = ["--limit", "web-1,web-2,lb-1", "-e", TEXTS]
    first = project.start_playbook("rolling_redeploy", *limit, env={"ANSIBLE_STRATEGY": "free"})
    first.wait_until(lambda: bool(cloud.writes()), "the first wave began")
    project.write(".azure_maintenance/stop", "")
    stopped = first.finish()
    assert cloud.posts() == {"web-1": 1}
    assert "stop file" in stopped.text and str(project.journal / "stop") in stopped.text, stopped.out
    assert project.marks() == []
    (project.journal / "stop").unlink()
    rest = project.playbook("rolling_redeploy", *limit, env={"ANSIBLE_STRATEGY": "free"})
    assert rest.rc == 0, rest.out
    cloud.check_ledger(["web-1", "web-2"])
    cloud.all_in_service()


def test_a_second_import_a_held_back_set_and_drain_tasks(cloud: Cloud, project: Project) -> None:
    """A member that is down holds its set back while others go on; the user's own drain files run; one rollout per process."""
    cloud.reset([*PAIR, "solo-1"])
    cloud.patch("web-3", power="stopped")
    for name in ("drain", "restore", "probe"):
        project.write(f"files/{name}.yml", [{"name": name, "ansible.builtin.lineinfile": {
            "path": str(project.folder / "calls"), "line": f"{name} {{{{ inventory_hostname }}}}", "create": True, "mode": "0600"},
            "delegate_to": "localhost"}])
    project.group_vars("maintenance_due", {
        "drain_provider": ["tasks"], "drain_tasks": [str(project.folder / "files/drain.yml")],
        "drain_restore_tasks": [str(project.folder / "files/restore.yml")], "verify_tasks": [str(project.folder / "files/probe.yml")],
    })
    playbook = project.write("twice.yml", [{"ansible.builtin.import_playbook": "fleetops.azure_maintenance.rolling_redeploy"}] * 2)
    run = project.playbook(str(playbook))
    assert "set_not_healthy" in run.text and "web-3 (power state is stopped" in run.text, run.out
    cloud.check_ledger(["solo-1"])
    assert (project.folder / "calls").read_text(encoding="utf-8").splitlines() == ["drain solo-1", "restore solo-1", "probe solo-1"]
    assert project.marks() == [] and cloud.marked(["solo-1"]) == []
    assert run.rc != 0 and "Run one rollout per ansible-playbook process" in run.text


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
