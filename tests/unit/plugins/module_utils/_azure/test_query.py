# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JMESPath over records, and what is said when an expression cannot be used."""

from __future__ import annotations

import pytest
from unit.plugins.module_utils.rollout_fleet import NOW, vm

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.query import compile_query, mistakes, no_match
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import OptionsError

RECORD = vm("web-01", "web", 0, tags={"tier": "1", "owner-team": "shop"}).to_record(NOW)


@pytest.mark.parametrize("expression, value", [
    ("tags.tier", "1"), ("tags.\"owner-team\"", "shop"), ("tags.absent", None), ("maintenance.state == 'startable' && tags.tier == '1'", True),
    ("update_domain == `0`", True), ("to_number(tags.tier)", 1), ("length(hazards)", 0), ("hazards[?blocking] | [0]", None)])
def test_values(expression, value):
    assert compile_query(expression, "query")(RECORD) == value


@pytest.mark.parametrize("expression", ["tags.", "", "tags.tier = '1'", "&&", "unknown_function(", "[?"])
def test_what_is_no_expression_names_the_option(expression):
    with pytest.raises(OptionsError, match="rollout_tiers .* is not a JMESPath expression") as caught:
        compile_query(expression, "rollout_tiers")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("expression", ["length(zone)", "no_such_function(name)", "sum(name)", "to_number()"])
def test_what_fails_on_a_record_names_it(expression):
    with pytest.raises(OptionsError, match="query .* fails on web-01"):
        compile_query(expression, "query")(RECORD)


OTHERS = [RECORD, vm("db-01", tags={"env": "prod"}).to_record(NOW)]


KEYS = "keys of a record are " + ", ".join(RECORD)


@pytest.mark.parametrize("expression, said, always", [
    ("tags.teir == '1'", ["no VM has tags.teir (did you mean tier?)"], False),
    ("tags.tier == one", ["no VM has one (did you mean zone?; text goes in single quotes: 'one')"], True),
    ("tags.tier == true", ["no VM has true (`true` goes in backticks)"], True),
    ("tag.tier", ["no VM has tag (did you mean tags?"], True), ("maintenance.sate == 'startable'", ["no VM has maintenance.sate (did you mean state?)"], True),
    ("tags.env == 'dev' && !(tags.Owner)", ["no VM has tags.Owner"], False), ("name == db && tags.tier == One", ["no VM has db (", "no VM has One ("], True),
    ("starts_with(nme, 'x')", ["no VM has nme (did you mean name?"], True), ("[nme, tags.x]", ["no VM has nme", "no VM has tags.x"], True),
    ("hazard[?blocking]", ["no VM has hazard (did you mean hazards?"], True), ("hazard[0].blocking", ["no VM has hazard"], True),
    ("tags.keys | [0]", ["no VM has tags.keys"], False), ("{a: nme}", ["no VM has nme"], True),
    *((fine, [], False) for fine in ("hazards[?is_blocking]", "name == 'x'", "zone", "`false`", "@ == 'x'", "sort_by(hazards, &nme)[0]", "tags.*", "*.x",
                                     "maintenance.last_operation.code == 'x'", "maintenance.self_service_window.begin", "zone == null"))])
def test_what_an_expression_names_that_no_vm_has(expression, said, always):
    records = [*OTHERS, vm("calm", status=None).to_record(NOW)] if "window" not in expression else [vm("calm", status=None, tags={"env": ""}).to_record(NOW)]
    compile_query(expression, "query")
    found = no_match(expression, records)
    assert found.count("no VM has") == len(said) and all(words in found for words in said) and KEYS in found
    assert ("no VM has" in mistakes(expression, records)) is always and (KEYS in mistakes(expression, records)) is always


def test_the_keys_of_tags():
    assert no_match("zone", OTHERS) == f"{KEYS}; keys of tags are env, owner-team, tier"
    assert no_match("zone", [vm("a").to_record(NOW)]) == f"{KEYS}; keys of tags are none, for no VM has tags"
    assert no_match("zone", [vm("a", tags={f"t{at:02}": "" for at in range(40)}).to_record(NOW)]).endswith("t28, t29 ...")
    assert mistakes("nme", []) == ""
