# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Toy controllers, run before and after every request: kubelet, scheduler, workloads, disruption and node lifecycle."""

from __future__ import annotations

import itertools
import secrets
import time
from typing import TYPE_CHECKING, Any

from kubeapi import objects

if TYPE_CHECKING:
    from kubeapi.cluster import Cluster

TAINT = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


def run(cluster: Cluster) -> None:
    """Bring everything up to the present."""
    _nodes(cluster)
    _kubelet(cluster)
    for kind in ("ReplicaSet", "StatefulSet", "DaemonSet"):
        for owner in cluster.all(kind.lower() + "s"):
            _workload(cluster, kind, owner)
    _schedule(cluster)
    _budgets(cluster)


def populate(cluster: Cluster, namespace: str, name: str, declared: dict[str, Any]) -> None:
    """The pods that a workload begins with, one on each node of `nodes` (again from the start when there are fewer)."""
    owner = cluster.get(declared["kind"].lower() + "s", namespace, name)
    count = len(declared["nodes"]) if declared["kind"] == "DaemonSet" else owner["spec"]["replicas"]
    for number, node in zip(range(count), itertools.cycle(declared["nodes"]), strict=False):
        _create(cluster, declared["kind"], owner, declared, f"{name}-{number}", node, ready=True)


def selects(budget: dict[str, Any], pod: dict[str, Any]) -> bool:
    """Whether a budget is about a pod."""
    labels = pod["metadata"].get("labels", {})
    return all(labels.get(key) == value for key, value in budget["spec"]["selector"]["matchLabels"].items())


def _create(  # noqa: PLR0913
    cluster: Cluster, kind: str, owner: dict[str, Any], declared: dict[str, Any], name: str, node: str | None, *, ready: bool
) -> None:
    labels = dict(owner["spec"]["template"]["metadata"]["labels"])
    labels |= {
        "ReplicaSet": {"pod-template-hash": "5d8c"},
        "StatefulSet": {"controller-revision-hash": "6b9f", "statefulset.kubernetes.io/pod-name": name},
        "DaemonSet": {"controller-revision-hash": "6b9f", "pod-template-generation": "1"},
    }[kind]
    values = {**declared, "labels": labels, "node": node}
    cluster.add_pod(objects.pod(owner["metadata"]["namespace"], name, values, (kind, owner)), declared, ready=ready)


def _nodes(cluster: Cluster) -> None:
    """The taint that goes with spec.unschedulable."""
    for node in cluster.all("nodes"):
        others = [taint for taint in node["spec"].get("taints", []) if taint["key"] != TAINT["key"]]
        wanted = [*others, TAINT] if node["spec"].get("unschedulable") else others
        if wanted != node["spec"].get("taints", []):
            node["spec"]["taints"] = wanted
            cluster.put("nodes", node)


def _kubelet(cluster: Cluster) -> None:
    """Containers stop and become ready; a kubelet that is not Ready does neither."""
    now = time.monotonic()
    for pod in cluster.all("pods"):
        hidden, node = cluster.hidden[pod["metadata"]["uid"]], pod["spec"].get("nodeName")
        if node and not objects.is_ready(cluster.get("nodes", "", node)):
            continue
        if hidden.ends_at is not None and (now >= hidden.ends_at or not node):
            if not pod["metadata"].get("finalizers"):
                cluster.drop("pods", pod)
            if objects.MIRROR in pod["metadata"].get("annotations", {}):  # its file is still there
                cluster.add_pod(objects.pod(pod["metadata"]["namespace"], pod["metadata"]["name"], hidden.declared), hidden.declared)
        elif pod["status"]["phase"] == "Running" and not objects.is_ready(pod) and hidden.ready_after is not None:
            hidden.ready_at = hidden.ready_at or now + hidden.ready_after
            if now >= hidden.ready_at:
                pod["status"]["conditions"] = [objects.condition(True)]
                cluster.put("pods", pod)


def _workload(cluster: Cluster, kind: str, owner: dict[str, Any]) -> None:
    """Replace what is missing: a ReplicaSet at once, a StatefulSet and a DaemonSet when the old pod is gone."""
    namespace, name = owner["metadata"]["namespace"], owner["metadata"]["name"]
    declared = cluster.declared["workloads"][f"{namespace}/{name}"]
    pods = [pod for pod in cluster.all("pods", namespace) if objects.owner_of(pod, kind, name)]
    if kind == "ReplicaSet":
        active = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        for _missing in range(owner["spec"]["replicas"] - len(active)):
            _create(cluster, kind, owner, declared, f"{name}-{secrets.token_hex(3)}", None, ready=False)
    elif kind == "StatefulSet":
        for number in range(owner["spec"]["replicas"]):
            if f"{name}-{number}" not in [pod["metadata"]["name"] for pod in pods]:
                _create(cluster, kind, owner, declared, f"{name}-{number}", None, ready=False)
    else:
        for node in set(declared["nodes"]) - {pod["spec"]["nodeName"] for pod in pods}:
            _create(cluster, kind, owner, declared, f"{name}-{secrets.token_hex(3)}", node, ready=False)


def _schedule(cluster: Cluster) -> None:
    """Bind waiting pods to the node with the fewest pods, of those that are Ready and not cordoned."""
    open_nodes = [n["metadata"]["name"] for n in cluster.all("nodes") if objects.is_ready(n) and not n["spec"].get("unschedulable")]
    for pod in cluster.all("pods"):
        if pod["spec"].get("nodeName") or not open_nodes:
            continue
        bound = [other["spec"].get("nodeName") for other in cluster.all("pods")]
        pod["spec"]["nodeName"] = min(open_nodes, key=bound.count)
        pod["status"]["phase"] = "Running"
        cluster.put("pods", pod)


def _budgets(cluster: Cluster) -> None:
    """Status of the budgets: how many more pods may go now."""
    for budget in cluster.all("poddisruptionbudgets"):
        pods = [pod for pod in cluster.all("pods", budget["metadata"]["namespace"]) if selects(budget, pod)]
        active = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        healthy, expected = sum(map(objects.is_ready, active)), len(active)
        spec = budget["spec"]
        desired = spec["minAvailable"] if "minAvailable" in spec else max(0, expected - spec["maxUnavailable"])
        budget["status"] = {
            "currentHealthy": healthy, "desiredHealthy": desired, "expectedPods": expected, "disruptionsAllowed": max(0, healthy - desired),
            "observedGeneration": 1,
        }
