# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scheduled Events from outside, and locks: what Resource Graph shows, what an acknowledgement does, what a lock forbids."""

from __future__ import annotations

import pytest

GRAPH = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"
QUERY = "maintenanceresources | where type =~ 'microsoft.maintenance/scheduledevents' | project id, name, properties"
VERSION = "?api-version=2023-10-01-preview"


def events(arm):
    return arm.call("POST", GRAPH, {"query": QUERY})[2]["data"]


@pytest.fixture
def waiting(run, small):
    """A cloud where a redeploy of solo waits for ten minutes."""
    arm = run({**small, "operations": {"default": {"waits_seconds": 600, "after_seconds": 20}}})
    assert arm.post("solo")[0] == 202
    return arm


def test_a_wait_is_shown_and_ended(waiting):
    row, = events(waiting)
    assert row["properties"]["Resources"] == ["solo"] and row["properties"]["EventStatus"] == "Scheduled" and row["name"] in row["id"]
    target = row["properties"]["TargetResourceId"]
    assert waiting.call("POST", f"{target}/providers/Microsoft.Maintenance/scheduledevents/{row['name']}/acknowledge{VERSION}")[0] == 200
    assert events(waiting) == []
    entries = waiting.control("GET", "ledger")
    assert [(entry["operation"], entry["outcome"]) for entry in entries] == [("performMaintenance", None), ("acknowledge", "approved")]


def test_an_event_of_another_vm_is_not_found(waiting):
    row, = events(waiting)
    path = f"{waiting.vm('app-0')}/providers/Microsoft.Maintenance/scheduledevents/{row['name']}/acknowledge{VERSION}"
    assert waiting.call("POST", path)[0] == 404 and len(events(waiting)) == 1


def test_a_wait_that_is_not_published(run, small):
    arm = run({**small, "operations": {"default": {"waits_seconds": 600, "published": False}}})
    arm.post("solo")
    assert events(arm) == []


def test_locks(run, small):
    scope = run(small).vm("solo").rsplit("/providers/", 1)[0]
    locked = run({**small, "locks": [{"name": "freeze", "level": "ReadOnly", "scope": scope}]}, "locked")
    lock, = locked.get(f"/subscriptions/{locked.subscription}/providers/Microsoft.Authorization/locks?api-version=2016-09-01")["value"]
    assert lock["id"].startswith(scope) and lock["properties"]["level"] == "ReadOnly"
    answer = locked.post("solo")
    assert answer[0] == 409 and answer[2]["error"]["code"] == "ScopeLocked"
