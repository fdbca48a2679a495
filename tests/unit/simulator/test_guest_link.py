# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests follow the life of their VMs."""

from __future__ import annotations

import threading

import pytest
from simulator.runtime.guest_link import StartError


class FakeGuests:
    """Records what is asked of it; booting ``slow`` guests waits for a signal, ``broken`` ones fail."""

    def __init__(self):
        self.calls, self.up, self.count = [], {}, 0
        self.go = threading.Event()
        self.go.set()
        self.broken = set()

    def create(self, name, address, spec):
        self.calls.append(("create", name, address, spec))

    def boot(self, name, address, boot_id=None):
        self.go.wait(5)
        if name in self.broken:
            raise RuntimeError("no power")
        self.count += 1
        self.up[name] = address
        self.calls.append(("boot", name, address, boot_id))
        return boot_id or f"boot-{self.count}"

    def halt(self, name):
        self.up.pop(name, None)
        self.calls.append(("halt", name))

    def wipe_os(self, name):
        self.calls.append(("wipe", name))

    def stop_all(self):
        self.calls.append(("stop_all",))

    def describe(self):
        return {"user": "root"}


@pytest.fixture
def fleet(small):
    """Three VMs with guests, one of them deallocated, one reached by its public address."""
    small["vms"][0]["guest"] = {"services": ["web"]}
    small["vms"][2]["guest"] = {"reach": "public"}
    small["vms"][5]["guest"] = {}
    return small


def wait_until(arm, condition):
    """Wait for guest jobs."""
    with arm.simulator.world.engine.changed:
        assert arm.simulator.world.engine.changed.wait_for(condition, 5)


def test_start_and_stop(run, fleet):
    guests = FakeGuests()
    arm = run(fleet, guests=guests)
    assert guests.up == {"app-0": "10.1.0.4", "solo": "20.50.0.6"}
    assert ("create", "app-0", "10.1.0.4", {"services": ["web"]}) in guests.calls
    assert ("create", "solo", "20.50.0.6", {}) in guests.calls
    assert arm.control("GET", "state")["guests"] == {"user": "root"}
    arm.simulator.stop()
    assert guests.calls[-1] == ("stop_all",)


def test_a_redeploy_halts_and_boots(run, fleet):
    guests = FakeGuests()
    arm = run(fleet | {"operations": {"default": {"after_seconds": 60}}}, guests=guests)
    before = arm.simulator.fleet.named("solo")[0].state.boot_id
    answer = arm.post("solo")
    wait_until(arm, lambda: "solo" not in guests.up)
    guests.go.clear()
    arm.simulator.clock.advance(61)
    assert arm.poll(answer)["status"] == "InProgress", "it ends with the guest, not with the clock"
    assert arm.simulator.ledger()[0]["end"] is None
    guests.go.set()
    vm = arm.simulator.fleet.named("solo")[0]
    wait_until(arm, lambda: vm.state.operation is None)
    assert guests.up["solo"] == vm.state.public != "20.50.0.6"
    assert vm.state.boot_id not in (None, before)
    assert arm.poll(answer)["status"] == "Succeeded"


def test_an_ephemeral_os_disk_is_wiped(run, fleet):
    fleet["vms"][0]["ephemeral_os"] = True
    guests = FakeGuests()
    arm = run(fleet, guests=guests)
    arm.post("app-0", "restart")
    wait_until(arm, lambda: not arm.simulator.world.engine.running)
    assert ("wipe", "app-0") not in guests.calls
    arm.post("app-0", "redeploy")
    wait_until(arm, lambda: not arm.simulator.world.engine.running)
    assert [call[0] for call in guests.calls[-3:]] == ["halt", "wipe", "boot"]


@pytest.mark.parametrize("result", ["retry_later", "aborted"])
def test_an_untouched_guest_stays_up(run, fleet, result):
    guests = FakeGuests()
    arm = run(fleet | {"operations": {"default": result}}, guests=guests)
    arm.post("solo")
    assert ("halt", "solo") not in guests.calls and "solo" in guests.up


def test_a_guest_that_does_not_boot_fails_the_operation(run, fleet, capsys):
    guests = FakeGuests()
    arm = run(fleet, guests=guests)
    guests.broken.add("solo")
    answer = arm.post("solo", "redeploy")
    wait_until(arm, lambda: not arm.simulator.world.engine.running)
    assert arm.poll(answer)["error"]["code"] == "VMStartTimedOut"
    assert "no power" in capsys.readouterr().err


def test_power_by_control_path(run, fleet):
    guests = FakeGuests()
    arm = run(fleet, guests=guests)
    arm.control("POST", "vms/solo", {"power": "deallocated"})
    arm.simulator._link.finish_jobs()
    assert "solo" not in guests.up
    arm.control("POST", "vms/solo", {"power": "running"})
    arm.simulator._link.finish_jobs()
    assert "solo" in guests.up


def test_restart_from_saved_state_keeps_boot_ids(run, fleet):
    arm = run(fleet | {"operations": {"default": {"after_polls": 1}}}, guests=FakeGuests())
    kept = arm.simulator.fleet.named("app-0")[0].state.boot_id
    answer = arm.post("solo", "redeploy")
    arm.simulator.stop()
    guests = FakeGuests()
    again = run(fleet | {"operations": {"default": {"after_polls": 1}}}, guests=guests)
    assert ("boot", "app-0", "10.1.0.4", kept) in guests.calls
    assert "solo" not in guests.up, "it was out of service, and still is"
    assert again.poll(answer)["status"] == "InProgress"
    again.poll(answer)
    wait_until(again, lambda: "solo" in guests.up)


def test_guests_that_do_not_start_are_all_named(run, fleet):
    guests = FakeGuests()
    guests.broken |= {"app-0", "solo"}
    with pytest.raises(StartError, match="app-0, solo; the first one said: no power"):
        run(fleet, guests=guests)
