# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many members of each set may go down in one wave, given those that are down already; which candidates must wait.

Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import collections
import typing as t
from dataclasses import dataclass

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_candidates import Candidate
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_policy import Policy
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_records import Skip
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.vm import Vm


@dataclass(frozen=True)
class SetHealth:
    """Members of one set that are not in service, each with its reason in words."""

    name: str
    size: int
    unwell: tuple[tuple[Vm, str], ...]
    absent: tuple[Vm, ...]

    @classmethod
    def of(cls, members: t.Sequence[Vm]) -> "SetHealth":
        """Deallocated members are absent, not unwell: they will not come back by themselves."""
        ordered = sorted(members, key=lambda vm: (vm.name.lower(), vm.id.key))
        unwell = tuple((vm, why) for vm in ordered if not vm.absent and (why := vm.unavailable_because()))
        name = members[0].failure_domain.set_key.rsplit("/", 1)[-1]
        return cls(name, len(ordered), unwell, tuple(vm for vm in ordered if vm.absent))

    def room(self, policy: Policy) -> int | None:
        """Well members that may go in one wave; None: a whole failure domain. Below zero: beyond the policy already."""
        rooms = []
        if policy.max_unavailable is not None:
            rooms.append(policy.max_down(self.size) - len(self.unwell))
        if policy.min_available is not None:
            rooms.append(self.size - len(self.absent) - len(self.unwell) - policy.min_up(self.size))
        return min(rooms, default=None)


def sets_of(vms: t.Iterable[Vm], wanted: t.Container[str]) -> dict[str, SetHealth]:
    """Health of the wanted sets (keys of :class:`FailureDomain`); a VM outside sets has no peers and is in none."""
    members: dict[str, list[Vm]] = collections.defaultdict(list)
    for vm in vms:
        if vm.set_id and vm.set_id.lower() in wanted:
            members[vm.set_id.lower()].append(vm)
    return {key: SetHealth.of(group) for key, group in members.items()}


def hold(candidates: t.Iterable[Candidate], sets: t.Mapping[str, SetHealth],
         policy: Policy) -> tuple[list[Candidate], list[Skip]]:
    """Split candidates into those that may go and those whose set cannot spare them now."""
    going, held = [], []
    candidates = list(candidates)
    moving = {candidate.key for candidate in candidates}
    for candidate in candidates:
        health = sets.get(candidate.set_key)
        skip = _held(candidate, health, policy, moving) if health else None
        if skip:
            held.append(skip)
        else:
            going.append(candidate)
    return going, held


def _held(candidate: Candidate, health: SetHealth, policy: Policy, moving: t.Container[str]) -> Skip | None:
    room = health.room(policy)
    if policy.max_unavailable is None:
        domain = candidate.vm.failure_domain
        # A member that is down holds its own domain back too, unless it goes with the wave: the redeploy guard agrees.
        outside = [(vm, why) for vm, why in health.unwell if vm.failure_domain != domain or vm.id.key not in moving]
        if outside:
            return Skip.of(candidate.vm, "set_not_healthy",
                           f"{_named(outside)}; set {health.name} waits until that is well (or set "
                           f"rollout_max_unavailable: {len(health.unwell) + 1} to count it among those down)")
    # A member that is down already takes nothing away from the set by being redeployed.
    if room is None or room >= (1 if candidate.well else 0):
        return None
    down = [*health.unwell, *((vm, "deallocated") for vm in health.absent)]
    options = (("max_unavailable", policy.max_unavailable), ("min_available", policy.min_available))
    limits = ", ".join(f"rollout_{name}: {value}" for name, value in options if value is not None)
    if down:
        return Skip.of(candidate.vm, "set_not_healthy",
                       f"{_named(down)}; with {limits} set {health.name} of {health.size} can spare no other member "
                       "until that is well")
    return Skip.of(candidate.vm, "set_too_small",
                   f"set {health.name} has {health.size} members and {limits} leaves none to take; lower "
                   "rollout_min_available to redeploy it")


def _named(members: t.Sequence[tuple[Vm, str]]) -> str:
    shown = ", ".join(f"{vm.name} ({why})" for vm, why in members[:3])
    return shown + (f" and {len(members) - 3} more" if len(members) > 3 else "")
