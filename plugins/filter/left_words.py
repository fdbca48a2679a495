# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: left_words
short_description: How a host is left, as a sentence, by its drain marker
version_added: 1.0.0
description:
  - B(Internal to the roles of this collection); what it takes and gives may change without notice.
  - Begins with C(DRAINED) where the drain marker records something to restore, and nowhere else.
positional: _input, file
options:
  _input:
    description: The drain marker, or an empty dictionary.
    type: dict
    required: true
  file:
    description: Where this controller keeps it.
    type: str
    required: true
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Say how it is left
  ansible.builtin.debug:
    msg: "left: {{ mark | fleetops.azure_maintenance.left_words('.azure_maintenance/marks/web-03.json') }}"
"""

RETURN = r"""
_value:
  description: What there is to restore, and where the drain marker is.
  type: str
"""

from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._mark.recovery import left_words


class FilterModule:
    """The filter."""

    def filters(self):
        return {"left_words": left_words}
