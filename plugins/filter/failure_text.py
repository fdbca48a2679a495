# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: failure_text
short_description: What went wrong in a task, in words
version_added: 1.0.0
description:
  - The message of a failed result. Of a module that broke off and printed no answer, it is the first line of what the host printed instead, for the message
    then only says that no JSON was found.
positional: _input, module
options:
  _input:
    description: A result, such as C(ansible_failed_result).
    type: dict
    required: true
  module:
    description: Name of the module.
    type: str
    default: the module
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Say why
  ansible.builtin.debug:
    msg: "{{ ansible_failed_result | fleetops.azure_maintenance.failure_text(ansible_failed_task.action) }}"
"""

RETURN = r"""
_value:
  description: The text, empty when the result says nothing.
  type: str
  sample: "command gave no answer (exit status 127): /bin/sh: 1: /usr/bin/python3: not found"
"""

from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils.guest_action import explained


def failure_text(result, module="the module"):
    """The message of a failed result, in words for a person."""
    return str(explained({"failed": True, **result}, str(module)).get("msg") or "")


class FilterModule:
    """The filter."""

    def filters(self):
        return {"failure_text": failure_text}
