# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many members of a backend or pool must stay up when others leave it together. Pure.

Runs on balancers: standard library only, Python 3.9 or newer.
"""

from __future__ import annotations

import re
import typing as t

_MOST_NAMES = 5


class Terms(t.NamedTuple):
    """What a place and its members are called, how the status of one begins that takes new requests, and the names of the options."""

    place: str
    member: str
    serves: tuple[str, ...]
    minimum: str
    consent: str


def required(minimum: str, members: int) -> int:
    """How many of so many members must stay up: a count, or a percentage of them such as ``50%``, rounded up. Raises ValueError for anything else."""
    found = re.fullmatch(r"([0-9]+)(%?)", minimum.strip())
    if not found or (found[2] and int(found[1]) > 99):
        raise ValueError(f"{minimum!r} is neither a count, such as 1, nor a percentage from 0% to 99%, such as 50%")
    return -(-members * int(found[1]) // 100) if found[2] else int(found[1])


class Minimum(t.NamedTuple):
    """How many must stay up in each place, as :func:`required` takes it."""

    minimum: str
    terms: Terms

    def refusal(
        self, places: t.Mapping[str, t.Mapping[str, str]], own: t.Collection[str], leaving: t.Collection[tuple[str, str]] | None
    ) -> str:
        """Why a host may not leave, and what to do; empty when it may. Raises ValueError for a minimum that is none.

        ``places`` has the status of each member by name, by the place in words; ``own`` are the names of the host's members, ``leaving`` the (place, name)
        of those that are about to leave as well. With None only that is refused which could never be granted, however many are up. Where the host
        takes no requests as it is, its leaving changes nothing, and is not refused.
        """
        short, remedies = [], []
        for place, members in places.items():
            needed = required(self.minimum, len(members))
            if not any(self._up(members[name]) for name in own if name in members):
                continue
            others = {name: status for name, status in members.items() if name not in own}
            gone = sorted(name for name in others if (place, name) in (leaving or ()))
            down = [] if leaving is None else sorted(name for name, status in others.items() if name not in gone and not self._up(status))
            up = len(others) - len(gone) - len(down)
            if up >= needed:
                continue
            why = ", ".join(_few([f"{name} is {others[name]}" for name in down]) + _few([f"{name} is about to be drained, too" for name in gone]))
            short.append(f"{place} would have {up} of {len(members)} {self.terms.member}{'s' * (len(members) != 1)} up"
                         f"{f' ({why})' if why else ''}, {self.terms.minimum} is {self.minimum}")
            remedies += [f"bring a {self.terms.member} up"] if down else []
            remedies += ["take fewer hosts out at once (rollout_max_parallel; in a play of yours serial)"] if gone else []
            remedies += [f"add a {self.terms.member}"] if len(others) < needed else []
            remedies += [f"lower {self.terms.minimum}"] if needed > 1 else []
        if not short:
            return ""
        remedy = ", ".join(dict.fromkeys(remedies))
        return (f"drain refused: {'; '.join(short)}. Nothing was drained. "
                f"{remedy[0].upper()}{remedy[1:]}, or name the {self.terms.place} in {self.terms.consent}")

    def _up(self, status: str) -> bool:
        return status.startswith(self.terms.serves)


def _few(texts: list[str]) -> list[str]:
    """The first of them, and how many more there are."""
    return [*texts[:_MOST_NAMES], *([f"and {len(texts) - _MOST_NAMES} more"] if len(texts) > _MOST_NAMES else [])]
