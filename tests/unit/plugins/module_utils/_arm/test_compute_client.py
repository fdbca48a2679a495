# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What requests go through is the SDK's compute client, with none of the policies that would act on their own. Of any version."""

from __future__ import annotations

import subprocess
import sys
import urllib.parse
from importlib.metadata import version

import pytest
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline import PipelineContext, PipelineRequest, policies
from azure.core.rest import HttpRequest
from azure.mgmt.compute import ComputeManagementClient
from unit.plugins.listener import Listener

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm import packages, transport
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.client import COMPUTE, Arm
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.credentials import Settings
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import AzureError

VERSION = version("azure-mgmt-compute")


def policies_of(client):
    """What a request passes, in order, without azure-core's wrappers."""
    return [getattr(policy, "_policy", policy) for policy in client._client._pipeline._impl_policies]


def test_the_client_is_the_sdks(cloud):
    arm = cloud.arm()
    assert isinstance(arm.compute, ComputeManagementClient), VERSION
    assert arm._wire._client is arm.compute._client, "what is sent goes through its pipeline"


def test_its_policies_are_ours(cloud):
    """None of them retries, follows redirects or registers resource providers."""
    own = [policies.RequestIdPolicy, policies.HeadersPolicy, policies.UserAgentPolicy, transport.SameHostAuthentication]
    assert [type(policy) for policy in policies_of(cloud.arm().compute)] == own


def test_no_other_policy_of_its_own_has_the_credential(cloud):
    assert isinstance(cloud.arm().compute._config.authentication_policy, transport.SameHostAuthentication)


@pytest.mark.parametrize("fault", [
    {"status": 500}, {"status": 503, "retry_after": 0}, {"status": 504}, {"status": 429, "retry_after": 0}, {"status": 408},
    {"drop": "before"}, {"drop": "after"}, {"status": 409, "body": {"error": {"code": "MissingSubscriptionRegistration", "message": "Microsoft.Compute"}}}])
def test_a_start_is_one_request_whatever_comes(cloud, fault):
    cloud.fault("virtualMachines/solo/redeploy", "POST", count=0, **fault)
    assert cloud.arm().post(f"{cloud.id('solo')}/redeploy", COMPUTE, "x").kind != "accepted"
    posts = [request["path"].partition("?")[0] for request in cloud.simulator.requests() if request["method"] == "POST"]
    assert [path for path in posts if "/oauth2/" not in path] == [f"{cloud.id('solo')}/redeploy"]


def test_also_an_operation_of_the_sdk_is_one_request(cloud):
    cloud.fault("virtualMachines/solo/redeploy", "POST", count=0, status=503, retry_after=0)
    with pytest.raises(HttpResponseError, match="503|Unavailable"):
        cloud.arm().compute.virtual_machines.begin_redeploy("Shop", "solo", polling=False)
    assert len(cloud.requests("POST", having="/redeploy")) == 1


def test_no_token_leaves_the_configured_host_by_the_client(cloud):
    with Listener(cloud.directory / "server.pem") as foreign:
        with pytest.raises(AzureError, match="tokens are only sent to"):
            cloud.arm().compute._client.send_request(HttpRequest("GET", f"{foreign.url}/page2"))
    assert foreign.seen == []


def test_a_token_taken_up_again_while_it_is_renewed_is_not_used_any_more(cloud):
    """Two threads: one was answered 401, the other asks before the credential is made anew, and is given what the library still holds."""
    policy = policies_of(cloud.arm().compute)[-1]

    def signed():
        request = PipelineRequest(HttpRequest("GET", f"{cloud.simulator.url}/subscriptions"), PipelineContext(None))
        policy.on_request(request)
        return request.http_request.headers["Authorization"]

    refused = signed()
    policy._token = None  # what the SDK's policy does when the first is answered 401
    assert signed() == refused, "the second: the library's cache still has it"
    policy.credential.renew(policy.credential.generation)
    renewed = signed()
    assert renewed != refused and signed() == renewed


@pytest.mark.parametrize("name", ["AZURE_CHINA_CLOUD", "nowhere"])
def test_the_cloud_is_not_the_environments(cloud, monkeypatch, name):
    monkeypatch.setenv("AZURE_SDK_CLOUD_CONF", name)
    arm = Arm(Settings.from_options(cloud.options()), cloud.clock)
    assert arm.get(cloud.id("solo"), COMPUTE, "read it")["name"] == "solo"
    assert arm.compute._config.credential_scopes == [arm.cloud.scope]


def test_braces_in_a_url_of_azures_stay_as_they_are(bare):
    arm, listener = bare
    arm.operation(f"{listener.url}/operations/{{endpoint}}/1?t={{x}}")
    path = next(path for dummy, path, *rest in listener.seen if "operations" in path)
    assert urllib.parse.unquote(path) == "/operations/{endpoint}/1?t={x}"


@pytest.mark.parametrize("before, expected", [("pass", "False True True"), ("gc.disable()", "False False False")])
def test_the_import_waits_for_a_sign_in_and_leaves_the_collector_as_it_was(before, expected):
    """Plugins are imported for files that are none of theirs too."""
    program = f"""
import gc, sys
from {transport.__package__} import client, packages, transport
assert packages.missing_packages() is None
{before}
early = "azure.mgmt.compute" in sys.modules
assert transport._compute_client() is transport._compute_client()
print(early, gc.isenabled(), gc.get_freeze_count() > 10_000)
"""
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip() == expected


def test_what_is_required_is_what_the_requirements_name():
    assert list(packages.PACKAGES.values()) == ["azure-identity", "azure-mgmt-compute", "jmespath"]
