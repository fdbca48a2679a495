# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said about a VM's maintenance from look to look: sequences of looks, and the events each must give."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.maintenance import MaintenanceStatus, Window
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import Vm, VmId
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._eda.announcements import KINDS, Memory, announce

UTC = dt.timezone.utc
START = dt.datetime(2026, 3, 2, tzinfo=UTC)
S = "11111111-1111-1111-1111-111111111111"


def day(number):
    return START + dt.timedelta(days=number)


def block(*, allowed=None, code="None", own=(0, 30), scheduled=(31, 38)):
    """A maintenance block with windows in days from the start."""
    windows = [Window(day(span[0]), day(span[1])) if span else None for span in (own, scheduled)]
    return lambda now: MaintenanceStatus(
        (windows[0] is not None and windows[0].start <= now < windows[0].end and code == "None") if allowed is None else allowed, *windows, code, None)


WAVE, DONE, GONE, OFF, DELETED = block(), block(code="MaintenanceCompleted", allowed=False), None, "deallocated", "deleted"


class Watch:
    """Looks at a fleet of VMs by name, with the memory going through JSON each time as it does in the state file."""

    def __init__(self, hours=(4, 24, 72)):
        self.hours, self.memory = hours, Memory()

    def look(self, number, read=(S,), **vms):
        now = day(number)
        seen = []
        for name, what in vms.items():
            if what != DELETED:
                status = what(now) if callable(what) else None
                seen.append(Vm(VmId(S, "shop", name), "westeurope", status, power_state="deallocated" if what == OFF else "running", tags={"tier": "web"}))
        self.events, memory = announce(self.memory, seen, now, self.hours, read)
        self.memory = Memory(json.loads(json.dumps(memory.vms)))
        return [event["kind"] + (f" {event['hours']:g}" if event["hours"] is not None else "") for event in self.events]


def test_what_azure_still_shows_after_months_is_said_once():
    """A block that outlives its windows by more than the memory's time is no news at each look."""
    watch = Watch()
    assert watch.look(200, web=WAVE) == ["window_announced"] and watch.look(201, web=WAVE) == watch.look(300, web=WAVE) == []
    watch.look(301, web=GONE)
    assert watch.look(302, web=GONE) == [] and watch.memory.vms == {}


@pytest.mark.parametrize("looks, expected", [
    # announced before its window, opened, near its end, done by Azure
    ([(-5, WAVE), (-4, WAVE), (0, WAVE), (1, WAVE), (27.5, WAVE), (29.5, WAVE), (29.9, WAVE), (30.5, WAVE), (31, WAVE), (32, WAVE), (33, DONE),
      (34, GONE)],
     [["window_announced"], [], ["self_service_opened"], [], ["deadline_near 72"], ["deadline_near 24"], ["deadline_near 4"], [],
      ["scheduled_started"], [], ["completed"], []]),
    # first seen in the middle: announced and opened at once; done by self-service
    ([(2, WAVE), (3, DONE), (4, DONE)], [["window_announced", "self_service_opened"], ["completed"], []]),
    # the block goes away without a word; and comes back
    ([(2, WAVE), (3, GONE), (4, GONE), (5, WAVE), (6, WAVE)],
     [["window_announced", "self_service_opened"], ["cancelled"], [], ["window_announced", "self_service_opened"], []]),
    ([(32, WAVE), (33, GONE)], [["window_announced", "scheduled_started"], ["completed"]]),
    ([(-2, WAVE), (-1, DELETED), (0, DELETED)], [["window_announced"], ["cancelled"], []]),
    # without a host there is no block: nothing is said, nothing forgotten
    ([(2, WAVE), (3, OFF), (4, WAVE)], [["window_announced", "self_service_opened"], [], []]),
    ([(2, WAVE), (3, OFF), (4, GONE)], [["window_announced", "self_service_opened"], [], ["cancelled"]]),
    # first seen when it was over, or in no wave
    ([(3, DONE), (4, DONE), (5, GONE)], [["completed"], [], []]), ([(3, GONE), (4, DELETED)], [[], []]), ([(3, OFF), (4, OFF)], [[], []]),
    # it came to another host that is due in the same wave
    ([(2, WAVE), (3, DONE), (4, WAVE), (5, DONE)],
     [["window_announced", "self_service_opened"], ["completed"], ["window_announced", "self_service_opened"], ["completed"]]),
    # a next wave
    ([(2, WAVE), (3, DONE), (60, block(own=(59, 80), scheduled=(81, 90)))],
     [["window_announced", "self_service_opened"], ["completed"], ["window_announced", "self_service_opened"]]),
    # tried in vain: still due, so its deadline is told
    ([(2, WAVE), (3, block(code="RetryLater", allowed=False)), (29.5, block(code="RetryLater", allowed=False))],
     [["window_announced", "self_service_opened"], [], ["deadline_near 24"]]),
    # out of this iteration: nothing can be done before the deadline
    ([(2, block(code="MaintenanceAborted", allowed=False)), (29.5, block(code="MaintenanceAborted", allowed=False))], [["window_announced"], []]),
    # words nobody knows are announced and no more
    ([(2, block(code="Novel", allowed=True)), (3, block(code="Novel", allowed=True))], [["window_announced"], []]),
    ([(2, block(own=None, scheduled=None)), (3, GONE)], [["window_announced"], ["cancelled"]])])
def test_a_story_of_one_vm(looks, expected):
    watch = Watch()
    assert [watch.look(number, vm=what) for number, what in looks] == expected


def test_completed_and_still_allowed_may_be_a_new_wave():
    watch, odd = Watch(), block(code="MaintenanceCompleted", allowed=True)
    assert watch.look(2, vm=odd) == ["window_announced"]
    assert watch.events[0]["vm"]["state"] == "done"
    assert watch.look(3, vm=DONE) == ["completed"]


def test_another_window_says_so_and_has_its_own_deadline():
    watch = Watch(hours=(24,))
    watch.look(-5, vm=WAVE)
    assert watch.look(-4, vm=block(own=(5, 20))) == ["window_announced"]
    assert watch.events[0]["reason"] == "another window than before"
    assert watch.events[0]["previous_window"] == {"start": "2026-03-02T00:00:00Z", "end": "2026-04-01T00:00:00Z"}
    assert watch.look(19.5, vm=block(own=(5, 20))) == ["self_service_opened", "deadline_near 24"]
    assert watch.look(20.5, vm=block(own=(5, 22))) == [] and watch.look(21.5, vm=block(own=(5, 22))) == ["deadline_near 24"], "the end moved"


def test_only_the_nearest_of_the_deadlines_passed_meanwhile_is_told():
    watch = Watch()
    watch.look(1, vm=WAVE)
    assert watch.look(29.9, vm=WAVE) == ["deadline_near 4"] and watch.look(29.95, vm=WAVE) == []


def test_a_longer_distance_added_later_is_not_told_afterwards():
    watch = Watch(hours=(4,))
    watch.look(1, vm=WAVE)
    watch.look(29.9, vm=WAVE)
    watch.hours = (4, 24)
    assert watch.look(29.95, vm=WAVE) == []


def test_a_fleet_is_told_in_order_with_what_is_still_to_come():
    watch = Watch()
    assert watch.look(1, b=WAVE, a=WAVE, c=block(own=(3, 9))) == ["window_announced"] * 3 + ["self_service_opened"] * 2
    assert [(event["vm"]["name"], event["more"]) for event in watch.events] == [("a", 2), ("b", 1), ("c", 0), ("a", 1), ("b", 0)]
    assert watch.look(2, a=DONE, b=WAVE, c=DELETED) == ["completed", "cancelled"]
    assert len({event["id"] for event in watch.events}) == 2 and all(event["kind"] in KINDS for event in watch.events)


def test_what_was_not_read_is_not_gone():
    watch = Watch()
    watch.look(1, vm=WAVE)
    assert watch.look(2, read=()) == [] and watch.look(3, vm=WAVE) == []
    assert watch.look(4, read=(S,)) == ["cancelled"] and watch.events[0]["reason"] == "the VM is gone"


def test_an_event_carries_facts_and_what_to_run():
    watch = Watch()
    watch.look(1, vm=WAVE)
    announced, opened = watch.events
    assert opened["vm"] == {
        "id": f"/subscriptions/{S}/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines/vm", "name": "vm", "resource_group": "shop",
        "subscription_id": S, "location": "westeurope", "zone": None, "tags": {"tier": "web"}, "update_domain": None, "power_state": "running",
        "availability_set": None, "scale_set": None, "state": "startable", "allowed": True, "hazards": [], "seconds_left": 29 * 86400,
        "self_service_window": {"start": "2026-03-02T00:00:00Z", "end": "2026-04-01T00:00:00Z"},
        "scheduled_window": {"start": "2026-04-02T00:00:00Z", "end": "2026-04-09T00:00:00Z"}}
    assert announced["run"] == opened["run"] == "fleetops.azure_maintenance.plan"
    watch.look(2, vm=DONE)
    assert watch.events[0]["run"] is None
    assert opened["wave"] == "2026-03-02T00:00:00Z" and opened["time"] == "2026-03-03T00:00:00Z"


def test_what_is_long_over_is_forgotten():
    watch = Watch()
    watch.look(1, vm=DONE, other=WAVE)
    watch.look(127, vm=GONE, other=WAVE)
    assert set(watch.memory.vms) and watch.look(129, vm=GONE, other=GONE) == ["completed"] and watch.memory.vms == {}


def test_a_failed_look_changes_no_memory():
    watch = Watch()
    watch.look(1, vm=WAVE)
    before = json.dumps(watch.memory.vms)
    announce(watch.memory, [], day(2), (4,), (S,))
    assert json.dumps(watch.memory.vms) == before
