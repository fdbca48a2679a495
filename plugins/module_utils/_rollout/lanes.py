# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of a rollout that have nothing to do with each other, so that each may be run by a process of its own.

Two lanes never hold VMs of one set, of two paired regions, or of two tiers. Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from .candidates import Candidate
from .options import PolicyError
from .policy import Policy

_Part = list[Candidate]


def parts_of(candidates: t.Sequence[Candidate], pairs: t.Mapping[str, t.Collection[str]],
             policy: Policy) -> list[_Part]:
    """The candidates in as many independent parts as there are, each in the order given."""
    if len({one.phase for one in candidates}) > 1:
        return [list(candidates)]
    joined = _Joined()
    serial = pairs if policy.region_pairs == "serial" else {}
    regions = {one.region for one in candidates}
    for one in candidates:
        waits = bool(serial.get(one.region, set()) & regions)
        joined.join(("set", one.set_key), ("region", one.region) if waits else ("set", one.set_key))
    for region in sorted(regions):
        for other in sorted(serial.get(region, set()) & regions):
            joined.join(("region", region), ("region", other))
    parts: dict[tuple, _Part] = collections.defaultdict(list)
    for one in candidates:
        parts[joined.root(("set", one.set_key))].append(one)
    return list(parts.values())


def lanes_of(parts: t.Sequence[_Part], policy: Policy) -> list[_Part]:
    """The parts in ``policy.lanes`` lanes of about as many VMs. Raises :class:`PolicyError` for too few parts."""
    if parts and policy.lanes > len(parts):
        raise PolicyError("lanes", policy.lanes,
                          f"this rollout has {_many(len(parts), 'independent part')}: {_why(parts, policy)}")
    for option in ("max_parallel", "per_region"):
        cap = getattr(policy, option)
        if cap is not None and cap < policy.lanes:
            raise PolicyError("lanes", policy.lanes, (
                f"{option} {cap} is divided among the lanes and each needs at least 1; raise {option}, or take at most "
                f"{_many(cap, 'lane')}"))
    lanes: list[_Part] = [[] for unused in range(policy.lanes)]
    for part in sorted(parts, key=lambda part: (-len(part), part[0].key)):
        min(lanes, key=len).extend(part)
    return lanes


def share(policy: Policy, lane: int) -> Policy:
    """The policy for one lane (from 1): its share of the caps; the first lanes take what does not divide evenly."""
    caps = {option: _share(getattr(policy, option), lane, policy.lanes) for option in ("max_parallel", "per_region")}
    return policy if policy.lanes == 1 else dataclasses.replace(policy, **caps)


def _share(cap: int | None, lane: int, lanes: int) -> int | None:
    return None if cap is None else cap // lanes + (lane <= cap % lanes)


def _why(parts: t.Sequence[_Part], policy: Policy) -> str:
    everyone = [one for part in parts for one in part]
    largest = max(parts, key=len)
    regions = sorted({one.region for one in largest})
    why = f"the largest holds {len(largest)} of {_many(len(everyone), 'VM')}"
    if len({one.phase for one in everyone}) > 1:
        why = "canaries and tiers put all VMs into one order; leave out canary and tier to divide it"
    elif len(regions) > 1 and policy.region_pairs == "serial":
        why += f", joined by region pairs ({', '.join(regions)}); region_pairs: parallel would divide it"
    elif len({one.set_key for one in largest}) == 1:
        why += f", all of {largest[0].label}, whose members wait for each other"
    return f"{why}; or take at most {_many(len(parts), 'lane')}"


class _Joined:
    """Things that belong together, by what joins them."""

    def __init__(self) -> None:
        self._up: dict[tuple, tuple] = {}

    def root(self, one: tuple) -> tuple:
        while (up := self._up.setdefault(one, one)) != one:
            self._up[one] = self._up[up]
            one = up
        return one

    def join(self, one: tuple, other: tuple) -> None:
        self._up[self.root(one)] = self.root(other)


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
