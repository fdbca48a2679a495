# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every code that Azure is known to answer has one meaning, and so has every other: table, start and end of an operation."""

from __future__ import annotations

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure import error_codes
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy.outcome import ADVICE

# What a start that is answered with it becomes, with HTTP 409 and a VM that shows nothing new; and the operation that ends with it.
TABLE = {
    "OperationNotAllowed": ("not_allowed", "failed"), "Conflict": ("not_allowed", "failed"), "PropertyChangeNotAllowed": ("not_allowed", "failed"),
    "RetryableErrorDueToAnotherOperation": ("not_allowed", "failed"), "TooManyVMRedeploymentRequests": ("retry_later", "retry_later"),
    "ResourceUpdateBlockedOnPlatformUpdate": ("retry_later", "retry_later"), "VMRedeploymentFailed": ("refused", "failed"),
    "VMRedeploymentTimedOut": ("refused", "unknown"), "VMStartTimedOut": ("refused", "unknown"), "OSProvisioningTimedOut": ("refused", "unknown"),
    "VMAgentStatusCommunicationError": ("refused", "unknown"), "AllocationFailed": ("refused", "failed"), "ZonalAllocationFailed": ("refused", "failed"),
    "OverconstrainedAllocationRequest": ("refused", "failed"), "VMNotFound": ("refused", "failed"), "NotFound": ("refused", "failed"),
    "ResourceNotFound": ("refused", "failed"), "ResourceGroupNotFound": ("refused", "failed"), "ExpiredAuthenticationToken": ("succeeded", "failed"),
    "InvalidAuthenticationToken": ("succeeded", "failed"), "Unauthorized": ("succeeded", "failed"), "AuthorizationFailed": ("refused", "failed"),
    "LinkedAuthorizationFailed": ("refused", "failed"),
    "ScopeLocked": ("refused", "failed"), "PreconditionFailed": ("refused", "failed"), "TooManyRequests": ("retry_later", "failed"),
    "SubscriptionRequestsThrottled": ("retry_later", "failed"), "InternalOperationError": ("unknown", "failed"), "InternalServerError": ("unknown", "failed"),
    "ResourceReadFailed": ("unknown", "failed"), "GatewayTimeout": ("unknown", "failed"), "NeverHeardOf": ("not_allowed", "failed"),
}


def test_the_table_is_whole():
    assert set(TABLE) - {"NeverHeardOf"} == set(error_codes.CODES)
    assert all(meaning.remedy.endswith(".") for meaning in error_codes.CODES.values())


@pytest.mark.parametrize("code", TABLE)
@pytest.mark.parametrize("spelling", [str, str.upper], ids=["as written", "upper case"])
def test_a_start_that_is_answered_with_it(cloud, code, spelling):
    cloud.post_fault("solo", status=409, code=spelling(code))
    result = cloud.redeploy("solo", "duo", pause=500)
    vm = result["vms"][cloud.id("solo")]
    assert vm["outcome"] == TABLE[code][0] and cloud.outcomes(result)["duo"] == "succeeded"
    assert vm["outcome"] == "succeeded" or (vm["code"] == spelling(code) or vm["outcome"] == "unknown")
    assert cloud.executed() == (["duo", "solo"] if vm["outcome"] == "succeeded" else ["duo"])


@pytest.mark.parametrize("code", TABLE)
def test_an_operation_that_ends_with_it(cloud, code):
    """The block does not change: codes of an operation that Azure only stopped waiting for leave it open."""
    cloud.change("solo", operations={"default": {"result": "failed", "code": code, "message": "So it is.", "provisioning_after": "succeeded"}})
    vm = cloud.redeploy("solo", retries=0)["vms"][cloud.id("solo")]
    assert vm["outcome"] == TABLE[code][1] and code in vm["reason"] and cloud.executed() == ["solo"]
    assert vm["advice"].startswith(error_codes.meaning(code).remedy or ADVICE[vm["outcome"]])


@pytest.mark.parametrize("status, start", [(400, "refused"), (404, "refused"), (409, "look"), (412, "refused"), (429, "later"), (401, "sign_in"),
                                           (500, "in_doubt"), (None, "refused")])
@pytest.mark.parametrize("code", [None, "", "NeverHeardOf"])
def test_a_code_that_is_not_known_is_judged_by_its_status(status, start, code):
    assert error_codes.meaning(code, status) == (start, "failed", "")


@pytest.mark.parametrize("code", ["AuthorizationFailed", "LinkedAuthorizationFailed"])
def test_a_start_without_rights_names_the_role_that_has_them(cloud, code):
    cloud.post_fault("solo", status=403, code=code)
    result = cloud.redeploy("solo")
    assert "docs/permissions.md" in result["vms"][cloud.id("solo")]["advice"]
    assert "Give the identity the role Planned maintenance operator of docs/permissions.md" in result["msg"] and cloud.executed() == []
