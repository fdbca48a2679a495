# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole rollout under load, and once more: not one request fails, few modules run on each guest, and a second run changes nothing.

Sets behind two balancers, a single VM on a dynamic public address that is drained by tasks of the user's own, and a database in the paired region.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from integration import cloud as clouds
from integration import fleets, load, module_counts, run_log
from integration.cli import Project, Run
from integration.cloud import Cloud, wait_until
from integration.conftest import environment

NET = f"127.{100 + os.getpid() % 40}.{os.getpid() // 40 % 250}"
LONG = bool(os.environ.get("LONG"))
# 24 guests take their time; with fewer the same is shown sooner.
SETS, DOMAINS, MEMBERS = (3, 4, 2) if LONG else (2, 3, 1)
OTHERS = ("solo-1", "ne-1")
# Options as -e gives them, all text; and what names nobody is no error of the user's.
TEXTS = (
    "drain_timeout=30 drain_mark=true verify_timeout=30 verify_port_timeout=10 verify_warmup_seconds=1 redeploy_timeout=90 redeploy_poll_interval=1 "
    "redeploy_settle_seconds=4 redeploy_retries=1 redeploy_retry_pause=5 redeploy_approve_events=false redeploy_approve_scheduled_events=false "
    "rollout_partial_wave=false rollout_break_glass=false rollout_error_budget=1 rollout_soak_minutes=0 rollout_lanes=1 rollout_max_parallel=8 "
    "rollout_scheduled_events_minutes=10 rollout_drain_minutes=0 rollout_minutes_per_vm=1 rollout_include_unlisted=false"
)
STRICT = {"ANSIBLE_HOST_PATTERN_MISMATCH": "error"}
SLOW_CLIENTS = 8
"""For each balancer: so many that of a wave's guests some answer one just then."""
RUN_SECONDS = 500
MODULES_IN_A_WAVE = 8
COUNTERS = ("econ", "eresp", "wretr", "wredis", "hrsp_4xx", "hrsp_5xx", "srv_abrt")
"""Of HAProxy: connections and answers of servers that failed, requests sent once more, errors answered, transfers a server broke off."""
pytestmark = [pytest.mark.long] if LONG else []


@dataclass(frozen=True, repr=False)
class Evidence:
    """What was seen of one run under load. Times are seconds since 1970; waves, of the sets, are in the order in which they were down."""

    cloud: Cloud
    project: Project
    due: list[str]
    run: Run
    log: Path
    boot_ids: tuple[dict[str, str], dict[str, str]]
    addresses: tuple[str, str]
    wrk: dict[str, dict[str, Any]]
    held: list[load.Held]
    watches: dict[str, load.Watch]
    counters: dict[str, dict[str, int]]
    modules: dict[str, list[str]]

    def down(self) -> dict[str, tuple[float, float]]:
        """From when to when each VM behind the balancers was out of service, by the ledger; fails if one was not redeployed."""
        spans = {write["name"]: (seconds(write["start"]), seconds(write["end"])) for write in self.cloud.writes() if write["end"] and write["name"] in self.due}
        assert set(self.due) <= set(spans), f"not redeployed: {sorted(set(self.due) - set(spans))}\n{self.run.out[-3000:]}"
        return spans

    def waves(self) -> list[tuple[float, float]]:
        """The span of each wave: one update domain of all sets."""
        spans = self.down()
        domains = [[spans[name] for name in self.due if name.rpartition("-")[2].startswith(str(domain))] for domain in range(DOMAINS)]
        return sorted((min(start for start, _end in wave), max(end for _start, end in wave)) for wave in domains)


def seconds(text: str) -> float:
    """A time of the ledger."""
    return datetime.fromisoformat(text).timestamp()


def fleet() -> dict[str, Any]:
    """Many, and the two others."""
    data = fleets.many(NET, SETS, DOMAINS, MEMBERS)
    data["regions"] = {"westeurope": {"display": "West Europe", "paired": ["northeurope"]}, "northeurope": {"display": "North Europe", "paired": []}}
    data["vms"] += [
        {"name": "solo-1", "addresses": {"private": f"{NET}.231", "public": f"{NET}.232", "dynamic": True}, "guest": {"reach": "public"}},
        {"name": "ne-1", "resource_group": "shop-ne", "region": "northeurope", "addresses": {"private": f"{NET}.241"}, "guest": {"services": ["db"]}}]
    return data


@pytest.fixture(scope="module")
def behind_balancers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Guests behind two balancers, all in service."""
    if not shutil.which("wrk"):
        pytest.skip("wrk is missing: apt-get install wrk")
    with clouds.start(fleet(), tmp_path_factory.mktemp("traffic"), guests=True) as cloud:
        for balancer in fleets.BALANCERS:
            wait_until(lambda name=balancer: set(cloud.backends(name).values()) == {"UP"}, f"all servers of {balancer} are up")
        yield cloud


def user(cloud: Cloud, folder: Path, home: Path, **variables: str) -> Project:
    """What a user wrote down for this fleet, and these variables of all hosts."""
    connection = {**clouds.variables(cloud.guests)["all"], **variables}
    drain = {**fleets.drained_by(fleets.BALANCERS), "verify_urls": [f"http://{{{{ ansible_host }}}}:{fleets.PORT}/healthz"]}
    return Project(folder / "project", environment(cloud, home), {"all": connection, "maintenance_due": drain})


@dataclass(frozen=True)
class Refused:
    """A run, or its check, that would take the last servers of a backend; the servers as the balancers then have them."""

    run: Run
    servers: dict[str, dict[str, str]]
    posts: dict[str, int]
    left: list[str]


@pytest.fixture(scope="module")
def last_ones(behind_balancers: Cloud) -> list[str]:
    """Of the guests the first wave: each set's first domain. None is the last one up; all together they are."""
    return [name for name in fleets.due(behind_balancers.data) if name.rpartition("-")[2].startswith("0")]


@pytest.fixture(scope="module", params=["--check", "-v"], ids=["check", "run"])
def refused(behind_balancers: Cloud, last_ones: list[str], request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, home: Path) -> Refused:
    """All other servers of one balancer are in maintenance."""
    cloud, balancer = behind_balancers, fleets.BALANCERS[1]
    others = [name for name in fleets.due(cloud.data) if name not in last_ones]
    project = user(cloud, tmp_path_factory.mktemp("refused"), home)
    cloud.haproxy("; ".join(f"set server web/{name} state maint" for name in others), balancer)
    try:
        run = project.playbook("rolling_redeploy", request.param, "--limit", ",".join([*last_ones, *fleets.BALANCERS]), "-e", TEXTS)
        servers = {name: cloud.backends(name) for name in fleets.BALANCERS}
    finally:
        cloud.haproxy("; ".join(f"set server web/{name} state ready" for name in others), balancer)
        for name in fleets.BALANCERS:
            wait_until(lambda name=name: set(cloud.backends(name).values()) == {"UP"}, f"all servers of {name} are up")
    notes = [f"{name}: {note}" for name in fleets.BALANCERS for note in cloud.ssh(name, "ls /etc/ansible/facts.d 2>/dev/null || true").split()]
    return Refused(run, servers, cloud.posts(), [*notes, *cloud.marked(last_ones), *project.marks()])


@pytest.fixture(scope="module")
def evidence(behind_balancers: Cloud, tmp_path_factory: pytest.TempPathFactory, home: Path) -> Evidence:
    """One whole run under load, seen from outside."""
    cloud, folder = behind_balancers, tmp_path_factory.mktemp("run")
    python = module_counts.install(folder, str(cloud.guests["python"]))
    project = user(cloud, folder, home, ansible_python_interpreter=str(python))
    project.write("host_vars/ne-1.yml", {"drain_provider": ["services"], "drain_services": ["db"], "verify_ports": [5432], "verify_urls": []})
    files = {name: [call(project, name)] for name in ("drain", "restore", "probe")}
    paths = {name: [str(project.write(f"files/{name}.yml", tasks))] for name, tasks in files.items()}
    project.write("host_vars/solo-1.yml", {
        "drain_provider": ["tasks"], "drain_tasks": paths["drain"], "drain_restore_tasks": paths["restore"], "verify_tasks": paths["probe"],
        "drain_services": [], "verify_ports": [], "verify_urls": []})
    return watched_run(cloud, project, folder / "ansible.log")


def call(project: Project, name: str) -> dict[str, Any]:
    """A task that notes who was called."""
    line = {"path": str(project.folder / "calls"), "line": f"{name} {{{{ inventory_hostname }}}}", "create": True, "mode": "0600"}
    return {"name": name, "ansible.builtin.lineinfile": line, "delegate_to": "localhost"}


@dataclass(frozen=True)
class Again:
    """A second run when all is done."""

    run: Run
    boot_ids: dict[str, str]


@pytest.fixture(scope="module")
def again(evidence: Evidence) -> Again:
    run = evidence.project.playbook("rolling_redeploy", "-e", TEXTS, env=STRICT)
    return Again(run, evidence.cloud.boot_ids([*evidence.due, *OTHERS]))


def watched_run(cloud: Cloud, project: Project, log: Path) -> Evidence:
    """Run with clients at both balancers before, during and after."""
    due = fleets.due(cloud.data)
    addresses = {name: cloud.address(name) for name in fleets.BALANCERS}
    before, address = cloud.boot_ids([*due, *OTHERS]), cloud.address("solo-1")
    watches = {name: load.Watch(cloud.ssh_command(name), str(cloud.guests["python"])) for name in addresses}
    clients = {f"{name} {'keeps' if keep else 'closes'}": load.Wrk(f"http://{address}:{fleets.PORT}/", keep=keep)
               for name, address in addresses.items() for keep in (True, False)}
    slow = load.SlowClients(addresses, SLOW_CLIENTS, fleets.PORT)
    try:
        time.sleep(1)
        run = project.start_playbook("rolling_redeploy", "-e", TEXTS, env={"ANSIBLE_LOG_PATH": str(log), **STRICT}).finish(RUN_SECONDS)
        time.sleep(1)
    finally:
        answers = {name: client.stop() for name, client in clients.items()}
        held = slow.stop()
        for watch in watches.values():
            watch.stop()
    counters = {name: {counter: int(cloud.balancer_stats(name)["BACKEND"][counter]) for counter in COUNTERS} for name in addresses}
    modules = module_counts.executions(cloud.sim.directory, due, run_log.play_began(log, "Redeploy wave by wave"))
    after = cloud.boot_ids([*due, *OTHERS])
    return Evidence(cloud, project, due, run, log, (before, after), (address, cloud.address("solo-1")), answers, held, watches, counters, modules)


def test_the_last_servers_of_a_backend_are_not_drained_together(refused: Refused, last_ones: list[str]) -> None:
    """Each host alone would leave one up. The check says so as well, and neither writes or drains anything."""
    run = refused.run
    assert run.rc != 0 and not refused.posts and refused.left == [], run.out
    for host in last_ones:
        (said,) = [line for line in run.out.splitlines() if f"FAILED {host} " in line]
        total, gone = len(refused.servers["lb-2"]), [name for name in last_ones if name != host]
        assert f"drain refused: backend 'web' on lb-2 would have 0 of {total} servers up (" in said and "left: in service" in said
        assert all(f"{name} is about to be drained, too" in said for name in gone) and "drain_haproxy_min_up is 1. Nothing was drained. Bring a" in said
        assert {servers[host] for servers in refused.servers.values()} == {"UP"}
    assert set(refused.servers["lb-1"].values()) == {"UP"}


def test_each_vm_is_redeployed_once_and_domains_keep_their_distance(evidence: Evidence) -> None:
    assert evidence.run.rc == 0, evidence.run.out
    evidence.cloud.check_ledger([*evidence.due, *OTHERS])
    assert all(write["status"] == 202 and write["outcome"] == "completed" for write in evidence.cloud.writes())
    before, after = evidence.boot_ids
    assert [name for name in before if before[name] == after[name]] == []
    waves = evidence.waves()
    assert all(one[1] <= other[0] for one, other in zip(waves, waves[1:], strict=False)), waves


def test_no_request_fails(evidence: Evidence) -> None:
    """Every client is answered 200 each time, before, in and after each wave; no balancer had to try anything twice."""
    for name, seen in evidence.wrk.items():
        assert not any(seen["errors"].values()) and seen["other"] == 0, (name, seen)
        assert 0 <= seen["asked"] - seen["answered"] <= load.Wrk.CONNECTIONS, (name, seen)
        moments = {float(tenth): count for tenth, count in seen["tenths"].items()}
        assert sum(moments.values()) == seen["answered"]
        edges = [0.0, *(edge for wave in evidence.waves() for edge in wave), float("inf")]
        parts = [sum(count for tenth, count in moments.items() if start <= tenth < end) for start, end in zip(edges, edges[1:], strict=False)]
        assert all(parts), f"{name}: requests before, in, between and after the waves: {parts}"
    assert evidence.counters == {name: dict.fromkeys(COUNTERS, 0) for name in fleets.BALANCERS}


def test_long_requests_are_received_whole(evidence: Evidence) -> None:
    """In every wave clients held requests open on guests that were then drained: it waited for their end, and no session was cut."""
    assert [held for held in evidence.held if held.trouble] == []
    down = evidence.down()
    waited: dict[str, int] = {}
    for name, (start, _end) in down.items():
        for balancer, watch in evidence.watches.items():
            assert watch.last_sessions(name, start) == 0, (name, balancer)
            left = watch.left(name, start)
            waited[name] = waited.get(name, 0) + sum(held.server == name and held.balancer == balancer and held.sent < left < held.over
                                                     for held in evidence.held)
    by_wave = [sum(waited[name] for name, (start, _end) in down.items() if wave[0] <= start <= wave[1]) for wave in evidence.waves()]
    assert len(by_wave) == DOMAINS and all(by_wave), by_wave


def test_all_is_back_in_service(evidence: Evidence) -> None:
    cloud = evidence.cloud
    for balancer in fleets.BALANCERS:
        wait_until(lambda name=balancer: cloud.backends(name) == dict.fromkeys(evidence.due, "UP"), f"all servers of {balancer} are up")
    assert all(cloud.service_up(name) for name in evidence.due) and cloud.service_up("ne-1", "db")
    assert cloud.marked([*evidence.due, *OTHERS]) == [] and evidence.project.marks() == []


def test_the_report_says_that_all_succeeded(evidence: Evidence) -> None:
    report = json.loads((evidence.project.journal / "report.json").read_text(encoding="utf-8"))
    assert {vm["name"]: vm["outcome"] for vm in report["vms"]} == dict.fromkeys([*evidence.due, *OTHERS], "succeeded") and not report["not_started"]


def test_a_changed_address_is_followed(evidence: Evidence) -> None:
    before, after = evidence.addresses
    assert before != after


def test_tasks_of_the_users_own_are_run_in_their_order(evidence: Evidence) -> None:
    calls = (evidence.project.folder / "calls").read_text(encoding="utf-8").splitlines()
    assert calls == ["drain solo-1", "restore solo-1", "probe solo-1"]


def test_a_second_run_has_nothing_to_do_and_changes_nothing(evidence: Evidence, again: Again) -> None:
    assert again.run.rc == 0 and "Nothing to do" in again.run.text, again.run.out
    assert not any(counts["changed"] for counts in again.run.recap().values())
    evidence.cloud.check_ledger([*evidence.due, *OTHERS])
    assert again.boot_ids == evidence.boot_ids[1]


def test_few_modules_run_on_a_guest_in_its_wave(evidence: Evidence) -> None:
    """Drain, redeploy, verify, restore; what the preparation learnt of all hosts at once is not counted."""
    said = module_counts.table(evidence.modules)
    print(f"\nmodule executions on guests, from the first wave on:\n{said}")
    assert all(evidence.modules.values()), said
    assert max(map(len, evidence.modules.values())) <= MODULES_IN_A_WAVE, said
