# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever an answer echoes, no file of the journal has a secret: tokens, sign-in headers, signatures in URLs, connection strings."""

from __future__ import annotations

import json
import time

import pytest
from azure.core import exceptions
from unit.plugins.cloud import SUBSCRIPTION

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm import transport
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import AzureError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redaction import url_to_keep, without_secrets

SECRET = "c2VjcmV0-5Ecr3t"
JWT = f"eyJhbGciOiJSUzI1NiJ9.{SECRET}.{SECRET}"
ECHOES = [
    f"Authorization: Bearer {SECRET}", f"authorization=Basic {SECRET}", f'{{"Authorization": "Bearer {SECRET}"}}', f'{{\\"authorization\\":\\"{SECRET}\\"}}',
    f"the token {JWT} is of another tenant", f"bearer {SECRET} was refused", f"SharedAccessSignature {SECRET}", f"SharedKey account:{SECRET}",
    f"see https://x.blob.core.windows.net/c/b?sv=2024-11-04&se=2026-03-03&sr=b&sp=r&sig={SECRET}%3D for more",
    f"with url: /vm/redeploy?code={SECRET} (timeout)",
    f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={SECRET};", f"client_secret={SECRET}&grant_type=x", f'{{"client_secret": "{SECRET}"}}',
    f'{{"access_token":"{SECRET}"}}', f"x-ms-access-token: {SECRET}", f"password={SECRET}", f"sig='{SECRET}'", f"api-key: {SECRET}"]
QUERIES = [
    f"p={SECRET}", f"api-version=2024-11-01&sig={SECRET}", f"t=1&c={SECRET}&s={SECRET}&h={SECRET}", f"api-version={SECRET}", f"token={SECRET}", f"x#{SECRET}"]
PROSE = [
    "Azure refused it (HTTP 409 OperationNotAllowed): VM web-01 is being redeployed",
    "HTTP 401 InvalidAuthenticationToken: The access token is missing or invalid.",
    "The client secret provided is wrong; set AZURE_CLIENT_SECRET", "Is it due? Ask again: the bearer token expired", "Basic SKU public IP address 20.50.0.7",
    "HTTP 429 TooManyRequests: no message", "the key encryption key is disabled"]


@pytest.mark.parametrize("text", ECHOES)
def test_an_echo_is_taken_out(text):
    for whole in (text, f"could not do it: {text}", f"{text}\n{text}"):
        assert SECRET not in without_secrets(whole) and "***" in without_secrets(whole)
        assert without_secrets(without_secrets(whole)) == without_secrets(whole)
    assert SECRET not in str(AzureError("start", text)) and SECRET not in json.dumps(AzureError("start", text).to_result())


@pytest.mark.parametrize("text", PROSE)
def test_prose_stays_as_it_is(text):
    assert without_secrets(text) == text


@pytest.mark.parametrize("text", ["secret" * 100_000, "-_" * 200_000, "?" * 300_000, "a=" * 200_000, "eyJ" * 100_000, "authorization:" * 50_000])
def test_long_texts_take_no_time(text):
    begun = time.monotonic()
    assert len(without_secrets(text)) < 20_000 and time.monotonic() - begun < 1


@pytest.mark.parametrize("query", QUERIES)
def test_an_operation_is_kept_by_its_name_alone(query):
    kept = url_to_keep(f"https://user:{SECRET}@management.azure.com/subscriptions/s/operations/0b3ce2b6?{query}")
    assert SECRET not in kept and kept.startswith("https://management.azure.com/subscriptions/s/operations/0b3ce2b6")


def test_what_an_operation_is_asked_after_with_stays():
    url = "https://management.azure.com/subscriptions/s/operations/0b7?p=c9e32605-d294-4c79-ab2e-5091dea588f3&monitor=true&api-version=2022-11-01"
    assert url_to_keep(url) == url


# -- in the journal -------------------------------------------------------------------------------------------------------


def everything_kept(cloud):
    return "\n".join(f"{path.name}\n{path.read_bytes().decode('utf-8', 'replace')}" for path in sorted(cloud.journal.rglob("*")) if path.is_file())


def assert_clean(cloud, tokens):
    kept = everything_kept(cloud)
    assert '"operation"' in kept and tokens, "there is something to look at, and to look for"
    for secret in (SECRET, "simulated-secret", "Bearer ", *tokens):
        assert secret not in kept.replace("Bearer ***", "")


@pytest.fixture
def tokens(monkeypatch):
    """Every token that is sent."""
    sent, on_request = set(), transport.SameHostAuthentication.on_request

    def noted(self, request):
        on_request(self, request)
        sent.add(request.http_request.headers["Authorization"].removeprefix("Bearer "))

    monkeypatch.setattr(transport.SameHostAuthentication, "on_request", noted)
    return sent


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("status", [400, 403, 409, 429, 500])
def test_no_secret_of_a_refusal_is_kept(cloud, tokens, status, echo):
    cloud.post_fault("solo", status=status, message=echo, headers={"Authorization": f"Bearer {SECRET}", "x-ms-request-id": SECRET, "Retry-After": "5000"})
    result = cloud.redeploy("solo")
    assert SECRET not in result["msg"]
    assert_clean(cloud, tokens)


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("header", ["Azure-AsyncOperation", "Location"])
def test_no_secret_of_an_operation_is_kept(cloud, tokens, header, query):
    """It is watched by its URL as it came, in this call; what is kept names it, and no more."""
    url = f"{cloud.simulator.url}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westeurope/operations/1"
    cloud.post_fault("solo", status=202, executed=True, body={"Authorization": f"Bearer {SECRET}"}, headers={header: f"{url}?{query}"})
    cloud.redeploy("solo", wait=False)
    assert_clean(cloud, tokens)
    cloud.fault("/operations/1", status=200, body={"status": "Failed", "error": {"code": "X", "message": f"Authorization: Bearer {SECRET}"}}, count=0)
    result = cloud.redeploy("solo")
    assert SECRET not in json.dumps(result) and cloud.executed() == ["solo"]
    assert_clean(cloud, tokens)


@pytest.mark.parametrize("message", ECHOES)
def test_no_secret_of_the_maintenance_status_is_kept(cloud, tokens, message):
    cloud.change("solo", operations={"default": {"result": "aborted", "message": message}})
    result = cloud.redeploy("solo")
    assert cloud.outcomes(result) == {"solo": "aborted"} and SECRET not in json.dumps(result)
    assert_clean(cloud, tokens)


@pytest.mark.parametrize("echo", ECHOES)
def test_no_secret_of_a_broken_connection_is_kept(cloud, tokens, monkeypatch, echo):
    send = transport.Wire.send

    def broken(self, request, **options):
        if request.method == "POST" and "performMaintenance" in request.url:
            raise exceptions.ServiceResponseError(echo)
        return send(self, request, **options)

    monkeypatch.setattr(transport.Wire, "send", broken)
    result = cloud.redeploy("solo")
    assert SECRET not in result["msg"]
    assert_clean(cloud, tokens)
