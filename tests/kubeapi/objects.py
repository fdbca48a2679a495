# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of the cluster, made from what a test declares."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

MIRROR = "kubernetes.io/config.mirror"


def stamp(moment: float | None = None) -> str:
    """A time as Kubernetes writes it; now, or seconds since the epoch."""
    when = datetime.now(UTC) if moment is None else datetime.fromtimestamp(moment, UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def metadata(name: str, namespace: str = "", **more: Any) -> dict[str, Any]:
    """Metadata of a new object."""
    data: dict[str, Any] = {"name": name, "uid": str(uuid.uuid4()), "creationTimestamp": stamp(), **more}
    return {**data, "namespace": namespace} if namespace else data


def node(name: str, declared: dict[str, Any]) -> dict[str, Any]:
    """A node; keys `unschedulable`, `ready`, `labels`."""
    spec: dict[str, Any] = {"providerID": f"azure:///subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/{name}"}
    if declared.get("unschedulable"):
        spec["unschedulable"] = True
    labels = {"kubernetes.io/hostname": name, **declared.get("labels", {})}
    return {
        "metadata": metadata(name, labels=labels),
        "spec": spec,
        "status": {
            "conditions": [{"type": "Ready", "status": "True" if declared.get("ready", True) else "False", "reason": "KubeletReady"}],
            "nodeInfo": {
                "architecture": "amd64", "bootID": str(uuid.uuid4()), "containerRuntimeVersion": "containerd://1.7.25", "kernelVersion": "6.1.0",
                "kubeProxyVersion": "v1.32.0", "kubeletVersion": "v1.32.0", "machineID": uuid.uuid4().hex, "operatingSystem": "linux",
                "osImage": "Debian GNU/Linux 12", "systemUUID": str(uuid.uuid5(uuid.NAMESPACE_DNS, name)),
            },
        },
    }


def workload(namespace: str, name: str, declared: dict[str, Any]) -> dict[str, Any]:
    """A ReplicaSet, StatefulSet or DaemonSet; keys `kind`, `replicas`, `labels` (of its pods)."""
    labels = declared.get("labels", {"app": name})
    spec: dict[str, Any] = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}}
    if declared["kind"] != "DaemonSet":
        spec["replicas"] = declared.get("replicas", 1)
    return {"metadata": metadata(name, namespace), "spec": spec, "status": {}}


def budget(namespace: str, name: str, declared: dict[str, Any]) -> dict[str, Any]:
    """A PodDisruptionBudget; keys `labels` (it selects) and `minAvailable` or `maxUnavailable`, numbers."""
    limits = {key: declared[key] for key in ("minAvailable", "maxUnavailable") if key in declared}
    return {"metadata": metadata(name, namespace), "spec": {"selector": {"matchLabels": declared["labels"]}, **limits}, "status": {}}


def pod(namespace: str, name: str, declared: dict[str, Any], owner: tuple[str, dict[str, Any]] | None = None) -> dict[str, Any]:
    """A pod; keys `node`, `labels`, `emptydir`, `mirror`, `phase`, `grace`, `finalizers`; `owner` is a kind and the object."""
    meta = metadata(name, namespace, labels=dict(declared.get("labels", {})))
    if declared.get("mirror"):
        meta["annotations"] = {MIRROR: "7f6d", "kubernetes.io/config.source": "file"}
        meta["ownerReferences"] = [{"apiVersion": "v1", "kind": "Node", "name": declared["node"], "uid": "node", "controller": True}]
    if owner:
        kind, by = owner
        reference = {"apiVersion": "apps/v1", "kind": kind, "name": by["metadata"]["name"], "uid": by["metadata"]["uid"], "controller": True}
        meta["ownerReferences"] = [reference]
    if declared.get("finalizers"):
        meta["finalizers"] = declared["finalizers"]
    volumes: list[dict[str, Any]] = [{"name": "token", "projected": {"sources": []}}]
    if declared.get("emptydir"):
        volumes.append({"name": "scratch", "emptyDir": {}})
    spec = {
        "containers": [{"name": "main", "image": "app"}], "volumes": volumes, "terminationGracePeriodSeconds": declared.get("grace", 30),
    }
    if declared.get("node"):
        spec["nodeName"] = declared["node"]
    phase = declared.get("phase", "Running" if declared.get("node") else "Pending")
    return {"metadata": meta, "spec": spec, "status": {"phase": phase, "conditions": [condition(phase == "Running")]}}


def condition(ready: bool) -> dict[str, Any]:
    """The Ready condition of a pod."""
    return {"type": "Ready", "status": "True" if ready else "False"}


def is_ready(obj: dict[str, Any]) -> bool:
    """Whether a pod or node is Ready."""
    return any(c["type"] == "Ready" and c["status"] == "True" for c in obj["status"]["conditions"])


def owner_of(obj: dict[str, Any], kind: str, name: str) -> bool:
    """Whether an object belongs to a workload."""
    return any(o["kind"] == kind and o["name"] == name for o in obj["metadata"].get("ownerReferences", []))
