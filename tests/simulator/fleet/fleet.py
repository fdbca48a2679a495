# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole fleet, and what is found in it: by id, by subscription, by resource group, by set."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .load_balancers import LoadBalancer
from .model import AvailabilitySet, Region, ScaleSet, Vm, Wave


@dataclass
class Fleet:
    """Everything a fleet file says, ready to use. ``vms`` holds the instances of uniform scale sets too."""

    tenant: str
    credentials: list[dict[str, Any]]
    subscriptions: dict[str, str]
    regions: dict[str, Region]
    waves: dict[str, Wave]
    sets: list[AvailabilitySet]
    vms: dict[str, Vm]
    groups: dict[tuple[str, str], tuple[str, str]]
    operations: dict[str, list[dict[str, Any]]]
    faults: list[dict[str, Any]]
    status_only: str
    page_size: int
    limits: bool
    quirks: dict[str, Any]
    agent_after_seconds: float
    identity_header: str
    latency_ms: float = 0.0
    token_seconds: int = 3599
    imds: dict[str, Any] | None = None
    service_health: dict[str, Any] = field(default_factory=dict)
    locks: list[dict[str, Any]] = field(default_factory=list)
    scale_sets: dict[str, ScaleSet] = field(default_factory=dict)
    load_balancers: dict[str, LoadBalancer] = field(default_factory=dict)
    by_set: dict[str, list[Vm]] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    generation: int = 0
    _listed: dict[tuple[str, str], list[Vm]] = field(default_factory=dict)
    _listed_of: tuple[int, int] = (-1, -1)

    @cached_property
    def sets_by_name(self) -> dict[str, list[AvailabilitySet | ScaleSet]]:
        """The sets of each name, in lower case, of either kind."""
        found: defaultdict[str, list[AvailabilitySet | ScaleSet]] = defaultdict(list)
        for group in (*self.sets, *self.scale_sets.values()):
            found[group.name.lower()].append(group)
        return dict(found)

    def named(self, name: str) -> list[Vm]:
        """Return the VMs and instances of this name, or of this id, in any case."""
        if name.startswith("/"):
            return [self.vms[name.lower()]] if name.lower() in self.vms else []
        return [vm for vm in self.vms.values() if vm.name.lower() == name.lower()]

    def add(self, vm: Vm) -> None:
        """Take in a VM or an instance."""
        self.vms[vm.key] = vm
        if vm.group:
            self.by_set.setdefault(vm.group.id, []).append(vm)
        self.generation += 1

    def remove(self, vm: Vm) -> None:
        """Forget a VM or an instance, as if it had been deleted."""
        self.vms.pop(vm.key, None)
        self.removed.add(vm.key)
        if vm.group:
            self.by_set[vm.group.id] = [member for member in self.members(vm.group) if member is not vm]
        self.generation += 1

    def members(self, group: AvailabilitySet | ScaleSet) -> list[Vm]:
        """Return the VMs of an availability set, or the VMs or instances of a scale set."""
        return self.by_set.get(group.id, [])

    def listed(self, subscription: str, group: str | None = None) -> list[Vm]:
        """Return the VMs (no uniform instances) of a subscription or of one of its resource groups."""
        now = (self.generation, len(self.vms))
        if self._listed_of != now:
            index: defaultdict[tuple[str, str], list[Vm]] = defaultdict(list)
            for vm in self.vms.values():
                if vm.instance_id is None:
                    index[vm.subscription, ""].append(vm)
                    index[vm.subscription, vm.resource_group.lower()].append(vm)
            self._listed, self._listed_of = dict(index), now
        return self._listed.get((subscription.lower(), (group or "").lower()), [])

    def scale_sets_in(self, subscription: str, group: str | None = None) -> list[ScaleSet]:
        """Return the scale sets of a subscription or of one of its resource groups."""
        return [
            found
            for found in self.scale_sets.values()
            if found.subscription == subscription.lower() and group in (None, found.resource_group.lower())
        ]
