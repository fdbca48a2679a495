# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Azure Load Balancer provider of roles/drain: what the ledger of the simulated Azure shows, against real connections to real guests."""

from __future__ import annotations

import http.client
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from integration import cloud as clouds
from integration.cli import Project, Running, keep

NET = f"127.{150 + os.getpid() % 40}.{os.getpid() // 40 % 250}"
NAMES = ("web-1", "web-2")
MEMBER = {name: f"{name}-nic-ipconfig1" for name in NAMES}
ROLE = "fleetops.azure_maintenance.drain"


def fleet() -> dict[str, Any]:
    """Two web guests of one update domain in two pools of one load balancer; somebody has taken the second out of one already."""
    data = clouds.fleet()
    data["vms"] = [
        {"name": name, "wave": None, "addresses": {"private": f"{NET}.{11 + number}"}, "guest": {"services": ["web"]}} for number, name in enumerate(NAMES)
    ]
    pools = [{"name": "web", "members": list(NAMES)},
             {"name": "blue", "kind": "ip", "members": [{"vm": "web-1", "admin_state": "Up"}, {"vm": "web-2", "admin_state": "Down"}]}]
    front = {"name": "front", "resource_group": "shop", "region": "westeurope", "writes": [{"after_seconds": 0.5}], "pools": pools}
    return {**data, "availability_sets": [], "load_balancers": [front]}


@pytest.fixture(scope="module")
def balanced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[clouds.Cloud]:
    """The two guests and their load balancer."""
    with clouds.start(fleet(), tmp_path_factory.mktemp("balanced"), guests=True) as cloud:
        yield cloud


@pytest.fixture
def cloud(balanced: clouds.Cloud) -> clouds.Cloud:
    """The fleet as on the first day."""
    balanced.faults()
    balanced.sim.reset()
    return balanced


@pytest.fixture
def project(cloud: clouds.Cloud, make_project: Callable[..., Project]) -> Project:
    """A project folder for it."""
    return make_project(cloud)


def steps_of(project: Project, *steps: str) -> list[dict[str, Any]]:
    """Task files of the role by their steps; what was learnt survives in a file for each host, as in the mark."""
    mark = f"{project.folder}/mark-{{{{ inventory_hostname }}}}.json"
    tasks: list[dict[str, Any]] = []
    for step in steps:
        undo = {"drain_undo": f"{{{{ lookup('file', '{mark}') | from_json }}}}"} if step == "restore" else {}
        tasks.append({"name": step, "include_role": {"name": ROLE, "tasks_from": f"{step}_azure_load_balancer"}, "vars": undo})
        if step == "learn":
            content = "{{ __drain_learnt_azure_load_balancer | combine({'provider': 'azure_load_balancer'}) | to_json }}"
            tasks.append(keep(content, mark))
    return tasks


def start(project: Project, *steps: str | dict[str, Any], arguments: tuple[str, ...] = (), **options: Any) -> Running:
    """Begin to run steps of the role, or tasks."""
    tasks = [task for step in steps for task in ([step] if isinstance(step, dict) else steps_of(project, step))]
    variables = {"drain_ports": [8080], "drain_azure_load_balancer_min_up": 0}
    play = project.write("play.yml", [{"hosts": "all", "gather_facts": False, "vars": variables, "tasks": tasks}])
    return project.start_playbook(str(play), *arguments, **options)


def slow_request(cloud: clouds.Cloud, name: str) -> http.client.HTTPConnection:
    """A request that keeps its connection to a guest until it is closed, as of a client whom the load balancer sent there."""
    connection = http.client.HTTPConnection(cloud.address(name), 8080, timeout=120)
    connection.request("GET", "/slow?seconds=300", headers={"Connection": "close"})
    return connection


def states(cloud: clouds.Cloud) -> dict[str, dict[str, str]]:
    """adminState by pool and member."""
    with cloud.sim.world.lock:
        return cloud.sim.control.patch_balancer("front", {})["pools"]


def accepted(cloud: clouds.Cloud) -> list[dict[str, Any]]:
    """Writes that Azure took."""
    return [write for write in cloud.writes() if write["outcome"] != "refused"]


def test_a_wave_leaves_its_pools_and_returns_as_it_was(cloud: clouds.Cloud, project: Project) -> None:
    before = states(cloud)
    with closing(slow_request(cloud, "web-1")):
        running = start(project, "check", "learn", "drain", drain_timeout=60)
        running.wait_until(lambda: len(accepted(cloud)) == 3 and accepted(cloud)[-1]["end"] < datetime.now(UTC).isoformat(), "all pools are written")
        time.sleep(2)  # time enough for a drain that would not wait for the connection
        assert running.process.poll() is None, running.out
    run = running.finish()
    assert run.rc == 0 and "were left after" not in run.text, run.out
    assert {state for pool in states(cloud).values() for state in pool.values()} == {"Down"}
    back = start(project, "restore", "restore").finish()
    assert back.rc == 0 and states(cloud) == before, back.out
    assert len(accepted(cloud)) == 6 and [counts["changed"] for counts in back.recap().values()] == [1, 1], "what is undone is undone once"


def test_connections_that_do_not_end_and_changes_of_somebody_else(cloud: clouds.Cloud, project: Project) -> None:
    one = ("--limit", "web-1")
    with closing(slow_request(cloud, "web-1")):
        rescued = {"block": steps_of(project, "drain"), "rescue": [{"name": "It failed", "debug": {"msg": "it failed"}}]}
        late = [{**steps_of(project, "drain")[0], "vars": {"drain_on_timeout": policy}}
                for policy in ("force", "continue")]
        run = start(project, "learn", rescued, *late, arguments=one, drain_timeout=2).finish()
    assert run.rc == 0 and run.recap()["web-1"]["rescued"] == 1, run.out
    assert "connections to port 8080 did not end in 2 s; drain_on_timeout is fail" in run.text, run.out
    for policy in ("force", "continue"):
        assert f"web-1: connections to port 8080 were left after 2 s, going on all the same (drain_on_timeout: {policy})" in run.text, run.out
    assert run.text.count("they end when the services that serve them stop, or with the VM") == 1, "with force, that is"
    assert states(cloud)["web"] == {MEMBER["web-1"]: "Down", MEMBER["web-2"]: "None"}, "only the host that was drained"
    with cloud.sim.world.lock:
        cloud.sim.control.patch_balancer("front", {"pool": "web", "remove": [MEMBER["web-1"]]})
        cloud.sim.control.patch_balancer("front", {"pool": "blue", "admin_state": {MEMBER["web-1"]: "None"}})
    back = start(project, "restore", arguments=one).finish()
    assert back.rc == 0 and states(cloud)["blue"][MEMBER["web-1"]] == "None", back.out
    assert "was left alone: it is not in the pool any more" in back.text and "it was changed by another user to none meanwhile" in back.text


def test_nothing_is_written_in_check_mode_or_before_the_checks_pass(cloud: clouds.Cloud, project: Project) -> None:
    before = states(cloud)
    dry = start(project, "check", "learn", "drain", "restore", arguments=("--check",)).finish()
    assert dry.rc == 0 and cloud.writes() == [], dry.out
    project.write("host_vars/web-1.yml", {"azure_vm_id": ""})
    project.write("host_vars/web-2.yml", {"drain_azure_load_balancer_names": ["frnt"]})
    wrong = start(project, "check").finish()
    assert wrong.rc != 0 and "web-1: drain_provider azure_load_balancer needs drain_ports" in wrong.text, wrong.out
    assert "0 load balancers in subscription" in wrong.text and "there are: front" in wrong.text
    assert cloud.writes() == [] and states(cloud) == before


def test_the_last_members_of_a_pool_are_not_drained(cloud: clouds.Cloud, project: Project) -> None:
    """Of the pool blue the first is the last one up; of the pool web both are, when they leave together."""
    at_least_one, alone = {"drain_azure_load_balancer_min_up": 1}, ("--limit", "web-1")
    for arguments in ((*alone, "--check"), alone):
        run = start(project, "check", "learn", "drain", arguments=arguments, **at_least_one).finish()
        assert run.rc != 0 and cloud.writes() == [], run.out
        assert (f"drain refused: pool 'blue' of load balancer shop/front would have 0 of 2 members up ({MEMBER['web-2']} is down), "
                "drain_azure_load_balancer_min_up is 1. Nothing was drained. Bring a member up, or name the pool in drain_azure_load_balancer_allow_last"
                ) in run.text, run.out
    consent = {**at_least_one, "drain_azure_load_balancer_allow_last": ["blue"]}
    both = start(project, "check", "learn", "drain", **consent).finish()
    assert both.rc != 0 and cloud.writes() == [], both.out
    assert all(f"pool 'web' of load balancer shop/front would have 0 of 2 members up ({MEMBER[name]} is about to be drained, too)" in both.text
               for name in NAMES), both.out
    one = start(project, "check", "learn", "drain", arguments=alone, **consent).finish()
    assert one.rc == 0 and states(cloud)["web"] == {MEMBER["web-1"]: "Down", MEMBER["web-2"]: "None"}, one.out
