# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the watch: what there is, and whether a file of them can be used. Standard library only, Python 3.9 or newer."""

from __future__ import annotations

import json
import typing as t

from azure_maintenance._guest.scheduled_events import ENDPOINT, PATIENCE, TYPES

DEFAULTS: dict[str, t.Any] = {
    "endpoint": ENDPOINT,
    "patience": PATIENCE,
    "vm_name": "",
    "types": list(TYPES),
    "sources": ["Platform", "User"],
    "approve_types": ["Freeze", "Reboot", "Redeploy"],
    "freeze_seconds": 10,
    "services": [],
    "drain": [],
    "restore": [],
    "command_seconds": 300,
    "mark": "/etc/ansible/facts.d/azure_maintenance.fact",
    "mark_hours": 24,
    "state": "/etc/ansible/facts.d/azure_maintenance_watch.fact",
    "lock": "/run/azure_maintenance_watch.lock",
}
_COMMANDS = ("drain", "restore")


def load_config(path: str) -> dict[str, t.Any]:
    """The file over the defaults. Raises OSError, or ValueError that says what is wrong."""
    with open(path, encoding="utf-8") as file:
        given = json.load(file)
    if not isinstance(given, dict):
        raise ValueError("it is no object")
    unknown = sorted(set(given) - set(DEFAULTS))
    if unknown:
        raise ValueError(f"unknown keys {', '.join(unknown)}")
    return {**DEFAULTS, **{key: _checked(key, value) for key, value in given.items()}}


def _checked(key: str, value: t.Any) -> t.Any:
    """The value, numbers as numbers; a text where a list belongs would be run letter by letter."""
    usual = DEFAULTS[key]
    if isinstance(usual, (int, float)):
        try:
            return float(value)
        except (TypeError, ValueError):
            raise ValueError(f"{key} {value!r} is no number") from None
    if isinstance(usual, str):
        if not isinstance(value, str):
            raise ValueError(f"{key} {value!r} is no text")
    elif key in _COMMANDS:
        if not isinstance(value, list) or not all(_is_texts(item) and item for item in value):
            raise ValueError(f"{key}: each command is a list of program and arguments")
    elif not _is_texts(value):
        raise ValueError(f"{key} is no list of texts")
    return value


def _is_texts(value: t.Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
