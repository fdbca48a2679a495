# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a VM may not leave its pools of Azure load balancers: admin states by pool and member, and who leaves as well."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.fleetops.azure_maintenance.plugins.filter.pool_refusal import pool_refusal

FRONT = "/subscriptions/s/resourceGroups/shop/providers/Microsoft.Network/loadBalancers/front/backendAddressPools"
WEB, BLUE = f"{FRONT}/web", f"{FRONT}/blue"


def refusal(minimum="1", allow_last=(), leaving=(), mine=("a",), **pools):
    """Why the members `mine` may not leave the pools web and blue."""
    pools = {f"{FRONT}/{name}": states for name, states in pools.items()}
    previous = [{"pool": pool, "name": name} for pool, states in pools.items() for name in mine if states.get(name, "down") != "down"]
    return pool_refusal({"pools": pools, "previous": previous}, minimum, allow_last, None if leaving is None else [*previous, *leaving])


@pytest.mark.parametrize("minimum, options, web", [
    ("1", {}, {"a": "none", "b": "none"}), ("1", {}, {"a": "up", "b": "up"}), ("50%", {}, {"a": "none", "b": "none", "c": "up"}), (0, {}, {"a": "none"}),
    (1, {}, {"a": "down", "b": "down"}), (1, {"leaving": None}, {"a": "none", "b": "down"}), (1, {"allow_last": ["WEB"]}, {"a": "none"}),
    (1, {"allow_last": [WEB.upper()]}, {"a": "none"}), (1, {"leaving": [{"pool": BLUE, "name": "b"}]}, {"a": "none", "b": "none"}),
    (1, {"mine": ["a", "b"]}, {"a": "none", "b": "none", "c": "none"})])
def test_enough_stay_up(minimum, options, web):
    assert refusal(minimum, **options, web=web) == ""


@pytest.mark.parametrize("minimum, options, web, said", [
    ("1", {}, {"a": "none", "b": "down"},
     "0 of 2 members up (b is down), drain_azure_load_balancer_min_up is 1. Nothing was drained. Bring a member up, or name"),
    (1, {}, {"a": "none"}, "0 of 1 member up, drain_azure_load_balancer_min_up is 1. Nothing was drained. Add a member, or name the pool in"),
    (1, {"leaving": None}, {"a": "none"}, "0 of 1 member up"), ("50%", {}, {"a": "none", "b": "none", "c": "down"}, "1 of 3 members up (c is down)"),
    (1, {"leaving": [{"pool": WEB.upper(), "name": "b"}]}, {"a": "none", "b": "none"}, "0 of 2 members up (b is about to be drained, too)"),
    (1, {"mine": ["a", "b"]}, {"a": "none", "b": "none"}, "0 of 2 members up,"), (2, {"leaving": None}, {"a": "up", "b": "up"}, "1 of 2 members up")])
def test_too_few_would(minimum, options, web, said):
    assert f"drain refused: pool 'web' of load balancer shop/front would have {said}" in refusal(minimum, **options, web=web)


def test_each_pool_counts_for_itself():
    text = refusal(allow_last=["web"], web={"a": "none"}, blue={"a": "up"}, leaving=[{"pool": WEB, "name": "b"}])
    assert "pool 'blue'" in text and "pool 'web'" not in text


def test_what_is_no_minimum_is_named():
    with pytest.raises(AnsibleFilterError, match="drain_azure_load_balancer_min_up 'half' is neither a count, such as 1, nor a percentage"):
        refusal("half", web={"a": "none"})
