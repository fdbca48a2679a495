# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's rules for a rollout, checked once: what may be down together, at what pace, with which consents.

Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import dataclasses
import typing as t
from dataclasses import dataclass

from .._azure.availability import Limit
from .._azure.maintenance import BLOCKING_HAZARDS, CONSENTS, NOTED_HAZARDS
from .._spelling import did_you_mean
from . import calendar
from .calendar import Calendar
from .options import CANARY, EXPRESSION, FLAG, MINUTES, TIER, Option, PolicyError, at_least, choice, hazards, share

__all__ = ["ON_DEADLINE", "REGION_PAIRS", "Policy", "PolicyError"]

REGION_PAIRS = ("serial", "parallel")
ON_DEADLINE = ("warn", "refuse")
DEFAULT_MINUTES = 15


@dataclass(frozen=True)
class Policy:
    """Rules of a rollout.

    Shares (``max_unavailable``, ``min_available``) are a count or a percentage such as ``"25%"`` of the members of one
    set (availability set, scale set, service); a VM outside sets has no peers to count. Without ``max_unavailable`` a
    whole failure domain goes at once, and only while every member that does not go with it is well; members that Azure
    names no domain for then go one by one. Minutes are per wave, for the VMs of a wave run side by side: the slowest
    decides. Let ``minutes_per_vm`` be a high quantile: a plan that ends late costs more than one that ends early.
    ``service``, ``tier``, ``sequence`` and ``canary`` may be JMESPath over the record, see attributes.
    """

    max_unavailable: int | str | None = None
    min_available: int | str | None = None
    max_parallel: int | None = None
    per_region: int | None = None
    region_pairs: str = "serial"
    accept: tuple[str, ...] = ()
    refuse: tuple[str, ...] = ()
    minutes_per_vm: int | t.Mapping[str, int] = DEFAULT_MINUTES
    scheduled_events_minutes: int = 10
    drain_minutes: int = 2
    on_deadline: str = "warn"
    include_unlisted: bool = False
    service: str | None = None
    tier: str | tuple[str, ...] | None = None
    sequence: str | None = None
    canary: int | str | None = None
    soak_minutes: int = 0
    calendar: Calendar | None = None
    lanes: int = 1

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any]) -> "Policy":
        """A checked policy; None means the default, numbers may be text. Raises :class:`PolicyError`."""
        for key in options:
            if key not in _OPTIONS:
                hint = did_you_mean(key, _OPTIONS) or f"known are {', '.join(_OPTIONS)}"
                raise PolicyError(str(key), options[key], f"there is no such option; {hint}")
        return cls(**{key: _OPTIONS[key].read(key, value) for key, value in options.items() if value is not None})

    def to_record(self) -> dict[str, t.Any]:
        """The options as JSON types; :meth:`from_options` reads them back to an equal policy."""
        options = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        if self.calendar:
            options["calendar"] = self.calendar.to_record()
        plain = {tuple: list, dict: dict}
        return {key: plain[type(value)](value) if type(value) in plain else value for key, value in options.items()}

    @classmethod
    def schema(cls) -> dict[str, t.Any]:
        """JSON schema of :meth:`to_record`."""
        properties = {field.name: _OPTIONS[field.name].schema for field in dataclasses.fields(cls)}
        for name in (field.name for field in dataclasses.fields(cls) if field.default is None):
            kinds = properties[name]["type"]
            properties[name] = {**properties[name], "type": [*([kinds] if isinstance(kinds, str) else kinds), "null"]}
        return {"type": "object", "required": list(properties), "additionalProperties": False, "properties": properties}

    def max_down(self, size: int) -> int | None:
        """Members of a set of ``size`` that may be unavailable together; None: one failure domain, however large."""
        limit = Limit.parse(self.max_unavailable, "max_unavailable")
        return max(1, limit.of(size, up=False)) if limit else None

    def min_up(self, size: int) -> int:
        """Members of a set of ``size`` that must stay available (percentages round up)."""
        limit = Limit.parse(self.min_available, "min_available")
        return limit.of(size, up=True) if limit else 0

    @property
    def overhead_minutes(self) -> int:
        """What a wave takes besides its redeploys: draining, and Azure's wait for guests that listen."""
        return self.drain_minutes + self.scheduled_events_minutes

    def minutes_for(self, groups: t.Iterable[str]) -> int:
        """Minutes one redeploy takes, for a host in these Ansible groups: the most of those that apply."""
        if isinstance(self.minutes_per_vm, int):
            return self.minutes_per_vm
        named = [self.minutes_per_vm[group] for group in groups if group in self.minutes_per_vm]
        return max(named, default=self.minutes_per_vm.get("default", DEFAULT_MINUTES))


_OPTIONS: dict[str, Option] = {
    "max_unavailable": share(
        1, 100, 'with less than 1 nothing could ever go; set a count from 1, or "1%" to "100%"'),
    "min_available": share(
        0, 99, 'keeping all members up leaves none to redeploy; set a count, or at most "99%"'),
    "max_parallel": at_least(1),
    "per_region": at_least(1),
    "region_pairs": choice(REGION_PAIRS),
    "accept": hazards(CONSENTS, NOTED_HAZARDS,
                      "this hazard is only noted and stops nothing, so there is nothing to accept; leave it out"),
    "refuse": hazards(NOTED_HAZARDS, BLOCKING_HAZARDS,
                      "this hazard stops a VM already, unless it is named in accept; leave it out"),
    "minutes_per_vm": MINUTES,
    "scheduled_events_minutes": at_least(0),
    "drain_minutes": at_least(0),
    "on_deadline": choice(ON_DEADLINE),
    "include_unlisted": FLAG,
    "service": EXPRESSION,
    "tier": TIER,
    "sequence": EXPRESSION,
    "canary": CANARY,
    "soak_minutes": at_least(0),
    "calendar": Option(lambda key, value: Calendar.from_options(value, key), calendar.SCHEMA),
    "lanes": at_least(1),
}
