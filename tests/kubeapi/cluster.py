# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster: its objects, the ledger of writes, and what clients may do to them. Every call happens under one lock."""

from __future__ import annotations

import copy
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from kubeapi import controllers, errors, objects, patches

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Write:
    """One write that a client asked for; `verb` as in RBAC, `code` the HTTP status of the answer, `at` in seconds of time.monotonic."""

    at: float
    user: str
    verb: str
    resource: str
    namespace: str
    name: str
    body: Any
    code: int
    dry_run: bool = False

    @property
    def what(self) -> str:
        """Short, for comparisons: verb, resource, object, answer."""
        where = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.verb} {self.resource} {where} {self.code}"


@dataclass
class Hidden:
    """What kubelet and containers know of a pod: seconds it takes to become ready and to stop; None is never by itself."""

    ready_after: float | None = 0.2
    stops_after: float | None = 0.2
    ready_at: float | None = None
    ends_at: float | None = None
    declared: dict[str, Any] = field(default_factory=dict)


class Cluster:
    """Objects by (plural, namespace, name), as declared; see README.md for the keys."""

    def __init__(self, declared: dict[str, Any]) -> None:
        self.lock = threading.RLock()
        self.ledger: list[Write] = []
        self.objects: dict[Key, dict[str, Any]] = {}
        self.hidden: dict[str, Hidden] = {}
        self.declared = declared
        self.serial = 1000
        for name, value in declared["nodes"].items():
            self.put("nodes", objects.node(name, value))
        for path, value in declared.get("workloads", {}).items():
            namespace, name = path.split("/")
            self.put(value["kind"].lower() + "s", objects.workload(namespace, name, value))
            controllers.populate(self, namespace, name, value)
        for path, value in declared.get("pods", {}).items():
            self.add_pod(objects.pod(*path.split("/"), value), value)
        for path, value in declared.get("budgets", {}).items():
            self.put("poddisruptionbudgets", objects.budget(*path.split("/"), value))
        controllers.run(self)

    # -- the store ------------------------------------------------------------------------------------------------------

    def put(self, plural: str, obj: dict[str, Any]) -> dict[str, Any]:
        """Store an object under a new resource version."""
        self.serial += 1
        meta = obj["metadata"]
        meta["resourceVersion"] = str(self.serial)
        self.objects[plural, meta.get("namespace", ""), meta["name"]] = obj
        return obj

    def get(self, plural: str, namespace: str, name: str) -> dict[str, Any]:
        """An object; 404 without."""
        try:
            return self.objects[plural, namespace, name]
        except KeyError:
            raise errors.not_found(plural, name) from None

    def all(self, plural: str, namespace: str = "") -> list[dict[str, Any]]:
        """All objects of a type, in one namespace or in all."""
        return [obj for (kind, where, _name), obj in sorted(self.objects.items()) if kind == plural and namespace in ("", where)]

    def drop(self, plural: str, obj: dict[str, Any]) -> None:
        """Remove an object."""
        self.serial += 1
        self.objects.pop((plural, obj["metadata"].get("namespace", ""), obj["metadata"]["name"]), None)

    def add_pod(self, obj: dict[str, Any], declared: dict[str, Any], *, ready: bool = True) -> None:
        """A pod that runs; one that is not ready yet becomes so by and by."""
        hidden = Hidden(declared.get("ready_after", 0.2), declared.get("stops_after", 0.2), declared=declared)
        self.hidden[obj["metadata"]["uid"]] = hidden
        if not ready:
            obj["status"]["conditions"] = [objects.condition(False)]
        self.put("pods", obj)

    def record(self, user: str, verb: str, resource: str, key: tuple[str, str], body: Any, code: int, *, dry_run: bool = False) -> None:
        """Enter a write into the ledger."""
        self.ledger.append(Write(time.monotonic(), user, verb, resource, *key, body=body, code=code, dry_run=dry_run))

    # -- what clients do ------------------------------------------------------------------------------------------------

    def patch_node(self, name: str, patch: Any, kind: str, *, dry_run: bool) -> dict[str, Any]:
        """Patch a node; a resourceVersion in the patch must be the present one."""
        old = self.get("nodes", "", name)
        new = patches.apply(old, patch, kind)
        if new["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"]:
            raise errors.conflict("nodes", name, "the object has been modified; please apply your changes to the latest version and try again")
        if not new["spec"].get("unschedulable"):
            new["spec"].pop("unschedulable", None)  # false is not kept
        if dry_run:
            return new
        if new != old:
            self.put("nodes", new)
            controllers.run(self)
        return self.get("nodes", "", name)

    def delete_pod(self, namespace: str, name: str, options: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
        """Begin to end a pod, or to end it faster; it goes when its containers stopped, or when its grace is over."""
        pod = self.get("pods", namespace, name)
        wanted = (options.get("preconditions") or {}).get("uid")
        if wanted and wanted != pod["metadata"]["uid"]:
            raise errors.conflict("pods", name, f"the UID in the precondition ({wanted}) does not match the UID in record: {pod['metadata']['uid']}")
        if not dry_run:
            grace = options.get("gracePeriodSeconds")
            self._end(pod, pod["spec"]["terminationGracePeriodSeconds"] if grace is None else grace)
        return copy.deepcopy(pod)

    def _end(self, pod: dict[str, Any], grace: int) -> None:
        meta, hidden, now = pod["metadata"], self.hidden[pod["metadata"]["uid"]], time.monotonic()
        if grace >= meta.get("deletionGracePeriodSeconds", grace + 1):
            return  # it can be shortened only
        again = "deletionTimestamp" in meta
        meta["deletionTimestamp"], meta["deletionGracePeriodSeconds"] = objects.stamp(time.time() + grace), grace
        ends = now + (grace if hidden.stops_after is None else min(grace, hidden.stops_after))
        hidden.ends_at = min(ends, hidden.ends_at) if again and hidden.ends_at is not None else ends
        self.put("pods", pod)
        controllers.run(self)
        if grace == 0 and not meta.get("finalizers"):
            self.drop("pods", pod)
            controllers.run(self)

    def evict(self, namespace: str, name: str, options: dict[str, Any], *, dry_run: bool) -> None:
        """End a pod as its PodDisruptionBudget allows; pods that serve nobody need no budget."""
        pod = self.get("pods", namespace, name)
        serves = pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
        budgets = [b for b in self.all("poddisruptionbudgets", namespace) if controllers.selects(b, pod)] if serves else []
        if len(budgets) > 1:
            raise errors.two_budgets()
        for budget in budgets:
            status = budget["status"]
            unhealthy = not objects.is_ready(pod) and status["currentHealthy"] >= status["desiredHealthy"] > 0
            if status["disruptionsAllowed"] < 1 and not unhealthy:
                raise errors.budget_exhausted(budget["metadata"]["name"], status["desiredHealthy"], status["currentHealthy"])
        self.delete_pod(namespace, name, options, dry_run=dry_run)
