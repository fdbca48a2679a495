# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patches of an object: JSON merge patch, and strategic merge patch for the lists that a node has."""

from __future__ import annotations

import copy
from typing import Any

from kubeapi import errors

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON = "application/json-patch+json"
# Lists that a strategic merge patch merges by a key; taints are replaced as a whole, as Kubernetes has it for nodes.
_MERGE_KEYS = {"conditions": "type", "addresses": "type", "ownerReferences": "uid"}


def apply(obj: dict[str, Any], patch: Any, kind: str) -> dict[str, Any]:
    """A patched copy; `kind` is the content type of the request."""
    if kind == JSON:
        return _json_patch(copy.deepcopy(obj), patch)
    if kind not in (MERGE, STRATEGIC):
        raise errors.Refused(415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {kind}")
    if not isinstance(patch, dict):
        raise errors.bad_request("json: cannot unmarshal array into Go value of type map[string]interface {}")
    return _merged(copy.deepcopy(obj), patch, strategic=kind == STRATEGIC)


def _merged(obj: dict[str, Any], patch: dict[str, Any], *, strategic: bool) -> dict[str, Any]:
    for key, value in patch.items():
        if value is None:
            obj.pop(key, None)
        elif isinstance(value, dict):
            obj[key] = _merged(obj.get(key) or {}, value, strategic=strategic)
        elif strategic and isinstance(value, list) and key in _MERGE_KEYS:
            by = {item[_MERGE_KEYS[key]]: item for item in obj.get(key, [])}
            for item in value:
                by[item[_MERGE_KEYS[key]]] = {**by.get(item[_MERGE_KEYS[key]], {}), **item}
            obj[key] = list(by.values())
        elif not key.startswith("$"):
            obj[key] = value
    return obj


def _json_patch(obj: dict[str, Any], steps: Any) -> dict[str, Any]:
    for step in steps:
        *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
        place = obj
        for part in parents:
            if not isinstance(place.get(part), dict):
                raise errors.Refused(422, "Invalid", "the server rejected our request due to an error in our request")
            place = place[part]
        if step["op"] == "test" and place.get(last) != step["value"]:
            raise errors.Refused(422, "Invalid", "the server rejected our request due to an error in our request")
        if step["op"] == "remove":
            place.pop(last, None)
        elif step["op"] in ("add", "replace"):
            place[last] = step["value"]
    return obj
