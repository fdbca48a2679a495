# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: kubernetes_pods
short_description: What draining a Kubernetes node would do to each of its pods
version_added: 1.0.0
description:
  - B(Internal to the roles of this collection); what it takes and gives may change without notice.
  - Tells pods apart as C(kubectl drain) does. What creates a pod again is its controller, the one owner with C(controller) true; other owners do not count.
  - Mirror pods and pods of DaemonSets belong to the node and stay. Pods that have finished need nobody's consent.
positional: _input
options:
  _input:
    description: Pods, as the API returns them.
    type: list
    elements: dict
    required: true
  daemon_label:
    description:
      - Label by which the drain leaves out pods of DaemonSets. Those without it are looked at for local data, for the module that drains would stumble
        over them.
    type: str
    default: ""
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Refuse to lose pods
  ansible.builtin.assert:
    that: pods.unmanaged | length == 0
    fail_msg: "nothing creates them again: {{ pods.unmanaged | join(', ') }}"
  vars:
    pods: "{{ listed.resources | fleetops.azure_maintenance.kubernetes_pods }}"
"""

RETURN = r"""
_value:
  description: Pods, and names of pods with their namespaces.
  type: dict
  contains:
    left:
      description: Pods that a drain must see gone.
      type: list
      elements: dict
    local:
      description: Names of those whose emptyDir data a drain deletes for good.
      type: list
      elements: str
    unmanaged:
      description: Names of those that nothing creates again.
      type: list
      elements: str
    daemons:
      description: Names of those of DaemonSets.
      type: list
      elements: str
  sample: {left: [], local: [], unmanaged: [shop/cache], daemons: [kube-system/proxy-x7x2p]}
"""

MIRROR = "kubernetes.io/config.mirror"


def kubernetes_pods(pods, daemon_label=""):
    """Tell the pods of a node apart."""
    pods = [pod for pod in pods if MIRROR not in (_metadata(pod).get("annotations") or {})]
    daemons = [pod for pod in pods if (_controller(pod) or {}).get("kind") == "DaemonSet"]
    left = [pod for pod in pods if pod not in daemons]
    running = [pod for pod in left if not _has_finished(pod)]
    daemons = [pod for pod in daemons if not _has_finished(pod)]
    unlabelled = [pod for pod in daemons if daemon_label not in (_metadata(pod).get("labels") or {})]
    return {"left": left, "local": _names(pod for pod in running + unlabelled if _has_local_data(pod)),
            "unmanaged": _names(pod for pod in running if _controller(pod) is None), "daemons": _names(daemons)}


def _metadata(pod):
    return pod.get("metadata") or {}


def _controller(pod):
    """The owner that creates the pod again, or None."""
    return next((owner for owner in _metadata(pod).get("ownerReferences") or () if owner.get("controller") is True), None)


def _has_finished(pod):
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _has_local_data(pod):
    return any("emptyDir" in volume for volume in (pod.get("spec") or {}).get("volumes") or ())


def _names(pods):
    return sorted(f"{_metadata(pod).get('namespace')}/{_metadata(pod).get('name')}" for pod in pods)


class FilterModule:
    """The filter."""

    def filters(self):
        return {"kubernetes_pods": kubernetes_pods}
