# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Subscriptions and scale sets of which there is nothing to list: no VMs, never a failure of the others, and few words."""

from __future__ import annotations

import pytest
from unit.plugins.module_utils._fleet.test_fleet_shapes import COMPUTE, MODELS, SETS, SUB, complete, fake, read, vm

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import IncompleteFleet

__all__ = ["fake"]

NOT_REGISTERED = ["MissingSubscriptionRegistration", "Subscription Not Registered", "SubscriptionNotRegistered", "InvalidResourceNamespace"]


@pytest.mark.parametrize("status", [404, 409])
@pytest.mark.parametrize("code", NOT_REGISTERED)
@pytest.mark.parametrize("provider", ["Compute", "Network", "(Compute|Network)"])
def test_a_provider_that_was_never_registered_has_nothing(fake, provider, code, status):
    """One subscription without VMs does not fail the fleet of the others; what it says is an empty list, not a list that is not to be had."""
    other = SUB.replace("0001", "0002")
    fake.put(r"^/subscriptions\?", {"value": [{"id": SUB}, {"id": other}]})
    fake.put(f"{other}/", {"value": []})
    fake.put(f"{other}/providers/Microsoft.{provider}/", (status, {"error": {"code": code, "message": "not registered"}}, {}))
    fleet = read(fake)
    assert complete(fleet) and fleet.warnings == [] and fleet.counts["subscriptions"] == 2


def test_what_another_list_names_is_there_whatever_is_registered(fake):
    fake.put(MODELS, (409, {"error": {"code": NOT_REGISTERED[0]}}, {}))
    assert complete(read(fake))


@pytest.mark.parametrize("status, code", [(409, "Conflict"), (409, "OperationNotAllowed"), (409, None), (404, "SubscriptionNotFound")])
def test_other_refusals_are_no_empty_list(fake, status, code):
    fake.put(MODELS, (status, {"error": {"code": code, "message": "x"}}, {}))
    with pytest.raises(IncompleteFleet, match=f"HTTP {status}"):
        read(fake)


def test_a_later_page_does_not_say_that_there_is_nothing(fake):
    fake.put(MODELS, lambda handler: {"value": [vm("a", **SETS)], "nextLink": f"{fake.url}{SUB}/page2"})
    fake.put("/page2", (409, {"error": {"code": NOT_REGISTERED[0], "message": "x"}}, {}))
    with pytest.raises(IncompleteFleet, match="HTTP 409"):
        read(fake)


@pytest.mark.parametrize("status", [400, 404, 405, 501])
@pytest.mark.parametrize("number", [1, 7])
def test_interfaces_that_no_scale_set_lists_are_one_warning(fake, number, status):
    pools = [f"{COMPUTE}/virtualMachineScaleSets/pool{at}" for at in range(number)]
    fake.put(r"virtualMachineScaleSets\?", {"value": [{"id": pool, "sku": {"capacity": 0}} for pool in pools]})
    fake.put(r"pool\d+\?", lambda handler: {"id": handler.path.split("?")[0]})
    fake.put(r"pool\d+/virtualMachines", {"value": []})
    fake.put(r"pool\d+/networkInterfaces", (status, {"error": {"code": "NotFound"}}, {}))
    (warning,) = read(fake).warnings
    assert f"network interfaces of {number} scale set" in warning and f"HTTP {status}" in warning and "pool0" in warning and SUB.rsplit("/", 1)[-1] in warning
