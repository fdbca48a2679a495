# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refusals as the API server words them: a Status object with an HTTP code."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """Raised anywhere in a request; `body` is the Status, `code` the HTTP status."""

    def __init__(self, code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.body: dict[str, Any] = {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code,
        }
        if details:
            self.body["details"] = details


def unauthorized() -> Refused:
    """No token, or one that nobody knows."""
    return Refused(401, "Unauthorized", "Unauthorized")


def forbidden(user: str, verb: str, resource: str, namespace: str, name: str) -> Refused:
    """The user has no such permission."""
    where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
    what = resource.partition("/")[0]
    return Refused(
        403, "Forbidden", f'{what} "{name}" is forbidden: User "{user}" cannot {verb} resource "{resource}" in API group ""{where}',
        {"name": name, "kind": what},
    )


def not_found(resource: str, name: str) -> Refused:
    """There is no such object."""
    return Refused(404, "NotFound", f'{resource} "{name}" not found', {"name": name, "kind": resource})


def no_such_path() -> Refused:
    """There is no such resource type, or path."""
    return Refused(404, "NotFound", "the server could not find the requested resource", {})


def conflict(resource: str, name: str, why: str) -> Refused:
    """The object is not what the caller thinks it is."""
    return Refused(409, "Conflict", f'Operation cannot be fulfilled on {resource} "{name}": {why}', {"name": name, "kind": resource})


def bad_request(message: str) -> Refused:
    """The request makes no sense."""
    return Refused(400, "BadRequest", message)


def budget_exhausted(budget: str, needed: int, healthy: int) -> Refused:
    """Evicting the pod would leave fewer healthy pods than its PodDisruptionBudget asks for."""
    cause = f"The disruption budget {budget} needs {needed} healthy pods and has {healthy} currently"
    return Refused(
        429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.",
        {"causes": [{"reason": "DisruptionBudget", "message": cause}]},
    )


def two_budgets() -> Refused:
    """The eviction subresource cannot serve a pod that two budgets select."""
    return Refused(
        500, "InternalError", "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
    )
