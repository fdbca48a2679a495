# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens: made for a credential, and read back; the key that signs them lives in the state directory."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..fleet.fleet import Fleet
from ..wire.messages import ArmError, Request


@dataclass(frozen=True)
class Caller:
    """Who sends a request: the credential its token was made for."""

    client_id: str
    object_id: str
    subscriptions: tuple[str, ...]
    role: str

    roles: tuple[tuple[str, str], ...] = ()

    def _role(self, subscription: str) -> str:
        return dict(self.roles).get(subscription, self.role if subscription in self.subscriptions else "none")

    def sees(self, subscription: str) -> bool:
        """Say whether this caller has any role on the subscription, or on something in it (listed)."""
        return self._role(subscription) != "none"

    def may(self, method: str, subscription: str) -> bool:
        """Say whether this caller may send this method to the subscription."""
        role = self._role(subscription)
        return role == "contributor" or (role == "reader" and method == "GET")


def _pack(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unpack(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Identity:
    """Makes and checks tokens in the form of JWTs. They live in real time, whatever the simulated clock shows."""

    def __init__(self, fleet: Fleet, directory: Path) -> None:
        self.fleet = fleet
        path = directory / "token.key"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_hex(32), encoding="ascii")
        self._key = bytes.fromhex(path.read_text(encoding="ascii"))
        self.by_client = {
            item["client_id"]: Caller(
                item["client_id"],
                item["object_id"],
                tuple(item["subscriptions"]),
                item["role"],
                tuple(item["roles"].items()),
            )
            for item in fleet.credentials
        }
        self._expired: set[str] = set()
        self._made = 0
        self._all_expired_before = 0
        self.secrets = {item["client_id"]: item["client_secret"] for item in fleet.credentials}

    def token(self, client_id: str, audience: str) -> str:
        """Return a token for a known client."""
        now = int(time.time())
        self._made += 1
        caller = self.by_client[client_id]
        claims = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{self.fleet.tenant}/",
            "iat": now,
            "nbf": now,
            "exp": now + self.fleet.token_seconds,
            "appid": client_id,
            "idtyp": "app",
            "oid": caller.object_id,
            "sub": caller.object_id,
            "tid": self.fleet.tenant,
            "uti": f"{self._made}-{secrets.token_hex(8)}",
            "ver": "1.0",
        }
        signed = ".".join(_pack(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "HS256"}, claims))
        return f"{signed}.{self._sign(signed)}"

    def caller(self, request: Request, url: str) -> Caller:
        """Return who sends the request; raises ArmError 401 with a challenge."""
        header = request.headers.get("authorization", "")
        if not header.lower().startswith("bearer "):
            raise self._challenge(
                url, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing or invalid."
            )
        claims = self._read(header[7:].strip())
        if claims is None or claims.get("appid") not in self.by_client:
            text = "The access token is invalid."
            described = f'error="invalid_token", error_description="{text}"'
            raise self._challenge(url, "InvalidAuthenticationToken", text, described)
        number = int(claims["uti"].partition("-")[0])
        if claims["exp"] <= time.time() or claims["uti"] in self._expired or number <= self._all_expired_before:
            raise self._expiry(url, min(claims["exp"], time.time() - 1))
        return self.by_client[claims["appid"]]

    def expire(self, request: Request) -> None:
        """Let the token of this request have expired."""
        claims = self._read(request.headers.get("authorization", "")[7:].strip())
        if claims:
            self._expired.add(claims["uti"])

    def expire_all(self) -> None:
        """Let every token made so far have expired."""
        self._all_expired_before = self._made

    def _sign(self, text: str) -> str:
        return _pack(hmac.new(self._key, text.encode(), hashlib.sha256).digest())

    def _read(self, token: str) -> dict[str, Any] | None:
        try:
            signed, signature = token.rsplit(".", 1)
            if not hmac.compare_digest(signature, self._sign(signed)):
                return None
            return json.loads(_unpack(signed.split(".")[1]))
        except (ValueError, IndexError):
            return None

    def _expiry(self, url: str, expired: float) -> ArmError:
        """Return the answer to an expired token, as recorded."""
        then, now = (
            f"{moment:%m/%d/%Y %I:%M:%S %p}".lstrip("0").replace("/0", "/").replace(" 0", " ")
            for moment in (datetime.fromtimestamp(stamp, UTC) for stamp in (expired, time.time()))
        )
        message = f"The access token expiry UTC time '{then}' is earlier than current UTC time '{now}'."
        described = 'error="invalid_token", error_description="The access token has expired."'
        return self._challenge(url, "ExpiredAuthenticationToken", message, described)

    def _challenge(self, url: str, code: str, message: str, described: str | None = None) -> ArmError:
        challenge = f'Bearer authorization_uri="{url}/{self.fleet.tenant}"' + (f", {described}" if described else "")
        return ArmError(401, code, message, {"WWW-Authenticate": challenge, "x-ms-failure-cause": "gateway"})
