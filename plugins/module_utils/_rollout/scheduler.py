# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of a rollout: candidates into as few waves as the rules allow, and the number of waves no order can beat.

Phases (canaries, tiers) follow each other. In each, several orders are tried and the best is kept; the first one, most
waves left first, is nearly always it. Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
import random
import typing as t
from dataclasses import dataclass

from .candidates import Candidate
from .chains import Chain, chains_of
from .policy import Policy
from .regions import Pairs, Regions
from .wave_builder import Rule, Soak, Sweep, TimedWave

# How much is spent on trying other orders, in pieces placed; 10,000 VMs then take a few tries, 100 VMs some hundred.
_EFFORT = 30_000
_MOST_TRIES = 200


@dataclass(frozen=True)
class Schedule:
    """Waves of one lane in order, and the number of waves no order can beat."""

    waves: tuple[TimedWave, ...]
    lower_bound: int


def schedule(candidates: t.Sequence[Candidate], rooms: t.Mapping[str, int | None], pairs: Pairs, policy: Policy,
             created: dt.datetime, *, by_deadline: bool = False) -> Schedule:
    """Order the candidates of one lane.

    ``rooms`` says how many well members of a set may go in one wave (None or no entry: a whole failure domain).
    ``by_deadline`` serves the earliest deadline first instead of the set with the most waves left. Raises
    :class:`PolicyError` when the calendar has no room for a wave.
    """
    pairs = pairs if policy.region_pairs == "serial" else {}
    waves: list[TimedWave] = []
    soak, bound = Soak(policy.soak_minutes), 0
    ordered = sorted(candidates, key=lambda one: (one.phase, one.key))
    for phase, group in itertools.groupby(ordered, key=lambda one: one.phase):
        start = waves[-1].ends_at if waves else created
        chosen = _Phase(list(group), rooms, pairs, policy).best(start, soak, by_deadline)
        waves += chosen.waves
        soak, bound = chosen.soak, bound + chosen.bound
    return Schedule(tuple(waves), bound)


class _Best(t.NamedTuple):
    waves: list[TimedWave]
    soak: Soak
    bound: int


class _Phase:
    """Everything that may go side by side, as far as phases are concerned."""

    def __init__(self, candidates: t.Sequence[Candidate], rooms: t.Mapping[str, int | None], pairs: Pairs,
                 policy: Policy) -> None:
        self.policy = policy
        self.total = policy.max_parallel or math.inf
        self.per_region = min(policy.per_region or math.inf, self.total)
        self.chains = chains_of(candidates, rooms, self.per_region, policy)
        self.regions = Regions(self.chains, pairs, self.per_region)
        self.size = len(candidates)
        sets: dict[str, list[Chain]] = {}
        for chain in self.chains:
            sets.setdefault(chain.set_key, []).append(chain)
        longest = max(sum(chain.waves for chain in chains) for chains in sets.values())
        self.bound = max(self.regions.lower_bound(), math.ceil(self.size / self.total), longest)
        quickest = policy.overhead_minutes + min(one.minutes for one in candidates)
        rests = policy.soak_minutes
        slowest = max(sum(chain.waves * quickest + len(chain.blocks) * rests for chain in chains)
                      for chains in sets.values())
        self.shortest = dt.timedelta(minutes=slowest - rests)

    def best(self, start: dt.datetime, soak: Soak, by_deadline: bool) -> _Best:
        """The best order found: fewest waves, then the earliest end; with a soak, which outlasts waves, the reverse."""
        best: _Best | None = None
        spent = 0
        for rule in self._rules(by_deadline):
            sweep = Sweep(self.regions, self.policy, self.total, start, soak, rule)
            waves = sweep.run(len(best.waves) if best and not soak.minutes else math.inf)
            spent += sweep.pieces
            found = _Best(waves, sweep.soak, self.bound) if waves else None
            if found and (best is None or self._cost(found) < self._cost(best)):
                best = found
            if self._is_perfect(best, start) or spent > _EFFORT:
                break
        return best

    def _cost(self, found: _Best) -> tuple:
        count, ends_at = len(found.waves), found.waves[-1].ends_at
        return (ends_at, count) if self.policy.soak_minutes else (count, ends_at)

    def _is_perfect(self, found: _Best, start: dt.datetime) -> bool:
        """Whether looking further is certainly of no use, or of little."""
        in_time = not self.policy.soak_minutes or found.waves[-1].ends_at - start <= self.shortest
        return len(found.waves) == self.bound and in_time

    def _rules(self, by_deadline: bool) -> t.Iterator[Rule]:
        """Ways to order this phase, the plainest first; the same every time."""
        if by_deadline:
            yield Rule(before=self.regions.by_deadline(), by_deadline=True)
            return
        patience = (False, True) if self.policy.soak_minutes else (False,)
        for patient in patience:
            yield Rule(before=self.regions.order(), patient=patient)
        for patient, fit in itertools.product(patience, (True, False)):
            yield Rule(before=self.regions.order(), patient=patient, fit=fit, largest_first=True)
        draw = random.Random(self.size)
        groups = range(len(self.regions.groups))
        for turn in range(_MOST_TRIES if not self.policy.soak_minutes else _MOST_TRIES // 10):
            flipped = {number for number in groups if draw.random() < 0.5} if turn % 2 else set()
            yield Rule(before=self.regions.order(flipped), patient=draw.choice(patience), fit=draw.random() < 0.5,
                       noise=draw.choice((0.0, 0.5, 1.0, 2.0)), draw=draw)
