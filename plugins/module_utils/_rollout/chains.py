# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one set has to go through: its failure domains one after another, each in as many pieces as the rules want.

Ordering works on counts (how many well and how many unwell members of a domain go), so that many orders can be tried;
a piece is turned into VMs at the end. Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import collections
import datetime as dt
import itertools
import math
import typing as t

from .candidates import Candidate
from .policy import Policy

NEVER = dt.datetime.max.replace(tzinfo=dt.timezone.utc)


class Block:
    """One failure domain, or all members of a set that are domains of their own (``several``).

    ``room`` is how many well members may go in one wave, ``width`` how many of any. ``together``: unwell members hold
    the well ones back until they are in motion, so all of them go with the first piece.
    """

    def __init__(self, members: t.Sequence[Candidate], room: float, width: float, together: bool) -> None:
        ordered = sorted(members, key=lambda one: (one.deadline or NEVER, one.vm.name.lower(), one.key))
        self.well = [one for one in ordered if one.well]
        self.unwell = [one for one in ordered if not one.well]
        self.several = ordered[0].own_domain
        self.domain = None if self.several else ordered[0].domain
        self.room, self.width, self.together = room, width, together
        self.sequence = max(one.terms.sequence for one in ordered)
        self.deadline = ordered[0].deadline or NEVER
        self.size = len(ordered)
        self.waves = self.need(len(self.well), len(self.unwell))
        number = ordered[0].vm.update_domain
        self.order = (self.sequence, self.deadline, self.several, math.inf if number is None else number,
                      ordered[0].domain)

    def need(self, well: int, unwell: int) -> int:
        """Waves that so many of its members take, when nothing else is in their way."""
        if not well + unwell:
            return 0
        return max(1, math.ceil((well + unwell) / self.width), math.ceil(well / self.room) if well else 0)

    def piece(self, well: int, unwell: int, limit: float) -> tuple[int, int]:
        """How many well and unwell ones, of those left, go in a wave with ``limit`` seats (both 0: not this time)."""
        limit = min(limit, self.width)
        if self.together:
            return (0, 0) if unwell > limit else (int(min(well, self.room, limit - unwell)), unwell)
        taken = int(min(well, self.room, limit))
        return taken, int(min(unwell, limit - taken))


class Chain:
    """What is left of one set in one region and phase: its blocks in order, the one begun first."""

    def __init__(self, blocks: t.Sequence[Block], number: int = 0) -> None:
        one = (blocks[0].well or blocks[0].unwell)[0]
        self.set_key, self.region, self.number = one.set_key, one.region, number
        self.blocks = sorted(blocks, key=lambda block: block.order)
        self.deadline = min(block.deadline for block in blocks)
        self.shared = False
        self.reset(self.blocks)

    def reset(self, blocks: t.Sequence[Block]) -> None:
        """Begin again, with the blocks in this order."""
        self._ahead = collections.deque(blocks)
        self.size, self.waves = sum(block.size for block in blocks), sum(block.waves for block in blocks)
        self._next()

    def _next(self) -> None:
        self.block = self._ahead.popleft() if self._ahead else None
        self.well, self.unwell = (len(self.block.well), len(self.block.unwell)) if self.block else (0, 0)

    def orders(self) -> t.Iterator[list[Block]]:
        """Blocks in runs that may change places: those of one sequence."""
        for sequence, run in itertools.groupby(self.blocks, key=lambda block: block.sequence):
            yield list(run)

    def piece(self, limit: float) -> tuple[int, int]:
        """What :meth:`take` may take for a wave with room for ``limit``."""
        return self.block.piece(self.well, self.unwell, limit)

    def helps(self, piece: tuple[int, int]) -> bool:
        """Whether the piece leaves fewer waves to go."""
        block = self.block
        return block.need(self.well - piece[0], self.unwell - piece[1]) < block.need(self.well, self.unwell)

    def members(self, piece: tuple[int, int]) -> list[Candidate]:
        """The VMs of a piece that is to be taken next."""
        block = self.block
        first, other = len(block.well) - self.well, len(block.unwell) - self.unwell
        return block.well[first:first + piece[0]] + block.unwell[other:other + piece[1]]

    def take(self, piece: tuple[int, int]) -> None:
        """Go on past the piece."""
        block = self.block
        before = block.need(self.well, self.unwell)
        self.well, self.unwell = self.well - piece[0], self.unwell - piece[1]
        self.waves += block.need(self.well, self.unwell) - before
        self.size -= sum(piece)
        if not self.well + self.unwell:
            self._next()


def chains_of(candidates: t.Iterable[Candidate], rooms: t.Mapping[str, int | None], width: float,
              policy: Policy) -> list[Chain]:
    """Chains of the candidates of one phase, in a fixed order.

    ``rooms`` says how many well members of a set may go in one wave (None or no entry: a whole failure domain);
    ``width`` how many VMs of one region a wave can hold.
    """
    parts: dict[tuple[str, str], dict[tuple, list[Candidate]]] = {}
    for one in candidates:
        domain = ("", one.terms.sequence) if one.own_domain else (one.domain, 0)
        parts.setdefault((one.set_key, one.region), {}).setdefault(domain, []).append(one)
    several = collections.Counter(set_key for set_key, region in parts)
    chains = []
    for number, (part, domains) in enumerate(sorted(parts.items())):
        room = math.inf if (found := rooms.get(part[0])) is None else found
        chain = Chain([_block(members, room, width, policy) for members in domains.values()], number)
        chain.shared = several[part[0]] > 1
        chains.append(chain)
    return chains


def _block(members: t.Sequence[Candidate], room: float, width: float, policy: Policy) -> Block:
    together = policy.max_unavailable is None
    # In an availability set all have an update domain: where Azure does not tell it, nobody knows which two share one.
    one_by_one = members[0].own_domain and (together or members[0].vm.availability_set is not None)
    return Block(members, room, 1 if one_by_one else width, together)
