# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the activity log proves about a start: refused, or how it ended. Silence and doubt prove nothing."""

from __future__ import annotations

import datetime as dt

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.activity_log import ActivityLog, Event, ending
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import VmId

NOW = dt.datetime(2026, 3, 2, 10, tzinfo=dt.timezone.utc)


def event(status, after=0, http="", own="mine"):
    return Event(status, NOW + dt.timedelta(seconds=after), own, http)


REFUSED = [event("started"), event("failed", 1, "conflict")]


@pytest.mark.parametrize("events, expected", [
    (REFUSED, "refused"),
    ([event("failed", 1, "conflict")], None),
    ([event("started"), event("failed", 1, "toomanyrequests")], "refused"),
    ([event("started"), event("failed", 1, "internalservererror")], None),
    ([event("started"), event("failed", 1, "ok")], None),
    ([event("started"), event("failed", 90, "conflict")], None),
    ([event("started"), event("accepted", 1), event("failed", 2, "conflict")], "failed"),
    ([event("started"), event("failed", 1, "conflict", own="theirs")], None),
    ([event("started", own="theirs"), event("failed", 1, "conflict")], None),
    ([event("started"), event("accepted", 1), event("succeeded", 90)], "succeeded"),
    ([event("started"), event("accepted", 1), event("canceled", 90)], "canceled"),
    ([event("started"), event("accepted", 1)], None), ([event("started")], None), ([], None)])
def test_how_it_ended(events, expected):
    assert ending(events, "mine") == expected


def test_without_an_id_nothing_is_certainly_refused():
    assert ending(REFUSED) is None
    assert ending([event("succeeded", own="theirs")]) == "succeeded"


@pytest.mark.parametrize("items, expected", [
    ([{"eventTimestamp": "2026-03-02T10:00:00.1234567Z", "operationName": {"value": "Microsoft.Compute/virtualMachines/redeploy/action"},
       "status": {"value": "Failed"}, "properties": {"statusCode": "Too Many Requests"}, "httpRequest": {"clientRequestId": "x"}}],
     [("failed", "x", "toomanyrequests")]),
    ([{"eventTimestamp": "2026-03-02T10:00:00Z", "operationName": {"value": "Microsoft.Compute/virtualMachines/restart/action"}}], []),
    ([{"eventTimestamp": "2026-03-02T10:00:00Z", "operationName": {"value": "microsoft.compute/virtualmachines/redeploy/action"}, "status": None}],
     [("", "", "")]),
    ([{"operationName": {"value": "Microsoft.Compute/virtualMachines/redeploy/action"}}], []),
    ([{"eventTimestamp": "soon", "operationName": {"value": "Microsoft.Compute/virtualMachines/redeploy/action"}}], None),
    (["what"], None)])
def test_reading_the_log(cloud, items, expected):
    cloud.fault("/management/values", body={"value": items})
    found = ActivityLog(cloud.arm()).events(VmId.parse(cloud.id("solo")), "redeploy", NOW)
    assert (None if found is None else [(e.status, e.client_request_id, e.http) for e in found]) == expected


def test_a_log_that_is_closed(cloud):
    cloud.fault("/management/values", status=403)
    assert ActivityLog(cloud.arm()).events(VmId.parse(cloud.id("solo")), "redeploy", NOW) is None
