# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How one option of a policy is read: what it may be, and an error that names option, value and remedy.

Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import typing as t

from .._azure.availability import Limit

Reader = t.Callable[[str, t.Any], t.Any]


class PolicyError(ValueError):
    """An option of the policy that cannot be right; the message names option, value and remedy."""

    def __init__(self, key: str, value: object, remedy: str) -> None:
        super().__init__(f"{key}: {value!r} is not possible: {remedy}")
        self.key, self.value = key, value


def at_least(least: int) -> Reader:
    """A whole number from ``least``; text is read too."""
    def read(key: str, value: t.Any) -> int:
        text = str(value).strip()
        if isinstance(value, bool) or not (text.isascii() and text.isdigit()) or int(text) < least:
            raise PolicyError(key, value, f"give a whole number of at least {least}")
        return int(text)
    return read


def share(least: int, most_percent: int, why: str) -> Reader:
    """A count of VMs, or a percentage of a set as text."""
    def read(key: str, value: t.Any) -> int | str:
        try:
            limit = Limit.parse(value, key) if isinstance(value, (int, str)) and not isinstance(value, bool) else None
        except ValueError:
            limit = None
        if limit is None:
            raise PolicyError(key, value, 'give a count of VMs such as 2, or a percentage of the set such as "25%"')
        if limit.value < least or (limit.percent and limit.value > most_percent):
            raise PolicyError(key, value, why)
        return str(limit) if limit.percent else limit.value
    return read


def choice(options: t.Sequence[str]) -> Reader:
    """One of some words."""
    def read(key: str, value: t.Any) -> str:
        if value not in options:
            raise PolicyError(key, value, f"choose {' or '.join(options)}")
        return value
    return read


def hazards(known: t.Sequence[str], others: t.Sequence[str], why_not: str) -> Reader:
    """A list of hazard names of one kind; ``why_not`` says why the other kind has no place here."""
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


def flag(key: str, value: t.Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise PolicyError(key, value, "give true or false")
    return value


def expression(key: str, value: t.Any) -> str:
    """A JMESPath expression; whether it parses is seen when it is used."""
    if not isinstance(value, str) or not value.strip():
        raise PolicyError(key, value, "give a JMESPath expression over the record of a VM, such as tags.role")
    return value.strip()


def tier(key: str, value: t.Any) -> str | tuple[str, ...]:
    """A JMESPath expression, or the names of Ansible groups in order."""
    if isinstance(value, str):
        return expression(key, value)
    if not isinstance(value, t.Sequence) or not value or not all(isinstance(name, str) and name for name in value):
        raise PolicyError(key, value, "give a JMESPath expression such as tags.tier, or a list of Ansible groups in "
                                      "order")
    twice = sorted({name for name in value if list(value).count(name) > 1})
    if twice:
        raise PolicyError(key, value, f"group {twice[0]} is named twice; a tier comes once")
    return tuple(value)


def canary(key: str, value: t.Any) -> int | str:
    """How many VMs go first, or a JMESPath expression that is true for them."""
    if isinstance(value, str) and not value.strip().lstrip("+-").isdigit():
        return expression(key, value)
    try:
        return at_least(1)(key, value)
    except PolicyError:
        raise PolicyError(key, value, "give how many VMs go first, from 1, or a JMESPath expression that is true for "
                                      "them; leave it out to go without") from None


def minutes(key: str, value: t.Any) -> int | dict[str, int]:
    """Minutes for all, or by Ansible group with ``default`` for the others."""
    if not isinstance(value, t.Mapping):
        return at_least(1)(key, value)
    if not value or not all(isinstance(group, str) and group for group in value):
        raise PolicyError(key, value, "give whole minutes, or a mapping such as {default: 15, databases: 40}")
    return {group: at_least(1)(f"{key}.{group}", value[group]) for group in sorted(value)}
