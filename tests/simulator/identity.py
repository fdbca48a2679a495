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
from pathlib import Path
from typing import Any

from .model import Fleet
from .routing import ArmError, Request

LIFETIME = 3599


@dataclass(frozen=True)
class Caller:
    """Who sends a request: the credential its token was made for."""

    client_id: str
    object_id: str
    subscriptions: tuple[str, ...]
    role: str

    def sees(self, subscription: str) -> bool:
        """Say whether this caller has any role on the subscription."""
        return self.role != "none" and subscription in self.subscriptions

    def may(self, method: str, subscription: str) -> bool:
        """Say whether this caller may send this method to the subscription."""
        return self.sees(subscription) and (method == "GET" or self.role == "contributor")


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
            item["client_id"]: Caller(item["client_id"], item["object_id"], tuple(item["subscriptions"]), item["role"])
            for item in fleet.credentials
        }
        self.secrets = {item["client_id"]: item["client_secret"] for item in fleet.credentials}

    def token(self, client_id: str, audience: str) -> str:
        """Return a token for a known client."""
        now = int(time.time())
        caller = self.by_client[client_id]
        claims = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{self.fleet.tenant}/",
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIME,
            "appid": client_id,
            "idtyp": "app",
            "oid": caller.object_id,
            "sub": caller.object_id,
            "tid": self.fleet.tenant,
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
            raise self._challenge(url, "InvalidAuthenticationToken", "The access token is invalid.", "invalid_token")
        if claims["exp"] < time.time():
            raise self._challenge(url, "ExpiredAuthenticationToken", "The access token has expired.", "invalid_token")
        return self.by_client[claims["appid"]]

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

    def _challenge(self, url: str, code: str, message: str, error: str | None = None) -> ArmError:
        challenge = f'Bearer authorization_uri="{url}/{self.fleet.tenant}"'
        if error:
            challenge += f', error="{error}", error_description="{message}"'
        return ArmError(401, code, message, {"WWW-Authenticate": challenge})
