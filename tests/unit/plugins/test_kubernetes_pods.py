# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pods a drain may evict: what kubectl drain counts, over plain pods."""

from __future__ import annotations

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.filter.kubernetes_pods import FilterModule, kubernetes_pods

LABEL = "pod-template-generation"


def owner(kind, controller=None):
    return {"apiVersion": "x/v1", "kind": kind, "name": "o", "uid": kind, **({} if controller is None else {"controller": controller})}


SET, DAEMON = owner("ReplicaSet", True), owner("DaemonSet", True)


def pod(owners=(SET,), *, name="p", phase="Running", volumes=(), annotations=None, labels=None):
    metadata = {"namespace": "shop", "name": name, "uid": name, "annotations": annotations, "labels": labels}
    if owners != "none":
        metadata["ownerReferences"] = None if owners is None else list(owners)
    return {"metadata": metadata, "spec": {"volumes": list(volumes)}, "status": {"phase": phase}}


def told(one, label=LABEL):
    found = kubernetes_pods([one], label)
    assert found["left"] in ([], [one])
    return {name for name, pods in found.items() if pods}


NOBODY = {"no field": "none", "null": None, "empty": (), "no controller": [owner("Mount")], "controller false": [owner("ReplicaSet", False)],
          "several": [owner("Mount"), owner("Volume", False)], "a DaemonSet that is none": [owner("DaemonSet")],
          "not even a true one": [owner("ReplicaSet", "true")]}


@pytest.mark.parametrize("owners", NOBODY.values(), ids=NOBODY)
def test_a_pod_without_a_controller_needs_consent_unless_it_has_finished(owners):
    assert told(pod(owners)) == {"left", "unmanaged"} and kubernetes_pods([pod(owners)])["unmanaged"] == ["shop/p"]
    assert told(pod(owners, phase="Pending")) == {"left", "unmanaged"}
    for phase in ("Succeeded", "Failed"):
        assert told(pod(owners, phase=phase)) == {"left"}


@pytest.mark.parametrize("owners", [(SET,), (owner("Mount"), SET), (SET, owner("Mount")), (SET, owner("DaemonSet")), (owner("DaemonSet", False), SET)])
def test_a_pod_with_a_controller_may_go_whatever_else_owns_it(owners):
    assert told(pod(owners)) == {"left"}


@pytest.mark.parametrize("owners", [(DAEMON,), (owner("Mount"), DAEMON), (DAEMON, owner("Mount")), (owner("ReplicaSet", False), DAEMON)])
def test_a_pod_of_a_daemonset_stays(owners):
    assert told(pod(owners)) == {"daemons"}
    assert told(pod(owners, phase="Failed")) == set(), "kubectl asks for no consent to remove what has ended"


@pytest.mark.parametrize("owners", ["none", (owner("Node", True),), (SET,)])
def test_a_mirror_pod_is_the_nodes_own(owners):
    assert told(pod(owners, annotations={"kubernetes.io/config.mirror": "", "a": "b"}, volumes=[{"emptyDir": {}}])) == set()
    assert "left" in told(pod(owners, annotations={"a": "b"}))


@pytest.mark.parametrize("volume", [{"name": "v", "emptyDir": {}}, {"name": "v", "emptyDir": {"medium": "Memory"}}, {"name": "v", "emptyDir": None}])
def test_local_data_needs_consent_unless_its_pod_has_finished(volume):
    other = {"name": "w", "secret": {}}
    assert told(pod(volumes=[other, volume])) == {"left", "local"} and told(pod(volumes=[other])) == {"left"}
    assert told(pod(volumes=[volume], phase="Succeeded")) == {"left"}
    assert told(pod((), volumes=[volume])) == {"left", "local", "unmanaged"}
    assert told(pod([DAEMON], volumes=[volume], labels={LABEL: "1"})) == {"daemons"}
    assert told(pod([DAEMON], volumes=[volume])) == {"daemons", "local"}, "the module that drains would stumble over it"


def test_several_pods_and_pods_without_fields():
    pods = [pod(name="b", owners=()), pod(name="a", owners=()), pod(name="c"), pod([DAEMON], name="d")]
    found = FilterModule().filters()["kubernetes_pods"](pods)
    assert (found["left"], found["unmanaged"], found["daemons"], found["local"]) == (pods[:3], ["shop/a", "shop/b"], ["shop/d"], [])
    assert kubernetes_pods([{"metadata": {"namespace": "x", "name": "bare"}}])["unmanaged"] == ["x/bare"]
