# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When work may begin: open hours over midnight and over the change of the clock, closed dates, and what cannot be right."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.plugins.module_utils.rollout_fleet import NOW, policy, web

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.calendar import Calendar
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.options import PolicyError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.planner import plan

NIGHTS = {"time_zone": "Europe/Amsterdam", "open": [{"from": "22:00", "to": "05:00"}]}


def utc(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.timezone.utc)


@pytest.mark.parametrize("options, moment, minutes, start", [
    ({}, "2026-03-10T12:00:30", 9999, "2026-03-10T12:00:30"),
    (NIGHTS, "2026-03-10T12:00", 60, "2026-03-10T21:00"),                     # 22:00 in Amsterdam is 21:00 UTC in winter
    (NIGHTS, "2026-07-10T12:00", 60, "2026-07-10T20:00"),
    (NIGHTS, "2026-03-10T23:30", 60, "2026-03-10T23:30"),
    (NIGHTS, "2026-03-11T03:30", 60, "2026-03-11T21:00"),                     # would end after 05:00
    (NIGHTS, "2026-03-11T03:00", 60, "2026-03-11T03:00"),                     # ends at 05:00 sharp
    (NIGHTS, "2026-03-28T20:00", 360, "2026-03-28T21:00"),                    # the clock skips an hour: 6 hours are left
    (NIGHTS, "2026-03-28T20:00", 361, "2026-03-29T20:00"),
    (NIGHTS, "2026-10-24T19:00", 480, "2026-10-24T20:00"),                    # the clock repeats an hour: 8 hours
    ({"open": [{"days": ["fri"], "from": "20:00", "to": "06:00"}]}, "2026-03-14T01:00", 60, "2026-03-14T01:00"),  # Friday's night
    ({"open": [{"days": ["sat", "sun"]}]}, "2026-03-10T12:00", 2000, "2026-03-14T00:00"),  # two days are one stretch
    ({"open": [{"days": ["mon"], "from": "10:00", "to": "12:00"}, {"days": ["mon"], "from": "12:00", "to": "13:00"}]},
     "2026-03-10T12:00", 180, "2026-03-16T10:00"),
    ({"open": [{"from": 1320, "to": 1380}]}, "2026-03-10T12:00", 60, "2026-03-10T22:00"),  # an unquoted 22:00 in YAML
    ({"closed": ["2026-03-10", {"from": "2026-03-11", "to": "2026-03-13"}]}, "2026-03-10T12:00", 60, "2026-03-14T00:00"),
    ({"closed": [dt.date(2026, 3, 11)]}, "2026-03-10T23:30", 60, "2026-03-12T00:00"),
    ({**NIGHTS, "closed": ["2026-03-11"]}, "2026-03-10T21:30", 90, "2026-03-10T21:30"),
    ({**NIGHTS, "closed": ["2026-03-11"]}, "2026-03-10T21:30", 91, "2026-03-11T23:00"),    # midnight closes, and opens again
    (NIGHTS, "2026-03-10T12:00", 421, None),
    ({"closed": [{"from": "2026-01-01", "to": "2026-12-31"}]}, "2026-03-10T12:00", 1, None),
])
def test_the_next_start(options, moment, minutes, start):
    found = Calendar.from_options(options).next_start(utc(moment), minutes)
    assert found == (start and utc(start))
    assert found is None or found.tzinfo == dt.timezone.utc


@pytest.mark.parametrize("options, words", [
    (["mon"], "calendar: .* set a mapping"), ({"opened": []}, "calendar.opened: .* no such key; known are time_zone, open, closed"),
    ({"time_zone": "Mars/Olympus"}, "calendar.time_zone: 'Mars/Olympus' .* tzdata"), ({"time_zone": 3}, "calendar.time_zone"),
    ({"open": []}, "calendar.open: .* without an open hour"), ({"open": "always"}, "calendar.open: .* set a list"),
    ({"open": ["mon"]}, r"calendar.open\[0\]: .* set a mapping"), ({"open": [{"day": "mon"}]}, r"calendar.open\[0\].day: .* no such key"),
    ({"open": [{"days": []}]}, r"calendar.open\[0\].days"), ({"open": [{"days": "mon"}]}, "set a list of mon"),
    ({"open": [{"days": ["monday"]}]}, "set a list of mon"), ({"open": [{}, {"from": "25:00"}]}, r"calendar.open\[1\].from: '25:00'"),
    ({"open": [{"from": "8 pm"}]}, "in quotes"), ({"open": [{"to": 22}]}, r"calendar.open\[0\].to: 22"), ({"open": [{"to": "12:60"}]}, "12:60"),
    ({"open": [{"from": "08:00", "to": "08:00"}]}, "begins when it ends"), ({"closed": ["Christmas"]}, r"calendar.closed\[0\]: 'Christmas'"),
    ({"closed": [{"from": "2026-12-24"}]}, r"calendar.closed\[0\].to: None"),
    ({"closed": [{"from": "2026-12-24", "to": "2026-01-02"}]}, "ends before it begins")])
def test_what_cannot_be_right_is_named(options, words):
    with pytest.raises(PolicyError, match=words):
        Calendar.from_options(options)


@pytest.mark.parametrize("options", [
    {}, NIGHTS, {"open": [{"days": ["sun", "mon"], "to": "05:30"}], "closed": ["2026-12-24", {"from": "2026-12-31", "to": "2027-01-02"}]}])
def test_the_record_reads_back(options):
    calendar = Calendar.from_options(options)
    assert Calendar.from_options(json.loads(json.dumps(calendar.to_record()))) == calendar


@given(st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2027, 1, 1)), st.integers(1, 400))
def test_the_start_is_the_earliest(moment, minutes):
    """Against the plain way: minute after minute."""
    calendar = Calendar.from_options({"open": [{"days": ["mon", "tue"], "from": "22:00", "to": "05:00"}, {"days": ["wed"], "from": "03:00"}]})
    moment = moment.replace(second=0, microsecond=0, tzinfo=dt.timezone.utc)

    def is_open(at):
        early = at.weekday() in (1, 2) and at.hour < 5
        return early or (at.weekday() in (0, 1) and at.hour >= 22) or (at.weekday() == 2 and at.hour >= 3)
    run, at = 0, moment
    while run < minutes:
        run = run + 1 if is_open(at) else 0
        at += dt.timedelta(minutes=1)
    assert calendar.next_start(moment, minutes) == at - dt.timedelta(minutes=minutes)


def test_a_plan_waits_for_open_hours():
    found = plan(web((0, 1, 2)), policy(calendar={"open": [{"from": "22:00", "to": "23:00"}]}), NOW)
    assert [f"{wave.starts_at:%d %H:%M}" for wave in found.waves] == ["10 22:00", "10 22:27", "11 22:00"]
    assert found.estimate_minutes == 34 * 60 + 27


def test_a_wave_that_fits_no_open_stretch_is_an_error():
    with pytest.raises(PolicyError, match="no open stretch of 27 minutes, which a wave takes, within 60 days; open longer hours"):
        plan(web(), policy(calendar={"open": [{"from": "22:00", "to": "22:20"}]}), NOW)
