# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the policy: what is read, what is refused and with which words, and how shares round."""

from __future__ import annotations

import dataclasses
import json

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.policy import Policy, PolicyError


def test_defaults():
    assert Policy.from_options({}) == Policy()
    assert Policy.from_options({field.name: None for field in dataclasses.fields(Policy)}) == Policy()
    assert Policy().overhead_minutes + Policy().minutes_for(()) == 27


@pytest.mark.parametrize("key, given, read", [
    ("max_unavailable", 2, 2), ("max_unavailable", "2", 2), ("max_unavailable", " 25 % ", "25%"),
    ("max_unavailable", "100%", "100%"),
    ("min_available", 0, 0), ("min_available", "0%", "0%"), ("min_available", "99%", "99%"),
    ("max_parallel", "20", 20), ("per_region", 1, 1), ("region_pairs", "parallel", "parallel"),
    ("accept", ["not_running", "ephemeral_os_disk", "not_running"], ("ephemeral_os_disk", "not_running")),
    ("refuse", ["spot"], ("spot",)), ("minutes_per_vm", 1, 1), ("scheduled_events_minutes", 0, 0),
    ("drain_minutes", 0, 0), ("on_deadline", "refuse", "refuse"), ("include_unlisted", True, True)])
def test_options_that_are_read(key, given, read):
    policy = Policy.from_options({key: given})
    assert getattr(policy, key) == read
    assert Policy.from_options(json.loads(json.dumps(policy.to_record()))) == policy


@pytest.mark.parametrize("key, value, remedy", [
    ("max_unavailable", 0, "less than 1"), ("max_unavailable", "0%", "less than 1"),
    ("max_unavailable", -1, "a count of VMs"),
    ("max_unavailable", "101%", "a count of VMs"), ("max_unavailable", "some", "a count of VMs"),
    ("max_unavailable", True, "a count of VMs"), ("max_unavailable", 1.5, "a count of VMs"),
    ("max_unavailable", "", "a count of VMs"),
    ("max_unavailable", "2.5%", "a count of VMs"), ("max_unavailable", [1], "a count of VMs"),
    ("min_available", "100%", "leaves none"),
    ("max_parallel", 0, "at least 1"), ("max_parallel", "many", "at least 1"), ("max_parallel", True, "at least 1"),
    ("per_region", -3, "at least 1"), ("minutes_per_vm", 0, "at least 1"), ("drain_minutes", -1, "at least 0"),
    ("drain_minutes", 1.5, "at least 0"), ("region_pairs", "both", "choose serial or parallel"),
    ("on_deadline", "ignore", "choose warn or refuse"), ("include_unlisted", "yes", "true or false"),
    ("accept", "not_running", "a list"), ("accept", ["spott"], "there is no such hazard"),
    ("accept", ["spot"], "only noted"),
    ("refuse", ["not_running"], "stops a VM already"), ("refuse", ["nothing"], "there is no such hazard"),
    ("max_unavailble", 1, "did you mean max_unavailable"), ("colour", "red", "known are max_unavailable")])
def test_options_that_are_refused(key, value, remedy):
    with pytest.raises(PolicyError) as caught:
        Policy.from_options({key: value})
    shown = value[0] if isinstance(value, list) and key != "max_unavailable" else value
    assert str(caught.value).startswith(f"{key}: {shown!r} is not possible: ") and remedy in str(caught.value)


@pytest.mark.parametrize("share, size, down, up", [
    (2, 6, 2, 2), ("25%", 8, 2, 2), ("25%", 7, 1, 2), ("25%", 3, 1, 1), ("1%", 3, 1, 1), ("33%", 9, 2, 3),
    ("50%", 1, 1, 1), ("29%", 100, 29, 29), ("99%", 100, 99, 99)])
def test_down_rounds_down_but_to_one_at_least_and_up_rounds_up(share, size, down, up):
    assert Policy.from_options({"max_unavailable": share}).max_down(size) == down
    assert Policy.from_options({"min_available": share}).min_up(size) == up


def test_no_share_is_no_limit():
    assert Policy().max_down(5) is None and Policy().min_up(5) == 0
