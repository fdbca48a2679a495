# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many members of each set may go down in one wave, given those that are down already; which candidates must wait.

Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import collections
import math
import typing as t
from dataclasses import dataclass

from .._azure.availability import unavailable_because
from .._azure.vm import Vm, resource_name
from .candidates import Candidate
from .plan import Skip
from .policy import Policy


@dataclass(frozen=True)
class SetHealth:
    """Members of one set that are not in service, each with its reason in words; ``label`` names the set."""

    label: str
    size: int
    unwell: tuple[tuple[Vm, str], ...]
    absent: tuple[Vm, ...]

    @classmethod
    def of(cls, members: t.Sequence[Vm], lost: t.Collection[str] = ()) -> "SetHealth":
        """Deallocated members are absent, not unwell: they will not come back by themselves.

        ``lost`` are keys that count as unwell although Azure calls them well.
        """
        ordered = sorted(members, key=lambda vm: (vm.name.lower(), vm.id.key))
        unwell = tuple((vm, why) for vm in ordered if not vm.absent and (why := unavailable_because(vm, lost)))
        one = members[0]
        label = f"set {resource_name(one.set_id).lower()}" if one.set_id else f"service {one.service}"
        return cls(label, len(ordered), unwell, tuple(vm for vm in ordered if vm.absent))

    def room(self, policy: Policy) -> int | None:
        """Well members that may go in one wave; None: a whole failure domain. Below zero: beyond the policy already."""
        rooms = []
        if policy.max_unavailable is not None:
            rooms.append(policy.max_down(self.size) - len(self.unwell))
        if policy.min_available is not None:
            rooms.append(self.size - len(self.absent) - len(self.unwell) - policy.min_up(self.size))
        return min(rooms, default=None)


def sets_of(vms: t.Iterable[Vm], wanted: t.Container[str], lost: t.Collection[str] = ()) -> dict[str, SetHealth]:
    """Health of the wanted sets (:attr:`Vm.set_key`); a VM outside sets has no peers and is in none."""
    members: dict[str, list[Vm]] = collections.defaultdict(list)
    for vm in vms:
        if (key := vm.set_key) is not None and key in wanted:
            members[key].append(vm)
    return {key: SetHealth.of(group, lost) for key, group in members.items()}


def hold(candidates: t.Iterable[Candidate], sets: t.Mapping[str, SetHealth], policy: Policy,
         most: float = math.inf) -> tuple[list[Candidate], list[Skip]]:
    """Split candidates into those that may go and those whose set cannot spare them now.

    ``most`` is how many VMs of a set a wave can hold, whatever else it holds.
    """
    going, held = [], []
    candidates = list(candidates)
    phases = {candidate.key: candidate.phase for candidate in candidates}
    for candidate in candidates:
        health = sets.get(candidate.set_key)
        skip = _held(candidate, health, policy, phases, most) if health else None
        if skip:
            held.append(skip)
        else:
            going.append(candidate)
    return going, held


def _held(candidate: Candidate, health: SetHealth, policy: Policy, phases: t.Mapping[str, tuple],
          most: float) -> Skip | None:
    room = health.room(policy)
    if policy.max_unavailable is None and health.unwell:
        outside = _in_the_way(candidate, health, phases, most)
        if outside:
            return Skip.of(candidate.vm, "set_not_healthy",
                           f"{_named(outside)}; {health.label} waits until that member is healthy (or set "
                           f"rollout_max_unavailable: {len(health.unwell) + 1} to count it among those down)")
    # A member that is down already takes nothing away from the set by being redeployed.
    if room is None or room >= (1 if candidate.well else 0):
        return None
    down = [*health.unwell, *((vm, "deallocated") for vm in health.absent)]
    options = (("max_unavailable", policy.max_unavailable), ("min_available", policy.min_available))
    limits = ", ".join(f"rollout_{name}: {value}" for name, value in options if value is not None)
    if down:
        return Skip.of(candidate.vm, "set_not_healthy",
                       f"{_named(down)}; with {limits} {health.label} of {health.size} can spare no other member "
                       "until that one is healthy")
    return Skip.of(candidate.vm, "set_too_small",
                   f"{health.label} has {health.size} members and {limits} leaves none to take; lower "
                   "rollout_min_available to redeploy it")


def _in_the_way(candidate: Candidate, health: SetHealth, phases: t.Mapping[str, tuple],
                most: float) -> list[tuple[Vm, str]]:
    """Unwell members that would stay down while the candidate goes: the redeploy guard would refuse it.

    Unwell members of one failure domain are no obstacle if all of them go with the first wave of that domain.
    """
    outside = [(vm, why) for vm, why in health.unwell
               if vm.failure_domain.domain != candidate.domain or vm.id.key not in phases]
    begun = {phases[vm.id.key] for vm, why in health.unwell if vm.id.key in phases}
    if outside or len(begun) > 1 or candidate.phase < min(begun) or len(health.unwell) > most:
        return outside or list(health.unwell)
    return []


def _named(members: t.Sequence[tuple[Vm, str]]) -> str:
    shown = ", ".join(f"{vm.name} ({why})" for vm, why in members[:3])
    return shown + (f" and {len(members) - 3} more" if len(members) > 3 else "")
