# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as a table: it fits a screen, however large the fleet, and says what to do next."""

from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo

import pytest
from unit.plugins.module_utils.rollout_fleet import NOW, status, vm, web

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.plan_file import to_json
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.planner import plan
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.policy import Policy
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.table import WIDTH, render

FLEET = [*web((0, 1)), vm("api-01", location="northeurope", paired_regions=("westeurope",), zone="1"),
         vm("old-01", power_state="deallocated"), vm("eph-01", hazards=["ephemeral_os_disk"])]
COMMAND = "ansible-playbook -i prod.yml fleetops.azure_maintenance.rolling_redeploy -e rollout_plan_file=plan.json"


def planned(fleet, **options):
    return to_json(plan(fleet, Policy.from_options(options), NOW))


def fits_a_screen(text):
    """At most 45 lines, none longer than the width but the command, which is there to be copied."""
    lines = text.splitlines()
    assert len(lines) <= 45, len(lines)
    assert not [line for line in lines if len(line) > WIDTH and not line.startswith("  ansible-playbook")]
    return lines


def test_a_small_plan():
    text = render(planned(FLEET), command=COMMAND)
    lines = fits_a_screen(text)
    assert lines[0] == "Plan for perform_maintenance: 3 VMs in 3 waves, 2 skipped, 5 known"
    assert "about 1 h 21 min, until 2026-03-10 13:21 UTC" in lines[1]
    assert any(line.split() == "1 1 0:00-0:27 2026-04-04 12:00 westeurope web UD 0: web-01".split() for line in lines)
    assert any(line.split() == "3 1 0:54-1:21 2026-04-04 12:00 northeurope api-01".split() for line in lines)
    assert any(line.split() == ["hazard", "1", "eph-01"] for line in lines)
    assert "rollout_accept: [ephemeral_os_disk]" in text.replace("\n    ", " ")
    assert "! GAIN" in text and lines[-2:] == ["Next: nothing has been started. To apply exactly this plan:", f"  {COMMAND}"]


def crowd():
    """Forty VMs and more, in sets and alone, skipped for every reason, each with a time of its own."""
    fleet = [*web((0, 0, 1, 1, 2, 2), "front"), *web(tuple(range(5)) * 4, "back"), *(vm(f"single-{number}") for number in range(14))]
    for number in range(3):
        own, azure = (number - 9, number - 6), (number + 4.5, number + 8)
        fleet += [vm(f"void-{number}", status=status(code="MaintenanceAborted", allowed=False, azure=azure, message="Aborted. The VM was not changed.")),
                  vm(f"gone-{number}", status=status(own=own, azure=azure, allowed=False)), vm(f"soon-{number}", status=status(own=(number + 1, number + 5))),
                  vm(f"idle-{number}", status=None), vm(f"eph-{number}", hazards=["ephemeral_os_disk"]), vm(f"off-{number}", power_state="deallocated"),
                  vm(f"done-{number}", status=status(code="MaintenanceCompleted")), vm(f"odd-{number}", status=status(code="Strange", allowed=False))]
    return fleet


@pytest.mark.parametrize("width", [60, WIDTH, 100, 237])
@pytest.mark.parametrize("options", [{}, {"max_parallel": 1}, {"lanes": 5}, {"max_parallel": 3, "calendar": {"open": [{"from": "22:00", "to": "05:00"}]}}])
def test_every_vm_is_named_and_nothing_that_is_said_of_it_is_cut(options, width):
    fleet = crowd()
    document = planned(fleet, **options)
    text = render(document, width, csv="/runs/plan.csv", zone=ZoneInfo("Europe/Berlin"))
    words = re.findall(r"[a-z]+-\d+", text)
    assert {one.id.name for one in fleet} <= set(words) and "more wave" not in text and "more lane" not in text and " ..." not in text and "such as" not in text
    assert max(map(len, text.splitlines())) <= width
    flat = " ".join(text.split())
    for skip in document["skipped"]:
        assert " ".join(re.sub(r"(\d\d:\d\d:\d\dZ)", r"\1 (TIME)", skip["detail"]).split()) in re.sub(r"\((\d\d-\d\d )?\d\d:\d\d CES?T\)", "(TIME)", flat)
    assert all(" ".join(warning.split()) in flat for warning in document["warnings"] if "Z" not in warning)
    assert "Every VM with its reason: /runs/plan.csv" in text and flat.count("redeploys it itself from 2026-03-") == 6


def test_a_wider_screen_takes_fewer_lines():
    lengths = [len(render(planned(crowd()), width).splitlines()) for width in (60, 88, 140, 220)]
    assert lengths == sorted(lengths, reverse=True) and lengths[0] > 1.5 * lengths[-1]


@pytest.mark.parametrize("fleet, what", [
    ([vm("b"), vm("a")], "a b"), ([*web((0,)), vm("alone")], "single: alone, web UD 0: web-01"), ([vm("zz"), *web((0,), "a")], "a UD 0: a-01, single: zz"),
    ([vm("alone"), vm("a", tags={"s": "shop"}, zone="1")], "single: alone, shop zone 1: a"),
    ([*web((0,)), vm("alone", location="northeurope"), vm("other", location="northeurope")], "northeurope single: alone other, westeurope web UD 0: web-01")])
def test_a_single_vm_never_reads_as_a_member_of_a_set(fleet, what):
    document = planned(fleet, service="tags.s")
    assert [line.split("  ")[-1] for line in render(document, 160).splitlines() if " 0:00-" in line] == [what]


@pytest.mark.parametrize("minutes, cell", [(1, "in 1 min (12:01)"), (97, "in 97 min (13:37)"), (119, "in 119 min (13:59)"), (120, "2026-03-10 14:00"),
                                           (60 * 30, "2026-03-11 18:00"), (-5, "2026-03-10 11:55")])
def test_a_deadline_that_is_near_is_in_minutes(minutes, cell):
    document = planned([vm("a")])
    document["waves"][0]["deadline"] = f"{NOW + dt.timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"
    assert any(line.split() == ["1", "1", "0:00-0:27", *cell.split(), "a"] for line in render(document).splitlines())
    later = render(document, now=f"{NOW + dt.timedelta(minutes=10):%Y-%m-%dT%H:%M:%SZ}")
    assert (f"in {minutes - 10} min" in later) is (10 <= minutes < 130), "counted from when it is looked at, not from when it was made"


@pytest.mark.parametrize("zone, head, heading, cell", [
    ("Europe/Berlin", "until 2026-03-10 12:27 UTC (13:27 CET) if begun 2026-03-10 12:00 UTC (13:00 CET)", "deadline (UTC, CEST)", "2026-04-04 12:00, 14:00"),
    ("America/Los_Angeles", "until 2026-03-10 12:27 UTC (05:27 PDT)", "deadline (UTC, PDT)", "2026-04-04 12:00, 05:00"),
    ("Pacific/Kiritimati", "until 2026-03-10 12:27 UTC (03-11 02:27 +14)", "deadline (UTC, +14)", "2026-04-04 12:00, 04-05 02:00"),
    ("Europe/London", "until 2026-03-10 12:27 UTC if begun", "deadline (UTC, BST)", "2026-04-04 12:00, 13:00"),
    ("UTC", "12:27 UTC if", "deadline (UTC) ", "04-04 12:00  a")])
def test_the_controllers_zone_is_beside_utc(zone, head, heading, cell):
    lines = render(planned([vm("a"), vm("gone", status=status(own=(-9, -5), allowed=False))]), 140, zone=ZoneInfo(zone)).splitlines()
    assert head in lines[1] and heading in lines[3] and cell in lines[4]
    detail = " ".join(" ".join(lines).partition("redeploys it itself")[2].partition("  Next")[0].split())
    beside = {"Europe/Berlin": "Z (14:00 CEST)", "America/Los_Angeles": "Z (05:00 PDT)", "Pacific/Kiritimati": "Z (04-06 02:00 +14)",
              "Europe/London": "Z (13:00 BST)"}
    assert detail.startswith(f"from 2026-04-05T12:00:00{beside.get(zone, 'Z')}")
    open_hours = planned([vm("a")], calendar={"open": [{"from": "22:00", "to": "05:00"}]})
    if zone == "Europe/Berlin":
        text = render(open_hours, 140, zone=ZoneInfo(zone))
        assert "at (UTC, CET)" in text and "03-10 22:00-22:27, 23:00-23:27" in text


def test_the_csv_is_named_where_there_is_one():
    document = planned(FLEET)
    assert "Every VM with its reason: /x/plan.csv" in render(document, command="", csv="/x/plan.csv") and "plan.csv" not in render(document)


def test_what_is_next_without_a_command_and_without_the_end():
    assert "Run fleetops.azure_maintenance.rolling_redeploy" in render(planned(FLEET))
    assert "Next" not in render(planned(FLEET), command="")


def test_sets_of_one_name_are_told_apart():
    text = render(planned([vm("a", "web", 0), vm("b", "web", 0, group="other")]), 120)
    assert "other/web UD 0: b, shop/web UD 0: a" in text or "shop/web UD 0: a, other/web UD 0: b" in text


@pytest.mark.parametrize("fleet, words", [([], "no VM was named or found"),
                                          ([vm("a", status=None)], "nothing can be started")])
def test_an_empty_plan_says_what_next(fleet, words):
    text = render(planned(fleet), command=COMMAND)
    assert words in text and "wave   VMs" not in text and COMMAND not in text


def test_why_a_wave_stands_where_it_stands():
    fleet = [vm("a", tags={"tier": "1"}), vm("b", tags={"tier": "2"}), vm("c", tags={"tier": "2"}, zone="2")]
    text = render(planned(fleet, tier="tags.tier", canary="name == 'b'", service="name == 'c' && 'shop' || null"))
    assert "canary: b" in text and "tier 1: a" in text and "tier 2: shop zone 2: c" in text


def test_a_calendar_shows_times_instead_of_hours_gone():
    text = render(planned(FLEET, calendar={"open": [{"from": "22:00", "to": "05:00"}]}))
    assert any(line.split() == "1 1 03-10 22:00-22:27 2026-04-04 12:00 westeurope web UD 0: web-01".split() for line in text.splitlines())


def test_lanes_have_a_line_each_and_the_first_command():
    lines = fits_a_screen(render(planned([*web(), *web(name="db"), vm("a")], lanes=3), command=COMMAND))
    assert "in 3 lanes side by side; the fleet allows 3" in " ".join(lines)
    assert [line.split()[0] for line in lines if "  web: web-01 " in line or "  db: db-01 " in line or line.endswith("  a")] == ["1", "2", "3"]
    assert lines[-1] == f"  {COMMAND} -e rollout_lane=1"
    many = [one for number in range(40) for one in web((0,) * 8, f"s{number:02}")]
    assert " ...  26 more lanes" in fits_a_screen(render(planned(many, lanes=40), command=COMMAND))


def test_a_thousand_vms_fit_a_screen():
    soon = status(own=(-5, 0.1))
    fleet = [one for number in range(150) for one in web((0, 0, 1, 1, 2), f"s{number:03}", status=soon)]
    fleet += [vm(f"idle-{number:03}", status=None) for number in range(200)]
    fleet += [vm(f"eph-{number:03}", hazards=["ephemeral_os_disk"]) for number in range(100)]
    fleet += [vm(f"old-{number}", power_state="deallocated") for number in range(3)]
    fleet += [vm(f"late-{number}", status=status(own=(1, 2), allowed=False)) for number in range(3)]
    fleet += [vm(f"done-{number}", status=status(code="MaintenanceCompleted")) for number in range(3)]
    fleet += [vm(f"odd-{number}", status=status(code="Strange")) for number in range(3)]
    fleet += [vm(f"void-{number}", status=status(code="MaintenanceAborted", allowed=False)) for number in range(3)]
    text = render(planned(fleet, max_parallel=10), command=COMMAND)
    fits_a_screen(text)
    for words in ("750 VMs in 75 waves", "64 more waves", "idle-000, idle-001, ", "more warnings like these",
                  "! COMPLETED BUT ALLOWED", "! GAIN", COMMAND):
        assert words in text
    wide = render(planned(fleet), command=COMMAND)
    assert "150 sets" in wide
    fits_a_screen(wide)
