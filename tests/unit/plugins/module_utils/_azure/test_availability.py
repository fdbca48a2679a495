# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of a set may be down at once."""

from __future__ import annotations

import re

import pytest
from unit.plugins.module_utils.rollout_fleet import status, vm

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.availability import Availability, Limit


@pytest.mark.parametrize("text, limit", [
    (None, None), ("", None), ("2", Limit(2)), (2, Limit(2)), (" 3 ", Limit(3)), ("25%", Limit(25, True)), ("25 %", Limit(25, True)),
    ("0%", Limit(0, True)), ("100%", Limit(100, True))])
def test_limits(text, limit):
    assert Limit.parse(text, "max_unavailable") == limit


@pytest.mark.parametrize("text", ["-1", "1.5", "many", "101%", "%", "1%%x", True])
def test_what_is_no_limit_names_the_option(text):
    with pytest.raises(ValueError, match="min_available .* must be a count of VMs such as 2, or a percentage"):
        Limit.parse(text, "min_available")


@pytest.mark.parametrize("text", ["0", "0%", 0])
def test_nobody_could_ever_move(text):
    with pytest.raises(ValueError, match="would never let a VM move"):
        Availability.parse(text, None)


@pytest.mark.parametrize("text, size, up, down", [("30%", 10, 3, 3), ("25%", 10, 3, 2), ("1%", 10, 1, 0), ("4", 3, 4, 4)])
def test_counts(text, size, up, down):
    limit = Limit.parse(text, "x")
    assert (limit.of(size, up=True), limit.of(size, up=False), str(limit)) == (up, down, text)


@pytest.mark.parametrize("percent, size, most", [("30%", 5, 1), ("34%", 5, 1), ("39%", 5, 1), ("40%", 5, 2), ("66%", 3, 1), ("67%", 3, 2), ("99%", 2, 1)])
def test_a_part_of_a_vm_is_never_one_more_that_may_go_down(percent, size, most):
    """A percentage of what may be unavailable is rounded down; of what must stay up, it is rounded up."""
    members = [vm(f"m{at}", "set", at) for at in range(size)]
    for limits in (Availability.parse(percent, None), Availability.parse(None, f"{100 - int(percent[:-1])}%")):
        held = [limits.held_back(members, {one.id.key for one in members[:count]}) for count in range(1, size + 1)]
        assert [reason is None for reason in held] == [count <= most for count in range(1, size + 1)]


STATES = {
    "w": {}, "s": {"power_state": "stopped"}, "d": {"power_state": "deallocated"}, "n": {"agent": "not_ready"}, "u": {"agent": "unknown"},
    "b": {"provisioning_state": "updating"}, "f": {"provisioning_state": "failed"},
    "c": {"provisioning_state": "failed", "status": status(allowed=False, code="MaintenanceCompleted")}}


# members by letter (upper case: those that shall move), options, words of the reason or None
@pytest.mark.parametrize("letters, most, least, words", [
    ("Ww", None, None, None), ("WWww", None, None, None), ("Wuc", None, None, None), ("Wd", None, None, None),
    ("Ws", None, None, "m1 (power state is stopped)"), ("Wn", None, None, "m1 (guest agent is not ready)"),
    ("Wb", None, None, "m1 (provisioning state is updating)"), ("Wf", None, None, "m1 (provisioning state is failed)"), ("Wsn", None, None, "m1 .*, m2"),
    ("Ss", None, None, "m1"), ("Sw", None, None, None),
    ("Wsw", "2", None, None), ("Wsw", "1", None, "m1"), ("Wssw", "2", None, "m1"), ("WWww", "1", None, "2 of 4 members"), ("WWww", "50%", None, None),
    ("WWww", "25%", None, "2 of 4 members"), ("Wdw", "1", None, None), ("W", "1%", None, None), ("Ww", "1%", None, None),
    ("Www", None, "2", None), ("WWw", None, "2", "only 1 of 3"), ("Wdw", None, "2", "only 1 of 3"), ("Wwww", None, "75%", None),
    ("WWww", None, "75%", "only 2 of 4"), ("Wsww", "2", "2", None), ("Wsww", "2", "3", r"only 2 of 4 .*m1"), ("W", None, "1", "only 0 of 1")])
def test_who_is_held_back(letters, most, least, words):
    members = [vm(f"m{at}", "set", 0 if letter.isupper() else 1, **STATES[letter.lower()]) for at, letter in enumerate(letters)]
    moving = {one.id.key for one, letter in zip(members, letters) if letter.isupper()}
    reason = Availability.parse(most, least).held_back(members, moving)
    if words is None:
        assert reason is None
    else:
        assert re.search(words.replace("(", r"\(").replace(")", r"\)"), reason), reason
