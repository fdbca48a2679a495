# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JMESPath over records, and what is said when an expression cannot be used."""

from __future__ import annotations

import pytest
from unit.plugins.module_utils.rollout_fleet import NOW, vm

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.errors import OptionsError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.query import compile_query

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
