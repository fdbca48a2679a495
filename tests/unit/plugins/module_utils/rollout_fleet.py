# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual machines and fleets for the tests of the planner, and the rules that every plan must keep."""

from __future__ import annotations

import datetime as dt
import os
import typing as t
from dataclasses import replace

from hypothesis import strategies as st

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.maintenance import Hazard, MaintenanceStatus, Window
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import Vm, VmId
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.policy import Policy

EXAMPLES = 500 if os.environ.get("LONG") else 25
"""Generated fleets that a promise is tried on; each run has others."""
NOW = dt.datetime(2026, 3, 10, 12, 0, tzinfo=dt.timezone.utc)
DAY = dt.timedelta(days=1)
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"


def status(own: tuple[float, float] = (-5, 25), azure: tuple[float, float] = (26, 33), allowed: bool = True,
           code: str = "None", message: str | None = None) -> MaintenanceStatus:
    """A maintenance block; windows are in days from NOW."""
    return MaintenanceStatus(allowed, Window(NOW + own[0] * DAY, NOW + own[1] * DAY),
                             Window(NOW + azure[0] * DAY, NOW + azure[1] * DAY), code, message)


def set_id(name: str, group: str = "shop", kind: str = "availabilitySets") -> str:
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Compute/{kind}/{name}"


def vm(name: str, in_set: str | None = None, domain: int | None = None, *, hazards: t.Sequence[str] = (),
       host: bool = True, group: str = "shop", **fields: t.Any) -> Vm:
    """A well, startable VM with a host; ``in_set`` names its availability set."""
    fields = {"location": "westeurope", "status": status(), "power_state": "running",
              "provisioning_state": "succeeded", "agent": "ready", **fields}
    return Vm(id=VmId(SUBSCRIPTION, group, name), availability_set=in_set and set_id(in_set, group),
              update_domain=domain, hazards=tuple(Hazard(hazard, f"{hazard} of {name}") for hazard in hazards),
              host=name if host else None, **fields)


def web(domains: t.Sequence[int] = (0, 0, 1, 1, 2, 2), name: str = "web", **fields: t.Any) -> list[Vm]:
    """An availability set: one VM per entry, the entry being its update domain."""
    return [vm(f"{name}-{index:02}", name, domain, **fields) for index, domain in enumerate(domains, 1)]


def policy(**options: t.Any) -> Policy:
    return Policy.from_options(options)


def names(plan: t.Any) -> list[list[str]]:
    """Names of the VMs of each wave."""
    return [[one.name for one in wave.vms] for wave in plan.waves]


def skips(plan: t.Any) -> dict[str, tuple[str, str]]:
    """Reason and detail of each skipped VM."""
    return {skip.name: (skip.reason, skip.detail) for skip in plan.skipped}


STATUSES = st.sampled_from([
    *[status()] * 6, status(own=(-5, 0.05)), status(own=(-5, 0.02)), status(own=(3, 25), allowed=False),
    status(allowed=False, code="MaintenanceCompleted"), status(code="MaintenanceCompleted"), status(code="RetryLater"),
    status(code="MaintenanceAborted"), status(own=(-5, -1), azure=(-0.5, 1), allowed=False), status(code="Strange"),
    None])
PAIRS = {"westeurope": ("northeurope",), "northeurope": ("westeurope",), "brazilsouth": ("southcentralus",),
         "brazilsoutheast": ("brazilsouth",), "southcentralus": (), "polandcentral": ()}
CONDITIONS = st.sampled_from([
    *[{}] * 12, {"power_state": "stopped"}, {"power_state": "deallocated"}, {"agent": "not_ready"},
    {"agent": "unknown"}, {"provisioning_state": "updating"}, {"provisioning_state": "failed"}])
HAZARDS = st.sampled_from([*[()] * 6, ("temp_disk",), ("spot", "temp_disk"), ("ephemeral_os_disk",)])


TAGS = st.fixed_dictionaries({}, optional={
    "tier": st.sampled_from(["1", "2", "10"]), "leader": st.sampled_from(["1", "2"]), "first": st.just("yes"),
    "service": st.sampled_from(["shop", "mail"])})
GROUPS = st.sampled_from([(), ("slow",), ("slow", "web")])


def always_due() -> st.SearchStrategy[dict[str, t.Any]]:
    """Fields of VMs that nothing stands in the way of."""
    return st.fixed_dictionaries({"tags": TAGS, "groups": GROUPS})


@st.composite
def any_condition(draw: st.DrawFn) -> dict[str, t.Any]:
    """Fields of a VM in any state, health and danger."""
    return {"status": draw(STATUSES), "hazards": draw(HAZARDS), "host": draw(st.integers(0, 9)) > 0, "tags": draw(TAGS),
            "groups": draw(GROUPS), **draw(CONDITIONS)}


@st.composite
def fleets(draw: st.DrawFn, fields: st.SearchStrategy[dict[str, t.Any]],
           regions: t.Sequence[str] = tuple(PAIRS)) -> list[Vm]:
    """Availability sets, scale sets with zones or without update domains, and single VMs over several regions."""
    fleet: list[Vm] = []
    for number in range(draw(st.integers(0, 4))):
        region, kind = draw(st.sampled_from(regions)), draw(st.sampled_from(["set", "set", "zoned", "flexible"]))
        domains = st.sampled_from([0, 0, 1, 1, 2, 2, None]) if kind == "set" else st.integers(0, 2)
        for index, domain in enumerate(draw(st.lists(domains, min_size=1, max_size=7))):
            one = vm(f"s{number}-{index}", f"set{number}", domain, location=region, paired_regions=PAIRS[region],
                     zone=draw(st.sampled_from(["1", "2"])) if kind == "zoned" else None, **draw(fields))
            fleet.append(one if kind == "set" else replace(
                one, availability_set=None, scale_set=set_id(f"pool{number}", kind="virtualMachineScaleSets"),
                update_domain=domain if kind == "zoned" else None))
    for number in range(draw(st.integers(0, 6))):
        region = draw(st.sampled_from(regions))
        fleet.append(vm(f"one-{number}", location=region, paired_regions=PAIRS[region],
                        zone=draw(st.sampled_from([None, "1", "2"])), **draw(fields)))
    return fleet


SHARES = st.none() | st.integers(1, 4) | st.integers(1, 99).map("{}%".format)
CAPS = st.none() | st.integers(1, 6)
CALENDARS = st.sampled_from([
    None, None, {"open": [{"from": "22:00", "to": "05:00"}], "time_zone": "Europe/Amsterdam"},
    {"open": [{"days": ["sat", "sun"]}, {"days": ["wed"], "from": "01:00", "to": "03:30"}], "closed": ["2026-03-14"]}])
OPTIONS: dict[str, st.SearchStrategy[t.Any]] = {
    "max_unavailable": SHARES, "min_available": SHARES, "max_parallel": CAPS, "per_region": CAPS,
    "region_pairs": st.sampled_from(["serial", "parallel"]), "on_deadline": st.sampled_from(["warn", "refuse"]),
    "accept": st.lists(st.sampled_from(["not_running", "ephemeral_os_disk", "completed_but_allowed"])),
    "refuse": st.lists(st.just("spot")), "include_unlisted": st.booleans(),
    "service": st.sampled_from([None, "tags.service"]), "tier": st.sampled_from([None, None, "tags.tier", ["web", "slow"]]),
    "sequence": st.sampled_from([None, "tags.leader"]), "canary": st.sampled_from([None, None, 2, "tags.first"]),
    "soak_minutes": st.sampled_from([0, 0, 30, 200]), "calendar": CALENDARS,
    "minutes_per_vm": st.sampled_from([15, {"slow": 40}, {"slow": 20, "default": 30}])}


def policies(**fixed: t.Any) -> st.SearchStrategy[Policy]:
    """Any policy, with these options as given."""
    options = {**OPTIONS, **{name: st.just(value) for name, value in fixed.items()}}
    return st.builds(lambda **chosen: Policy.from_options(chosen), **options)


POLICIES = policies()


def known(fleet: t.Iterable[Vm], policy: Policy) -> dict[str, Vm]:
    """The VMs by key, each with its service, worked out without the planner's help."""
    return {one.id.key: replace(one, service=one.tags.get("service")) if policy.service and not one.set_id else one
            for one in fleet}


def members(fleet: t.Iterable[Vm], policy: Policy) -> dict[tuple[str, str], list[Vm]]:
    """The VMs of each set and service."""
    sets: dict[tuple[str, str], list[Vm]] = {}
    for one in known(fleet, policy).values():
        if one.set_id or one.service:
            sets.setdefault(("set", one.set_id.lower()) if one.set_id else ("service", one.service), []).append(one)
    return sets


def domain_of(one: Vm) -> tuple | None:
    """What goes down together inside a set; None for a VM that nothing goes down with."""
    if one.set_id:
        return None if one.update_domain is None else (one.zone if one.scale_set else None, one.update_domain)
    return (one.location, one.zone) if one.zone else None


def adjacent(fleet: t.Iterable[Vm]) -> set[frozenset[str]]:
    """Pairs of regions in a fleet, whichever end names the other."""
    return {frozenset((one.location, other)) for one in fleet for other in one.paired_regions}


def spans(waves: t.Iterable[t.Any]) -> dict[str, tuple[int, int]]:
    """First and last wave of each region."""
    found: dict[str, tuple[int, int]] = {}
    for region, number in ((region, wave.number) for wave in waves for region in wave.regions):
        found[region] = (found.get(region, (number, number))[0], number)
    return found
