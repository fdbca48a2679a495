# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes big fleets, as mixed as real ones, for tests and benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Any

_SIZES = ("Standard_D2s_v5", "Standard_D2ds_v5", "Standard_E4s_v5", "Standard_B2s")
_WAVES = {
    "spring": {"self_service": {"start": "-5d", "end": "+30d"}, "scheduled": {"start": "+32d", "end": "+39d"}},
}
# Availability sets as people have them: members and update domains. Scale sets: members.
_SETS = ((4, 5), (10, 5), (2, 2), (6, 3), (20, 20), (3, 5))
_SCALE_SETS = (3, 12, 5, 40)
_EXTENSIONS = (
    {"name": "AzureMonitorLinuxAgent", "type": "Microsoft.Azure.Monitor.AzureMonitorLinuxAgent", "version": "1.33.2"},
    {"name": "AADSSHLoginForLinux", "type": "Microsoft.Azure.ActiveDirectory.AADSSHLoginForLinux", "version": "1.0"},
)


def fleet(
    n: int,
    *,
    subscriptions: int = 1,
    scale_sets: float = 0.0,
    affected_every: int = 1,
    single_every: int = 4,
    set_size: int | None = None,
    update_domains: int = 3,
    regions: tuple[str, ...] = ("westeurope", "northeurope"),
    groups: int = 10,
    **top: Any,
) -> dict[str, Any]:
    """Return a fleet of n VMs, instances of scale sets among them, as data for the simulator.

    They are dealt to the subscriptions in equal parts. In each, the share ``scale_sets`` of them is in scale sets
    (one set in four is flexible), every ``single_every``-th of the others (0: none) stands alone, the rest fills
    availability sets: of mixed sizes and domains, or all of ``set_size`` and ``update_domains``. Every
    ``affected_every``-th VM is in a wave and may be started. ``top`` adds or replaces top-level keys.
    """
    made: dict[str, Any] = {"availability_sets": [], "scale_sets": [], "vms": []}
    names = [f"5ab00000-0000-4000-8000-{number:012d}" for number in range(1, subscriptions + 1)]
    numbers = iter(range(n))
    for at, name in enumerate(names):
        every = [(region, f"rg-prod-workload-{at:02d}-{group:03d}") for group in range(groups) for region in regions]
        places = cycle(every[at % len(every) :] + every[: at % len(every)])
        part = _Part(made, numbers, places, {"subscription": name} if subscriptions > 1 else {}, affected_every)
        count = n // subscriptions + (at < n % subscriptions)
        in_scale_sets = int(count * scale_sets)
        part.scale_sets(in_scale_sets)
        part.vms(count - in_scale_sets, single_every, [(set_size, update_domains)] if set_size else _SETS)
    given = [{"id": name, "name": f"Simulated {name[-3:]}"} for name in names]
    base = {"subscriptions": given} if subscriptions > 1 else {}
    return {"regions": _regions(regions), "waves": _WAVES, **base, **made, **top}


class _Part:
    """What one subscription gets."""

    def __init__(
        self,
        made: dict[str, Any],
        numbers: Iterator[int],
        places: Iterator[tuple[str, str]],
        owner: dict[str, str],
        affected_every: int,
    ) -> None:
        self.made, self.numbers, self.places, self.owner = made, numbers, places, owner
        self.affected_every = affected_every

    def _wave(self, number: int) -> str | None:
        return "spring" if number % self.affected_every == 0 else None

    def _vm(self, **place: Any) -> dict[str, Any]:
        number = next(self.numbers)
        vm = {
            "name": f"vm-{number:05d}",
            "wave": self._wave(number),
            "size": _SIZES[number % len(_SIZES)],
            "data_disks": number % 4,
            "extensions": list(_EXTENSIONS),
            "tags": {
                "tier": str(number % 3 + 1),
                "owner": f"team-{number % 7}",
                "environment": "production",
                "cost-center": f"{4000 + number % 11}",
                "created-by": "terraform",
            },
            **self.owner,
            **place,
        }
        if number % 5 == 0:
            address = f"20.{80 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
            vm["addresses"] = {"public": address, "dynamic": number % 10 == 0}
        return vm

    def vms(self, count: int, single_every: int, shapes: Any) -> None:
        """Add VMs: alone, or in availability sets of the shapes in turn."""
        in_turn = cycle(shapes)
        size = domains = members = 0
        group: dict[str, Any] = {}
        for number in range(count):
            if single_every and number % single_every == 0:
                region, place = next(self.places)
                zone = {"zone": str(number // single_every % 3 + 1)} if number % 3 == 0 else {}
                self.made["vms"].append(self._vm(region=region, resource_group=place, **zone))
                continue
            if members == size:
                size, domains = next(in_turn)
                members = 0
                region, place = next(self.places)
                name = f"set-{len(self.made['availability_sets']):04d}"
                group = {"name": name, "resource_group": place, "region": region, **self.owner}
                group["update_domains"] = domains
                self.made["availability_sets"].append(group)
            place = {"availability_set": group["name"], "resource_group": group["resource_group"]}
            self.made["vms"].append(self._vm(**place, update_domain=members % domains))
            members += 1

    def scale_sets(self, count: int) -> None:
        """Add scale sets of mixed sizes with that many members together."""
        sizes = cycle(_SCALE_SETS)
        while count:
            size = min(next(sizes), count)
            region, place = next(self.places)
            number = len(self.made["scale_sets"])
            group: dict[str, Any] = {"name": f"vmss-{number:04d}", "resource_group": place, "region": region}
            group |= {**self.owner, "size": _SIZES[number % len(_SIZES)], "tags": {"tier": "1"}}
            group["extensions"] = list(_EXTENSIONS)
            kind = "name" if number % 4 == 3 else "id"
            if kind == "name":
                group["orchestration"] = "flexible"
            mine = [(at, next(self.numbers)) for at in range(size)]
            group["instances"] = [
                {kind: at if kind == "id" else f"{group['name']}-{at:03d}", "wave": self._wave(of)} for at, of in mine
            ]
            self.made["scale_sets"].append(group)
            count -= size


def _regions(names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    pairs = {}
    for at, name in enumerate(names):
        other = at ^ 1
        pairs[name] = {"display": name, "paired": [names[other]] if other < len(names) else []}
    return pairs
