# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two guest modules in this process, against the metadata service of a simulated VM."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from simulator.server import Simulator

from ansible_collections.fleetops.azure_maintenance.plugins.modules import scheduled_events_approve, scheduled_events_info

NET = f"127.{200 + os.getpid() % 40}.{os.getpid() // 40 % 250}"
FLEET = {
    "regions": {"westeurope": {"display": "West Europe"}},
    "availability_sets": [{"name": "web", "resource_group": "shop", "region": "westeurope"}],
    "defaults": {"resource_group": "shop", "region": "westeurope", "availability_set": "web"},
    "agent_after_seconds": 0,
    "vms": [{"name": f"web-{n}", "addresses": {"private": f"{NET}.1{n}"}} for n in (0, 1)],
    "imds": {"port": 8169},
}
SAFE = {"types": ["Redeploy"], "sources": ["User"]}


class Vms:
    """Two VMs of one set; modules run on the first."""

    def __init__(self, simulator: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
        self.sim, self._capsys = simulator, capsys

    def run(self, module, code=0, *, check=False, **params):
        options = {"endpoint": f"http://{NET}.10:8169", "_ansible_check_mode": check, **params}
        with patch_module_args(options), pytest.raises(SystemExit) as ended:
            module.main()
        result = json.loads(self._capsys.readouterr().out)
        assert ended.value.code == code, result
        return result

    def info(self, **params):
        return self.run(scheduled_events_info, **params)

    def approve(self, code=0, **params):
        return self.run(scheduled_events_approve, code, **params)

    def redeploy(self, name="web-0"):
        with self.sim.world.lock:
            self.sim.world.engine.begin(self.sim.fleet.named(name)[0], "redeploy", caller="me")

    def raise_event(self, name="web-0", **event):
        with self.sim.world.lock:
            return self.sim.control.patch(name, {"event": event}).get("id")

    def posts(self):
        return [approval["event"] for approval in self.sim.world.events.approvals]

    def listens(self):
        with self.sim.world.lock:
            return self.sim.world.events.listens(self.sim.fleet.named("web-1")[0])


@pytest.fixture
def vms(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with Simulator(FLEET, tmp_path / "state") as simulator:
        yield Vms(simulator, capsys)


def test_info_is_as_documented_and_turns_listening_on(vms):
    assert not vms.listens()
    assert vms.info()["events"] == [] and vms.listens()
    vms.redeploy()
    vms.redeploy("web-1")
    result = vms.info()
    documented = yaml.safe_load(scheduled_events_info.RETURN)
    assert set(result) - {"invocation", "changed"} == set(documented) - {"failure"} and result["changed"] is False
    assert [event["resources"] for event in result["events"]] == [["web-0"]] and result["vm_name"] == "web-0"
    assert set(result["events"][0]) == set(documented["events"]["contains"])
    assert len(vms.info(only_own=False)["events"]) == 2


@pytest.mark.parametrize("name", ["info", "approve"])
def test_check_mode_reads_nothing(vms, name):
    result = vms.info(check=True) if name == "info" else vms.approve(check=True, **SAFE)
    assert result["skipped"] and "turns Scheduled Events on" in result["msg"] and not result["changed"]
    assert not vms.listens() and not vms.posts()


def test_approval_by_filter_takes_ours_only_and_once(vms):
    vms.info()
    vms.raise_event("web-0", type="Redeploy")
    vms.raise_event("web-0", type="Freeze")
    vms.redeploy("web-1")
    assert vms.approve(**SAFE)["changed"] is False and not vms.posts()
    vms.redeploy("web-0")
    result = vms.approve(**SAFE)
    assert result["changed"] and result["approved"] == vms.posts() == [event["id"] for event in result["events"]]
    again = vms.approve(**SAFE)
    assert again["changed"] is False and again["approved"] == [] and len(vms.posts()) == 1


def test_an_event_of_others_too_needs_them_as_companions(vms):
    vms.info()
    number = vms.raise_event("web-0", type="Freeze", duration_seconds=900, **{"with": ["web-1"]})
    platform = {"types": ["Freeze"], "sources": ["Platform"]}
    assert vms.approve(**platform)["approved"] == []
    assert vms.approve(**platform, companions=["WEB-1"])["approved"] == [number]
    assert vms.approve(**platform, companions=["web-1"])["already_started"] == [number]


def test_named_events(vms):
    vms.info()
    number = vms.raise_event("web-1", type="Freeze", duration_seconds=900)
    gone = "00000000-0000-4000-8000-000000000000"
    result = vms.approve(event_ids=[number.upper(), gone])
    assert (result["approved"], result["gone"]) == ([number], [gone])
    assert vms.approve(event_ids=[number])["already_started"] == [number] and len(vms.posts()) == 1


def test_no_event_named_is_none_approved(vms):
    vms.info()
    vms.redeploy()
    result = vms.approve(event_ids=[], wait=60)
    assert (result["changed"], result["approved"], result["gone"], result["events"]) == (False, [], [], []) and not vms.posts()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_delayed_approval_comes_after_the_answer(vms):
    vms.info()
    vms.redeploy()
    result = vms.approve(**SAFE, delay=1)
    assert result["changed"] and result["approved"] and not vms.posts(), "the answer comes first"
    deadline = time.monotonic() + 10
    while not vms.posts() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert vms.posts() == result["approved"]


def test_an_event_that_ends_before_its_approval_is_gone(vms, monkeypatch):
    vms.info()
    number = vms.raise_event("web-0")
    approve = scheduled_events_approve.Client.approve

    def too_late(self, event_ids):
        vms.raise_event("web-0", cancel=True)
        approve(self, event_ids)

    monkeypatch.setattr(scheduled_events_approve.Client, "approve", too_late)
    result = vms.approve(event_ids=[number])
    assert (result["approved"], result["gone"], result["changed"]) == ([], [number], False)


def test_it_waits_for_the_event(vms, monkeypatch):
    vms.info()
    monkeypatch.setattr(scheduled_events_approve.time, "sleep", lambda seconds: vms.redeploy())
    assert len(vms.approve(**SAFE, wait=5)["approved"]) == 1


@pytest.mark.parametrize("params", [{}, {"types": ["Redeploy"]}, {"sources": ["User"]}, {"event_ids": ["x"], "types": ["Redeploy"], "sources": ["User"]}])
def test_no_approval_without_saying_of_what(vms, params):
    result = vms.approve(1, **params)
    assert result["failed"] and not vms.listens()


@pytest.mark.parametrize("module", [scheduled_events_info, scheduled_events_approve])
def test_no_azure_vm(vms, module):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    result = vms.run(module, 1, endpoint=url, **(SAFE if module is scheduled_events_approve else {}))
    assert result["failure"]["kind"] == "not_azure" and "Azure VMs only" in result["msg"]
