# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: misspelt
short_description: Those of some names that are almost, but not quite, a known one
version_added: 1.0.0
description:
  - B(Internal to the roles of this collection); what it takes and gives may change without notice.
  - Ansible ignores a variable that nothing reads. One that is a letter away from an option was meant to be it.
  - Names that resemble no known one are left alone; they may be somebody's own.
positional: _input, known
options:
  _input:
    description: Names that are set.
    type: list
    elements: str
    required: true
  known:
    description: Names that there are.
    type: list
    elements: str
    required: true
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Refuse what would be ignored
  ansible.builtin.assert:
    that: wrong | length == 0
    fail_msg: "{{ wrong | join(', ') }}"
  vars:
    wrong: "{{ ['drain_provder', 'drain_colour'] | fleetops.azure_maintenance.misspelt(['drain_provider', 'drain_timeout']) }}"
"""

RETURN = r"""
_value:
  description: Each such name, with the one that was probably meant.
  type: list
  elements: str
  sample: ["drain_provder (drain_provider?)"]
"""

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._spelling import closest

CLOSE = 0.85
"""Of 1: one letter more, less or other in ten is closer than this; a different word behind the same prefix is not."""


def misspelt(names, known):
    """``name (probably meant?)`` for each name that is not known and close to one that is, sorted."""
    unknown = sorted(set(map(str, names)) - set(known))
    close = ((name, closest(name, known, close=CLOSE)) for name in unknown)
    return [f"{name} ({found[0]}?)" for name, found in close if found]


class FilterModule:
    """The filter."""

    def filters(self):
        return {"misspelt": misspelt}
