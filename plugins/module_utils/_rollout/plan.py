# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan consists of: waves, their VMs, what is left out and why, and the fingerprint of the facts it rests on.

Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import collections
import datetime as dt
import hashlib
import json
import typing as t
from dataclasses import dataclass

from .._azure.maintenance import format_time
from .._azure.vm import Vm, normal_location
from .policy import Policy

PERFORM_MAINTENANCE = "perform_maintenance"
OPERATIONS = (PERFORM_MAINTENANCE, "redeploy", "reapply")


class PlanError(ValueError):
    """A plan that cannot be made from this input, or a plan file that cannot be used; the message says what to do."""


def whole_seconds(moment: dt.datetime) -> dt.datetime:
    """``moment`` in UTC without fractions, the precision of a plan file. Raises PlanError for a naive time."""
    if moment.tzinfo is None:
        raise PlanError(f"{moment} has no time zone; times of a plan are aware")
    return moment.astimezone(dt.timezone.utc).replace(microsecond=0)


@dataclass(frozen=True)
class PlannedVm:
    """A VM in a wave, with the facts that put it there.

    ``deadline`` is the end of its self-service window, if any; ``minutes`` what its redeploy alone is expected to take;
    ``tier`` the value it was ordered by (a group's name for a list of groups), None for the last.
    """

    id: str
    name: str
    host: str | None
    set: str | None
    update_domain: int | None
    zone: str | None
    region: str
    state: str
    window_start: dt.datetime | None
    deadline: dt.datetime | None
    reason: str
    service: str | None = None
    tier: int | float | str | None = None
    canary: bool = False
    minutes: int = 0

    @classmethod
    def of(cls, vm: Vm, now: dt.datetime, operation: str, reason: str = "", **place: t.Any) -> "PlannedVm":
        """Take the facts from a VM; only the maintenance of a wave has a window to keep.

        ``place`` are ``tier``, ``canary`` and ``minutes``, which the policy decides.
        """
        window = vm.status.self_service_window if vm.status and operation == PERFORM_MAINTENANCE else None
        return cls(
            id=str(vm.id), name=vm.name, host=vm.host, set=vm.set_id, update_domain=vm.update_domain, zone=vm.zone,
            region=normal_location(vm.location), state=vm.state(now),
            window_start=whole_seconds(window.start) if window else None,
            deadline=whole_seconds(window.end) if window else None, reason=reason,
            service=None if vm.set_id else vm.service, **place)

    def facts(self, operation: str) -> list[t.Any]:
        """What must still be true when the plan is applied, in spellings that do not vary."""
        state = self.state if operation == PERFORM_MAINTENANCE else None
        window = format_time(self.window_start)
        return [self.id.lower(), self.set and self.set.lower(), self.service, self.update_domain, self.zone, window,
                state]


@dataclass(frozen=True)
class Wave:
    """VMs that are redeployed together. Numbers count from 1 within a lane, minutes from the creation of the plan."""

    number: int
    vms: tuple[PlannedVm, ...]
    start_minutes: int
    end_minutes: int
    starts_at: dt.datetime
    ends_at: dt.datetime
    lane: int = 1

    @property
    def regions(self) -> tuple[str, ...]:
        return tuple(sorted({vm.region for vm in self.vms}))

    @property
    def sets(self) -> dict[str, int | None]:
        """Update domain touched in each set, by the set's lower-case id; None where Azure names no domain."""
        return {vm.set.lower(): vm.update_domain for vm in self.vms if vm.set}

    @property
    def deadline(self) -> dt.datetime | None:
        """The earliest deadline among its VMs."""
        return min((vm.deadline for vm in self.vms if vm.deadline), default=None)


@dataclass(frozen=True)
class Skip:
    """A VM the plan leaves alone: ``reason`` is one word for programs, ``detail`` a sentence with what to do."""

    id: str
    name: str
    host: str | None
    reason: str
    detail: str

    @classmethod
    def of(cls, vm: Vm, reason: str, detail: str) -> "Skip":
        return cls(str(vm.id), vm.name, vm.host, reason, detail)


@dataclass(frozen=True)
class Plan:
    """A rollout: the ``waves`` of a lane run one after another, lanes side by side.

    ``lower_bound`` is a number of waves (of the longest lane) that no order can beat; ``lanes_possible`` is how many
    parts of the rollout have nothing to do with each other. ``subscriptions`` are those that were read for it: a service
    may have members where no VM of the plan is.
    """

    operation: str
    created: dt.datetime
    policy: Policy
    waves: tuple[Wave, ...]
    skipped: tuple[Skip, ...]
    lower_bound: int
    fleet_size: int
    warnings: tuple[str, ...] = ()
    lanes: int = 1
    lanes_possible: int = 1
    subscriptions: tuple[str, ...] = ()

    @property
    def vms(self) -> tuple[PlannedVm, ...]:
        """The planned VMs in the order of the rollout."""
        return tuple(vm for wave in self.waves for vm in wave.vms)

    @property
    def estimate_minutes(self) -> int:
        return max((wave.end_minutes for wave in self.waves), default=0)

    @property
    def expected_end(self) -> dt.datetime:
        return max((wave.ends_at for wave in self.waves), default=self.created)

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.vms, self.policy, self.operation)

    def counts(self) -> dict[str, t.Any]:
        """Numbers for a summary: fleet, planned, skipped, waves, and skipped VMs by reason."""
        reasons = collections.Counter(skip.reason for skip in self.skipped)
        return {"fleet": self.fleet_size, "planned": len(self.vms), "skipped": len(self.skipped),
                "waves": len(self.waves), "skipped_by_reason": dict(sorted(reasons.items()))}


def fingerprint(planned: t.Iterable[PlannedVm], policy: Policy, operation: str) -> str:
    """SHA-256 over operation, policy and the facts of each planned VM; the order of the VMs does not count.

    A plan still holds when the fingerprint over the same VMs, read again (:meth:`PlannedVm.of`), is the same.
    """
    facts = sorted((vm.facts(operation) for vm in planned), key=lambda entry: entry[0])
    text = json.dumps([operation, policy.to_record(), facts], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def changes(plan: Plan, vms: t.Iterable[Vm], now: dt.datetime) -> dict[str, str]:
    """What no longer holds, in words, by the id of the planned VM; empty when all does. ``vms`` were just read."""
    fresh = {vm.id.key: vm for vm in vms}
    found = {}
    names = ("id", "set", "service", "update domain", "zone", "window start", "state")
    for planned in plan.vms:
        vm = fresh.get(planned.id.lower())
        if vm is None:
            found[planned.id] = f"{planned.name} is not in the fleet any more"
            continue
        again = PlannedVm.of(vm, now, plan.operation)
        facts = zip(names, planned.facts(plan.operation), again.facts(plan.operation))
        differing = [f"{name} was {old if old is not None else 'none'}, is now {new if new is not None else 'none'}"
                     for name, old, new in facts if old != new]
        if differing:
            found[planned.id] = f"{planned.name}: {'; '.join(differing)}"
    return found
