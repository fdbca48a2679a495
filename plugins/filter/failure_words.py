# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: failure_words
short_description: What failed, in words, as a rescue sees it
version_added: 1.0.0
description:
  - B(Internal to the roles of this collection); what it takes and gives may change without notice.
  - Takes C(ansible_failed_result). A loop only says that an item failed; the items say why.
  - Of a module that broke off and printed no answer, it is the first line of what the host printed, for the message only says that no JSON was found.
  - A host that enters a rescue because another host failed (C(any_errors_fatal)) has neither a result nor a task of its own.
positional: _input, task
options:
  _input:
    description: The failed result, or an empty dictionary.
    type: dict
    required: true
  task:
    description: C(ansible_failed_task), or an empty dictionary.
    type: dict
    default: {}
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Say why
  ansible.builtin.debug:
    msg: "{{ ansible_failed_result | default({}) | fleetops.azure_maintenance.failure_words(ansible_failed_task | default({})) }}"
"""

RETURN = r"""
_value:
  description: One sentence without an end.
  type: str
  sample: "command gave no answer (exit status 127): /bin/sh: 1: /usr/bin/python3: not found"
"""

from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._run.guest_action import explained

ANOTHER = "it failed nothing itself: another host failed a task for which any_errors_fatal is set"


def failure_words(result, task=None):
    """See DOCUMENTATION."""
    task = task or {}
    module = str(task.get("action") or "the module")
    items = [item for item in result.get("results") or [] if item.get("failed") or item.get("unreachable")]
    reasons = list(dict.fromkeys(filter(None, (_message(item, module) for item in items))))
    if reasons:
        return "; ".join(reasons)
    name = task.get("name") or task.get("action")
    return _message(result, module) or (f"task failed: {name}" if name else ANOTHER)


def _message(result, module):
    return str(explained({"failed": True, **result}, module).get("msg") or "")


class FilterModule:
    """The filter."""

    def filters(self):
        return {"failure_words": failure_words}
