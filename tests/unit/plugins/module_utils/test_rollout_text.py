# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as a table: it fits a screen, however large the fleet, and says what to do next."""

from __future__ import annotations

import pytest
from unit.plugins.module_utils.rollout_fleet import NOW, status, vm, web

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout import plan
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_file import to_json
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_policy import Policy
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_text import WIDTH, render

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
    assert [line.split()[0] for line in lines if line.endswith((" web", " db", " a"))] == ["1", "2", "3"]
    assert lines[-1] == f"  {COMMAND} -e rollout_lane=1"
    many = [one for number in range(40) for one in web((0, 1), f"s{number:02}")]
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
