#!/usr/bin/python
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: scheduled_events_info
short_description: Read the Scheduled Events of an Azure VM, on the VM
version_added: 1.0.0
description:
  - Lists what is about to happen to this VM and to the other members of its set.
  - An event that has finished or was canceled is not listed any more.
options:
  only_own:
    description: Only events that name this VM. When V(false), those of other members of its set too.
    type: bool
    default: true
attributes:
  check_mode:
    support: partial
    details: Skipped with a message, without reading anything.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: Every read prolongs the 24 hours for which Scheduled Events are on.
extends_documentation_fragment:
  - fleetops.azure_maintenance.attributes.guest
  - fleetops.azure_maintenance.scheduled_events
seealso:
  - module: fleetops.azure_maintenance.scheduled_events_approve
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: What is about to happen to this VM
  fleetops.azure_maintenance.scheduled_events_info:
  register: coming

- name: Say it
  ansible.builtin.debug:
    msg: "{{ item.type }} by {{ item.source }} not before {{ item.not_before }}"
  loop: "{{ coming.events }}"
"""

RETURN = r"""
events:
  description: The events, in the service's order. Empty in check mode.
  returned: always
  type: list
  elements: dict
  sample:
    - id: 602d9444-d2cd-49c7-8624-8643e7171297
      type: Redeploy
      source: User
      status: Scheduled
      resource_type: VirtualMachine
      resources: [web-03]
      not_before: "2026-03-02T18:29:47Z"
      description: Virtual machine is being redeployed as requested by authorized user.
      duration_seconds: null
  contains:
    id:
      description: Id, to approve it by.
      type: str
      returned: always
      sample: 602d9444-d2cd-49c7-8624-8643e7171297
    type:
      description: Freeze, Reboot, Redeploy, Preempt or Terminate.
      type: str
      returned: always
      sample: Redeploy
    source:
      description: Platform or User; null before api-version 2019-08-01.
      type: str
      returned: always
      sample: User
    status:
      description: Scheduled or Started.
      type: str
      returned: always
      sample: Scheduled
    resource_type:
      description: Kind of the resources.
      type: str
      returned: always
      sample: VirtualMachine
    resources:
      description: Names of all VMs the event is about.
      type: list
      elements: str
      returned: always
      sample: [web-03]
    not_before:
      description: Earliest time, ISO 8601 UTC; null once it has started.
      type: str
      returned: always
      sample: "2026-03-02T18:29:47Z"
    description:
      description: Azure's text; null before api-version 2019-04-01.
      type: str
      returned: always
      sample: Host server is undergoing maintenance.
    duration_seconds:
      description: Expected impact; null when unknown or before api-version 2020-07-01.
      type: int
      returned: always
      sample: 5
vm_name:
  description: Name that events use for this VM.
  returned: when read
  type: str
  sample: web-03
incarnation:
  description: Grows with each change; null while the service is being turned on.
  returned: when read
  type: int
  sample: 7
api_version:
  description: Version that answered.
  returned: when read
  type: str
  sample: "2020-07-01"
failure:
  description: Why the service could not be used; C(kind) is not_azure, not_offered, refused, throttled, unavailable or bad_answer.
  returned: on failure
  type: dict
  sample: {doing: use Scheduled Events, kind: not_azure, detail: nothing answers at http://169.254.169.254 (timed out)}
"""

import typing as t

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.module import run_with_events
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.scheduled_events import Client


def read(module: t.Any, client: Client) -> dict[str, t.Any]:
    """Read the document; the name comes first, as asking for it turns nothing on."""
    name = module.params["vm_name"] or client.own_name()
    document = client.read()
    events = [event for event in document.events if event.concerns(name) or not module.params["only_own"]]
    return {
        "changed": False,
        "events": [event.to_record() for event in events],
        "vm_name": name,
        "incarnation": document.incarnation,
        "api_version": document.api_version,
    }


def main() -> None:
    """Entry point."""
    run_with_events({"only_own": {"type": "bool", "default": True}}, read)


if __name__ == "__main__":
    main()
