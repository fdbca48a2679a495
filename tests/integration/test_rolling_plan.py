# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan while it runs: what is checked again before each wave, who is left out, when the run stops, and lanes.

No guests: every host is this machine, and what Azure's ledger shows is what counts. Each rule in all its cases is with the unit tests of
rollout_recheck, rollout_budget and rollout_lanes; here is one run in which hosts meet many fates at once, and one for each way to stop.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from integration import cloud as clouds
from integration.cli import Project, Run, Running
from integration.cloud import Cloud
from integration.conftest import environment

HERE = {
    "ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}", "verify_temp_disk": "", "verify_timeout": 10,
    "drain_mark": False,  # all hosts would share one
    "redeploy_poll_interval": 1, "redeploy_settle_seconds": 4, "redeploy_timeout": 60, "rollout_minutes_per_vm": 1, "rollout_scheduled_events_minutes": 0,
}
# This machine does not reboot, whatever is done to the VM; as an extra variable this one is never overwritten.
BEFORE = {"verify_boot_id_before": "another one"}
STARTABLE = "maintenance.state == 'startable'"
AWAY = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}


@pytest.fixture
def here(arm: Cloud, make_project: Callable[..., Project]) -> Project:
    """A project whose hosts are all this machine, and only those that may be redeployed: each costs time in every play."""
    project = make_project(arm, all=HERE, availability_set_shop_web={}, region_northeurope={})
    project.inventory_file(query=STARTABLE)
    return project


def roll(project: Project, *arguments: str, **variables: Any) -> Any:
    return project.playbook("rolling_redeploy", *arguments, **BEFORE, **variables)


def start(project: Project, *arguments: str, **variables: Any) -> Running:
    return project.start_playbook("rolling_redeploy", *arguments, **BEFORE, **variables)


def report(project: Project, name: str = "report.json") -> dict[str, Any]:
    return json.loads((project.journal / name).read_text(encoding="utf-8"))


# -- many fates in one run ------------------------------------------------------------------------------------------------


@dataclass
class Fates:
    """One run, the cloud it ran on, and where its report is."""

    cloud: Cloud
    project: Project
    run: Run

    def left_out(self, name: str) -> str:
        """Why a host was left out, as the run said it."""
        found = re.search(rf"SKIPPED in wave (\d), not changed: ({name}: .*?)\"", self.run.text)
        assert found, f"{name} was not left out\n{self.run.out}"
        return f"wave {found[1]}: {found[2]}"


def fates_fleet() -> dict[str, Any]:
    """Sets of two domains, named after what becomes of their first one, and a VM in the paired region."""
    data = clouds.fleet(guests=False)
    members = {"lost": "01", "away": "001", "gone": "01", "kept": "01", "fine": "011"}
    data["availability_sets"] = [{"name": name, "resource_group": "shop", "region": "westeurope", "update_domains": 2} for name in members]
    data["vms"] = [{"name": f"{name}-{number}", "availability_set": name, "update_domain": int(domain)}
                   for name, domains in members.items() for number, domain in enumerate(domains)]
    data["vms"] += [{"name": "pair-0", "resource_group": "shop-ne", "region": "northeurope"}]
    next(vm for vm in data["vms"] if vm["name"] == "kept-0")["wave"] = None
    for vm in data["vms"]:
        if vm["name"] in ("lost-0", "fine-0"):
            vm["operations"] = {"performMaintenance": {"after_seconds": 4}}
    return data


@pytest.fixture(scope="module")
def fates(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Fates]:
    """The application of lost-0 does not come back, away-0 cannot be reached from the start, gone-0 not any more after its redeploy; an earlier
    run under another inventory left kept-0 drained, whose host nobody has here; the window of fine-2 is moved while the first wave is under way."""
    with clouds.start(fates_fleet(), tmp_path_factory.mktemp("azure"), guests=False) as cloud:
        project = Project(tmp_path_factory.mktemp("fates") / "project", environment(cloud, home), {"all": HERE})
        project.inventory_file(query="name != 'kept-0'")
        probes = {"lost-0": {"ansible.builtin.fail": {"msg": "it does not answer"}}, "gone-0": {"ansible.builtin.ping": {}, "vars": AWAY}}
        for name, probe in probes.items():
            file = project.write(f"files/probe-{name}.yml", [{"name": "Ask the application", **probe}])
            project.write(f"host_vars/{name}.yml", {"verify_tasks": [str(file)]})
        project.write("host_vars/away-0.yml", AWAY)
        kept = cloud.sim.fleet.named("kept-0")[0].id
        project.write(".azure_maintenance/marks/kept-0.elsewhere.json", json.dumps({"run_id": "an earlier one", "vm_id": kept, "undo": []}))
        running = start(project, rollout_error_budget=9)
        running.wait_until(lambda: len(cloud.writes()) > 1, "the first wave began")
        cloud.patch("fine-2", wave="later", allowed=False)
        yield Fates(cloud, project, running.finish(480))


def test_only_what_may_be_started_is_started(fates: Fates) -> None:
    """However large the error budget is; and the rest goes on."""
    assert fates.cloud.posts() == dict.fromkeys(["lost-0", "gone-0", "fine-0", "fine-1"], 1), fates.run.out
    fates.cloud.check_distance()
    assert fates.run.rc != 0


def test_a_lost_member_holds_its_set_back(fates: Fates) -> None:
    """Azure thinks lost-0 is well again; this run knows better, and starts no other domain of its set."""
    assert fates.left_out("lost-1").startswith("wave 2: lost-1: the rest of its set is not healthy: lost-0 (this run")
    assert fates.run.recap()["lost-0"]["failed"] == 1


def test_the_other_region_of_a_pair_is_held_back(fates: Fates) -> None:
    assert fates.left_out("pair-0").endswith(" lost-0 in westeurope, the pair of northeurope, is out of service")


def test_a_host_that_cannot_be_reached_holds_its_set_back(fates: Fates) -> None:
    """No rescue runs for an unreachable host; that it was lost must count all the same."""
    for name, out in (("away-1", "away-0"), ("away-2", "away-0"), ("gone-1", "gone-0")):
        assert f"{name}: the rest of its set is not healthy: {out} (this run has not brought it back" in fates.left_out(name)
    recap = fates.run.recap()
    assert [recap[name]["unreachable"] for name in ("away-0", "gone-0")] == [0, 1]


def test_a_mark_counts_for_its_vm_whatever_its_host_is_called_now(fates: Fates) -> None:
    assert fates.left_out("kept-1").startswith("wave 1: kept-1: the rest of its set is not healthy: kept-0 (this run")


def test_what_changed_since_the_plan_is_left_out(fates: Fates) -> None:
    said = fates.left_out("fine-2")
    assert said.startswith("wave 2: fine-2: window start was") and "state was startable, is now upcoming" in said


def test_the_report_and_the_end_of_the_screen_say_who_was_left_out(fates: Fates) -> None:
    said = report(fates.project)
    assert sorted(said["left_out"]) == ["away-1", "away-2", "fine-2", "gone-1", "kept-1", "lost-1", "pair-0"] and said["stopped"] is None
    assert "then plan the rest: ansible-playbook -i fleet.azure_maintenance.yml fleetops.azure_maintenance.plan" in fates.run.text
    assert "left_out" in fates.run.out[fates.run.out.index("PLAY RECAP"):]


# -- ways to stop ---------------------------------------------------------------------------------------------------------


def planned(arm: Cloud, project: Project, **variables: Any) -> Running:
    """A run of one VM that has made its plan, and not yet read the fleet again for its first wave."""
    arm.reset(["web-1"])
    running = start(project, **variables)
    running.wait_until(lambda: "PLAY [Prepare all targets at once]" in running.out, "it had a plan")
    return running


def test_the_calendar_stops_the_run_before_a_wave_that_would_not_end_in_time(arm: Cloud, here: Project) -> None:
    now = arm.sim.clock.now()
    hours = {"open": [{"from": f"{now:%H:%M}", "to": f"{(now.hour + 2) % 24:02}:{now.minute:02}"}]}
    running = planned(arm, here, rollout_calendar=hours)
    arm.sim.clock.advance(7200 - 60)
    run = running.finish()
    assert arm.posts() == {}, run.out
    assert "STOPPED before wave 1: the calendar is closed: this wave takes 3 minutes, and it could begin" in run.text
    assert "ansible-playbook -i fleet.azure_maintenance.yml fleetops.azure_maintenance.rolling_redeploy" in run.text
    assert run.rc != 0 and report(here)["stopped"].startswith("STOPPED before wave 1")


def test_a_fleet_that_cannot_be_read_again_stops_the_run(arm: Cloud, here: Project) -> None:
    running = planned(arm, here)
    arm.faults({"match": {"method": "GET", "path": "virtualMachines\\?.*statusOnly", "count": 0}, "status": 403, "code": "AuthorizationFailed"})
    run = running.finish()
    assert arm.posts() == {}, run.out
    assert run.rc != 0 and "STOPPED before wave 1: could not" in run.text


def test_a_plan_is_carried_out_by_its_own_operation_and_policy_such_as_a_soak(arm: Cloud, here: Project) -> None:
    """The variables of the applying run do not say what is done, but the plan. Three waves of one VM, where web-1 and web-4 share a domain and
    web-2 has another: a soak lies between two domains of a set, and none within one."""
    arm.reset(["web-1", "web-4", "web-2"])
    arm.patch("web-1", extensions=[{"name": "monitor", "status": "failed"}])
    made = here.playbook("plan", rollout_operation="redeploy", rollout_soak_minutes=30, rollout_max_parallel=1, rollout_plan_out="reviewed.json")
    assert made.rc == 0, made.out
    running = start(here, rollout_plan_file="reviewed.json", rollout_since="2020-01-01T00:00:00Z", rollout_refuse=["failed_extension"])
    running.wait_until(lambda: re.search("SOAK: wave 3 waits (29|30) min", running.out) is not None, "the third wave waited")
    running.kill()
    assert {(write["name"], write["operation"]) for write in arm.writes()} == {("web-1", "redeploy"), ("web-4", "redeploy")}
    assert len(arm.writes()) == 2 and running.out.count("SOAK: wave") == 1


@pytest.mark.long
def test_no_soak_in_check_mode(arm: Cloud, here: Project) -> None:
    arm.reset(["web-2", "web-3"])
    checked = roll(here, "--check", rollout_soak_minutes=30)
    assert checked.rc == 0 and "SOAK" not in checked.out and checked.out.count("would_start") >= 2


# -- lanes, and members that nobody was asked about ----------------------------------------------------------------------


LANES = {"red": 2, "blue": 1}


def lanes_fleet() -> dict[str, Any]:
    """Two sets of two update domains, slow enough that two lanes overlap; of the smaller one only one VM is there."""
    data = clouds.fleet(guests=False, operations={"default": {"after_seconds": 6}})
    data["availability_sets"] = [{"name": name, "resource_group": "shop", "region": "westeurope", "update_domains": 2} for name in LANES]
    data["vms"] = [{"name": f"{name}-{number}", "availability_set": name, "update_domain": number} for name, count in LANES.items() for number in range(count)]
    return data


@pytest.mark.long
def test_two_lanes_at_once_meet_in_no_set(tmp_path_factory: pytest.TempPathFactory, make_project: Callable[..., Project]) -> None:
    with clouds.start(lanes_fleet(), tmp_path_factory.mktemp("lanes"), guests=False) as cloud:
        project = make_project(cloud, all=HERE)
        planned = project.playbook("plan", rollout_lanes=2, rollout_plan_out="lanes.json")
        assert planned.rc == 0 and "in 2 lanes side by side; the fleet allows 2" in planned.text
        assert "-e rollout_plan_file=lanes.json -e rollout_lane=1" in planned.text
        reviewed = (project.folder / "lanes.json").read_text(encoding="utf-8")
        refused = roll(project, rollout_lanes=2)
        assert refused.rc != 0 and "Lanes run from a reviewed plan" in refused.text and not cloud.writes(), refused.out
        running = [start(project, rollout_plan_file="lanes.json", rollout_lane=lane) for lane in (1, 2)]
        runs = [one.finish() for one in running]
        assert [run.rc for run in runs] == [0, 0], runs[0].out + runs[1].out
        cloud.check_ledger([vm["name"] for vm in lanes_fleet()["vms"]])
        writes = cloud.writes()
        assert any(one["set"] != other["set"] and one["start"] < other["end"] and other["start"] < one["end"] for one, other in combinations(writes, 2))
        reports = [report(project, f"report-lane-{lane}.json") for lane in (1, 2)]
        assert sorted(len(one["vms"]) for one in reports) == [1, 2] and not any(one["not_started"] for one in reports)
        assert reports[0]["run_id"] != reports[1]["run_id"]
        assert (project.folder / "lanes.json").read_text(encoding="utf-8") == reviewed
        again = project.playbook("plan", rollout_plan_file="lanes.json", rollout_lane=2)
        assert again.rc == 0 and "0 VMs in 0 waves" in again.text
        neither = project.playbook("plan", rollout_plan_file="lanes.json")
        assert neither.rc != 0 and "say which with rollout_lane: 1 to 2" in neither.text


def test_a_lane_without_its_plan_touches_no_mark(arm: Cloud, here: Project) -> None:
    """The marks may be those of the other lanes, at work right now."""
    here.write(".azure_maintenance/marks/web-1.json", json.dumps({"run_id": "an earlier one", "vm_id": "", "undo": [], "boot_id": "x"}))
    for variables, said in (({"rollout_lane": 1}, "rollout_plan_file"), ({"rollout_lane": 1, "rollout_plan_file": "typo.json"}, "typo.json cannot be read")):
        run = roll(here, **variables)
        assert run.rc != 0 and said in run.text and "Ask what became of its redeploy" not in run.tasks(), run.out
    assert here.marks() == ["web-1"] and not arm.writes()


def test_hidden_members_of_a_set_count(arm: Cloud, here: Project) -> None:
    """Outside of a limit, of the inventory, or where the fleet cannot be read: a plan is made of all members or not at all."""
    arm.patch("web-3", power="stopped")
    limited = here.playbook("plan", "--limit", "web-1,web-4")
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
