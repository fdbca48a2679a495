# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleet files: what is read, and how a mistake is named."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from simulator.fleet import fleet_file
from simulator.fleet.generate import fleet as generated
from simulator.fleet.schema import FleetError
from simulator.wire.times import parse_when

NOW = datetime(2026, 3, 2, 10, 20, 30, tzinfo=timezone.utc)
FLEETS = Path(fleet_file.__file__).parents[1] / "fleets"


def build(data):
    """The Fleet of a file or of data."""
    return fleet_file.build(fleet_file.read(data), NOW)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data.update(colour="red"), ["unknown key 'colour'"]),
        (lambda data: data["vms"][1].update(powr="running"), ["vms[1]", "unknown key 'powr'", "did you mean 'power'"]),
        (lambda data: data["vms"][1].update(power="asleep"), ["vms[1].power", "'asleep'"]),
        (lambda data: data["vms"][1].update(wave="nope"), ["vms[1].wave", "no wave 'nope'"]),
        (lambda data: data["vms"][1].update(availability_set="nope"), ["vms[1].availability_set"]),
        (lambda data: data["vms"][1].update(update_domain=2), ["vms[1].update_domain", "not below the 2"]),
        (lambda data: data["vms"][2].update(update_domain=0), ["vms[2].update_domain", "availability set"]),
        (lambda data: data["vms"][2].update(name="APP-0"), ["vms[2].name", "twice"]),
        (lambda data: data["vms"][2].update(name=False), ["vms[2].name", "not a text"]),
        (lambda data: data["vms"][2].update(addresses={"private": "10.0.0.300"}), ["vms[2].addresses.private"]),
        (
            lambda data: data["vms"][2].update(operations={"redeploy": {"result": "maybe"}}),
            ["vms[2].operations.redeploy"],
        ),
        (
            lambda data: data["vms"][2].update(operations={"redeploy": {"after_polls": 1, "after_seconds": 1}}),
            ["vms[2].operations.redeploy", "exclude"],
        ),
        (
            lambda data: data["waves"]["now"]["self_service"].update(start="tomorrow"),
            ["waves.now.self_service", "'tomorrow'"],
        ),
        (
            lambda data: data["waves"]["now"]["self_service"].update(end="-3d"),
            ["waves.now.self_service", "ends before"],
        ),
        (lambda data: data.update(faults=[{"match": {"path": "("}, "status": 500}]), ["faults[0].match.path"]),
        (lambda data: data.update(faults=[{"match": {}}]), ["faults[0]", "says no fault"]),
        (lambda data: data.update(status_only="some"), ["status_only", "'some'"]),
        (lambda data: data["credentials"][0].pop("client_secret"), ["credentials[0]", "'client_secret' is missing"]),
    ],
)
def test_mistakes_are_named(small, change, words):
    change(small)
    with pytest.raises(FleetError) as caught:
        build(small)
    assert all(word in str(caught.value) for word in words), caught.value


def test_a_missing_or_broken_file(tmp_path):
    with pytest.raises(FleetError, match="nope.yml"):
        fleet_file.read(tmp_path / "nope.yml")
    (tmp_path / "broken.yml").write_text("vms: [", encoding="utf-8")
    with pytest.raises(FleetError, match="broken.yml"):
        fleet_file.read(tmp_path / "broken.yml")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("now", 0),
        ("-2d", -172800),
        ("+30d", 2592000),
        ("+1d12h", 129600),
        ("-90s", -90),
        ("+1.5h", 5400),
        ("+1w", 604800),
    ],
)
def test_relative_times(text, seconds):
    assert parse_when(text, NOW) - NOW == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["2026-03-02T10:20:30Z", "2026-03-02T10:20:30", "2026-03-02T12:20:30+02:00"])
def test_absolute_times(text):
    assert parse_when(text, datetime.min) == NOW


@pytest.mark.parametrize("text", ["2d", "+2y", "", None, 3, "soon"])
def test_no_times(text):
    with pytest.raises(ValueError, match="not a time"):
        parse_when(text, NOW)


def test_windows_begin_on_the_minute(small):
    start, end = build(small).waves["now"].self_service
    assert start == datetime(2026, 2, 28, 10, 20, tzinfo=timezone.utc) and end - start == timedelta(days=30)


def test_defaults_are_laid_under(small):
    small["defaults"]["tags"] = {"owner": "us"}
    fleet = build(small)
    tags = fleet.named("app-0")[0].state.tags
    assert tags == {"owner": "us", "tier": "1"}
    assert fleet.named("solo")[0].state.wave == "now" and fleet.named("calm")[0].state.wave is None


def test_update_domains_are_dealt_out_when_not_given(small):
    for vm in small["vms"][:2]:
        vm.pop("update_domain")
    assert [vm.update_domain for vm in build(small).named("app-0") + build(small).named("app-1")] == [0, 1]


def test_the_demo_fleet():
    fleet = build(FLEETS / "demo.yml")
    names = {vm.name: vm for vm in fleet.vms.values()}
    assert len(names) == 18
    assert [names[f"web-{n:02d}"].update_domain for n in range(1, 7)] == [0, 0, 1, 1, 2, 2]
    assert [names[f"db-{n:02d}"].update_domain for n in range(1, 4)] == [0, 1, 2]
    assert names["batch-01"].dynamic and names["batch-01"].guest_address == "127.30.0.31"
    assert names["api-02"].priority == "Spot" and names["api-01"].zone == "1" and names["api-02"].zone == "2"
    assert names["cache-01"].ephemeral_os and names["old-01"].state.power == "deallocated"
    assert (names["mail-01"].state.code, names["mail-01"].state.allowed) == ("MaintenanceCompleted", True)
    assert (names["legacy-01"].state.code, names["legacy-01"].state.allowed) == ("MaintenanceAborted", False)
    assert {name for name, vm in names.items() if vm.guest is None} == {"old-01"}
    assert {name for name, vm in names.items() if vm.state.wave is None} == {"lb-01", "bastion-01"}


def test_generated_fleets():
    fleet = build(generated(100, set_size=6, update_domains=3, page_size=7))
    assert len(fleet.vms) == 100 and fleet.page_size == 7
    assert sum(vm.set is None for vm in fleet.vms.values()) == 25
    for group in fleet.sets:
        assert len(fleet.members(group)) <= 6
        assert {vm.region for vm in fleet.members(group)} == {group.region}
    assert {vm.update_domain for vm in fleet.members(fleet.sets[0])} == {0, 1, 2}
