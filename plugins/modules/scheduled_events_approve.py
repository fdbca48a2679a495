#!/usr/bin/python
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: scheduled_events_approve
short_description: Approve Scheduled Events of an Azure VM, on the VM
version_added: 1.0.0
description:
  - Lets events go ahead now instead of at their time.
  - An approval cannot be taken back, and counts for every resource of the event.
  - Approves the events named in O(event_ids). Or those that pass O(types) and O(sources) and are about this VM (and O(companions)) alone.
  - An event that has started already, or does not exist any more, is reported and not approved. Neither is a failure.
options:
  event_ids:
    description: Exactly these events, whatever they are about.
    type: list
    elements: str
  types:
    description: Only events of these types.
    type: list
    elements: str
    choices: [Freeze, Reboot, Redeploy, Preempt, Terminate]
  sources:
    description: Only events of these sources. Before api-version 2019-08-01 no event has a source, and none passes.
    type: list
    elements: str
    choices: [Platform, User]
  companions:
    description: Other VMs that an event may name beside this one, because they are drained too.
    type: list
    elements: str
    default: []
  wait:
    description: Seconds to wait for such an event to appear.
    type: int
    default: 0
  delay:
    description:
      - Approve that many seconds after this module has answered, from a background process.
      - The event may take the VM down at once, before the module's answer is sent.
      - Whether Azure accepted the approval is then not reported.
    type: int
    default: 0
attributes:
  check_mode:
    support: partial
    details: Skipped with a message, without reading or approving anything.
  diff_mode:
    support: none
  idempotent:
    support: full
    details:
      - Azure does not show whether an event that has not started yet is approved already.
      - Until it starts it is approved again, which changes nothing.
extends_documentation_fragment:
  - fleetops.azure_maintenance.attributes.guest
  - fleetops.azure_maintenance.scheduled_events
seealso:
  - module: fleetops.azure_maintenance.scheduled_events_info
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Let the redeploy that was just asked for go ahead
  fleetops.azure_maintenance.scheduled_events_approve:
    types: [Redeploy]
    sources: [User]
    wait: 60
    delay: 2

- name: Approve one event
  fleetops.azure_maintenance.scheduled_events_approve:
    event_ids: [602d9444-d2cd-49c7-8624-8643e7171297]
"""

RETURN = r"""
approved:
  description: Ids of the events approved now, or O(delay) seconds from now.
  returned: when read
  type: list
  elements: str
  sample: [602d9444-d2cd-49c7-8624-8643e7171297]
already_started:
  description: Ids of events that had started already.
  returned: when read
  type: list
  elements: str
  sample: []
gone:
  description: Ids of O(event_ids) that do not exist any more.
  returned: when read
  type: list
  elements: str
  sample: []
events:
  description: The events that were asked for, as they were before, in the form of M(fleetops.azure_maintenance.scheduled_events_info).
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
failure:
  description: Why the service could not be used; C(kind) is not_azure, not_offered, refused, throttled, unavailable or bad_answer.
  returned: on failure
  type: dict
  sample: {doing: use Scheduled Events, kind: not_azure, detail: nothing answers at http://169.254.169.254 (timed out)}
"""

import os
import time
import typing as t

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.module import run_with_events
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.scheduled_events import SOURCES, TYPES, Client, Event, EventsError


def approve(module: t.Any, client: Client) -> dict[str, t.Any]:
    """Approve what is asked for and has not started."""
    options = module.params
    by_id = options["event_ids"] is not None
    named = {item.lower() for item in options["event_ids"] or []}
    name = "" if by_id else options["vm_name"] or client.own_name()

    def is_wanted(event: Event) -> bool:
        if by_id:
            return event.id.lower() in named
        asked = event.type in options["types"] and event.source in options["sources"]
        return asked and event.is_only(name, options["companions"])

    deadline = time.monotonic() + (0 if by_id and not named else options["wait"])
    events = [event for event in client.read().events if is_wanted(event)]
    while not events and time.monotonic() < deadline:
        time.sleep(1)
        events = [event for event in client.read().events if is_wanted(event)]
    waiting = [event.id for event in events if event.status == "Scheduled"]
    if options["delay"] and waiting:
        _leave_behind(lambda: client.approve(waiting), options["delay"])
        approved = waiting
    else:
        approved = [event_id for event_id in waiting if _post(client, event_id)]
    gone = named - {event.id.lower() for event in events}
    return {
        "changed": bool(approved),
        "approved": approved,
        "already_started": [event.id for event in events if event.status != "Scheduled"],
        "gone": sorted(gone | set(waiting) - set(approved)),
        "events": [event.to_record() for event in events],
    }


def _post(client: Client, event_id: str) -> bool:
    """Approve; False when the service refuses it because the event has ended since it was read."""
    try:
        client.approve([event_id])
    except EventsError as error:
        if error.kind != "refused" or event_id in {event.id for event in client.read().events}:
            raise
        return False
    return True


def _leave_behind(action: t.Callable[[], None], seconds: float) -> None:
    """Do it that much later, in a process that holds nothing of this one's and that nobody waits for."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork():
            return
        null = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(null, stream)
        time.sleep(seconds)
        action()
    finally:
        # Nothing of Ansible's may run here: neither its clean-up nor its answer.
        os._exit(0)


def main() -> None:
    """Entry point."""
    spec = {
        "event_ids": {"type": "list", "elements": "str"},
        "types": {"type": "list", "elements": "str", "choices": list(TYPES)},
        "sources": {"type": "list", "elements": "str", "choices": list(SOURCES)},
        "companions": {"type": "list", "elements": "str", "default": []},
        "wait": {"type": "int", "default": 0},
        "delay": {"type": "int", "default": 0},
    }
    run_with_events(spec, approve, required_one_of=[("event_ids", "types")], required_together=[("types", "sources")],
                    mutually_exclusive=[("event_ids", "types"), ("event_ids", "sources")])


if __name__ == "__main__":
    main()
