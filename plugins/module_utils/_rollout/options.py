# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How one option of a policy is read, and the JSON schema of what is read; errors name option, value and remedy.

Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import typing as t

from .._azure.availability import Limit


class Option(t.NamedTuple):
    """``read`` takes the option's name and a value, and returns the policy's value, of which ``schema`` is the JSON schema. It raises PolicyError."""

    read: t.Callable[[str, t.Any], t.Any]
    schema: t.Mapping[str, t.Any]


class PolicyError(ValueError):
    """An option of the policy that cannot be right; the message names option, value and remedy."""

    def __init__(self, key: str, value: object, remedy: str) -> None:
        super().__init__(f"{key}: {value!r} is not possible: {remedy}")
        self.key, self.value = key, value


def at_least(least: int) -> Option:
    """A whole number from ``least``; text is read too."""
    def read(key: str, value: t.Any) -> int:
        text = str(value).strip()
        if isinstance(value, bool) or not (text.isascii() and text.isdigit()) or int(text) < least:
            raise PolicyError(key, value, f"set a whole number of at least {least}")
        return int(text)
    return Option(read, {"type": "integer", "minimum": least})


def share(least: int, most_percent: int, why: str) -> Option:
    """A count of VMs, or a percentage of a set as text."""
    def read(key: str, value: t.Any) -> int | str:
        try:
            limit = Limit.parse(value, key) if isinstance(value, (int, str)) and not isinstance(value, bool) else None
        except ValueError:
            limit = None
        if limit is None:
            raise PolicyError(key, value, 'set a count of VMs such as 2, or a percentage of the set such as "25%"')
        if limit.value < least or (limit.percent and limit.value > most_percent):
            raise PolicyError(key, value, why)
        return str(limit) if limit.percent else limit.value
    return Option(read, {"type": ["integer", "string"], "minimum": least, "pattern": r"^\d+%$"})


def choice(options: t.Sequence[str]) -> Option:
    """One of some words."""
    def read(key: str, value: t.Any) -> str:
        if value not in options:
            raise PolicyError(key, value, f"choose {' or '.join(options)}")
        return value
    return Option(read, {"type": "string", "enum": list(options)})


def hazards(known: t.Sequence[str], others: t.Sequence[str], why_not: str) -> Option:
    """A list of hazard names of one kind; ``why_not`` says why the other kind has no place here."""
    def read(key: str, value: t.Any) -> tuple[str, ...]:
        if isinstance(value, (str, bytes)) or not isinstance(value, t.Iterable):
            raise PolicyError(key, value, "set a list of hazard names")
        for name in (names := list(value)):
            if name in others:
                raise PolicyError(key, name, why_not)
            if name not in known:
                raise PolicyError(key, name, f"there is no such hazard; known here are {', '.join(known)}")
        return tuple(sorted(set(names)))
    return Option(read, {"type": "array", "items": {"type": "string", "enum": list(known)}})


def _flag(key: str, value: t.Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise PolicyError(key, value, "set true or false")
    return value


def _expression(key: str, value: t.Any) -> str:
    """A JMESPath expression; whether it parses is seen when it is used."""
    if not isinstance(value, str) or not value.strip():
        raise PolicyError(key, value, "set a JMESPath expression over the record of a VM, such as tags.role")
    return value.strip()


def _tier(key: str, value: t.Any) -> str | tuple[str, ...]:
    """A JMESPath expression, or the names of Ansible groups in order."""
    if isinstance(value, str):
        return _expression(key, value)
    if not isinstance(value, t.Sequence) or not value or not all(isinstance(name, str) and name for name in value):
        raise PolicyError(key, value, "set a JMESPath expression such as tags.tier, or a list of Ansible groups in "
                                      "order")
    twice = sorted({name for name in value if list(value).count(name) > 1})
    if twice:
        raise PolicyError(key, value, f"group {twice[0]} is named twice; a tier comes once")
    return tuple(value)


def _canary(key: str, value: t.Any) -> int | str:
    """How many VMs go first, or a JMESPath expression that is true for them."""
    if isinstance(value, str) and not value.strip().lstrip("+-").isdigit():
        return _expression(key, value)
    try:
        return at_least(1).read(key, value)
    except PolicyError:
        raise PolicyError(key, value, "set how many VMs go first, from 1, or a JMESPath expression that is true for "
                                      "them; leave it out to go without") from None


def _minutes(key: str, value: t.Any) -> int | dict[str, int]:
    """Minutes for all, or by Ansible group with ``default`` for the others."""
    if not isinstance(value, t.Mapping):
        return at_least(1).read(key, value)
    if not value or not all(isinstance(group, str) and group for group in value):
        raise PolicyError(key, value, "set whole minutes, or a mapping such as {default: 15, databases: 40}")
    return {group: at_least(1).read(f"{key}.{group}", value[group]) for group in sorted(value)}


FLAG = Option(_flag, {"type": "boolean"})
EXPRESSION = Option(_expression, {"type": "string"})
TIER = Option(_tier, {"type": ["string", "array"], "items": {"type": "string"}})
CANARY = Option(_canary, {"type": ["integer", "string"], "minimum": 1})
MINUTES = Option(_minutes, {"type": ["integer", "object"], "minimum": 1, "additionalProperties": {"type": "integer", "minimum": 1}})
