# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual machines and fleets for the tests of the planner, and the rules that every plan must keep."""

from __future__ import annotations

import datetime as dt
import typing as t

from hypothesis import strategies as st

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.maintenance import (
    Hazard, MaintenanceStatus, Window)
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_policy import Policy
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.vm import Vm, VmId

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


def always_due() -> st.SearchStrategy[dict[str, t.Any]]:
    """Fields of VMs that nothing stands in the way of."""
    return st.just({})


@st.composite
def any_condition(draw: st.DrawFn) -> dict[str, t.Any]:
    """Fields of a VM in any state, health and danger."""
    return {"status": draw(STATUSES), "hazards": draw(HAZARDS), "host": draw(st.integers(0, 9)) > 0, **draw(CONDITIONS)}


@st.composite
def fleets(draw: st.DrawFn, fields: st.SearchStrategy[dict[str, t.Any]],
           regions: t.Sequence[str] = tuple(PAIRS)) -> list[Vm]:
    """Availability sets and single VMs over several regions."""
    fleet: list[Vm] = []
    for number in range(draw(st.integers(0, 5))):
        region = draw(st.sampled_from(regions))
        for index, domain in enumerate(draw(st.lists(st.integers(0, 4), min_size=1, max_size=8))):
            fleet.append(vm(f"s{number}-{index}", f"set{number}", domain, location=region,
                            paired_regions=PAIRS[region], **draw(fields)))
    for number in range(draw(st.integers(0, 5))):
        region = draw(st.sampled_from(regions))
        fleet.append(vm(f"one-{number}", location=region, paired_regions=PAIRS[region], **draw(fields)))
    return fleet


SHARES = st.none() | st.integers(1, 4) | st.integers(1, 99).map("{}%".format)
CAPS = st.none() | st.integers(1, 6)
POLICIES = st.builds(
    lambda **options: Policy.from_options(options), max_unavailable=SHARES, min_available=SHARES, max_parallel=CAPS,
    per_region=CAPS, region_pairs=st.sampled_from(["serial", "parallel"]),
    on_deadline=st.sampled_from(["warn", "refuse"]),
    accept=st.lists(st.sampled_from(["not_running", "ephemeral_os_disk", "completed_but_allowed"])),
    refuse=st.lists(st.just("spot")), include_unlisted=st.booleans())


def adjacent(fleet: t.Iterable[Vm]) -> set[frozenset[str]]:
    """Pairs of regions in a fleet, whichever end names the other."""
    return {frozenset((one.location, other)) for one in fleet for other in one.paired_regions}


def spans(waves: t.Iterable[t.Any]) -> dict[str, tuple[int, int]]:
    """First and last wave of each region."""
    found: dict[str, tuple[int, int]] = {}
    for region, number in ((region, wave.number) for wave in waves for region in wave.regions):
        found[region] = (found.get(region, (number, number))[0], number)
    return found
