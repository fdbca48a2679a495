# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compute's token buckets: what the rate-limit headers show, and the 429 when limits are in force."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ..wire.messages import Response

# policy: (refill per minute and bucket of one resource, of the subscription in a region); None: not kept per resource
POLICIES = {
    "UpdateVM": ((4, 12), (500, 1500)),
    "DeleteVM": ((4, 12), (500, 1500)),
    "LowCostGet": ((12, 36), (8000, 24000)),
    "HighCostGet": (None, (300, 900)),
    "GetOperation": ((15, 45), (5000, 15000)),
    "UpdateVMScaleSet": (None, (500, 1500)),
    "LowCostGetVMScaleSet": ((12, 36), (800, 2400)),
    "HighCostGetVMScaleSet": ((10, 30), (360, 1080)),
    "UpdateVMScaleSetVM": ((4, 12), (500, 1500)),
    "GetVMScaleSetVM": ((12, 36), (2000, 6000)),
}


@dataclass
class Bucket:
    """A token bucket on real time."""

    per_minute: float
    size: float
    tokens: float
    at: float

    def take(self) -> int:
        """Take one token; return what is left, negative when there was none."""
        now = time.monotonic()
        self.tokens = min(self.size, self.tokens + (now - self.at) * self.per_minute / 60)
        self.at = now
        if self.tokens < 1:
            return -1
        self.tokens -= 1
        return int(self.tokens)

    def wait(self) -> int:
        """Return the whole seconds until a token is there."""
        return int((1 - self.tokens) * 60 / self.per_minute) + 1


class Rates:
    """The buckets of all policies, resources and regions."""

    def __init__(self, enforced: bool) -> None:
        self.enforced = enforced
        self._buckets: dict[tuple[str, str], Bucket] = {}

    def spend(self, policy: str, subscription: str, resource: str) -> tuple[str, Response | None]:
        """Take a token of each bucket; return the header, and the refusal if one was empty and limits are in force."""
        per_resource, per_subscription = POLICIES[policy]
        shown, empty = [], None
        for suffix, rate, key in (
            ("SubscriptionMaximum", per_subscription, subscription),
            ("Resource", per_resource, resource.lower()),
        ):
            if rate is None or not key:
                continue
            bucket = self._buckets.setdefault((policy + suffix, key), Bucket(*rate, rate[1], time.monotonic()))
            left = bucket.take()
            shown.append(f"Microsoft.Compute/{policy}{suffix};{max(left, 0)}")
            if left < 0:
                empty = empty or (policy + suffix, bucket.wait())
        header = ",".join(shown)
        if empty is None or not self.enforced:
            return header, None
        return header, _refusal(*empty)


def _refusal(target: str, wait: int) -> Response:
    message = "The server rejected the request because too many requests have been received for this subscription."
    return Response(
        429,
        {
            "code": "OperationNotAllowed",
            "message": message,
            "details": [{"code": "TooManyRequests", "target": target, "message": f'{{"operationGroup":"{target}"}}'}],
        },
        {"Retry-After": str(wait)},
    )
