# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as JSON and CSV: their shape, the schema, the errors of reading it back.

After a change of the schema that is meant, `UPDATE_SCHEMA=1 pytest` on this file writes docs/plan-schema.json and the table of docs/planning.md anew.
"""

from __future__ import annotations

import copy
import csv
import io
import json
import os
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from unit.plugins.module_utils.rollout_fleet import (
    EXAMPLES, NOW, POLICIES, any_condition, fleets, set_id, status, vm, web)

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.plan import PlanError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.plan_file import COLUMNS, from_json, to_csv, to_json
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.plan_schema import SKIP, VM, WAVE
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.plan_schema import SCHEMA as OURS
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.planner import plan
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.policy import Policy
from ansible_collections.fleetops.azure_maintenance.plugins.modules import rollout_plan

DOCS = Path(__file__).parents[5] / "docs"
SCHEMA = json.loads((DOCS / "plan-schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
EVERYTHING = {
    "max_unavailable": "50%", "min_available": 1, "max_parallel": 9, "per_region": 5, "region_pairs": "parallel", "accept": ["ephemeral_os_disk"],
    "refuse": ["spot"], "minutes_per_vm": {"default": 7, "slow": 9}, "service": "tags.service", "tier": ["web", "api"], "canary": "name == 'api-01'",
    "sequence": "tags.leader == 'yes'", "soak_minutes": 5, "on_deadline": "refuse",
    "calendar": {"time_zone": "Europe/Amsterdam", "open": [{"days": ["mon", "tue"], "from": "06:00", "to": "05:00"}],
                 "closed": ["2026-12-24", {"from": "2026-12-30", "to": "2027-01-02"}]},
}
FLEET = [*web((0, 1)), vm("api-01", location="northeurope", paired_regions=("westeurope",), zone="1"),
         vm("old-01", power_state="deallocated"), vm("eph-01", hazards=["ephemeral_os_disk"])]


def planned(fleet=FLEET, **options):
    return to_json(plan(fleet, Policy.from_options(options), NOW))


def test_shape():
    found = planned()
    assert list(found) == ["version", "operation", "created", "subscriptions", "lanes", "lanes_possible", "policy", "waves", "skipped", "counts", "lower_bound",
                           "estimate_minutes", "expected_end", "warnings", "fingerprint", "checksum"]
    assert (found["version"], found["operation"]) == (2, "perform_maintenance")
    assert found["created"] == "2026-03-10T12:00:00Z"
    assert found["counts"] == {"fleet": 5, "planned": 3, "skipped": 2, "waves": 3,
                               "skipped_by_reason": {"hazard": 1, "not_hosted": 1}}
    wave = found["waves"][0]
    assert {key: wave[key] for key in wave if key != "vms"} == {
        "lane": 1, "number": 1, "deadline": "2026-04-04T12:00:00Z", "estimate_minutes": 27, "starts_at": "2026-03-10T12:00:00Z",
        "ends_at": "2026-03-10T12:27:00Z"}
    vm_of_it = dict(wave["vms"][0])
    assert vm_of_it.pop("reason")
    assert vm_of_it == {
        "id": str(FLEET[0].id), "name": "web-01", "host": "web-01", "set": set_id("web"), "update_domain": 0,
        "zone": None, "region": "westeurope", "state": "startable", "window_start": "2026-03-05T12:00:00Z",
        "deadline": "2026-04-04T12:00:00Z", "service": None, "tier": None, "canary": False, "minutes": 15}
    assert list(found["skipped"][0]) == ["id", "name", "host", "reason", "detail"]
    assert (found["estimate_minutes"], found["expected_end"], found["lower_bound"]) == (81, "2026-03-10T13:21:00Z", 3)
    assert len(found["fingerprint"]) == 64


def test_round_trip_with_fractions_of_seconds():
    before = plan([vm("a", status=status(own=(-5.000001, 25.0000001)))], Policy(), NOW.replace(microsecond=123456))
    assert from_json(json.loads(json.dumps(to_json(before)))) == before


def test_every_option_survives_and_fits_the_schema():
    before = plan([*FLEET, vm("api-02", zone="1", tags={"service": "api"}), vm("api-03", zone="2", tags={"service": "api"})],
                  Policy.from_options(EVERYTHING), NOW)
    document = json.loads(json.dumps(to_json(before)))
    assert from_json(document) == before
    assert [vm["service"] for wave in document["waves"] for vm in wave["vms"]].count("api") == 2
    VALIDATOR.check_schema(SCHEMA)
    VALIDATOR.validate(document)


@settings(max_examples=EXAMPLES)
@given(fleets(any_condition()), POLICIES)
def test_any_plan_survives_and_fits_the_schema(fleet, policy):
    before = plan(fleet, policy, NOW)
    document = json.loads(json.dumps(to_json(before)))
    assert from_json(document) == before
    VALIDATOR.validate(document)


def updated(path, text):
    """The text of a file, written anew when that is asked for."""
    if os.environ.get("UPDATE_SCHEMA"):
        path.write_text(text, encoding="utf-8")
    return path.read_text(encoding="utf-8")


def test_the_schema_file_is_what_this_release_reads():
    assert updated(DOCS / "plan-schema.json", f"{json.dumps(OURS, indent=1)}\n") == f"{json.dumps(OURS, indent=1)}\n"


def test_the_guide_lists_what_the_file_holds():
    """Between two comments: the keys of the document, of a wave, of a VM and of a skipped VM."""
    text = (DOCS / "planning.md").read_text(encoding="utf-8")
    begin, end = "<!-- plan file: made from its schema -->\n", "<!-- end of the plan file -->"
    rows = [f"| `{place}{key}` | {inner['description']} |"
            for place, part in (("", OURS), ("waves[].", WAVE), ("waves[].vms[].", VM), ("skipped[].", SKIP)) for key, inner in part["properties"].items()]
    made = "\n".join(["| Key | What it is |", "|---|---|", *rows, ""])
    wanted = re.sub(f"{begin}.*?{end}", lambda dummy: f"{begin}{made}{end}", text, flags=re.DOTALL)
    assert begin in text and updated(DOCS / "planning.md", wanted) == wanted


def test_the_module_documents_the_same_keys():
    documented = yaml.safe_load(rollout_plan.RETURN)["plan"]["contains"]
    kinds = {"integer": "int", "string": "str", "array": "list", "object": "dict"}
    assert {key: entry["type"] for key, entry in documented.items()} == {key: kinds[inner["type"]] for key, inner in OURS["properties"].items()}


@pytest.mark.parametrize("path, value, words", [
    (("waves", 0, "lane"), 0, r"waves\[0\].lane is 0, expected at least 1"), (("lower_bound",), -1, "the plan.lower_bound is -1, expected at least 0"),
    (("checksum",), "none", r"the plan.checksum is 'none', expected \^\[0-9a-f\]"), (("colour",), "red", "the plan has 'colour', which a plan does not"),
    (("waves", 0, "ends_at"), "2026-03-10T12:00:00.5Z", "ends_at is '2026-03-10T12:00:00.5Z', expected"),
    (("counts", "skipped_by_reason", "hazard"), "one", "skipped_by_reason.hazard is 'one', expected int")])
def test_what_does_not_fit_the_schema_is_refused_by_both(path, value, words):
    document = planned()
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert not VALIDATOR.is_valid(document)
    with pytest.raises(PlanError, match=words) as caught:
        from_json(document)
    assert "make the plan again" in str(caught.value)


def test_lanes_count_their_own_waves():
    before = plan([*web(), *web(name="db")], Policy.from_options({"lanes": 2}), NOW)
    document = json.loads(json.dumps(to_json(before)))
    assert [(wave["lane"], wave["number"]) for wave in document["waves"]] == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
    assert from_json(document) == before
    VALIDATOR.validate(document)
    document["waves"][3]["lane"] = 3
    with pytest.raises(PlanError, match="lane is 3, expected 1 to 2"):
        from_json(document)


def test_a_vm_moved_to_another_wave_by_hand_is_found_out():
    """Facts and numbers all fit; only the order does not."""
    document = planned([*web((0, 0, 1, 1))])
    moved = document["waves"][1]["vms"].pop()
    document["waves"][0]["vms"].append(moved)
    with pytest.raises(PlanError, match="was changed after it was written"):
        from_json(document)


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
    (("version",), 1, "has version 1, this release reads 2"),
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
    (("lanes",), ..., "no 'lanes'"),
    (("checksum",), ..., "no 'checksum'"),
    (("waves", 0, "vms", 0, "canary"), 1, "canary is 1, expected bool"),
    (("waves", 0, "vms", 0, "tier"), [], "tier is \\[\\], expected int or float or str"),
    (("waves", 0, "vms", 0, "tier"), True, "tier is True, expected int or float or str"),
])
def test_errors_name_place_and_remedy(path, value, words):
    with pytest.raises(PlanError, match=words) as caught:
        from_json(change(path, value))
    assert "make the plan again" in str(caught.value)


@pytest.mark.parametrize("data", [None, [], "plan", 3])
def test_what_is_no_plan_at_all(data):
    with pytest.raises(PlanError, match="is this a plan file"):
        from_json(data)


def rows(document):
    return list(csv.DictReader(io.StringIO(to_csv(document))))


def test_csv_has_a_line_per_vm_skipped_ones_included():
    found = rows(planned([*FLEET, vm("api-02", zone="1", tags={"service": "api"})], service="tags.service"))
    assert tuple(found[0]) == COLUMNS
    by_name = {row["name"]: row for row in found}
    assert list(by_name)[:4] == [vm["name"] for wave in planned([*FLEET, vm("api-02", zone="1", tags={"service": "api"})])["waves"] for vm in wave["vms"]]
    web_01 = by_name["web-01"]
    assert {key: web_01[key] for key in ("wave", "lane", "host", "set", "update_domain", "region", "zone", "tier", "starts_at", "ends_at", "state")} == {
        "wave": "1", "lane": "1", "host": "web-01", "set": set_id("web"), "update_domain": "0", "region": "westeurope", "zone": "", "tier": "",
        "starts_at": "2026-03-10T12:00:00Z", "ends_at": "2026-03-10T12:27:00Z", "state": "startable"}
    assert by_name["api-02"]["set"] == "service:api"
    eph = by_name["eph-01"]
    assert (eph["wave"], eph["state"]) == ("", "skipped") and eph["reason"].startswith("hazard: ephemeral_os_disk")


def test_csv_cells_are_no_formulas():
    found = rows(planned([vm("a", tags={"tier": "=HYPERLINK(1)"})], tier="tags.tier"))
    assert found[0]["tier"] == "'=HYPERLINK(1)"
