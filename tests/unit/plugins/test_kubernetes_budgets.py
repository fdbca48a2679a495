# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which disruption budgets let none of a node's pods go, over plain objects."""

from __future__ import annotations

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.filter.kubernetes_budgets import kubernetes_budgets

WEB = {"matchLabels": {"app": "web"}}


def pod(*, ready=True, namespace="shop", **more):
    conditions = [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "True" if ready else "False"}]
    return {"metadata": {"namespace": namespace, "name": "p", "labels": {"app": "web", "tier": "2"}, **more}, "status": {"conditions": conditions}}


def told(one=None, selector=..., *, expected=2, desired=2, healthy=2):
    status = {"expectedPods": expected, "desiredHealthy": desired, "currentHealthy": healthy, "disruptionsAllowed": max(0, healthy - desired)}
    budget = {"metadata": {"namespace": "shop", "name": "web"}, "spec": {"selector": WEB if selector is ... else selector}, "status": status}
    return kubernetes_budgets([one or pod()], [budget])


@pytest.mark.parametrize("numbers, never, now", [
    ({}, ["shop/web (2 of 2 pods must stay up)"], []), ({"expected": 1, "desired": 1, "healthy": 1}, ["shop/web (1 of 1 pod must stay up)"], []),
    ({"expected": 1, "desired": 2, "healthy": 1}, ["shop/web (2 of 1 pod must stay up)"], []), ({"desired": 1}, [], []),
    ({"expected": 3, "healthy": 2}, [], ["shop/web (2 of 3 pods are ready, and 2 must be)"]), ({"expected": 0, "desired": 0, "healthy": 0}, [], [])])
def test_what_never_lets_a_pod_go_and_what_does_not_now(numbers, never, now):
    assert told(**numbers) == {"never": never, "now": now}


@pytest.mark.parametrize("one, selector", [
    (pod(ready=False), WEB), (pod(deletionTimestamp="2026-03-02T08:16:02Z"), WEB), (pod(namespace="other"), WEB), (pod(labels=None), WEB),
    ({"metadata": None}, WEB),
    (None, None), (None, {"matchLabels": {"app": "web", "tier": "1"}}),
    *((None, {"matchExpressions": [{"key": "tier", **one}]}) for one in (
        {"operator": "In", "values": ["1", "3"]}, {"operator": "NotIn", "values": ["2"]}, {"operator": "DoesNotExist"}, {"operator": "New"}))])
def test_budgets_of_other_pods_do_not_matter(one, selector):
    assert told(one, selector) == {"never": [], "now": []}


@pytest.mark.parametrize("selector", [{}, {"matchLabels": None}, *({"matchExpressions": [{"key": key, **one}]} for key, one in (
    ("tier", {"operator": "In", "values": ["1", "2"]}), ("tier", {"operator": "NotIn", "values": ["3"]}), ("tier", {"operator": "Exists"}),
    ("zone", {"operator": "DoesNotExist"}), ("zone", {"operator": "NotIn", "values": ["1"]})))])
def test_selectors_of_all_kinds(selector):
    assert told(selector=selector)["never"]


def test_objects_without_anything():
    assert kubernetes_budgets([pod()], [{}, {"metadata": None, "spec": {"selector": None}}]) == {"never": [], "now": []}
