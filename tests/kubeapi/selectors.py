# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Label and field selectors, as query parameters have them."""

from __future__ import annotations

import re
from typing import Any

from kubeapi import errors

_SET = re.compile(r"^\s*(\S+)\s+(in|notin)\s+\(([^)]*)\)\s*$")
_PAIR = re.compile(r"^\s*([^\s!=]+)\s*(==|!=|=)\s*(\S*)\s*$")
_EXISTS = re.compile(r"^\s*(!?)\s*([A-Za-z0-9./_-]+)\s*$")


def _requirements(text: str) -> list[str]:
    """Split at commas that are not inside the parentheses of a set."""
    return [part for part in re.split(r",(?![^(]*\))", text) if part.strip()]


def _holds(requirement: str, labels: dict[str, str]) -> bool:
    found = _SET.match(requirement)
    if found:
        inside = labels.get(found[1]) in [value.strip() for value in found[3].split(",")]
        return inside if found[2] == "in" else not inside
    found = _PAIR.match(requirement)
    if found:
        return (labels.get(found[1]) == found[3]) is (found[2] != "!=")
    found = _EXISTS.match(requirement)
    if not found:
        raise errors.bad_request(f'unable to parse requirement: "{requirement}"')
    return (found[2] in labels) is not bool(found[1])


def labels_match(text: str, labels: dict[str, str]) -> bool:
    """Whether labels satisfy a selector such as "app=web,tier in (a,b),!legacy"; an empty one is always satisfied."""
    return all(_holds(requirement, labels) for requirement in _requirements(text))


def fields_match(text: str, obj: dict[str, Any]) -> bool:
    """Whether an object satisfies a field selector; only the fields that the API server offers here are known."""
    for part in _requirements(text):
        found = _PAIR.match(part)
        if not found or found[1] not in ("metadata.name", "metadata.namespace", "spec.nodeName", "status.phase"):
            raise errors.bad_request(f'Unable to find "{part}" that match label selector "", field selector "{text}"')
        value: Any = obj
        for key in found[1].split("."):
            value = value.get(key, {})
        if ((value or "") == found[3]) is (found[2] == "!="):
            return False
    return True
