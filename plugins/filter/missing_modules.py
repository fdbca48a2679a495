# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: missing_modules
short_description: Those of some modules that this controller does not have
version_added: 1.0.0
description:
  - B(Internal to the roles of this collection); what it takes and gives may change without notice.
  - Lets a play say what to install before it touches anything. A missing collection otherwise fails the task that needs it, in the midst of the work.
positional: _input
options:
  _input:
    description: Fully qualified names of modules.
    type: list
    elements: str
    required: true
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Say what is missing
  ansible.builtin.assert:
    that: "['community.general.haproxy'] | fleetops.azure_maintenance.missing_modules | length == 0"
    fail_msg: "install it: ansible-galaxy collection install community.general"
"""

RETURN = r"""
_value:
  description: The names for which there is no module.
  type: list
  elements: str
"""

from ansible.errors import AnsibleError
from ansible.plugins.loader import action_loader, module_loader


def missing_modules(names):
    """Names without a module or action plugin, in their order."""
    return [name for name in names if not (_found(module_loader, name) or _found(action_loader, name))]


def _found(loader, name):
    try:
        return loader.find_plugin_with_context(name).resolved
    except AnsibleError:  # the collection is there and takes the name away
        return False


class FilterModule:
    """The filter."""

    def filters(self):
        return {"missing_modules": missing_modules}
