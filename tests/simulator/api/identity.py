# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entra ID's endpoints and the managed identity endpoints: discovery and tokens."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

from ..wire.messages import Request, Response
from .routing import Route, route

if TYPE_CHECKING:
    from .world import World

_CONFIGURATION = "/.well-known/openid-configuration"
_COMMON = ("common", "organizations", "consumers")


def routes(world: World) -> list[Route]:
    """Return the routes of this part; none needs a token."""
    entra = Entra(world)
    managed = ManagedIdentity(world)
    return [
        route("GET", "/common/discovery/instance", entra.instance, is_open=True),
        route("GET", "/metadata/identity/oauth2/token", managed.imds, is_open=True),
        route("GET", "/msi/token", managed.app_service, is_open=True),
        route("GET", "/{tenant}/v2.0" + _CONFIGURATION, entra.configuration, is_open=True),
        route("GET", "/{tenant}" + _CONFIGURATION, entra.configuration, is_open=True),
        route("POST", "/{tenant}/oauth2/v2.0/token", entra.token, is_open=True),
        route("POST", "/{tenant}/oauth2/token", entra.token, is_open=True),
    ]


class Entra:
    """Discovery documents and the token endpoint of the tenant."""

    def __init__(self, world: World) -> None:
        self.world = world

    def _knows(self, tenant: str) -> bool:
        return tenant.lower() == self.world.fleet.tenant or tenant.lower() in _COMMON

    def _error(self, status: int, error: str, code: int, text: str) -> Response:
        trace, stamp = str(uuid.uuid4()), f"{self.world.clock.now():%Y-%m-%d %H:%M:%SZ}"
        return Response(
            status,
            {
                "error": error,
                "error_description": f"AADSTS{code}: {text} Trace ID: {trace} Timestamp: {stamp}",
                "error_codes": [code],
                "timestamp": stamp,
                "trace_id": trace,
                "correlation_id": trace,
                "error_uri": f"{self.world.url}/error?code={code}",
            },
        )

    def _no_tenant(self, tenant: str) -> Response:
        return self._error(
            400,
            "invalid_tenant",
            90002,
            f"Tenant '{tenant}' not found. Check to make sure you have the "
            "correct tenant ID and are signing into the correct cloud.",
        )

    def instance(self, request: Request) -> Response:
        """Instance discovery: this host is an authority, its only alias is itself."""
        host = self.world.url.removeprefix("https://")
        tenant = request.query.get("authorization_endpoint", "").removeprefix(self.world.url).strip("/").split("/")[0]
        return Response(
            200,
            {
                "tenant_discovery_endpoint": f"{self.world.url}/{tenant or 'common'}/v2.0{_CONFIGURATION}",
                "api-version": "1.1",
                "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
            },
        )

    def configuration(self, request: Request, tenant: str) -> Response:
        """The OpenID configuration, v2.0 or v1 by the path."""
        if not self._knows(tenant):
            return self._no_tenant(tenant)
        base = f"{self.world.url}/{tenant}"
        version = "/v2.0" if "/v2.0/" in request.path.lower() else ""
        issuer = tenant if tenant.lower() == self.world.fleet.tenant else "{tenantid}"
        return Response(
            200,
            {
                "token_endpoint": f"{base}/oauth2{version}/token",
                "token_endpoint_auth_methods_supported": [
                    "client_secret_post",
                    "private_key_jwt",
                    "client_secret_basic",
                ],
                "jwks_uri": f"{base}/discovery{version}/keys",
                "response_modes_supported": ["query", "fragment", "form_post"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "issuer": f"{self.world.url}/{issuer}{version}",
                "request_uri_parameter_supported": False,
                "authorization_endpoint": f"{base}/oauth2{version}/authorize",
                "device_authorization_endpoint": f"{base}/oauth2{version}/devicecode",
                "end_session_endpoint": f"{base}/oauth2{version}/logout",
                "tenant_region_scope": "EU",
                "cloud_instance_name": self.world.url.removeprefix("https://"),
            },
        )

    def token(self, request: Request, tenant: str) -> Response:
        """Client credentials: a secret, or an assertion that is taken as given."""
        form = request.form()
        refused = self._refusal(tenant, form)
        if refused:
            return refused
        scope = form.get("scope", "")
        audience = form.get("resource") or scope.removesuffix("/.default") or self.world.url
        token = self.world.identity.token(form["client_id"].lower(), audience)
        if "/v2.0/" in request.path.lower():
            seconds = self.world.fleet.token_seconds
            lifetimes: dict[str, Any] = {"expires_in": seconds, "ext_expires_in": seconds}
            return Response(200, {"token_type": "Bearer", **lifetimes, "access_token": token})
        body = {"token_type": "Bearer", **_times(self.world), "resource": audience, "access_token": token}
        return Response(200, body)

    def _refusal(self, tenant: str, form: dict[str, str]) -> Response | None:
        if not self._knows(tenant):
            return self._no_tenant(tenant)
        grant, client = form.get("grant_type"), form.get("client_id", "").lower()
        if grant != "client_credentials":
            text = f"The app requested an unsupported grant type '{grant}'."
            return self._error(400, "unsupported_grant_type", 70003, text)
        identity = self.world.identity
        if client not in identity.by_client:
            text = f"Application with identifier '{client}' was not found in the directory '{tenant}'."
            return self._error(400, "unauthorized_client", 700016, text)
        if not form.get("client_assertion") and form.get("client_secret") != identity.secrets[client]:
            text = (
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
                f"value, not the client secret ID, for a secret added to app '{client}'."
            )
            return self._error(401, "invalid_client", 7000215, text)
        return None


def _times(world: World) -> dict[str, str]:
    """Return a token's times as texts, as the older endpoints give them."""
    seconds = world.fleet.token_seconds
    expires = int(time.time()) + seconds
    return {
        "expires_in": str(seconds),
        "ext_expires_in": str(seconds),
        "expires_on": str(expires),
        "not_before": str(expires - seconds),
    }


class ManagedIdentity:
    """The two managed identity endpoints; every credential is an assigned identity, the first by default."""

    def __init__(self, world: World) -> None:
        self.world = world

    def imds(self, request: Request) -> Response:
        """The instance metadata form: header Metadata, numbers as text."""
        if request.headers.get("metadata", "").lower() != "true":
            return Response(
                400, {"error": "invalid_request", "error_description": "Required metadata header not specified"}
            )
        return self._issue(request)

    def app_service(self, request: Request) -> Response:
        """The App Service form: header X-IDENTITY-HEADER."""
        if request.headers.get("x-identity-header") != self.world.fleet.identity_header:
            return Response(401, {"statusCode": 401, "message": "The X-IDENTITY-HEADER is missing or wrong."})
        return self._issue(request)

    def _issue(self, request: Request) -> Response:
        credentials = self.world.fleet.credentials
        wanted = {
            name: request.query[name].lower()
            for name in ("client_id", "object_id", "principal_id")
            if name in request.query
        }
        found = next(
            (
                item
                for item in credentials
                if all(
                    item["object_id" if name == "principal_id" else name].lower() == value
                    for name, value in wanted.items()
                )
            ),
            None,
        )
        if found is None:
            return Response(400, {"error": "invalid_request", "error_description": "Identity not found"})
        resource = request.query.get("resource", "").rstrip("/") or self.world.url
        body: dict[str, Any] = {
            "access_token": self.world.identity.token(found["client_id"], resource),
            "client_id": found["client_id"],
            **_times(self.world),
            "resource": resource,
            "token_type": "Bearer",
        }
        return Response(200, body)
