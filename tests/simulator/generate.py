# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes big fleets for tests and benchmarks."""

from __future__ import annotations

from typing import Any

_SIZES = ("Standard_D2s_v5", "Standard_D2ds_v5", "Standard_E4s_v5", "Standard_B2s")
_WAVES = {
    "spring": {"self_service": {"start": "-5d", "end": "+30d"}, "scheduled": {"start": "+32d", "end": "+39d"}},
}


def fleet(
    n: int,
    *,
    set_size: int = 6,
    update_domains: int = 3,
    single_every: int = 4,
    due_every: int = 1,
    regions: tuple[str, ...] = ("westeurope", "northeurope"),
    groups: int = 10,
    **top: Any,
) -> dict[str, Any]:
    """Return a fleet of n VMs as data for the simulator.

    Every ``single_every``-th VM (0: none) stands alone, the others fill sets of ``set_size`` VMs.
    Every ``due_every``-th VM is in a wave and may be started. ``top`` adds or replaces top-level keys.
    """
    sets: list[dict[str, Any]] = []
    vms: list[dict[str, Any]] = []
    members = 0
    for number in range(n):
        vm: dict[str, Any] = {
            "name": f"vm-{number:05d}",
            "wave": "spring" if number % due_every == 0 else None,
            "size": _SIZES[number % len(_SIZES)],
            "tags": {"tier": str(number % 3 + 1), "owner": f"team-{number % 7}"},
        }
        if single_every and number % single_every == 0:
            place = number // single_every
            vm |= {"region": regions[place % len(regions)], "resource_group": f"rg-{place % groups:03d}"}
        else:
            if members % set_size == 0:
                place = len(sets)
                region, group = regions[place % len(regions)], f"rg-{place % groups:03d}"
                sets.append({"name": f"set-{place:04d}", "resource_group": group, "region": region})
                sets[-1]["update_domains"] = update_domains
            vm |= {"availability_set": sets[-1]["name"], "resource_group": sets[-1]["resource_group"]}
            vm["update_domain"] = members % set_size % update_domains
            members += 1
        vms.append(vm)
    return {"regions": _regions(regions), "waves": _WAVES, "availability_sets": sets, "vms": vms, **top}


def _regions(names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    pairs = {}
    for at, name in enumerate(names):
        other = at ^ 1
        pairs[name] = {"display": name, "paired": [names[other]] if other < len(names) else []}
    return pairs
