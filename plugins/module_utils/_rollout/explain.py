# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why each VM is in its wave and not in an earlier one, in a short sentence for the person who reviews the plan.

Read from the finished waves, so that it holds for whatever order was chosen. Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import collections
import typing as t

from .candidates import Candidate
from .policy import Policy
from .wave_builder import TimedWave


def reasons(waves: t.Sequence[TimedWave], pairs: t.Mapping[str, t.Collection[str]], policy: Policy) -> dict[str, str]:
    """A sentence for every VM of the waves of one lane, by key."""
    story = _Story(waves, pairs if policy.region_pairs == "serial" else {}, policy)
    found = {}
    for number, wave in enumerate(waves):
        causes: dict[tuple, str] = {}
        for one in wave.vms:
            seat = one.set_key, one.domain
            if seat not in causes:
                causes[seat] = story.cause(number, one)
            found[one.key] = "; ".join(part for part in (causes[seat], one.place, one.notes) if part)
    return found


class _Story:
    """The waves by set, region and phase."""

    def __init__(self, waves: t.Sequence[TimedWave], pairs: t.Mapping[str, t.Collection[str]], policy: Policy) -> None:
        self.pairs, self.policy = pairs, policy
        self.sets: dict[str, list[int]] = collections.defaultdict(list)
        self.domains: dict[tuple[str, int], Candidate] = {}
        self.regions: dict[tuple, list[int]] = {}
        self.phases: dict[tuple, list[int]] = {}
        self.tiers: list[Candidate] = []
        for number, wave in enumerate(waves):
            phase = wave.vms[0].phase
            if phase not in self.phases:
                self.tiers.append(wave.vms[0])
            self.phases.setdefault(phase, [number, number])[1] = number
            for one in wave.vms:
                self.regions.setdefault((phase, one.region), [number, number])[1] = number
                if self.sets[one.set_key][-1:] != [number]:
                    self.sets[one.set_key].append(number)
                    self.domains[one.set_key, number] = one
        self._most = self._left(len(waves))

    def _left(self, waves: int) -> list[int]:
        """Most waves that any set has left, from each wave on."""
        most = [0] * (waves + 1)
        for numbers in self.sets.values():
            for at, number in enumerate(numbers):
                most[number] = max(most[number], len(numbers) - at)
        return most

    def cause(self, number: int, one: Candidate) -> str:
        if one.terms.canary:
            return "canary"
        if number == self.phases[one.phase][0]:
            return self._begins(number, one)
        waited = [region for region in self.pairs.get(one.region, ())
                  if self.regions.get((one.phase, region), [number] * 2)[1] < number]
        if waited and self.regions[one.phase, one.region][0] == number:
            return f"waits for region {', '.join(sorted(waited))} (pair)"
        return self._follows(number, one)

    def _begins(self, number: int, one: Candidate) -> str:
        """In the first wave of a phase."""
        at = next(at for at, first in enumerate(self.tiers) if first.phase == one.phase)
        if at:
            before = self.tiers[at - 1]
            return "waits for the canaries" if before.terms.canary else f"waits for tier {before.terms.tier}"
        left = len(self.sets[one.set_key])
        if left > 1 and left == self._most[number]:
            return f"{one.label} has most waves left ({left})"
        return "nothing to wait for"

    def _follows(self, number: int, one: Candidate) -> str:
        """After the wave before of its set, or when there is room."""
        at = self.sets[one.set_key].index(number)
        before = self.domains[one.set_key, self.sets[one.set_key][at - 1]] if at else None
        if before and self.sets[one.set_key][at - 1] == number - 1:
            if before.domain == one.domain:
                return f"follows the others of its domain in {one.label}, which may not all go at once"
            soak = f" and {self.policy.soak_minutes} minutes of soak" if self.policy.soak_minutes else ""
            return f"follows {before.place or before.vm.name} of {one.label}{soak}"
        limits = (("max_parallel", self.policy.max_parallel), ("per_region", self.policy.per_region))
        caps = [f"rollout_{name}: {value}" for name, value in limits if value]
        if caps:
            return f"waits for a place in a wave ({', '.join(caps)})"
        if self.policy.soak_minutes:
            return f"waits for the soak of {one.label}"
        return f"{one.label} has fewer waves left than others"
