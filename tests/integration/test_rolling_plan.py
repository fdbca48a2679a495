# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan while it runs: what is checked again before each wave, who is left out, when the run stops, and lanes.

No guests: every host is this machine, and what Azure's ledger shows is what counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest
from integration import cloud as clouds
from integration.cli import Project, Running
from integration.cloud import Cloud

HERE = {
    "ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}", "verify_temp_disk": "", "verify_timeout": 10,
    "drain_mark": False,  # all hosts would share one
    "redeploy_poll_interval": 1, "redeploy_settle_seconds": 4, "redeploy_timeout": 60, "rollout_minutes_per_vm": 1, "rollout_scheduled_events_minutes": 0,
}
# This machine does not reboot, whatever is done to the VM; as an extra variable this one is never overwritten.
BEFORE = {"verify_boot_id_before": "another one"}


@pytest.fixture
def here(arm: Cloud, make_project: Callable[..., Project]) -> Project:
    """A project whose hosts are all this machine."""
    return make_project(arm, all=HERE, availability_set_shop_web={}, region_northeurope={})


def roll(project: Project, *arguments: str, **variables: Any) -> Any:
    return project.playbook("rolling_redeploy", *arguments, **BEFORE, **variables)


def start(project: Project, *arguments: str, **variables: Any) -> Running:
    return project.start_playbook("rolling_redeploy", *arguments, **BEFORE, **variables)


def report(project: Project, name: str = "report.json") -> dict[str, Any]:
    return json.loads((project.journal / name).read_text(encoding="utf-8"))


def fail_on(project: Project, *names: str) -> None:
    """Their applications do not come back."""
    for name in names:
        probe = [{"name": "Ask the application", "ansible.builtin.fail": {"msg": "it does not answer"}}]
        project.write(f"host_vars/{name}.yml", {"verify_tasks": [str(project.write("files/probe.yml", probe))]})


def test_a_lost_member_holds_its_set_back_however_large_the_error_budget(arm: Cloud, here: Project) -> None:
    """Azure thinks web-1 is well again; this run knows better, and starts no other domain of its set."""
    fail_on(here, "web-1")
    run = roll(here, rollout_error_budget=5)
    assert arm.posts() == dict.fromkeys(["web-1", "web-4", "solo-1"], 1), run.out
    for number, name in ((2, "web-2"), (3, "web-3")):
        assert f"LEFT OUT of wave {number}, untouched: {name}: the rest of its set is not healthy: web-1 (this run" in run.text
    assert "untouched: ne-1: web-1 in westeurope, the pair of northeurope, is out of service" in run.text
    assert run.rc != 0 and run.recap()["web-1"]["failed"] == 1
    said = report(here)
    assert sorted(said["left_out"]) == ["ne-1", "web-2", "web-3"] and said["stopped"] is None
    assert "plan what is left: ansible-playbook -i fleet.azure_maintenance.yml fleetops.azure_maintenance.plan" in run.text
    assert "left_out" in run.out[run.out.index("PLAY RECAP"):]
    arm.check_distance()


AWAY = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}


@pytest.mark.parametrize("when", ["before its wave", "after its redeploy"])
def test_a_host_that_cannot_be_reached_holds_its_set_back(arm: Cloud, here: Project, when: str) -> None:
    """No rescue runs for an unreachable host; that it was lost must count all the same."""
    if when == "before its wave":
        here.write("host_vars/web-1.yml", AWAY)
    else:
        probe = [{"name": "Ask the application", "ansible.builtin.ping": {}, "vars": AWAY}]
        here.write("host_vars/web-1.yml", {"verify_tasks": [str(here.write("files/probe.yml", probe))]})
    run = roll(here, rollout_error_budget=5)
    started = ["solo-1"] + (["web-1", "web-4"] if when == "after its redeploy" else [])
    assert arm.posts() == dict.fromkeys(started, 1), run.out
    assert run.rc != 0 and run.recap()["web-1"]["unreachable"] == (when == "after its redeploy")
    assert {"web-2", "web-3"} <= set(report(here)["left_out"]) and "web-1 (this run has not brought it back" in run.text
    arm.check_distance()


def test_a_mark_counts_for_its_vm_whatever_its_host_is_called_now(arm: Cloud, here: Project) -> None:
    """A run under another inventory left web-1 drained; nobody here has its host, and yet its set cannot spare web-2."""
    vm_id = here.hosts()[1]["web-1"]["azure_vm_id"]
    here.write(".azure_maintenance/marks/web-1.elsewhere.json", json.dumps({"run_id": "an earlier one", "vm_id": vm_id, "undo": []}))
    run = roll(here, "--limit", "web-2,solo-1")
    assert arm.posts() == {"solo-1": 1}, run.out
    assert run.rc != 0 and "untouched: web-2: the rest of its set is not healthy: web-1 (this run" in run.text


def test_a_lane_without_its_plan_touches_no_mark(arm: Cloud, here: Project) -> None:
    """The marks may be those of the other lanes, at work right now."""
    here.write(".azure_maintenance/marks/web-1.json", json.dumps({"run_id": "an earlier one", "vm_id": "", "undo": [], "boot_id": "x"}))
    for variables, said in (({"rollout_lane": 1}, "rollout_plan_file"), ({"rollout_lane": 1, "rollout_plan_file": "typo.json"}, "typo.json cannot be read")):
        run = roll(here, **variables)
        assert run.rc != 0 and said in run.text and "Ask what became of its redeploy" not in run.tasks(), run.out
    assert here.marks() == ["web-1"] and not arm.writes()


def test_what_changed_since_is_left_out_and_the_rest_goes_on(arm: Cloud, here: Project) -> None:
    for name in ("web-1", "web-4"):
        arm.patch(name, operations={"performMaintenance": {"after_seconds": 4}})
    running = start(here)
    running.wait_until(lambda: len(arm.writes()) > 1, "the first wave began")
    arm.patch("web-2", wave="later", allowed=False)
    run = running.finish()
    assert arm.posts() == dict.fromkeys(["web-1", "web-4", "solo-1", "web-3", "ne-1"], 1), run.out
    assert "LEFT OUT of wave 2, untouched: web-2: window start was" in run.text and "state was startable, is now upcoming" in run.text
    assert run.rc != 0 and list(report(here)["left_out"]) == ["web-2"]


def test_the_calendar_stops_the_run_before_a_wave_that_would_not_end_in_time(arm: Cloud, here: Project) -> None:
    now = arm.sim.clock.now()
    hours = {"open": [{"from": f"{now:%H:%M}", "to": f"{(now.hour + 2) % 24:02}:{now.minute:02}"}]}
    for name in ("web-1", "web-4"):
        arm.patch(name, operations={"performMaintenance": {"after_seconds": 4}})
    running = start(here, rollout_calendar=hours)
    running.wait_until(lambda: len(arm.writes()) > 1, "the first wave began")
    arm.sim.clock.advance(7200 - 60)
    run = running.finish()
    assert set(arm.posts()) == {"web-1", "web-4", "solo-1"} or set(arm.posts()) == {"ne-1"}, run.out
    assert "STOPPED before wave 2: the calendar is closed: this wave takes 3 minutes, and it could begin" in run.text
    assert "ansible-playbook -i fleet.azure_maintenance.yml fleetops.azure_maintenance.rolling_redeploy" in run.text
    assert run.rc != 0 and report(here)["stopped"].startswith("STOPPED before wave 2")


def test_a_fleet_that_cannot_be_read_again_stops_the_run(arm: Cloud, here: Project) -> None:
    for name in ("web-1", "web-4"):
        arm.patch(name, operations={"performMaintenance": {"after_seconds": 4}})
    running = start(here)
    running.wait_until(lambda: len(arm.writes()) > 1, "the first wave began")
    arm.faults({"match": {"method": "GET", "path": "virtualMachines\\?.*statusOnly", "count": 0}, "status": 403, "code": "AuthorizationFailed"})
    run = running.finish()
    assert set(arm.posts()) == {"web-1", "web-4", "solo-1"}, run.out
    assert run.rc != 0 and "STOPPED before wave 2: could not" in run.text


def test_nothing_follows_a_canary_that_failed(arm: Cloud, here: Project) -> None:
    fail_on(here, "web-1")
    arm.reset(["web-1", "web-4", "solo-1"])
    run = roll(here, rollout_error_budget=5, rollout_canary="contains(['web-1', 'solo-1'], name)")
    assert set(arm.posts()) <= {"web-1", "solo-1"} and "web-1" in arm.posts(), run.out
    assert "web-4" not in arm.posts() and run.rc != 0


def test_a_soak_between_two_domains_of_a_set(arm: Cloud, here: Project) -> None:
    arm.reset(["web-2", "web-3"])
    checked = roll(here, "--check", rollout_soak_minutes=30)
    assert checked.rc == 0 and "SOAK" not in checked.out and checked.out.count("would_start") >= 2
    running = start(here, rollout_soak_minutes=30)
    running.wait_until(lambda: re.search("SOAK: wave 2 waits (29|30) min", running.out) is not None, "the second wave waited")
    running.kill()
    assert arm.posts() == {"web-2": 1}
    arm.reset(["web-1", "web-4"])
    same_domain = roll(here, rollout_soak_minutes=30, rollout_max_parallel=1)
    assert same_domain.rc == 0 and "SOAK" not in same_domain.out and arm.posts() == {"web-1": 1, "web-4": 1}


def lanes_fleet() -> dict[str, Any]:
    """Two sets of two update domains and a single VM, slow enough that two lanes overlap."""
    data = clouds.fleet(guests=False, operations={"default": {"after_seconds": 6}})
    data["availability_sets"] = [{"name": name, "resource_group": "shop", "region": "westeurope", "update_domains": 2} for name in ("red", "blue")]
    data["vms"] = [{"name": f"{name}-{number}", "availability_set": name, "update_domain": number % 2} for name in ("red", "blue") for number in range(4)]
    return data


def test_two_lanes_at_once_meet_in_no_set(tmp_path_factory: pytest.TempPathFactory, make_project: Callable[..., Project]) -> None:
    cloud = clouds.start(lanes_fleet(), tmp_path_factory.mktemp("lanes"), guests=False)
    try:
        project = make_project(cloud, all=HERE)
        planned = project.playbook("plan", rollout_lanes=2, rollout_plan_out="lanes.json")
        assert planned.rc == 0 and "in 2 lanes side by side; the fleet allows 2" in planned.text
        assert "-e rollout_plan_file=lanes.json -e rollout_lane=1" in planned.text
        reviewed = (project.folder / "lanes.json").read_text(encoding="utf-8")
        running = [start(project, rollout_plan_file="lanes.json", rollout_lane=lane) for lane in (1, 2)]
        runs = [one.finish() for one in running]
        assert [run.rc for run in runs] == [0, 0], runs[0].out + runs[1].out
        cloud.check_ledger([vm["name"] for vm in lanes_fleet()["vms"]])
        writes = cloud.writes()
        assert any(one["set"] != other["set"] and one["start"] < other["end"] and other["start"] < one["end"] for one, other in combinations(writes, 2))
        reports = [report(project, f"report-lane-{lane}.json") for lane in (1, 2)]
        assert all(len(one["vms"]) == 4 and not one["not_started"] for one in reports)
        assert reports[0]["run_id"] != reports[1]["run_id"]
        assert (project.folder / "lanes.json").read_text(encoding="utf-8") == reviewed
        again = start(project, rollout_plan_file="lanes.json", rollout_lane=2).finish()
        assert again.rc == 0 and "0 VMs in 0 waves" in again.text
    finally:
        cloud.sim.stop()


def test_a_lane_wants_a_plan_file_that_has_it(arm: Cloud, here: Project) -> None:
    assert here.playbook("plan", rollout_lanes=2, rollout_region_pairs="parallel").rc == 0
    plan = ".azure_maintenance/plan.json"
    for variables, said in (
        ({"rollout_lane": 1}, "rollout_plan_file"),
        ({"rollout_lane": 3, "rollout_plan_file": plan}, "there is no lane 3: this plan has 2 lanes"),
        ({"rollout_plan_file": plan}, "say which with rollout_lane: 1 to 2"),
        ({"rollout_lane": 1, "rollout_lanes": 3, "rollout_plan_file": plan}, "this plan has 2 lanes and rollout_lanes is 3"),
        ({"rollout_lanes": 2, "rollout_region_pairs": "parallel"}, "Lanes run from a reviewed plan"),
    ):
        run = roll(here, **variables)
        assert run.rc != 0 and said in run.text, run.out
    assert not arm.writes()


def test_a_plan_is_carried_out_by_its_own_operation_and_policy(arm: Cloud, here: Project) -> None:
    """The variables of the applying run do not say what is done, but the plan."""
    arm.patch("solo-1", extensions=[{"name": "monitor", "status": "failed"}])
    made = here.playbook("plan", rollout_targets="solo-1:web-1", rollout_operation="redeploy", rollout_max_unavailable=2, rollout_plan_out="reviewed.json")
    assert made.rc == 0, made.out
    run = roll(here, rollout_plan_file="reviewed.json", rollout_since="2020-01-01T00:00:00Z", rollout_refuse=["failed_extension"])
    assert run.rc == 0, run.out
    assert {(write["name"], write["operation"]) for write in arm.writes()} == {("solo-1", "redeploy"), ("web-1", "redeploy")}


def test_hidden_members_of_a_set_count(arm: Cloud, here: Project) -> None:
    arm.patch("web-3", power="stopped")
    limited = roll(here, "--limit", "web-1,web-4")
    assert limited.rc == 0 and "set_not_healthy" in limited.text and "web-3 (power state is stopped" in limited.text, limited.out
    here.inventory_file("hiding.azure_maintenance.yml", query="name == 'web-1'")
    hiding = here.playbook("plan", inventory="hiding.azure_maintenance.yml")
    assert hiding.rc == 0 and "set_not_healthy" in hiding.text and "web-3 (power state is stopped" in hiding.text
    arm.patch("web-3", power="running", agent="ready")
    hostvars = here.hosts("hiding.azure_maintenance.yml")[1]
    static = {"maintenance_due": {"hosts": {"web-1": {"azure_vm_id": hostvars["web-1"]["azure_vm_id"]}}}}
    here.write("static.yml", static)
    arm.faults({"match": {"method": "GET", "path": "virtualMachines\\?", "count": 0}, "status": 403, "code": "AuthorizationFailed"})
    unreadable = here.playbook("rolling_redeploy", inventory="static.yml", **BEFORE)
    assert unreadable.rc != 0 and "could not" in unreadable.text
    assert not arm.writes()
