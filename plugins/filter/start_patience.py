# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: start_patience
short_description: Seconds until a start that a crashed run may have sent would show
version_added: 1.0.0
description:
  - B(Internal to the roles of this collection); what it takes and gives may change without notice.
  - For hosts that earlier runs left, and whose start no journal of this controller knows of. Hosts of which nothing is known are not waited for.
positional: _input, seconds
options:
  _input:
    description: Variables of the hosts, with C(redeploy_forecast) and C(rollout_left_mark).
    type: list
    elements: dict
    required: true
  seconds:
    description: How long after it was sent a start shows at the latest.
    type: int
    required: true
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: How long to wait
  ansible.builtin.debug:
    msg: "{{ ['web-03'] | map('extract', hostvars) | fleetops.azure_maintenance.start_patience(120) }}"
"""

RETURN = r"""
_value:
  description: Seconds, 0 where nothing is waited for.
  type: int
"""

import datetime as dt

from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._mark.recovery import start_patience as patience


def start_patience(hosts, seconds):
    """See RETURN."""
    known = [{name: host[name] for name in ("redeploy_forecast", "rollout_left_mark") if name in host} for host in hosts]
    return patience(known, int(seconds), dt.datetime.now(dt.timezone.utc))


class FilterModule:
    """The filter."""

    def filters(self):
        return {"start_patience": start_patience}
