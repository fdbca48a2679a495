# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cached reading is used only for the same question and only while the clock cannot have changed a state."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from unit.plugins.module_utils.rollout_fleet import NOW, status, vm

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.maintenance import parse_time
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._inventory.cache import Snapshot

ASKED = {"subscriptions": ["s"], "only_affected": False}
CONTROLLER = dt.datetime(2031, 1, 1, tzinfo=dt.timezone.utc)  # far from Azure's clock, on purpose


def reading(*vms):
    return Snapshot([one.to_record(NOW) for one in vms], NOW, [], ["a warning"])


def after(snapshot, later, asked=None):
    return Snapshot.from_text(snapshot.to_text(ASKED, CONTROLLER), asked or ASKED, CONTROLLER + later)


def windows(record):
    return [parse_time(record["maintenance"][name][edge]) for name in ("self_service_window", "scheduled_window") for edge in ("start", "end")]


def test_the_same_question_a_little_later():
    one, two = vm("a"), vm("b", status=None)
    kept = after(reading(one, two), dt.timedelta(minutes=5))
    assert kept.read_at == NOW and kept.warnings == ["a warning"] and kept.left_out == []
    before, now = one.to_record(NOW)["maintenance"], kept.records[0]["maintenance"]
    assert now["seconds_left"] == before["seconds_left"] - 300 and {**now, "seconds_left": 0} == {**before, "seconds_left": 0}
    assert kept.records[1] == two.to_record(NOW)


def test_another_question_is_not_answered():
    assert after(reading(vm("a")), dt.timedelta(0), {**ASKED, "only_affected": True}) is None


@pytest.mark.parametrize("edge", range(4))
def test_until_a_window_opens_or_closes(edge):
    at = windows(vm("a").to_record(NOW))[edge]
    begin = at - dt.timedelta(hours=1)
    snapshot = Snapshot([vm("a", status=status(allowed=False)).to_record(begin)], begin)
    assert after(snapshot, dt.timedelta(minutes=59)) is not None
    assert after(snapshot, dt.timedelta(hours=1)) is None


def test_states_without_a_clock_last():
    done = vm("a", status=status(allowed=False, code="MaintenanceCompleted"))
    assert after(reading(done, vm("b", status=None), vm("c", power_state="deallocated")), dt.timedelta(days=900)) is not None


def test_a_controllers_clock_that_went_back():
    assert after(reading(vm("a")), dt.timedelta(seconds=-1)) is None


@pytest.mark.parametrize("text", [None, 7, "", "{", "[]", "{}", json.dumps({"form": 0}), [{"id": "the list an older version kept"}]])
def test_what_is_not_a_reading_is_read_again(text):
    assert Snapshot.from_text(text, ASKED, CONTROLLER) is None


def test_a_reading_of_another_form():
    data = {**json.loads(reading(vm("a")).to_text(ASKED, CONTROLLER)), "form": 2}
    assert Snapshot.from_text(json.dumps(data), ASKED, CONTROLLER) is None
