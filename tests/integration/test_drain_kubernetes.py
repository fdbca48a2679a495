# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Kubernetes provider of roles/drain, run by ansible-playbook against an API whose ledger says what it wrote."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.cli import BIN, ROOT, Run, Running
from kubeapi.server import Server

Start = Callable[[dict[str, Any]], "Lab"]
WEB = {"kind": "ReplicaSet", "replicas": 2, "nodes": ["n1"], "ready_after": 2.0}
PROXY = {"kind": "DaemonSet", "nodes": ["n1", "n2"], "emptydir": True}


def cluster(**more: Any) -> dict[str, Any]:
    """Two nodes; two web pods on the first, of which one must always be ready; a DaemonSet with local data; a mirror pod."""
    return {
        "nodes": {"n1": {}, "n2": {}},
        "workloads": {"shop/web": WEB, "kube-system/proxy": PROXY},
        "pods": {"kube-system/etcd-n1": {"node": "n1", "mirror": True}},
        "budgets": {"shop/web": {"labels": {"app": "web"}, "minAvailable": 1}},
        **more,
    }


class Lab:
    """A cluster, and a folder of a user to run playbooks in."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.mark = folder / "mark.json"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "K8S_", "KUBE"))}
        self.environment = {**kept, "PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(folder), "LC_ALL": "C.UTF-8", "NO_COLOR": "1",
                            "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "true"}
        (folder / "ansible.cfg").write_text((ROOT / "ansible.cfg").read_text(encoding="utf-8"), encoding="utf-8")

    def run(self, *steps: str, arguments: tuple[str, ...] = (), env: dict[str, str] | None = None, hosts: str = "n1", **options: Any) -> Run:
        """Run task files of the role by their names for hosts on a local connection; what was learnt survives in a mark, as in the role."""
        role = {"name": "fleetops.azure_maintenance.drain"}
        tasks: list[dict[str, Any]] = []
        for step in steps:
            given = {"drain_undo": "{{ lookup('file', mark) | from_json }}"} if step == "restore" else {}
            tasks.append({"name": step, "include_role": {**role, "tasks_from": f"{step}_kubernetes"}, "vars": given})
            if step == "learn":
                content = "{{ __drain_learnt_kubernetes | combine({'provider': 'kubernetes'}) | to_json }}"
                tasks.append({"name": "mark", "copy": {"content": content, "dest": "{{ mark }}", "mode": "0600"}, "check_mode": False})
        local = {"hosts": "all", "gather_facts": False, "connection": "local", "vars": {"ansible_python_interpreter": sys.executable}}
        play = self.folder / "play.yml"
        play.write_text(json.dumps([{**local, "tasks": tasks}]), encoding="utf-8")
        variables = {
            "drain_kubernetes_kubeconfig": str(self.server.kubeconfig()), "drain_timeout": 60, "__drain_kubernetes_pause": 1,
            "mark": str(self.mark) + "{{ '' if inventory_hostname == 'n1' else inventory_hostname }}", **options,
        }
        command = [str(BIN / "ansible-playbook"), "-i", f"{hosts},", str(play), "-e", json.dumps(variables), *arguments]
        return Running(command, self.folder, {**self.environment, **(env or {})}).finish()

    def writes(self) -> list[str]:
        """What was written since the last call."""
        with self.server.cluster.lock:
            done = [write.what for write in self.server.cluster.ledger]
            self.server.cluster.ledger.clear()
        return done

    def pods(self, node: str) -> list[str]:
        """Pods that are on a node, in alphabetical order."""
        with self.server.cluster.lock:
            return sorted(pod["metadata"]["name"] for pod in self.server.cluster.all("pods") if pod["spec"].get("nodeName") == node)

    def cordoned(self, node: str) -> bool:
        """Whether a node takes no new pods."""
        return self.server.cluster.get("nodes", "", node)["spec"].get("unschedulable", False)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a cluster as declared."""
    servers: list[Server] = []

    def begin(declared: dict[str, Any]) -> Lab:
        folder = tmp_path / "project"
        folder.mkdir()
        servers.append(Server(tmp_path, declared))
        return Lab(servers[0], folder)

    yield begin
    for server in servers:
        server.stop()


def test_drains_within_the_budget_and_restores_once(start: Start) -> None:
    lab = start(cluster())
    run = lab.run("check", "learn", "drain")
    assert run.rc == 0, run.text
    assert lab.pods("n1") == ["etcd-n1", "proxy-0"]
    writes = lab.writes()
    assert writes[0] == "patch nodes n1 200"
    assert writes[1:3] == ["create pods/eviction shop/web-0 201", "create pods/eviction shop/web-1 429"]
    assert {write.split()[2].partition("-")[0] for write in writes[1:]} == {"shop/web"} and writes[-1].endswith(" 201")
    assert all(pod["metadata"]["labels"]["app"] == "web" for pod in lab.server.cluster.all("pods", "shop"))
    assert json.loads(lab.mark.read_text(encoding="utf-8"))["cordon"] is True
    first = lab.run("restore")
    assert first.rc == 0 and not lab.cordoned("n1"), first.text
    assert lab.writes() == ["patch nodes n1 200"]
    second = lab.run("restore")
    assert second.rc == 0 and second.recap()["n1"]["changed"] == 0, second.text
    assert lab.writes() == []


@pytest.mark.parametrize("policy", ["fail", "force", "continue"])
def test_a_budget_that_never_recovers_is_met_by_the_policy(start: Start, policy: str) -> None:
    stuck = {"shop/web": {**WEB, "ready_after": None}, "shop/zoo": {"kind": "ReplicaSet", "nodes": ["n1"]}}
    lab = start(cluster(workloads=stuck))
    run = lab.run("check", "learn", "drain", drain_timeout=4, drain_on_timeout=policy)
    writes = lab.writes()
    assert "create pods/eviction shop/zoo-0 201" in writes  # behind the one that is held, in the order of the list
    assert "create pods/eviction shop/web-1 429" in writes and "create pods/eviction shop/web-1 201" not in writes
    deleted = [write for write in writes if write.startswith("delete ")]
    assert deleted == (["delete pods shop/web-1 200"] if policy == "force" else [])
    assert lab.pods("n1") == (["etcd-n1"] if policy == "force" else ["etcd-n1", "web-1"])
    if policy == "fail":
        assert run.rc != 0 and "node n1 still has pods after 4 s: shop/web-1; drain_on_timeout is fail; last refusal: Failed to delete pod" in run.text
        assert lab.run("restore").rc == 0 and not lab.cordoned("n1")
    else:
        assert run.rc == 0, run.text
        said = "n1: pods were left on node n1 after 4 s, going on all the same (drain_on_timeout: continue): shop/web-1"
        assert (said in run.text) is (policy == "continue")


def test_a_node_that_somebody_else_cordoned_stays_theirs(start: Start) -> None:
    lab = start(cluster(nodes={"n1": {"unschedulable": True}, "n2": {}}))
    run = lab.run("check", "learn", "drain", "restore")
    assert run.rc == 0, run.text
    assert lab.pods("n1") == ["etcd-n1", "proxy-0"] and lab.cordoned("n1")
    assert not [write for write in lab.writes() if "nodes" in write]


def test_a_wave_of_nodes_is_drained_at_once_and_pods_may_keep_their_names(start: Start) -> None:
    database = {"kind": "StatefulSet", "replicas": 2, "nodes": ["n1", "n2"], "emptydir": True, "stops_after": 1.0}
    lab = start(cluster(nodes={"n1": {}, "n2": {}, "n3": {}}, workloads={"shop/db": database, "kube-system/proxy": PROXY}))
    run = lab.run("check", "learn", "drain", hosts="n1,n2", drain_kubernetes_delete_emptydir_data=True)
    assert run.rc == 0, run.text
    assert lab.pods("n1") == ["etcd-n1", "proxy-0"] and lab.pods("n2") == ["proxy-1"]
    assert not [write for write in lab.writes() if "kube-system" in write]


def test_refuses_before_anything_is_touched_and_names_the_remedy(start: Start) -> None:
    pods = {"shop/cache": {"node": "n1", "emptydir": True, "labels": {"app": "x"}}, "shop/done": {"node": "n2", "phase": "Succeeded", "emptydir": True}}
    lab = start(cluster(pods=pods))
    lab.server.cluster.get("pods", "shop", "cache")["metadata"]["ownerReferences"] = [{"apiVersion": "x/v1", "kind": "Mount", "name": "m", "uid": "u"}]
    run = lab.run("check", hosts="n1,n2,n9")
    assert run.recap()["n1"]["failed"] == run.recap()["n9"]["failed"] == 1 and run.recap()["n2"]["failed"] == 0, run.text
    assert "(shop/cache): move them away, or set drain_kubernetes_delete_emptydir_data; and pods that nothing creates again, for none of their owners" in run.text
    assert "the cluster has no node n9: set drain_kubernetes_node to the name that kubectl get nodes shows for n9" in run.text
    run = lab.run("check", drain_kubernetes_kubeconfig=str(lab.server.kubeconfig("wrong", "other")))
    assert run.rc != 0 and "Unauthorized" in run.text and "check drain_kubernetes_kubeconfig" in run.text, run.text
    assert lab.writes() == []
    run = lab.run("learn", "drain", drain_kubernetes_delete_emptydir_data=True)  # as though the pod had come since the check
    assert run.rc != 0 and "pods that nothing creates again, for none of their owners is a controller (shop/cache)" in run.text, run.text
    assert [write for write in lab.writes() if "nodes n1" not in write] == []


def test_says_how_to_install_what_is_missing(start: Start) -> None:
    lab = start(cluster())
    (lab.folder / "first").mkdir()
    (lab.folder / "first/kubernetes.py").write_text("raise ImportError('none')\n", encoding="utf-8")
    run = lab.run("check", env={"PYTHONPATH": str(lab.folder / "first")})
    assert run.rc != 0 and "on the controller: pip install kubernetes" in run.text, run.text
    alone = lab.folder / "collections/ansible_collections/fleetops"
    alone.mkdir(parents=True)
    (alone / "azure_maintenance").symlink_to(ROOT)
    run = lab.run("check", env={"ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false", "ANSIBLE_COLLECTIONS_PATH": str(lab.folder / "collections")})
    assert run.rc != 0 and "on the controller: ansible-galaxy collection install kubernetes.core" in run.text, run.text


def test_check_mode_writes_nothing(start: Start) -> None:
    lab = start(cluster())
    run = lab.run("check", "learn", "drain", "restore", arguments=("--check",))
    assert run.rc == 0, run.text
    assert lab.writes() == [] and not lab.cordoned("n1")


def test_a_refused_permission_ends_the_drain_at_once_and_no_secret_reaches_the_mark(start: Start) -> None:
    lab = start(cluster(tokens={"limited-token": ["create pods/eviction"]}))
    auth = {"host": lab.server.url, "api_key": "limited-token", "ca_cert": str(lab.server.authority)}
    run = lab.run("check", "learn", "drain", drain_kubernetes_kubeconfig="", drain_kubernetes_auth=auth)
    assert run.rc != 0 and "is forbidden" in run.text, run.text
    assert lab.writes() == ["patch nodes n1 200", "create pods/eviction shop/web-0 403"]
    mark = lab.mark.read_text(encoding="utf-8")
    assert "limited-token" not in mark and json.loads(mark)["access"]["host"] == lab.server.url


def test_restore_knows_the_machine_and_leaves_others_alone(start: Start) -> None:
    lab = start(cluster())
    assert lab.run("learn", "drain").rc == 0
    node = lab.server.cluster.get("nodes", "", "n1")
    lab.writes()
    node["metadata"]["uid"] = "registered-anew"
    run = lab.run("restore", drain_timeout=3)
    assert run.rc == 0 and lab.writes() == [], run.text
    node["status"]["nodeInfo"]["systemUUID"] = "somebody-else"
    run = lab.run("restore", drain_timeout=3)
    assert run.rc != 0 and "node n1 is another machine than the one that was drained: is this another cluster?" in run.text, run.text
    assert lab.writes() == []
