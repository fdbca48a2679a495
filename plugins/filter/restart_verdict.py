# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: restart_verdict
short_description: Whether a host was restarted by its redeploy, by boot ids and by what Azure says
version_added: 1.0.0
description:
  - B(Internal to the roles of this collection); what it takes and gives may change without notice.
  - The run that started the redeploy and one that recovers the host come to the same verdict. The first keeps a host that was not restarted out of service,
    the other returns it when it is well; both say so.
  - The operation C(reapply) need not restart a VM.
positional: _input, before, result, forecast, finishing
options:
  _input:
    description: Boot id of the host now.
    type: str
    required: true
  before:
    description: Boot ids from before its drain.
    type: list
    elements: str
    required: true
  result:
    description: Its entry of RV(fleetops.azure_maintenance.vm_redeploy#module:vms), or an empty dictionary.
    type: dict
    required: true
  forecast:
    description: The same of a call in check mode.
    type: dict
    default: {}
  finishing:
    description: Whether this run recovers what an earlier one left.
    type: bool
    default: false
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Check that it was restarted
  ansible.builtin.assert:
    that: verdict.holds
    fail_msg: "{{ verdict.words }}"
  vars:
    verdict: "{{ boot_id_now | fleetops.azure_maintenance.restart_verdict([boot_id_before], redeploy_result) }}"
"""

RETURN = r"""
_value:
  description:
    - C(restarted), C(holds) (whether the host may return to service), C(words) and C(short), both empty unless it was not restarted.
  type: dict
  sample: {restarted: true, holds: true, words: "", short: ""}
"""

from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._run.restart import verdict


def restart_verdict(boot_id, before, result, forecast=None, finishing=False):
    """See RETURN."""
    return verdict(boot_id or "", before or [], result or {}, forecast or {}, bool(finishing))


class FilterModule:
    """The filter."""

    def filters(self):
        return {"restart_verdict": restart_verdict}
