# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong between this collection and Azure, as one small family of errors.

Standard library only. Adapters raise these; :mod:`_module` and the inventory plugin turn them into Ansible failures.
"""

from __future__ import annotations

import typing as t

from ._redaction import without_secrets


class AzureError(Exception):
    """A request that did not give what was asked for.

    ``doing`` is a verb phrase ("list virtual machines of subscription S"), ``detail`` what happened and, where we know
    it, the remedy. ``status`` is the HTTP status or None when no answer came; ``code`` and ``request_id`` are Azure's.
    """

    def __init__(self, doing: str, detail: str, *, status: int | None = None, code: str | None = None,
                 request_id: str | None = None, retry_after: float | None = None) -> None:
        doing, detail = without_secrets(doing), without_secrets(detail)
        super().__init__(f"could not {doing}: {detail}")
        self.doing, self.detail = doing, detail
        self.status, self.code, self.request_id, self.retry_after = status, code, request_id, retry_after

    def advising(self, remedy: str) -> AzureError:
        """The same error, saying at its end what to do; an empty remedy adds nothing."""
        detail = f"{self.detail}; {remedy}" if remedy else self.detail
        return type(self)(self.doing, detail, status=self.status, code=self.code, request_id=self.request_id, retry_after=self.retry_after)

    def to_result(self) -> dict[str, t.Any]:
        """The ``failure`` part of a module result."""
        return {"doing": self.doing, "detail": self.detail, "status": self.status, "code": self.code,
                "request_id": self.request_id, "retry_after": self.retry_after}


class AuthError(AzureError):
    """Signing in failed, or the identity may not do this."""


class SignInError(AuthError):
    """No token is to be had: nothing at all can be read."""


class NotFound(AzureError):
    """Azure has no such resource (404)."""


class IncompleteFleet(AzureError):
    """The fleet could not be read completely; a short list is never returned in its place.

    ``asked`` and ``seen`` count things by name (subscriptions, vms ...); ``missing`` says what could not be read, one
    mapping ``{subscription | id, reason}`` each.
    """

    def __init__(self, doing: str, detail: str, *, asked: t.Mapping[str, int] | None = None, seen: t.Mapping[str, int] | None = None,
                 missing: t.Sequence[t.Mapping[str, str]] = (), **azure: t.Any) -> None:
        super().__init__(doing, detail, **azure)
        self.asked, self.seen, self.missing = dict(asked or {}), dict(seen or {}), [dict(item) for item in missing]

    def to_result(self) -> dict[str, t.Any]:
        return {**super().to_result(), "asked": self.asked, "seen": self.seen, "missing": self.missing}


class OptionsError(ValueError):
    """Options that cannot work together, found before any request is made."""
