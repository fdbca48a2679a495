# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Kubernetes provider of roles/drain, run by ansible-playbook against APIs whose ledgers say what it wrote.

Each host of a run is a node of a cluster of its own, in which something else happens: all are drained, restored and restored again together.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from integration.cli import BIN, ROOT, STOCK, Run, Running, keep
from kubeapi.server import Server

WEB = {"kind": "ReplicaSet", "replicas": 2, "nodes": ["n1"], "ready_after": 2.0}
PROXY = {"kind": "DaemonSet", "nodes": ["n1", "n2"], "emptydir": True}
# A web server that never gets ready, and behind it, in the order of the list, a pod that no budget holds.
STUCK = {"shop/web": {**WEB, "ready_after": None}, "shop/zoo": {"kind": "ReplicaSet", "nodes": ["n1"]}}
DATABASE = {"kind": "StatefulSet", "replicas": 2, "nodes": ["n1", "n2"], "emptydir": True, "stops_after": 1.0}
LOCAL = {"shop/cache": {"node": "n1", "emptydir": True, "labels": {"app": "x"}}, "shop/done": {"node": "n2", "phase": "Succeeded", "emptydir": True}}


def cluster(**more: Any) -> dict[str, Any]:
    """Two nodes; two web pods on the first, of which one must always be ready; a DaemonSet with local data; a mirror pod."""
    return {
        "nodes": {"n1": {}, "n2": {}},
        "workloads": {"shop/web": WEB, "kube-system/proxy": PROXY},
        "pods": {"kube-system/etcd-n1": {"node": "n1", "mirror": True}},
        "budgets": {"shop/web": {"labels": {"app": "web"}, "minAvailable": 1}},
        **more,
    }


# How long pods are waited for that a budget never lets go; with force, they are waited for once more.
SECONDS = {"fail": 1, "force": 3, "continue": 1}
CLUSTERS = {
    "plain": cluster(), "dry": cluster(), **{policy: cluster(workloads=STUCK) for policy in SECONDS},
    "limited": cluster(tokens={"limited-token": ["create pods/eviction", "list poddisruptionbudgets"]}),
    # Somebody else has cordoned one of them.
    "wave": cluster(nodes={"n1": {"unschedulable": True}, "n2": {}, "n3": {}}, workloads={"shop/db": DATABASE, "kube-system/proxy": PROXY}),
    "local": cluster(pods=LOCAL), "strict": cluster(budgets={"shop/all": {"labels": {"app": "web"}, "maxUnavailable": 0}}),
}


@dataclass
class Step:
    """A run, and what it left: writes, names of pods by node, and the nodes that take no new ones, each by cluster."""

    run: Run
    writes: dict[str, list[str]]
    pods: dict[str, dict[str, list[str]]]
    cordoned: dict[str, list[str]] = field(default_factory=dict)


class Lab:
    """The clusters, and a folder of a user to run playbooks in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.servers: dict[str, Server] = {}
        for name, declared in CLUSTERS.items():
            (folder / name).mkdir(parents=True)
            self.servers[name] = Server(folder / name, declared)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "K8S_", "KUBE"))}
        self.environment = {**kept, "PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(folder), "LC_ALL": "C.UTF-8", "NO_COLOR": "1",
                            "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "true"}
        self.servers["local"].cluster.get("pods", "shop", "cache")["metadata"]["ownerReferences"] = [
            {"apiVersion": "x/v1", "kind": "Mount", "name": "m", "uid": "u"}]
        (folder / "ansible.cfg").write_text(STOCK, encoding="utf-8")
        limited = self.servers["limited"]
        auth = {"host": limited.url, "api_key": "limited-token", "ca_cert": str(limited.authority)}
        wrong = {"drain_kubernetes_kubeconfig": str(self.servers["plain"].kubeconfig("wrong", "other"))}
        policies = {policy: self.node(policy, drain_timeout=SECONDS[policy], drain_on_timeout=policy) for policy in SECONDS}
        consent = {"drain_kubernetes_delete_emptydir_data": True}
        self.hosts = {
            "plain": self.node("plain"), "dry": self.node("dry"), **policies,
            "limited": {**self.node("limited", drain_kubernetes_auth=auth), "drain_kubernetes_kubeconfig": ""},
            "wave-1": self.node("wave", **consent), "wave-2": self.node("wave", "n2", **consent),
            "local-1": self.node("local"), "local-2": self.node("local", "n2"), "late": self.node("local", **consent), "absent": self.node("local", "n9"),
            "stranger": {**self.node("plain"), **wrong}, "strict": self.node("strict"), "stricter": self.node("strict", drain_on_timeout="force"),
        }

    def node(self, name: str, node: str = "n1", **options: Any) -> dict[str, Any]:
        """Variables of a host that is a node of a cluster."""
        return {"drain_kubernetes_kubeconfig": str(self.servers[name].kubeconfig()), "drain_kubernetes_node": node, "drain_timeout": 60, **options}

    def mark(self, host: str) -> Path:
        return self.folder / f"mark-{host}.json"

    def run(self, hosts: str, *steps: str, arguments: tuple[str, ...] = (), env: dict[str, str] | None = None) -> Step:
        """Run task files of the role by their names on a local connection; what was learnt survives in a mark, as in the role."""
        role = {"name": "fleetops.azure_maintenance.drain"}
        tasks: list[dict[str, Any]] = []
        for step in steps:
            given = {"drain_undo": "{{ lookup('file', mark) | from_json }}"} if step == "restore" else {}
            tasks.append({"name": step, "include_role": {**role, "tasks_from": f"{step}_kubernetes"}, "vars": given})
            if step == "learn":
                content = "{{ __drain_learnt_kubernetes | combine({'provider': 'kubernetes'}) | to_json }}"
                tasks.append(keep(content, "{{ mark }}"))
        local = {"hosts": hosts, "gather_facts": False, "connection": "local", "vars": {"ansible_python_interpreter": sys.executable}}
        (self.folder / "play.yml").write_text(json.dumps([{**local, "tasks": tasks}]), encoding="utf-8")
        (self.folder / "hosts.yml").write_text(json.dumps({"all": {"hosts": self.hosts}}), encoding="utf-8")
        variables = {"__drain_kubernetes_pause": 1, "mark": str(self.mark("{{ inventory_hostname }}"))}
        command = [str(BIN / "ansible-playbook"), "-i", "hosts.yml", "-f", "12", "play.yml", "-e", json.dumps(variables), *arguments]
        run = Running(command, self.folder, {**self.environment, **(env or {})}).finish()
        step = Step(run, {}, {})
        for name, server in self.servers.items():
            with server.cluster.lock:
                step.writes[name] = [write.what for write in server.cluster.ledger]
                server.cluster.ledger.clear()
                pods = [(pod["spec"].get("nodeName"), pod["metadata"]["name"]) for pod in server.cluster.all("pods")]
                nodes = server.cluster.all("nodes")
                step.cordoned[name] = [node["metadata"]["name"] for node in nodes if node["spec"].get("unschedulable")]
            step.pods[name] = {node: sorted(pod for place, pod in pods if place == node) for node in ("n1", "n2")}
        return step


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    for server in lab.servers.values():
        server.stop()


@dataclass
class Story:
    """All are drained; then restored, with one node registered anew; then restored again, with that node another machine."""

    drained: Step
    restored: Step
    again: Step


@pytest.fixture(scope="module")
def story(lab: Lab) -> Story:
    drained = lab.run("plain:fail:force:continue:limited:wave-1:wave-2", "check", "learn", "drain")
    node = lab.servers["force"].cluster.get("nodes", "", "n1")
    node["metadata"]["uid"] = "registered-anew"
    restored = lab.run("plain:fail:force:wave-1", "restore")
    node["status"]["nodeInfo"]["systemUUID"] = "somebody-else"
    return Story(drained, restored, lab.run("plain:force", "restore"))


def went_well(step: Step, host: str) -> bool:
    """A host that failed at nothing."""
    return step.run.recap()[host]["failed"] == step.run.recap()[host]["unreachable"] == 0


def test_drains_within_the_budget_and_restores_once(lab: Lab, story: Story) -> None:
    assert went_well(story.drained, "plain"), story.drained.run.text
    assert story.drained.pods["plain"]["n1"] == ["etcd-n1", "proxy-0"]
    writes = story.drained.writes["plain"]
    assert writes[0] == "patch nodes n1 200"
    assert writes[1:3] == ["create pods/eviction shop/web-0 201", "create pods/eviction shop/web-1 429"]
    assert {write.split()[2].partition("-")[0] for write in writes[1:]} == {"shop/web"} and writes[-1].endswith(" 201")
    assert all(pod["metadata"]["labels"]["app"] == "web" for pod in lab.servers["plain"].cluster.all("pods", "shop"))
    assert json.loads(lab.mark("plain").read_text(encoding="utf-8"))["cordon"] is True
    assert went_well(story.restored, "plain") and story.restored.cordoned["plain"] == [], story.restored.run.text
    assert story.restored.writes["plain"] == ["patch nodes n1 200"]
    assert went_well(story.again, "plain") and story.again.run.recap()["plain"]["changed"] == 0, story.again.run.text
    assert story.again.writes["plain"] == []


@pytest.mark.parametrize("policy", SECONDS)
def test_a_budget_that_never_recovers_is_met_by_the_policy(story: Story, policy: str) -> None:
    run, writes = story.drained.run, story.drained.writes[policy]
    assert "create pods/eviction shop/zoo-0 201" in writes  # behind the one that is held, in the order of the list
    assert "create pods/eviction shop/web-1 429" in writes and "create pods/eviction shop/web-1 201" not in writes
    deleted = [write for write in writes if write.startswith("delete ")]
    assert deleted == (["delete pods shop/web-1 200"] if policy == "force" else [])
    assert story.drained.pods[policy]["n1"] == (["etcd-n1"] if policy == "force" else ["etcd-n1", "web-1"])
    assert went_well(story.drained, policy) is (policy != "fail"), run.text
    if policy == "fail":
        assert "node n1 still has pods after 1 s: shop/web-1; drain_on_timeout is fail; last refusal: Failed to delete pod" in run.text
        assert went_well(story.restored, "fail") and story.restored.cordoned["fail"] == []
    said = f"{policy}: pods were left on node n1 after 1 s, going on all the same (drain_on_timeout: continue): shop/web-1"
    assert (said in run.text) is (policy == "continue")


def test_a_wave_of_nodes_is_drained_at_once_and_pods_may_keep_their_names(story: Story) -> None:
    assert went_well(story.drained, "wave-1") and went_well(story.drained, "wave-2"), story.drained.run.text
    assert story.drained.pods["wave"] == {"n1": ["etcd-n1", "proxy-0"], "n2": ["proxy-1"]}
    assert not [write for write in story.drained.writes["wave"] if "kube-system" in write]


def test_a_node_that_somebody_else_cordoned_stays_theirs(story: Story) -> None:
    assert went_well(story.restored, "wave-1"), story.restored.run.text
    assert story.drained.cordoned["wave"] == story.restored.cordoned["wave"] == ["n1", "n2"]
    assert not [write for write in story.drained.writes["wave"] if " nodes n1 " in write] and story.restored.writes["wave"] == []


def test_a_refused_permission_ends_the_drain_at_once_and_no_secret_reaches_the_mark(lab: Lab, story: Story) -> None:
    assert not went_well(story.drained, "limited") and "is forbidden" in story.drained.run.text, story.drained.run.text
    assert story.drained.writes["limited"] == ["patch nodes n1 200", "create pods/eviction shop/web-0 403"]
    mark = lab.mark("limited").read_text(encoding="utf-8")
    assert "limited-token" not in mark and json.loads(mark)["access"]["host"] == lab.servers["limited"].url


def test_restore_knows_the_machine_and_leaves_others_alone(story: Story) -> None:
    assert story.drained.cordoned["force"] == ["n1"]
    assert went_well(story.restored, "force") and story.restored.writes["force"] == [], story.restored.run.text
    said = "node n1 is another machine than the one that was drained: is this another cluster?"
    assert not went_well(story.again, "force") and said in story.again.run.text and story.again.writes["force"] == [], story.again.run.text


def test_check_mode_and_what_is_refused_write_nothing_and_the_remedy_is_named(lab: Lab, story: Story) -> None:
    """The cluster with the wrong token is one that was asked before: kubernetes.core keeps what a cluster has by its address, and tells why it was
    refused only where it has no need to ask for that."""
    hosts = {"dry": True, "local-1": False, "local-2": True, "absent": False, "stranger": False, "strict": False, "stricter": True}
    dry = lab.run(":".join(hosts), "check", "learn", "drain", "restore", arguments=("--check",))
    assert {host: went_well(dry, host) for host in hosts} == hosts, dry.run.text
    assert not any(dry.writes.values()) and dry.cordoned["dry"] == dry.cordoned["local"] == dry.cordoned["strict"] == []
    assert "drain refused: disruption budgets let no pod of node n1 go, however long that is waited for: shop/all (2 of 2 pods must stay up)" in dry.run.text
    assert "(shop/cache): move them away, or set drain_kubernetes_delete_emptydir_data; and pods that nothing creates again, for none of" in dry.run.text
    assert "the cluster has no node n9: set drain_kubernetes_node to the name that kubectl get nodes shows for absent" in dry.run.text
    assert "Unauthorized" in dry.run.text and "check drain_kubernetes_kubeconfig" in dry.run.text, dry.run.text


def test_a_pod_that_came_since_the_check_and_that_nothing_creates_again_is_not_evicted(lab: Lab, story: Story) -> None:
    late = lab.run("late", "learn", "drain")
    assert not went_well(late, "late"), late.run.text
    assert "pods that nothing creates again, for none of their owners is a controller (shop/cache)" in late.run.text, late.run.text
    assert [write for write in late.writes["local"] if "nodes n1" not in write] == []


def test_says_how_to_install_what_is_missing(lab: Lab) -> None:
    (lab.folder / "first").mkdir()
    (lab.folder / "first/kubernetes.py").write_text("raise ImportError('none')\n", encoding="utf-8")
    run = lab.run("dry", "check", env={"PYTHONPATH": str(lab.folder / "first")}).run
    assert run.rc != 0 and "on the controller: pip install kubernetes" in run.text, run.text
    alone = lab.folder / "collections/ansible_collections/fleetops"
    alone.mkdir(parents=True)
    (alone / "azure_maintenance").symlink_to(ROOT)
    run = lab.run("dry", "check", env={"ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false", "ANSIBLE_COLLECTIONS_PATH": str(lab.folder / "collections")}).run
    assert run.rc != 0 and "on the controller: ansible-galaxy collection install kubernetes.core" in run.text, run.text
