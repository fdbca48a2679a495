# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Kubernetes API of the drain tests: evictions, budgets, endings, patches, permissions; and kubectl as a witness."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubeapi.server import TOKEN, Server

Start = Callable[[dict[str, Any]], Server]
WEB = {"kind": "ReplicaSet", "replicas": 2, "nodes": ["n1"], "ready_after": 0.3, "stops_after": 0.1}
BUDGET = {"shop/web": {"labels": {"app": "web"}, "minAvailable": 1}}
SHOP = {"nodes": {"n1": {}, "n2": {}}, "workloads": {"shop/web": WEB}, "budgets": BUDGET}
STRATEGIC = "application/strategic-merge-patch+json"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a cluster as declared."""
    servers: list[Server] = []

    def begin(declared: dict[str, Any]) -> Server:
        servers.append(Server(tmp_path, declared))
        return servers[-1]

    yield begin
    for server in servers:
        server.stop()


def call(server: Server, method: str, path: str, body: Any = None, *, token: str = TOKEN, kind: str = "application/json") -> tuple[int, Any]:
    """One request; its status and body."""
    request = urllib.request.Request(server.url + path, method=method, data=None if body is None else json.dumps(body).encode())
    request.add_header("Authorization", f"Bearer {token}")
    request.add_header("Content-Type", kind)
    context = ssl.create_default_context(cafile=str(server.authority))
    try:
        with urllib.request.urlopen(request, context=context, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def evict(server: Server, name: str, **options: Any) -> tuple[int, Any]:
    """Ask for an eviction in the namespace shop."""
    return call(server, "POST", f"/api/v1/namespaces/shop/pods/{name}/eviction", {"metadata": {"name": name}, "deleteOptions": options})


def names(server: Server, node: str, labels: str = "") -> list[str]:
    """Pods that the API lists for a node."""
    return [pod["metadata"]["name"] for pod in call(server, "GET", f"/api/v1/pods?fieldSelector=spec.nodeName={node}&labelSelector={labels}")[1]["items"]]


def until(condition: Callable[[], bool]) -> None:
    """Wait for what happens by itself in a moment."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def test_a_budget_holds_until_the_replacement_is_ready(start: Start) -> None:
    server = start(SHOP)
    call(server, "PATCH", "/api/v1/nodes/n1", {"spec": {"unschedulable": True}}, kind=STRATEGIC)
    assert evict(server, "web-0")[0] == 201
    code, body = evict(server, "web-1")
    assert (code, body["reason"], body["details"]["causes"][0]["reason"]) == (429, "TooManyRequests", "DisruptionBudget")
    until(lambda: evict(server, "web-1")[0] == 201)
    until(lambda: names(server, "n1") == [])
    assert len(names(server, "n2", "app=web")) == 2
    assert server.cluster.ledger[-1].what == "create pods/eviction shop/web-1 201"


def test_two_budgets_a_wrong_uid_and_a_dry_run_evict_nothing(start: Start) -> None:
    server = start({**SHOP, "budgets": {**BUDGET, "shop/other": BUDGET["shop/web"]}})
    assert evict(server, "web-0")[0] == 500
    server.cluster.drop("poddisruptionbudgets", server.cluster.get("poddisruptionbudgets", "shop", "other"))
    assert evict(server, "web-0", preconditions={"uid": "not-it"})[0] == 409
    assert evict(server, "web-0", dryRun=["All"])[0] == 201
    assert evict(server, "web-9")[0] == 404
    assert names(server, "n1") == ["web-0", "web-1"]


def test_a_pod_that_ignores_its_end_goes_when_its_grace_is_over_or_shortened(start: Start) -> None:
    server = start({"nodes": {"n1": {}}, "pods": {"shop/deaf": {"node": "n1", "stops_after": None, "grace": 60}}})
    code, pod = call(server, "DELETE", "/api/v1/namespaces/shop/pods/deaf")
    assert code == 200 and pod["metadata"]["deletionGracePeriodSeconds"] == 60
    assert names(server, "n1") == ["deaf"]
    call(server, "DELETE", "/api/v1/namespaces/shop/pods/deaf", {"gracePeriodSeconds": 90})
    call(server, "DELETE", "/api/v1/namespaces/shop/pods/deaf", {"gracePeriodSeconds": 0})
    assert names(server, "n1") == []


def test_daemon_and_mirror_pods_come_back_and_a_stateful_pod_keeps_its_name(start: Start) -> None:
    workloads = {"shop/agent": {"kind": "DaemonSet", "nodes": ["n1"]}, "shop/db": {"kind": "StatefulSet", "nodes": ["n1"]}}
    server = start({"nodes": {"n1": {"unschedulable": True}, "n2": {}}, "workloads": workloads, "pods": {"shop/etcd": {"node": "n1", "mirror": True}}})
    assert names(server, "n1", "!pod-template-generation") == ["db-0", "etcd"]
    for name in ("agent-0", "db-0", "etcd"):
        assert evict(server, name)[0] == 201
    until(lambda: names(server, "n2") == ["db-0"] and "agent-0" not in names(server, "n1") and len(names(server, "n1")) == 2)
    assert "etcd" in names(server, "n1")


def test_a_cordon_brings_its_taint_and_false_is_not_kept(start: Start) -> None:
    server = start(SHOP)
    version = call(server, "GET", "/api/v1/nodes/n1")[1]["metadata"]["resourceVersion"]
    node = call(server, "PATCH", "/api/v1/nodes/n1", {"spec": {"unschedulable": True}}, kind=STRATEGIC)[1]
    assert [taint["key"] for taint in node["spec"]["taints"]] == ["node.kubernetes.io/unschedulable"]
    stale = {"metadata": {"resourceVersion": version}, "spec": {"unschedulable": False}}
    assert call(server, "PATCH", "/api/v1/nodes/n1", stale, kind=STRATEGIC)[0] == 409
    node = call(server, "PATCH", "/api/v1/nodes/n1", {"spec": {"unschedulable": False}}, kind="application/merge-patch+json")[1]
    assert "unschedulable" not in node["spec"] and not node["spec"]["taints"]


def test_who_has_no_token_or_no_permission_is_told(start: Start) -> None:
    server = start({**SHOP, "tokens": {"limited": ["patch nodes"]}})
    assert call(server, "GET", "/api/v1/nodes", token="nobody")[0] == 401
    assert call(server, "GET", "/api/v1/nodes", token="limited")[0] == 200
    code, body = call(server, "PATCH", "/api/v1/nodes/n1", {}, token="limited", kind=STRATEGIC)
    assert (code, body["reason"]) == (403, "Forbidden") and "cannot patch resource" in body["message"]
    assert [write.code for write in server.cluster.ledger] == [403]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kubectl_cordons_drains_and_uncordons(start: Start, tmp_path: Path) -> None:
    server = start({**SHOP, "workloads": {"shop/web": WEB, "kube-system/proxy": {"kind": "DaemonSet", "nodes": ["n1", "n2"], "emptydir": True}}})

    def kubectl(*arguments: str) -> str:
        command = ["kubectl", "--kubeconfig", str(server.kubeconfig()), "--cache-dir", str(tmp_path / "cache"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout

    assert {"n1", "n2"} <= set(kubectl("get", "nodes").split())
    assert kubectl("cordon", "n1") == "node/n1 cordoned\n"
    assert "node/n1 drained" in kubectl("drain", "n1", "--ignore-daemonsets", "--timeout=60s")
    assert names(server, "n1") == ["proxy-0"] and len(names(server, "n2", "app=web")) == 2
    assert kubectl("uncordon", "n1") == "node/n1 uncordoned\n"
    codes = [write.code for write in server.cluster.ledger if write.resource == "pods/eviction"]
    assert codes.count(201) == 2 and 429 in codes
