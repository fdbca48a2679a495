# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: kubernetes_budgets
short_description: PodDisruptionBudgets that let none of a node's pods go
version_added: 1.0.0
description:
  - B(Internal to the roles of this collection); what it takes and gives may change without notice.
  - Tells budgets that never let a pod go, for all the pods that there are must stay up, from those that are used up now and recover when pods get ready.
  - Only budgets of pods that are ready count. One that is not ready may be evicted, or is waited for.
positional: _input, budgets
options:
  _input:
    description: Pods that are to go, as the API returns them.
    type: list
    elements: dict
    required: true
  budgets:
    description: PodDisruptionBudgets of all namespaces, as the API returns them.
    type: list
    elements: dict
    required: true
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Refuse what no waiting ends
  ansible.builtin.assert:
    that: budgets.never | length == 0
    fail_msg: "{{ budgets.never | join(', ') }}"
  vars:
    budgets: "{{ pods.left | fleetops.azure_maintenance.kubernetes_budgets(listed.resources) }}"
"""

RETURN = r"""
_value:
  description: Budgets by namespace and name, each with what it asks for.
  type: dict
  contains:
    never:
      description: Those that let no pod go, however many are ready.
      type: list
      elements: str
    now:
      description: Those that let no pod go as it is.
      type: list
      elements: str
  sample: {never: [shop/cache (1 of 1 pod must stay up)], now: []}
"""


def kubernetes_budgets(pods, budgets):
    """Budgets that let none of these pods go."""
    ready = [pod for pod in pods if _is_ready(pod) and not _metadata(pod).get("deletionTimestamp")]
    found = {"never": [], "now": []}
    for budget in budgets:
        status = budget.get("status") or {}
        expected, desired = status.get("expectedPods") or 0, status.get("desiredHealthy") or 0
        if expected < 1 or status.get("disruptionsAllowed", 0) > 0 or not any(_selects(budget, pod) for pod in ready):
            continue
        name = f"{_metadata(budget).get('namespace')}/{_metadata(budget).get('name')}"
        if desired >= expected:
            found["never"].append(f"{name} ({desired} of {expected} pod{'s' * (expected != 1)} must stay up)")
        else:
            found["now"].append(f"{name} ({status.get('currentHealthy') or 0} of {expected} pods are ready, and {desired} must be)")
    return {key: sorted(texts) for key, texts in found.items()}


def _selects(budget, pod):
    """Whether a budget is about a pod. Without a selector it is about none, with an empty one about all of its namespace."""
    selector = (budget.get("spec") or {}).get("selector")
    if selector is None or _metadata(budget).get("namespace") != _metadata(pod).get("namespace"):
        return False
    labels = _metadata(pod).get("labels") or {}
    return (all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
            and all(_holds(one, labels) for one in selector.get("matchExpressions") or ()))


def _holds(expression, labels):
    key, values = expression.get("key"), expression.get("values") or ()
    return {"In": key in labels and labels[key] in values, "NotIn": key not in labels or labels[key] not in values,
            "Exists": key in labels, "DoesNotExist": key not in labels}.get(expression.get("operator"), False)


def _is_ready(pod):
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in (pod.get("status") or {}).get("conditions") or ())


def _metadata(obj):
    return obj.get("metadata") or {}


class FilterModule:
    """The filter."""

    def filters(self):
        return {"kubernetes_budgets": kubernetes_budgets}
