# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's rules for a rollout, checked once: what may be down together, at what pace, with which consents.

Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing as t
from dataclasses import dataclass

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.availability import Limit
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.maintenance import (
    BLOCKING_HAZARDS, NOTED_HAZARDS)

REGION_PAIRS = ("serial", "parallel")
ON_DEADLINE = ("warn", "refuse")


class PolicyError(ValueError):
    """An option of the policy that cannot be right; the message names option, value and remedy."""

    def __init__(self, key: str, value: object, remedy: str) -> None:
        super().__init__(f"{key}: {value!r} is not possible: {remedy}")
        self.key, self.value = key, value


@dataclass(frozen=True)
class Policy:
    """Rules of a rollout.

    Shares (``max_unavailable``, ``min_available``) are a count or a percentage such as ``"25%"`` of the members of one
    availability set or scale set; a VM outside sets has no peers to count. Without ``max_unavailable`` a whole update
    domain goes at once, and only while every member that does not go with it is well. Minutes are per wave, for the VMs of a wave run
    side by side; let ``minutes_per_vm`` be a high quantile: a plan that ends late costs more than one that ends early.
    """

    max_unavailable: int | str | None = None
    min_available: int | str | None = None
    max_parallel: int | None = None
    per_region: int | None = None
    region_pairs: str = "serial"
    accept: tuple[str, ...] = ()
    refuse: tuple[str, ...] = ()
    minutes_per_vm: int = 15
    scheduled_events_minutes: int = 10
    drain_minutes: int = 2
    on_deadline: str = "warn"
    include_unlisted: bool = False

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any]) -> "Policy":
        """A checked policy; None means the default, numbers may be text. Raises :class:`PolicyError`."""
        for key in options:
            if key not in _READERS:
                near = difflib.get_close_matches(str(key), _READERS, n=1)
                known = f"did you mean {near[0]}?" if near else f"known are {', '.join(_READERS)}"
                raise PolicyError(str(key), options[key], f"there is no such option; {known}")
        return cls(**{key: _READERS[key](key, value) for key, value in options.items() if value is not None})

    def to_record(self) -> dict[str, t.Any]:
        """The options as JSON types; :meth:`from_options` reads them back to an equal policy."""
        options = dataclasses.asdict(self).items()
        return {key: list(value) if isinstance(value, tuple) else value for key, value in options}

    def max_down(self, size: int) -> int | None:
        """Members of a set of ``size`` that may be unavailable together; None: one failure domain, however large."""
        limit = Limit.parse(self.max_unavailable, "max_unavailable")
        return max(1, limit.of(size, up=False)) if limit else None

    def min_up(self, size: int) -> int:
        """Members of a set of ``size`` that must stay available (percentages round up)."""
        limit = Limit.parse(self.min_available, "min_available")
        return limit.of(size, up=True) if limit else 0

    @property
    def wave_minutes(self) -> int:
        """Expected length of one wave."""
        return self.drain_minutes + self.scheduled_events_minutes + self.minutes_per_vm


def _number(key: str, value: t.Any, least: int) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()) or int(text) < least:
        raise PolicyError(key, value, f"give a whole number of at least {least}")
    return int(text)


def _share(key: str, value: t.Any, least: int, most_percent: int, why: str) -> int | str:
    try:
        limit = Limit.parse(value, key) if isinstance(value, (int, str)) and not isinstance(value, bool) else None
    except ValueError:
        limit = None
    if limit is None:
        raise PolicyError(key, value, 'give a count of VMs such as 2, or a percentage of the set such as "25%"')
    if limit.value < least or (limit.percent and limit.value > most_percent):
        raise PolicyError(key, value, why)
    return str(limit) if limit.percent else limit.value


def _choice(options: t.Sequence[str]) -> t.Callable[[str, t.Any], str]:
    def read(key: str, value: t.Any) -> str:
        if value not in options:
            raise PolicyError(key, value, f"choose {' or '.join(options)}")
        return value
    return read


def _hazards(known: t.Sequence[str], others: t.Sequence[str],
             why_not: str) -> t.Callable[[str, t.Any], tuple[str, ...]]:
    def read(key: str, value: t.Any) -> tuple[str, ...]:
        if isinstance(value, (str, bytes)) or not isinstance(value, t.Iterable):
            raise PolicyError(key, value, "give a list of hazard names")
        for name in (names := list(value)):
            if name in others:
                raise PolicyError(key, name, why_not)
            if name not in known:
                raise PolicyError(key, name, f"there is no such hazard; known here are {', '.join(known)}")
        return tuple(sorted(set(names)))
    return read


def _flag(key: str, value: t.Any) -> bool:
    if not isinstance(value, bool):
        raise PolicyError(key, value, "give true or false")
    return value


def _at_least(least: int) -> t.Callable[[str, t.Any], int]:
    return lambda key, value: _number(key, value, least)


_READERS: dict[str, t.Callable[[str, t.Any], t.Any]] = {
    "max_unavailable": lambda key, value: _share(
        key, value, 1, 100, 'with less than 1 nothing could ever go; give a count from 1, or "1%" to "100%"'),
    "min_available": lambda key, value: _share(
        key, value, 0, 99, 'keeping all members up leaves none to redeploy; give a count, or at most "99%"'),
    "max_parallel": _at_least(1),
    "per_region": _at_least(1),
    "region_pairs": _choice(REGION_PAIRS),
    "accept": _hazards(BLOCKING_HAZARDS, NOTED_HAZARDS,
                       "this hazard is only noted and stops nothing, so there is nothing to accept; leave it out"),
    "refuse": _hazards(NOTED_HAZARDS, BLOCKING_HAZARDS,
                       "this hazard stops a VM already, unless it is named in accept; leave it out"),
    "minutes_per_vm": _at_least(1),
    "scheduled_events_minutes": _at_least(0),
    "drain_minutes": _at_least(0),
    "on_deadline": _choice(ON_DEADLINE),
    "include_unlisted": _flag,
}
