# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing in, and who may do what."""

from __future__ import annotations

import pytest


def test_token_of_a_client_secret(arm):
    status, dummy, body = arm.sign_in()
    assert status == 200
    assert set(body) == {"token_type", "expires_in", "ext_expires_in", "access_token"}
    assert body["token_type"] == "Bearer" and body["expires_in"] == 3599


@pytest.mark.parametrize(
    ("tenant", "form", "status", "error", "code"),
    [
        (None, {"client_secret": "wrong"}, 401, "invalid_client", "AADSTS7000215"),
        ("00000000-dead-4000-8000-000000000000", {}, 400, "invalid_tenant", "AADSTS90002"),
        (None, {"client_id": "99999999-9999-4999-8999-999999999999"}, 400, "unauthorized_client", "AADSTS700016"),
        (None, {"grant_type": "password"}, 400, "unsupported_grant_type", "AADSTS70003"),
    ],
)
def test_refused_sign_in(arm, tenant, form, status, error, code):
    got, dummy, body = arm.sign_in(tenant, **form)
    assert (got, body["error"]) == (status, error)
    assert body["error_description"].startswith(code + ":")
    assert body["error_codes"] == [int(code.removeprefix("AADSTS"))]


def test_an_assertion_stands_for_the_secret(arm):
    status, dummy, body = arm.sign_in(client_secret="", client_assertion="a.b.c", client_assertion_type="jwt-bearer")
    assert status == 200 and body["access_token"]


def test_v1_token_has_numbers_as_text(arm):
    form = f"grant_type=client_credentials&client_id={arm.credential['client_id']}"
    form += f"&client_secret={arm.credential['client_secret']}&resource=https://x"
    dummy, dummy, body = arm.raw("POST", f"/{arm.simulator.fleet.tenant}/oauth2/token", form.encode())
    assert body["resource"] == "https://x"
    assert body["expires_in"] == "3599" and body["expires_on"].isdigit()


def test_discovery_documents_point_back_here(arm):
    url, tenant = arm.simulator.url, arm.simulator.fleet.tenant
    document = arm.raw("GET", f"/{tenant}/v2.0/.well-known/openid-configuration")[2]
    assert document["token_endpoint"] == f"{url}/{tenant}/oauth2/v2.0/token"
    assert document["issuer"] == f"{url}/{tenant}/v2.0"
    found = arm.raw("GET", f"/common/discovery/instance?api-version=1.1&authorization_endpoint={url}/{tenant}/oauth2")[
        2
    ]
    assert found["metadata"][0]["aliases"] == [url.removeprefix("https://")]
    assert found["tenant_discovery_endpoint"].startswith(f"{url}/{tenant}/")


def test_instance_metadata_identity(arm):
    path = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com"
    assert arm.raw("GET", path)[0] == 400
    status, dummy, body = arm.raw("GET", path, Metadata="true")
    assert status == 200
    assert all(isinstance(body[name], str) for name in ("expires_in", "expires_on", "access_token"))
    arm.token = body["access_token"]
    assert arm.get("providers/Microsoft.Compute/virtualMachines")["value"]
    assert arm.raw("GET", path + "&client_id=nobody", Metadata="true")[0] == 400


def test_app_service_identity(arm):
    path = "/msi/token?api-version=2019-08-01&resource=https://management.azure.com"
    assert arm.raw("GET", path, X_IDENTITY_HEADER="wrong")[0] == 401
    status, dummy, body = arm.raw("GET", path, X_IDENTITY_HEADER=arm.simulator.fleet.identity_header)
    assert status == 200 and body["token_type"] == "Bearer"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "AuthenticationFailed"),
        ({"Authorization": "Basic abc"}, "AuthenticationFailed"),
        ({"Authorization": "Bearer a.b.c"}, "InvalidAuthenticationToken"),
    ],
)
def test_without_a_good_token(arm, headers, code):
    status, answer, body = arm.raw("GET", f"/subscriptions/{arm.subscription}?api-version=2022-12-01", **headers)
    assert (status, body["error"]["code"]) == (401, code)
    assert answer["www-authenticate"].startswith(f'Bearer authorization_uri="{arm.simulator.url}/')


def test_a_reader_may_not_write_and_nobody_may_not_read(arm):
    reader, nobody = type(arm)(arm.simulator, 1), type(arm)(arm.simulator, 2)
    assert reader.view("solo")
    status, dummy, body = reader.post("solo")
    assert (status, body["error"]["code"]) == (403, "AuthorizationFailed")
    assert (
        "perform action 'Microsoft.Compute/virtualMachines/performMaintenance/action' over" in body["error"]["message"]
    )
    assert nobody.call("GET", nobody.vm("solo"))[0] == 403
    assert nobody.get("/subscriptions") == {"value": []}
    assert [entry["outcome"] for entry in arm.simulator.ledger()] == ["refused"]


def test_unknown_places_and_missing_version(arm):
    assert arm.call("GET", "/subscriptions/nope/locations")[2]["error"]["code"] == "SubscriptionNotFound"
    assert arm.get("providers/Microsoft.Nothing/things", 404)["error"]["code"] == "InvalidResourceType"
    assert arm.get(arm.vm("nope"), 404)["error"]["code"] == "ResourceNotFound"
    assert arm.get(arm.vm("solo", group="nope"), 404)["error"]["code"] == "ResourceGroupNotFound"
    arm.get("/tenants")
    answer = arm.raw("GET", "/tenants", Authorization=f"Bearer {arm.token}")
    assert (answer[0], answer[2]["error"]["code"]) == (400, "MissingApiVersionParameter")
