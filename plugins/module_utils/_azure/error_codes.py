# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Azure's error codes mean: for a start that is answered with one, and for an operation that ends with one. Pure.

One code serves many cases (a 409 OperationNotAllowed most of all), so a refusal is mostly judged by what the VM shows after it.
"""

from __future__ import annotations

import typing as t

# What a refused start means. None of them has been executed, except that nobody knows for IN_DOUBT.
LOOK = "look"
REFUSED = "refused"
LATER = "later"
ONE_BY_ONE = "one_by_one"
SIGN_IN = "sign_in"
IN_DOUBT = "in_doubt"
# What an operation that ended with it means: it did not happen, Azure stopped waiting for it, or it may be tried again.
FAILED = "failed"
LATE = "late"
RETRY = "retry"

_NOT_REGISTERED = ("missingsubscriptionregistration", "subscriptionnotregistered", "invalidresourcenamespace")


class Meaning(t.NamedTuple):
    """``start`` and ``end`` are words above; ``remedy`` is what to do next, in one sentence."""

    start: str
    end: str
    remedy: str


_GONE = Meaning(REFUSED, FAILED, "The VM or its group is gone; read the fleet again.")
_NO_ROOM = Meaning(REFUSED, FAILED, "Azure has no room for it now; look whether it still runs, and try again at another hour.")
_SIGN_IN = Meaning(SIGN_IN, FAILED, "Sign in again, then run again.")
_BUSY = Meaning(LOOK, FAILED, "Something else changed it at the same time; run again when that has ended.")
_SLOW = Meaning(REFUSED, LATE, "It may still come up by itself; look at its boot diagnostics if it does not.")
_NO_RIGHTS = Meaning(REFUSED, FAILED, "Give the identity the role Planned maintenance operator of docs/permissions.md on it.")
_THROTTLED = Meaning(LATER, FAILED, "Too many requests in this subscription; run again in some minutes.")
_CRASH = Meaning(IN_DOUBT, FAILED, "Azure failed in the middle of it: look at the VM before anything else.")

CODES: dict[str, Meaning] = {
    "OperationNotAllowed": Meaning(LOOK, FAILED, "Read its state: it is not eligible now, or another operation is running on it."),
    "Conflict": _BUSY,
    "PropertyChangeNotAllowed": _BUSY,
    "RetryableErrorDueToAnotherOperation": _BUSY,
    "TooManyVMRedeploymentRequests": Meaning(ONE_BY_ONE, RETRY, "Azure moves few VMs of a set at once; run again when the others are done."),
    "ResourceUpdateBlockedOnPlatformUpdate": Meaning(LATER, RETRY, "The platform is updating it; run again later."),
    "VMRedeploymentFailed": Meaning(REFUSED, FAILED, "Look whether it still runs, then run again or contact Azure support."),
    "VMRedeploymentTimedOut": _SLOW,
    "VMStartTimedOut": _SLOW,
    "OSProvisioningTimedOut": _SLOW,
    "VMAgentStatusCommunicationError": _SLOW,
    "AllocationFailed": _NO_ROOM,
    "ZonalAllocationFailed": _NO_ROOM,
    "OverconstrainedAllocationRequest": _NO_ROOM,
    "VMNotFound": _GONE,
    "NotFound": _GONE,
    "ResourceNotFound": _GONE,
    "ResourceGroupNotFound": _GONE,
    "ExpiredAuthenticationToken": _SIGN_IN,
    "InvalidAuthenticationToken": _SIGN_IN,
    "Unauthorized": _SIGN_IN,
    "AuthorizationFailed": _NO_RIGHTS,
    "LinkedAuthorizationFailed": _NO_RIGHTS,
    "ScopeLocked": Meaning(REFUSED, FAILED, "Remove the read-only lock that covers it, or have it removed."),
    "PreconditionFailed": Meaning(REFUSED, FAILED, "It was changed at the same time; run again."),
    "TooManyRequests": _THROTTLED,
    "SubscriptionRequestsThrottled": _THROTTLED,
    "InternalOperationError": _CRASH,
    "InternalServerError": _CRASH,
    "ResourceReadFailed": _CRASH,
    "GatewayTimeout": _CRASH,
}
_BY_LOWER = {code.lower(): meaning for code, meaning in CODES.items()}


def meaning(code: str | None, status: int | None = None) -> Meaning:
    """What a code means, in any letter case; one that is not known is judged by the HTTP status it came with."""
    known = _BY_LOWER.get((code or "").lower())
    if known is not None:
        return known
    start = LOOK if status == 409 else LATER if status == 429 else SIGN_IN if status == 401 else IN_DOUBT if status and status >= 500 else REFUSED
    return Meaning(start, FAILED, "")


def is_gone(code: str | None) -> bool:
    """Whether a 404 with this code is about the resource asked for; without a code it may be anybody's on the way."""
    return meaning(code) is _GONE


def nothing_there(code: str | None) -> bool:
    """Whether a list is refused because the subscription has never had anything of that kind: its provider is not registered."""
    return (code or "").replace(" ", "").lower() in _NOT_REGISTERED
