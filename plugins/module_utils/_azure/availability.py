# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of a set may be out of service at once: the one rule that planner and redeploy guard share. Pure."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass

from .vm import Vm


NOT_BACK = "this run has not brought it back into service"


def unavailable_because(vm: Vm, lost: t.Collection[str] = ()) -> str | None:
    """Why a VM cannot carry load, in words; None when it is well.

    ``lost`` are keys of VMs that this run has drained and not brought back: they eat the set's budget until they are. A mapping
    says in words what else is the matter with each.
    """
    if vm.id.key not in lost:
        return vm.unavailable_because()
    return vm.unavailable_because() or (lost[vm.id.key] if isinstance(lost, t.Mapping) else NOT_BACK)


@dataclass(frozen=True)
class Limit:
    """A count of VMs, or a percentage of a set's size, such as ``2`` or ``25%``."""

    value: int
    percent: bool = False

    @classmethod
    def parse(cls, text: t.Any, name: str) -> "Limit | None":
        """None for nothing; raises ValueError naming the option when it is neither a count nor a percentage."""
        if text in (None, ""):
            return None
        digits = str(text).strip()
        percent = digits.endswith("%")
        number = digits.removesuffix("%").strip()
        if not (number.isascii() and number.isdigit()) or (percent and int(number) > 100):
            raise ValueError(f"{name} {text!r} must be a count of VMs such as 2, or a percentage from 0% to 100%")
        return cls(int(number), percent)

    def of(self, size: int, *, up: bool) -> int:
        """The count for a set of ``size`` VMs; a fraction is rounded up or down as asked."""
        if not self.percent:
            return self.value
        share = size * self.value / 100
        return math.ceil(share) if up else math.floor(share)

    def __str__(self) -> str:
        return f"{self.value}%" if self.percent else str(self.value)


@dataclass(frozen=True)
class Availability:
    """``max_unavailable`` None: one failure domain at a time, all other members well."""

    max_unavailable: Limit | None = None
    min_available: Limit | None = None

    @classmethod
    def parse(cls, max_unavailable: t.Any, min_available: t.Any) -> "Availability":
        limits = cls(Limit.parse(max_unavailable, "max_unavailable"), Limit.parse(min_available, "min_available"))
        if limits.max_unavailable and limits.max_unavailable.value == 0:
            raise ValueError("max_unavailable 0 would never let a VM move; leave it out, or use 1")
        return limits

    def held_back(self, members: t.Sequence[Vm], moving: t.Collection[str], lost: t.Collection[str] = ()) -> str | None:
        """Why the VMs with keys ``moving`` may not go down now, naming the member in the way; None when they may.

        Deallocated members are absent: they count against ``min_available`` but hold nobody back by themselves.
        ``lost`` are keys that count as unavailable although Azure calls them well, see :func:`unavailable_because`.
        """
        others = [vm for vm in members if vm.id.key not in moving]
        ill = [vm for vm in others if not vm.absent and unavailable_because(vm, lost)]
        words = ", ".join(f"{vm.name} ({unavailable_because(vm, lost)})" for vm in ill)
        allowed = self.max_unavailable.of(len(members), up=False) if self.max_unavailable else None
        down = len(members) - len(others) + len(ill)
        if ill and (allowed is None or down > max(1, allowed)):
            return f"the rest of its set is not healthy: {words}"
        if allowed is not None and len(members) > 1 and down > max(1, allowed):
            return f"{down} of {len(members)} members would be unavailable, max_unavailable is {self.max_unavailable}"
        if self.min_available:
            left = sum(1 for vm in others if not vm.absent) - len(ill)
            floor = self.min_available.of(len(members), up=True)
            if left < floor:
                return f"only {left} of {len(members)} members would stay up, min_available is {self.min_available}" + (f" ({words})" if words else "")
        return None
