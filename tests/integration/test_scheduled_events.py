# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scheduled Events on guests over SSH: approving shortens a redeploy; the watch survives reboots and keeps out of a rolling run's way."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from integration import cloud as clouds
from integration.cli import Project, Run
from integration.cloud import MARK, Cloud, wait_until

NET = f"127.{90 + os.getpid() % 10}.{os.getpid() // 10 % 250}"
PORT = 8169
VMS = ("web-1", "web-2", "solo-1")
NOTICE = 300
STATE = "/etc/ansible/facts.d/azure_maintenance_watch.fact"
LOG = "/var/log/azure-maintenance-watch.log"


def small_fleet() -> dict[str, Any]:
    """Two guests of one set and one on a dynamic public address, with a metadata service each."""
    data = json.loads(json.dumps(clouds.fleet(imds={"port": PORT, "notice_seconds": NOTICE})).replace(f"{clouds.NET}.", f"{NET}."))
    data["vms"] = [vm for vm in data["vms"] if vm["name"] in VMS]
    return data


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with clouds.start(small_fleet(), tmp_path_factory.mktemp("events"), guests=True) as cloud:
        yield cloud


@pytest.fixture
def cloud(running: Cloud) -> Cloud:
    running.sim.reset()
    running.ssh("web-1", f"rm -f {MARK}")
    return running


@pytest.fixture
def project(cloud: Cloud, make_project: Any) -> Project:
    made = make_project(cloud)
    made.group_vars("all", {**clouds.variables(cloud.guests)["all"], **{
        "rollout_scheduled_events_minutes": 0, "redeploy_events_endpoint": f"http://{{{{ ansible_host }}}}:{PORT}",
        "drain_provider": ["services"], "drain_services": ["web"], "verify_ports": [8080],
    }})
    made.group_vars("availability_set_shop_web", {})
    made.write("host_vars/web-1.yml", {"redeploy_approve_events": True})
    made.write("host_vars/solo-1.yml", {"drain_provider": ["none"], "verify_ports": [], "redeploy_events_endpoint": f"http://{NET}.31:{PORT}"})
    return made


def waits(cloud: Cloud) -> dict[str, float]:
    """Seconds for which each VM was held between the start and its going down, by the ledger."""
    return {item["name"]: (datetime.fromisoformat(item["start"]) - datetime.fromisoformat(item["accepted"])).total_seconds()
            for item in cloud.writes() if item["status"] == 202}


def ask(project: Project, module: str, pattern: str, *words: str) -> Run:
    """Run a module of the collection on guests."""
    return project.run("ansible", "-i", "fleet.azure_maintenance.yml", pattern, "-m", f"fleetops.azure_maintenance.{module}", "-a",
                       " ".join(("endpoint={{ redeploy_events_endpoint }}", *words)))


def approvals(cloud: Cloud) -> list[str]:
    """Which VM approved, in order."""
    return [approval["by"] for approval in cloud.sim.world.events.approvals]


def test_check_mode_reads_nothing_and_without_an_event_nothing_is_approved(cloud: Cloud, project: Project) -> None:
    play = str(project.write("redeploy.yml", [{"hosts": "web-1", "gather_facts": False, "roles": ["fleetops.azure_maintenance.redeploy"]}]))
    check = project.playbook(play, "--check")
    assert check.rc == 0, check.out
    assert not cloud.writes() and not cloud.sim.world.events.listens(cloud.sim.fleet.named("web-1")[0]), "check mode read the endpoint"
    early = ask(project, "scheduled_events_approve", "web-1", "types=Redeploy sources=User")
    assert early.rc == 0 and '"approved": []' in early.out and not approvals(cloud), early.out


def watch(project: Project) -> Run:
    """Install the watch on web-1."""
    role = {"role": "fleetops.azure_maintenance.watch_events", "vars": {
        "watch_events_endpoint": f"http://{{{{ ansible_host }}}}:{PORT}", "watch_events_dir": "/srv/watch_events", "watch_events_interval": 1,
        "watch_events_freeze_seconds": 0,
        "watch_events_services": ["web"], "watch_events_drain": [["sh", "-c", "echo drain $AZURE_EVENT_TYPE >>/srv/calls"]],
        "watch_events_restore": [["sh", "-c", "echo restore >>/srv/calls"]]}}
    run = project.playbook(str(project.write("watch.yml", [{"hosts": "web-1", "gather_facts": False, "roles": [role]}])))
    assert run.rc == 0, run.out
    return run


def calls(cloud: Cloud) -> list[str]:
    """What the watch had the machine do."""
    return cloud.ssh("web-1", "cat /srv/calls 2>/dev/null || true").splitlines()


@pytest.mark.long
def test_the_watch_survives_a_reboot_and_double_events(cloud: Cloud, project: Project) -> None:
    cloud.ssh("web-1", "rm -f /srv/calls")
    watch(project)
    assert watch(project).recap()["web-1"]["changed"] == 0
    boot = cloud.boot_ids(["web-1"])
    cloud.patch("web-1", event={"type": "Freeze", "notice_seconds": NOTICE, "duration_seconds": 5})
    cloud.patch("web-1", event={"type": "Redeploy", "notice_seconds": NOTICE, "linger_seconds": 8})
    wait_until(lambda: approvals(cloud) == ["web-1"] * 2, "both events were approved")
    wait_until(lambda: cloud.sim.world.fleet.named("web-1")[0].state.boot_id != boot["web-1"], "the VM was moved")
    assert cloud.boot_ids(["web-1"]) != boot
    cloud.ssh("web-1", "service web stop")  # what a boot has started, the watch is to start again
    state = json.loads(cloud.ssh("web-1", f"cat {STATE}"))
    assert state["phase"] == "drained" and state["services"] == ["web"] and len(state["events"]) >= 1
    wait_until(lambda: cloud.service_up("web-1") and calls(cloud)[-1:] == ["restore"], "it was restored", 40)
    assert calls(cloud) == ["drain Freeze", "restore"] and approvals(cloud) == ["web-1"] * 2
    wait_until(lambda: cloud.ssh("web-1", f"ls {STATE} 2>/dev/null || true") == "", "nothing is left to undo")


def test_approving_shortens_a_redeploy_and_the_watch_never_fights_a_rolling_run(cloud: Cloud, project: Project) -> None:
    cloud.ssh("web-1", f"rm -f /srv/calls; : >{LOG}")
    watch(project)
    listens = ask(project, "scheduled_events_info", "solo-1")
    assert listens.rc == 0 and '"vm_name": "solo-1"' in listens.out, listens.out
    # Both listen, as with any agent that reads events. In the same wave one approves and one has to sit it out.
    cloud.patch("solo-1", operations={"default": {"waits_seconds": 8}})
    address = cloud.address("solo-1")
    run = project.playbook("rolling_redeploy", "--limit", "web-1,solo-1")
    assert run.rc == 0 and "UNREACHABLE" not in run.text, run.out
    cloud.check_ledger(["web-1", "solo-1"])
    notices = {write["name"]: write["notice_seconds"] for write in cloud.writes()}
    assert notices == {"web-1": NOTICE, "solo-1": 8} and approvals(cloud) == ["web-1"]
    assert waits(cloud)["solo-1"] >= 8 and waits(cloud)["web-1"] < NOTICE / 5, waits(cloud)
    assert cloud.address("solo-1") != address, "the run followed a changed address"
    log = cloud.ssh("web-1", f"cat {LOG}")
    assert not calls(cloud) and "keeping out of its way" in log and "draining" not in log and "approved" not in log, log
    # What comes while the host is owned is seen to once it is free again.
    cloud.ssh("web-1", f"echo '{{}}' >{MARK}")
    wait_until(lambda: cloud.ssh("web-1", f"cat {LOG}").count("keeping out of its way") >= 2, "the mark was seen")
    cloud.patch("web-1", event={"type": "Freeze", "notice_seconds": NOTICE, "duration_seconds": 2})
    assert not calls(cloud) and cloud.service_up("web-1")
    cloud.ssh("web-1", f"rm {MARK}")
    wait_until(lambda: calls(cloud) == ["drain Freeze", "restore"] and cloud.service_up("web-1"), "drained and restored", 40)
    gone = project.playbook(str(project.write("off.yml", [{"hosts": "web-1", "gather_facts": False, "roles": [
        {"role": "fleetops.azure_maintenance.watch_events", "vars": {"watch_events_state": "absent", "watch_events_dir": "/srv/watch_events"}}]}])))
    assert gone.rc == 0, gone.out
    assert cloud.ssh("web-1", "ls /srv/watch_events /etc/init.d/azure-maintenance-watch 2>/dev/null || true") == ""


def test_a_rolling_run_leaves_a_host_alone_that_the_watch_has_drained(cloud: Cloud, project: Project) -> None:
    cloud.ssh("web-2", f"echo '{{\"phase\": \"drained\"}}' >{STATE}")
    play = [{"hosts": "web-2", "gather_facts": False, "roles": ["fleetops.azure_maintenance.drain"], "vars": {"drain_timeout": 1}}]
    run = project.playbook(str(project.write("drain.yml", play)))
    assert run.rc != 0 and "the host is drained by watch_events" in run.text, run.out
    assert cloud.service_up("web-2") and not cloud.marked(["web-2"]) and not project.marks()
    # That both begin at the same moment is played in the unit tests of maintenance_mark: the two looks are too close together for a shell.
    cloud.ssh("web-2", f"rm {STATE}")


def test_what_is_no_azure_vm_says_so(cloud: Cloud, project: Project) -> None:
    run = ask(project, "scheduled_events_info", "web-1", f"endpoint=http://{NET}.77:{PORT}")
    assert run.rc != 0 and "Scheduled Events exist on Azure VMs only" in run.text, run.out
