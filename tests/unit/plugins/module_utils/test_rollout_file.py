# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as JSON: its shape, the errors of reading it back, and its table."""

from __future__ import annotations

import copy
import json

import pytest
from unit.plugins.module_utils.rollout_fleet import DAY, NOW, set_id, status, vm, web

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout import plan
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_file import from_json, to_json
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_policy import Policy
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_records import PlanError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_text import render

FLEET = [*web((0, 1)), vm("api-01", location="northeurope", paired_regions=("westeurope",), zone="1"),
         vm("old-01", power_state="deallocated"), vm("eph-01", hazards=["ephemeral_os_disk"])]


def planned(fleet=FLEET, **options):
    return to_json(plan(fleet, Policy.from_options(options), NOW))


def test_shape():
    found = planned()
    assert list(found) == ["version", "operation", "created", "policy", "waves", "skipped", "counts", "lower_bound",
                           "estimate_minutes", "expected_end", "warnings", "fingerprint"]
    assert (found["version"], found["operation"]) == (1, "perform_maintenance")
    assert found["created"] == "2026-03-10T12:00:00Z"
    assert found["counts"] == {"fleet": 5, "planned": 3, "skipped": 2, "waves": 3,
                               "skipped_by_reason": {"hazard": 1, "not_hosted": 1}}
    wave = found["waves"][0]
    assert {key: wave[key] for key in wave if key != "vms"} == {
        "number": 1, "deadline": "2026-04-04T12:00:00Z", "estimate_minutes": 27, "starts_at": "2026-03-10T12:00:00Z",
        "ends_at": "2026-03-10T12:27:00Z"}
    assert wave["vms"] == [{
        "id": str(FLEET[0].id), "name": "web-01", "host": "web-01", "set": set_id("web"), "update_domain": 0,
        "zone": None, "region": "westeurope", "state": "startable", "window_start": "2026-03-05T12:00:00Z",
        "deadline": "2026-04-04T12:00:00Z", "reason": "Azure allows its maintenance to start"}]
    assert list(found["skipped"][0]) == ["id", "name", "host", "reason", "detail"]
    assert (found["estimate_minutes"], found["expected_end"], found["lower_bound"]) == (81, "2026-03-10T13:21:00Z", 3)
    assert len(found["fingerprint"]) == 64


def test_round_trip_with_fractions_of_seconds():
    before = plan([vm("a", status=status(own=(-5.000001, 25.0000001)))], Policy(), NOW.replace(microsecond=123456))
    assert from_json(json.loads(json.dumps(to_json(before))), NOW) == before


def change(path, value):
    """The plan with one value replaced (or removed, for a value of ...)."""
    data = copy.deepcopy(planned())
    place = data
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return data


@pytest.mark.parametrize("path, value, words", [
    (("version",), 2, "has version 2, this release reads 1"),
    (("version",), ..., "the plan has no 'version'; is this a plan file"),
    (("version",), True, "version is True, expected int"),
    (("operation",), "restart", "'restart' is not known"),
    (("created",), "soon", "the plan.created: 'soon' is not a time"),
    (("created",), "", "the plan.created is empty"),
    (("policy", "max_parallel"), 0, "policy cannot be read: max_parallel: 0"),
    (("policy",), ..., "no 'policy'"),
    (("waves",), {}, "waves is {}, expected list"),
    (("waves", 1), "two", r"waves\[1\] is not a mapping"),
    (("waves", 1, "number"), 3, r"waves\[1\].number is 3, expected 2"),
    (("waves", 0, "vms"), [], r"waves\[0\].vms is empty"),
    (("waves", 0, "vms", 0, "id"), ..., r"waves\[0\].vms\[0\] has no 'id'"),
    (("waves", 0, "vms", 0, "id"), "web-01", r"waves\[0\].vms\[0\].id: 'web-01' is not an Azure resource id"),
    (("waves", 0, "vms", 0, "update_domain"), "0", r"update_domain is '0', expected int"),
    (("waves", 0, "vms", 0, "deadline"), ..., r"vms\[0\] has no 'deadline'"),
    (("waves", 0, "vms", 0, "update_domain"), 1, "was changed after it was written"),
    (("policy", "max_parallel"), 7, "was changed after it was written"),
    (("fingerprint",), "0" * 64, "was changed after it was written"),
    (("fingerprint",), ..., "no 'fingerprint'"),
    (("waves", 1, "vms"), planned()["waves"][0]["vms"], "web-01 is in the plan twice"),
    (("skipped", 0, "detail"), None, r"skipped\[0\].detail is None, expected str"),
    (("counts", "fleet"), ..., "counts has no 'fleet'"),
])
def test_errors_name_place_and_remedy(path, value, words):
    with pytest.raises(PlanError, match=words) as caught:
        from_json(change(path, value), NOW)
    assert "make the plan again" in str(caught.value)


@pytest.mark.parametrize("data", [None, [], "plan", 3])
def test_what_is_no_plan_at_all(data):
    with pytest.raises(PlanError, match="is this a plan file"):
        from_json(data, NOW)


def test_a_plan_expires_with_the_first_window():
    data = planned([vm("a", status=status(own=(-5, 1))), vm("b")])
    assert from_json(data, NOW + 0.9 * DAY).vms
    with pytest.raises(PlanError, match="has expired: the self-service window of a ended 2026-03-11T12:00:00Z"):
        from_json(data, NOW + DAY)
    with pytest.raises(PlanError, match="of a and 1 more ended"):
        from_json(data, NOW + 40 * DAY)


def test_a_window_that_was_over_when_azure_still_allowed_it_does_not_expire_the_plan():
    assert from_json(planned([vm("a", status=status(own=(-5, -1)))]), NOW).vms


def test_the_table_of_a_small_plan():
    text = render(planned())
    lines = text.splitlines()
    assert lines[0] == "Plan for perform_maintenance: 3 VMs in 3 waves, 2 skipped, 5 known"
    assert "about 1 h 21 min, until 2026-03-10 13:21 UTC" in lines[1]
    assert any(line.split() == "1 1 0:00-0:27 2026-04-04 12:00 westeurope web UD 0: web-01".split() for line in lines)
    assert any(line.split() == "3 1 0:54-1:21 2026-04-04 12:00 northeurope api-01".split() for line in lines)
    assert any(line.split() == ["hazard", "1", "eph-01"] for line in lines)
    assert "rollout_accept: [ephemeral_os_disk]" in text.replace("\n    ", " ")
    assert "! GAIN" in text and "fleetops.azure_maintenance.rolling_redeploy" in text


def test_sets_of_one_name_are_told_apart():
    text = render(planned([vm("a", "web", 0), vm("b", "web", 0, group="other")]), 120)
    assert "other/web UD 0: b, shop/web UD 0: a" in text or "shop/web UD 0: a, other/web UD 0: b" in text


@pytest.mark.parametrize("fleet, words", [([], "no VM was named or found"),
                                          ([vm("a", status=None)], "nothing can be started")])
def test_an_empty_plan_says_what_next(fleet, words):
    text = render(planned(fleet))
    assert words in text and "wave   VMs" not in text


def test_a_thousand_vms_fit_a_screen():
    soon = status(own=(-5, 0.1))
    fleet = [one for number in range(150) for one in web((0, 0, 1, 1, 2), f"s{number:03}", status=soon)]
    fleet += [vm(f"idle-{number:03}", status=None) for number in range(200)]
    fleet += [vm(f"eph-{number:03}", hazards=["ephemeral_os_disk"]) for number in range(100)]
    text = render(planned(fleet, max_parallel=10))
    assert len(text.splitlines()) <= 55
    for words in ("750 VMs in 75 waves", "60 more waves", "idle-000, idle-001, ", "more warnings like these",
                  "! DEADLINE", "! GAIN"):
        assert words in text
