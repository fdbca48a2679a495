# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run log as lines: what is written is read again, and a damaged line costs no other."""

from __future__ import annotations

import json

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.run_log import Event, line, parse

DRAINED = Event(1772488800.25, "drained", "web-01", {"wave": 1, "reason": None, "sessions": {"lb-1": 0}})
STOPPED = Event(1772488801.0, "stopped", None, {"words": "STOPPED: ä \n 'x'"})


def test_what_is_written_is_read_again():
    assert parse(b"\n".join(map(line, (DRAINED, STOPPED)))) == ([DRAINED, STOPPED], 0)


def test_an_event_is_one_line_whatever_is_in_it():
    assert b"\n" not in line(STOPPED) and json.loads(line(STOPPED))["v"] == 1


def test_details_do_not_change_what_an_event_is():
    assert parse(line(Event(1.0, "drained", "a", {"event": "in_service", "host": "b", "v": 9, "time": 0})))[0] == [Event(1.0, "drained", "a")]


@pytest.mark.parametrize("damage", [
    line(STOPPED)[:-9], b"\xff\xfe\x00", b"[]", b'"text"', b"17", b"null", b'{"v": 1}', b"[" * 5000,
    json.dumps({"v": 2, "time": 1, "event": "drained", "host": "a"}).encode(), json.dumps({"v": 1, "time": "x", "event": "drained", "host": "a"}).encode(),
    json.dumps({"v": 1, "time": 1, "event": "drained", "host": ["a"]}).encode(), json.dumps({"v": 1, "time": 1, "event": 7, "host": "a"}).encode(),
    json.dumps({"v": 1, "time": 1e999, "event": "drained", "host": "a"}).encode()])
def test_a_damaged_line_is_counted_and_costs_no_other(damage):
    assert parse(b"\n".join((line(DRAINED), damage, line(STOPPED)))) == ([DRAINED, STOPPED], 1)


def test_empty_lines_are_none():
    assert parse(b"\n\n" + line(DRAINED) + b"\n \n") == ([DRAINED], 0)
