# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small checkers for declarative data: every error names the key that is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[str, Any], Any]


class FleetError(ValueError):
    """A fleet file, or a control request, that says something the simulator does not understand."""


def text(where: str, value: Any) -> str:
    """A non-empty string."""
    if not isinstance(value, str) or not value:
        raise FleetError(f"{where}: {value!r} is not a text")
    return value


def maybe(check: Check) -> Check:
    """The checked value, or null."""
    return lambda where, value: None if value is None else check(where, value)


def flag(where: str, value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise FleetError(f"{where}: {value!r} is neither true nor false")
    return value


def whole(least: int = 0) -> Check:
    """A whole number not below the least."""

    def check(where: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise FleetError(f"{where}: {value!r} is not a whole number of at least {least}")
        return value

    return check


def seconds(where: str, value: Any) -> float:
    """A number of seconds, not negative."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise FleetError(f"{where}: {value!r} is not a number of seconds")
    return float(value)


def one_of(*names: Any) -> Check:
    """One of the given values."""

    def check(where: str, value: Any) -> Any:
        if value not in names:
            raise FleetError(f"{where}: {value!r} is none of {', '.join(map(str, names))}")
        return value

    return check


def list_of(check: Check) -> Check:
    """A list whose every item is checked."""

    def check_list(where: str, value: Any) -> list[Any]:
        if not isinstance(value, (list, tuple)):
            raise FleetError(f"{where}: {value!r} is not a list")
        return [check(f"{where}[{index}]", item) for index, item in enumerate(value)]

    return check_list


def map_of(check: Check) -> Check:
    """A mapping with free keys whose every value is checked."""

    def check_map(where: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise FleetError(f"{where}: {value!r} is not a mapping")
        return {str(key): check(f"{where}.{key}", item) for key, item in value.items()}

    return check_map


def anything(where: str, value: Any) -> Any:
    """No check at all."""
    return value


def keys(table: Mapping[str, Check], required: tuple[str, ...] = ()) -> Check:
    """A mapping with just these keys; keys not given are left out of the result."""

    def check(where: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise FleetError(f"{where}: {value!r} is not a mapping")
        for key in value:
            if key not in table:
                close = difflib.get_close_matches(str(key), table, 1)
                hint = f" (did you mean {close[0]!r}?)" if close else f" (known: {', '.join(table)})"
                raise FleetError(f"{where}: unknown key {key!r}{hint}")
        for key in required:
            if key not in value:
                raise FleetError(f"{where}: {key!r} is missing")
        return {key: table[key](f"{where}.{key}" if where else key, item) for key, item in value.items()}

    return check
