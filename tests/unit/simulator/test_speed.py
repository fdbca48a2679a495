# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes big fleets cheap, and that it never shows: kept items are as fresh as new ones; latency blocks nobody."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from simulator.fleet import generate
from simulator.views.items import Items

VMS = "providers/Microsoft.Compute/virtualMachines"
LISTS = (VMS, f"{VMS}?statusOnly=true", f"resourceGroups/alpha/{VMS}?$expand=instanceView")


def listed(arm, name="solo"):
    """What each list says about a VM."""
    return [next(item for item in arm.get(target)["value"] if item["name"] == name) for target in LISTS]


@pytest.mark.parametrize(
    "changes",
    [{"power": "stopped"}, {"tags": {"a": "b"}}, {"code": "RetryLater"}, {"wave": None}, {"agent": "not_ready"}],
)
def test_a_change_shows_at_once(arm, changes):
    before = listed(arm)
    assert listed(arm) == before
    arm.control("POST", "vms/solo", changes)
    after = listed(arm)
    assert all(new != old for new, old in zip(after, before, strict=True))
    assert set(after[1]["properties"]["instanceView"]) == set(arm.view("solo"))


def test_a_change_renders_one_item_anew(arm, monkeypatch):
    arm.follow(VMS)
    rendered = []
    view = arm.simulator.world.view
    original = view.models.vm
    monkeypatch.setattr(view.models, "vm", lambda vm, identity: rendered.append(vm.name) or original(vm, identity))
    arm.follow(VMS)
    arm.control("POST", "vms/calm", {"tags": {"a": "b"}})
    arm.follow(VMS)
    assert rendered == ["calm"]


def test_windows_open_and_close_in_kept_items(arm):
    def allowed():
        view = listed(arm, "later")[1]["properties"]["instanceView"]
        return view["maintenanceRedeployStatus"]["isCustomerInitiatedMaintenanceAllowed"]

    assert not allowed()
    arm.control("POST", "clock", {"advance": "4d"})
    assert allowed()
    arm.control("POST", "clock", {"advance": "30d"})
    assert not allowed()


def test_an_operation_shows_at_every_step(run, small):
    arm = run(small | {"agent_after_seconds": 60, "operations": {"default": {"after_seconds": 30}}})

    def seen():
        view = listed(arm)[1]["properties"]["instanceView"]
        codes = [status["code"] for status in view["statuses"]]
        return codes, view["vmAgent"]["statuses"][0]["displayStatus"]

    assert seen() == (["ProvisioningState/succeeded", "PowerState/running"], "Ready")
    arm.post("solo")
    assert seen() == (["ProvisioningState/updating", "PowerState/starting"], "Not Ready")
    arm.control("POST", "clock", {"seconds": 31})
    assert seen() == (["ProvisioningState/succeeded", "PowerState/running"], "Not Ready")
    arm.control("POST", "clock", {"seconds": 61})
    assert seen() == (["ProvisioningState/succeeded", "PowerState/running"], "Ready")


def test_items_follow_the_fleet_s_way_to_render(arm):
    before = listed(arm)[1]
    arm.simulator.fleet.status_only = "minimal"
    assert set(listed(arm)[1]["properties"]["instanceView"]) == {"statuses"} != set(before)


def test_a_kept_item_costs_next_to_nothing(run):
    """Not a benchmark: a hundred times what it takes, so that only losing the cache fails it."""
    arm = run(generate.fleet(300, subscriptions=2, scale_sets=0.2, affected_every=10))
    world = arm.simulator.world
    keeper = Items(world.fleet, world.clock).keeper("model", world.view.listed)
    vms = world.fleet.listed(next(iter(world.fleet.subscriptions)))
    first = [keeper(vm) for vm in vms]
    began = time.perf_counter()
    again = [keeper(vm) for vm in vms]
    assert (time.perf_counter() - began) / len(vms) < 0.0002
    assert all(new is old for new, old in zip(again, first, strict=True))


def test_latency_delays_each_answer_and_blocks_nobody(arm):
    arm.get(VMS)
    assert arm.control("POST", "latency", {"ms": 300}) == {"ms": 300.0}
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _number: arm.call("GET", VMS)[0], range(8))) == [200] * 8
    assert 0.3 <= time.monotonic() - began < 1.5
    began = time.monotonic()
    arm.control("GET", "clock")
    assert time.monotonic() - began < 0.3


def test_latency_of_a_fleet_and_of_a_start(run, small):
    assert run(small | {"latency_ms": 20}).simulator.fleet.latency_ms == 20
    assert run(small | {"latency_ms": 20}, "other", latency_ms=1).simulator.fleet.latency_ms == 1


def test_generated_fleets_are_mixed(run):
    arm = run(generate.fleet(500, subscriptions=2, scale_sets=0.2, affected_every=10, page_size=100))
    fleet = arm.simulator.fleet
    assert len(fleet.vms) == 500 and len(fleet.subscriptions) == 2
    assert {len(fleet.listed(name)) + sum(
        len(fleet.members(group)) for group in fleet.scale_sets_in(name) if group.uniform
    ) for name in fleet.subscriptions} == {250}
    assert {group.update_domains for group in fleet.sets} >= {5, 20}
    assert {group.orchestration for group in fleet.scale_sets.values()} == {"uniform", "flexible"}
    assert sum(vm.state.wave is not None for vm in fleet.vms.values()) == 50
    items, pages = arm.follow(VMS)
    assert pages == len(items) // 100 + 1
    assert len({item["id"].lower() for item in items}) == len(items)
