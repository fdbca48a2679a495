# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The maintenance block: times as Azure writes them, the states in their order, hazards, the record and back."""

from __future__ import annotations

import datetime as dt
import time

import pytest
from unit.plugins.module_utils.rollout_fleet import DAY, NOW, status

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.maintenance import (
    BLOCKING_HAZARDS, NOTED_HAZARDS, STATES, Hazard, MaintenanceStatus, Window, format_time, parse_time,
)

UTC = dt.timezone.utc


@pytest.mark.parametrize("text, expected", [
    ("2026-03-02T10:20:30+00:00", dt.datetime(2026, 3, 2, 10, 20, 30, tzinfo=UTC)),
    ("2026-03-02T10:20:30Z", dt.datetime(2026, 3, 2, 10, 20, 30, tzinfo=UTC)),
    ("2026-03-02T10:20:30z", dt.datetime(2026, 3, 2, 10, 20, 30, tzinfo=UTC)),
    ("2026-03-02T10:20:30.5+00:00", dt.datetime(2026, 3, 2, 10, 20, 30, 500000, tzinfo=UTC)),
    ("2026-03-02T10:20:30.123+00:00", dt.datetime(2026, 3, 2, 10, 20, 30, 123000, tzinfo=UTC)),
    ("2026-03-02T10:20:30.1234+00:00", dt.datetime(2026, 3, 2, 10, 20, 30, 123400, tzinfo=UTC)),
    ("2026-03-02T10:20:30.12345+00:00", dt.datetime(2026, 3, 2, 10, 20, 30, 123450, tzinfo=UTC)),
    ("2026-03-02T10:20:30.123456+00:00", dt.datetime(2026, 3, 2, 10, 20, 30, 123456, tzinfo=UTC)),
    ("2026-03-02T10:20:30.1234567+00:00", dt.datetime(2026, 3, 2, 10, 20, 30, 123456, tzinfo=UTC)),
    ("2026-03-02T10:20:30.123456789Z", dt.datetime(2026, 3, 2, 10, 20, 30, 123456, tzinfo=UTC)),
    ("2026-03-02T18:20:30.1234567+08:00", dt.datetime(2026, 3, 2, 10, 20, 30, 123456, tzinfo=UTC)),
    ("2026-03-02T04:50:30-0530", dt.datetime(2026, 3, 2, 10, 20, 30, tzinfo=UTC)),
    ("2026-03-02 10:20:30", dt.datetime(2026, 3, 2, 10, 20, 30, tzinfo=UTC)),
    ("", None), (None, None),
])
def test_times_azure_writes(text, expected):
    moment = parse_time(text)
    assert moment == expected
    assert moment is None or moment.utcoffset() == dt.timedelta(0)


@pytest.mark.parametrize("text", ["soon", "2026-03-02", "2026-13-02T00:00:00Z", "2026-03-02T10:20", "1772446830"])
def test_what_is_no_time_is_an_error(text):
    with pytest.raises(ValueError, match=text if text.isalpha() else None):
        parse_time(text)


def test_times_are_written_in_one_spelling():
    moment = dt.datetime(2026, 3, 2, 18, 20, 30, 999999, tzinfo=dt.timezone(dt.timedelta(hours=8)))
    assert format_time(moment) == "2026-03-02T10:20:30Z"
    assert format_time(None) is None


# The two filled blocks that public material holds, with their real windows.
REAL = {
    "pull request of 2025, message absent": ({
        "isCustomerInitiatedMaintenanceAllowed": True, "preMaintenanceWindowStartTime": "2025-01-30T00:00:00+00:00",
        "preMaintenanceWindowEndTime": "2025-06-11T23:30:00+00:00",
        "maintenanceWindowStartTime": "2025-06-12T00:00:00+00:00",
        "maintenanceWindowEndTime": "2025-06-18T23:59:00+00:00",
        "lastOperationResultCode": "None"}, "2025-03-01T00:00:00Z"),
    "command line of 2018, message null": ({
        "additionalProperties": {}, "isCustomerInitiatedMaintenanceAllowed": True, "lastOperationMessage": None,
        "lastOperationResultCode": "None", "maintenanceWindowEndTime": "2018-06-04T16:30:00+00:00",
        "maintenanceWindowStartTime": "2018-05-21T16:30:00+00:00",
        "preMaintenanceWindowEndTime": "2018-05-19T12:30:00+00:00",
        "preMaintenanceWindowStartTime": "2018-05-14T12:30:00+00:00"}, "2018-05-15T00:00:00Z"),
}


@pytest.mark.parametrize("block, moment", REAL.values(), ids=REAL)
def test_real_blocks(block, moment):
    found = MaintenanceStatus.from_view({"maintenanceRedeployStatus": block})
    assert found.state(parse_time(moment)) == "startable"
    assert found.message is None and not found.retry and found.hazards() == []
    assert format_time(found.self_service_window.end).replace("Z", "+00:00") == block["preMaintenanceWindowEndTime"]
    assert format_time(found.scheduled_window.start).replace("Z", "+00:00") == block["maintenanceWindowStartTime"]


@pytest.mark.parametrize("view", [{}, {"maintenanceRedeployStatus": None}, {"maintenanceRedeployStatus": {}}])
def test_no_block_is_no_status(view):
    assert MaintenanceStatus.from_view(view) is None


@pytest.mark.parametrize("spelled, code", [
    ("maintenancecompleted", "MaintenanceCompleted"), ("RETRYLATER", "RetryLater"),
    ("maintenanceAborted", "MaintenanceAborted"), (None, "None"), ("Brand New", "Brand New")])
def test_result_codes_are_open_and_ignore_case(spelled, code):
    block = {"isCustomerInitiatedMaintenanceAllowed": False, "lastOperationResultCode": spelled}
    assert MaintenanceStatus.from_view({"maintenanceRedeployStatus": block}).code == code


@pytest.mark.parametrize("flag", [None, "true", 1, False])
def test_only_true_itself_is_permission(flag):
    block = {"isCustomerInitiatedMaintenanceAllowed": flag, "lastOperationResultCode": "None"}
    assert MaintenanceStatus.from_view({"maintenanceRedeployStatus": block}).allowed is False


@pytest.mark.parametrize("fields, expected", [
    # an answer we do not understand wins over everything, even over permission
    ({"code": "Strange"}, "unknown"),
    ({"code": "Strange", "allowed": False}, "unknown"),
    # done, whatever the flag and the clocks say
    ({"code": "MaintenanceCompleted"}, "done"),
    ({"code": "MaintenanceCompleted", "allowed": False}, "done"),
    ({"code": "MaintenanceCompleted", "allowed": False, "own": (-9, -5), "azure": (-4, -1)}, "done"),
    # permission comes from the flag alone, never from the clocks
    ({}, "startable"),
    ({"own": (3, 25)}, "startable"),
    ({"own": (-9, -1), "azure": (1, 5)}, "startable"),
    ({"own": (-9, -5), "azure": (-4, -1)}, "startable"),
    ({"code": "RetryLater"}, "startable"),
    ({"code": "MaintenanceAborted"}, "startable"),
    # without it the clock says why
    ({"allowed": False, "own": (3, 25)}, "upcoming"),
    ({"allowed": False, "own": (3, 25), "code": "RetryLater"}, "upcoming"),
    ({"allowed": False, "code": "RetryLater"}, "retry_later"),
    ({"allowed": False, "code": "MaintenanceAborted"}, "skipped"),
    ({"allowed": False}, "blocked"),
    ({"allowed": False, "own": (-9, -1), "azure": (1, 5)}, "waiting"),
    ({"allowed": False, "own": (-9, -1), "azure": (1, 5), "code": "MaintenanceAborted"}, "waiting"),
    ({"allowed": False, "own": (-9, -5), "azure": (-4, 1)}, "azure_controlled"),
    ({"allowed": False, "own": (-9, -5), "azure": (-4, -1)}, "expired"),
    # both windows are half open
    ({"allowed": False, "own": (0, 25)}, "blocked"),
    ({"allowed": False, "own": (-9, 0), "azure": (1, 5)}, "waiting"),
    ({"allowed": False, "own": (-9, -1), "azure": (0, 5)}, "azure_controlled"),
    ({"allowed": False, "own": (-9, -5), "azure": (-4, 0)}, "expired"),
])
def test_states_first_match_wins(fields, expected):
    assert expected in STATES
    assert status(**fields).state(NOW) == expected


@pytest.mark.parametrize("missing", ["preMaintenanceWindowStartTime", "preMaintenanceWindowEndTime",
                                     "maintenanceWindowStartTime", "maintenanceWindowEndTime"])
def test_a_missing_window_is_unknown_even_if_allowed(missing):
    block = {key: value for key, value in REAL["pull request of 2025, message absent"][0].items() if key != missing}
    assert MaintenanceStatus.from_view({"maintenanceRedeployStatus": block}).state(NOW) == "unknown"


@pytest.mark.parametrize("code, allowed, retry", [("RetryLater", True, True), ("MaintenanceAborted", True, True),
                                                  ("RetryLater", False, False), ("None", True, False)])
def test_retry_needs_permission(code, allowed, retry):
    assert status(code=code, allowed=allowed).retry is retry


@pytest.mark.parametrize("code, allowed, names", [
    ("MaintenanceCompleted", True, ["completed_but_allowed"]), ("MaintenanceCompleted", False, []),
    ("MaintenanceAborted", True, ["retry_after_abort"]), ("MaintenanceAborted", False, []), ("RetryLater", True, [])])
def test_hazards_the_block_shows(code, allowed, names):
    found = status(code=code, allowed=allowed, message="no room").hazards()
    assert [hazard.name for hazard in found] == names
    assert all(hazard.blocking for hazard in found)
    assert "no room" in found[0].detail if names == ["retry_after_abort"] else True


@pytest.mark.parametrize("name, blocking", [*[(name, True) for name in BLOCKING_HAZARDS],
                                            *[(name, False) for name in NOTED_HAZARDS]])
def test_hazards_and_their_records(name, blocking):
    hazard = Hazard(name, "why")
    assert hazard.to_record() == {"name": name, "blocking": blocking, "detail": "why"}
    assert Hazard.from_record(hazard.to_record()) == hazard


@pytest.mark.parametrize("fields", [{}, {"code": "MaintenanceAborted", "message": "no room", "allowed": False},
                                    {"code": "Strange"}, {"own": (-9, -1)}])
def test_record_and_back(fields):
    before = status(**fields)
    record = before.to_record(NOW)
    assert MaintenanceStatus.from_record(record) == before
    assert record["state"] == before.state(NOW)


def test_record_of_a_block_without_windows():
    before = MaintenanceStatus(True, None, None, "None", None)
    record = before.to_record(NOW)
    assert (record["state"], record["self_service_window"], record["seconds_left"]) == ("unknown", None, None)
    assert MaintenanceStatus.from_record(record) == before


def test_seconds_left_end_at_zero():
    assert status(own=(-5, 1)).to_record(NOW)["seconds_left"] == 86400
    assert status(own=(-5, -1)).to_record(NOW)["seconds_left"] == 0


def test_window_needs_both_ends():
    assert Window.of("2026-03-02T00:00:00Z", None) is None
    window = Window.of("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z")
    assert window.end - window.start == DAY
    assert window.to_record() == {"start": "2026-03-02T00:00:00Z", "end": "2026-03-03T00:00:00Z"}


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "1-01-01T00:00:00Z",
                                  "9999-12-31T23:59:59.9999999-07:00", "9999-12-31T23:59:59Z"])
def test_a_time_that_was_never_set_is_none(text):
    assert parse_time(text) is None


@pytest.mark.parametrize("year", [2, 99, 999, 9998])
def test_odd_years_survive_a_round_trip(year):
    moment = dt.datetime(year, 3, 2, 10, 20, 30, tzinfo=dt.timezone.utc)
    assert format_time(moment) == f"{year:04}-03-02T10:20:30Z" and parse_time(format_time(moment)) == moment


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", "UTC"])
def test_a_time_without_a_zone_is_utc_wherever_the_controller_is(monkeypatch, zone):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert parse_time("2026-03-02T10:20:30") == dt.datetime(2026, 3, 2, 10, 20, 30, tzinfo=dt.timezone.utc)
    finally:
        monkeypatch.undo()
        time.tzset()
