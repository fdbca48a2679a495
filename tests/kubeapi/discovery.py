# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Discovery documents: what the server says it serves."""

from __future__ import annotations

from typing import Any

# group version -> rows of (plural, kind, namespaced, verbs)
RESOURCES: dict[str, list[tuple[str, str, bool, list[str]]]] = {
    "v1": [
        ("namespaces", "Namespace", False, ["get", "list"]),
        ("nodes", "Node", False, ["get", "list", "patch"]),
        ("pods", "Pod", True, ["delete", "get", "list"]),
        ("pods/eviction", "Eviction", True, ["create"]),
    ],
    "apps/v1": [
        ("daemonsets", "DaemonSet", True, ["get", "list"]),
        ("replicasets", "ReplicaSet", True, ["get", "list"]),
        ("statefulsets", "StatefulSet", True, ["get", "list"]),
    ],
    "policy/v1": [("poddisruptionbudgets", "PodDisruptionBudget", True, ["get", "list"])],
}
KINDS = {plural: kind for rows in RESOURCES.values() for plural, kind, _namespaced, _verbs in rows}
VERSION = {
    "major": "1", "minor": "32", "gitVersion": "v1.32.0", "gitCommit": "", "gitTreeState": "clean", "buildDate": "2024-12-11T00:00:00Z",
    "goVersion": "go1.23.3", "compiler": "gc", "platform": "linux/amd64",
}


def api_version(plural: str) -> str:
    """The group version that serves a resource."""
    return next(version for version, rows in RESOURCES.items() if plural in (row[0] for row in rows))


def document(path: str) -> dict[str, Any] | None:
    """The discovery document at a path; None when it is not one."""
    if path == "/version":
        return VERSION
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(v) for v in RESOURCES if "/" in v]}
    for version in RESOURCES:
        if path == (f"/apis/{version}" if "/" in version else f"/api/{version}"):
            return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": [_row(*row) for row in RESOURCES[version]]}
        if "/" in version and path == f"/apis/{version.partition('/')[0]}":
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(version)}
    return None


def _group(version: str) -> dict[str, Any]:
    served = {"groupVersion": version, "version": version.partition("/")[2]}
    return {"name": version.partition("/")[0], "versions": [served], "preferredVersion": served}


def _row(plural: str, kind: str, namespaced: bool, verbs: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {"name": plural, "singularName": "" if "/" in plural else kind.lower(), "namespaced": namespaced, "kind": kind, "verbs": verbs}
    if plural == "pods/eviction":
        row |= {"group": "policy", "version": "v1"}
    return row
