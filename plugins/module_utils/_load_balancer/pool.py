# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One backend pool of a load balancer: read it, and write it back with another adminState of some addresses.

A pool is written as a whole, and all parts of a load balancer share one etag. So every write is made under If-Match; one that
comes too late, or while Azure still works on another, starts over from a fresh read. What was asked for is done when a read shows it.
"""

from __future__ import annotations

import copy
import random
import typing as t
import uuid
from dataclasses import dataclass, field

from .._arm.client import Arm, PostResult
from .._arm.rate_limit import UNSAID_WAIT, Clock
from .._errors import AuthError, AzureError, NotFound

Json = dict[str, t.Any]
# As new as Azure's own recordings of pools: a write by an older version would leave out what it does not know.
VERSION = "2025-05-01"
ACTION = "Microsoft.Network/loadBalancers/backendAddressPools"
_RACES = 100
_BUSY = ("retryableerrorduetoanotheroperation", "anotheroperationinprogress")
_SUPERSEDED = "canceledandsupersededduetoanotheroperation"


@dataclass(frozen=True)
class Pool:
    """A pool as it was read. ``addresses`` are the bodies of its members; admin states are ``none``, ``up`` and ``down``."""

    id: str
    body: Json

    @property
    def addresses(self) -> list[Json]:
        return list((self.body.get("properties") or {}).get("loadBalancerBackendAddresses") or ())

    @property
    def provisioning(self) -> str:
        return str((self.body.get("properties") or {}).get("provisioningState") or "Succeeded").lower()

    def states(self) -> dict[str, str]:
        """Admin state by name of the member."""
        return {str(address.get("name")): admin_state(address) for address in self.addresses}

    def with_states(self, states: t.Mapping[str, str]) -> Json:
        """The body with these admin states, and nothing else changed."""
        body = copy.deepcopy(self.body)
        for address in (body.get("properties") or {}).get("loadBalancerBackendAddresses") or ():
            if address.get("name") in states:
                address.setdefault("properties", {})["adminState"] = states[address["name"]].capitalize()
        return body


@dataclass
class Change:
    """What became of a pool: as it was read last, the admin states that were (or would be) replaced and those in their place, by name."""

    pool: Pool
    before: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)
    written: bool = False

    def note(self, attempt: "Change") -> None:
        """Take over what was, or may have been, written; what was there before the first of several attempts counts."""
        self.before = {**attempt.before, **self.before}
        self.after = {**self.after, **attempt.after}


def admin_state(address: Json) -> str:
    """``none``, ``up`` or ``down``; absent is none."""
    return str((address.get("properties") or {}).get("adminState") or "none").lower()


class PoolStore:
    """Reads and changes pools, all within ``timeout`` seconds; ``interval`` seconds between two looks. ``dry``: writes nothing."""

    def __init__(self, arm: Arm, clock: Clock, timeout: float, interval: float, dry: bool) -> None:
        self._arm, self._clock, self._timeout, self._interval, self._dry = arm, clock, timeout, interval, dry
        self._until = clock.monotonic() + timeout
        arm.reader.limit(self._until)

    def read(self, pool_id: str) -> Pool:
        """Raises NotFound, AuthError or AzureError."""
        try:
            return Pool(pool_id, self._arm.get(pool_id, VERSION, f"read the backend pool {pool_id}"))
        except AuthError as error:
            raise _lacking(error, "read") from error

    def change(self, pool_id: str, wanted: t.Callable[[Pool], t.Mapping[str, str]], change: Change | None = None) -> Change:
        """Bring members to the admin states that ``wanted`` gives by name for the pool as it is now; the result may be handed in, to have
        it when this raises: AzureError when that cannot be done, NotFound when the pool is gone."""
        change = change or Change(Pool(pool_id, {}))
        for dummy in range(_RACES):
            change.pool = pool = self.read(pool_id) if self._dry else self._settled(pool_id)
            targets, now = wanted(pool), pool.states()
            states = {name: state for name, state in targets.items() if now.get(name, state) != state}
            # What a failed write asked for is shown, but not in force.
            if not states and (not targets or pool.provisioning != "failed"):
                return change
            attempt = Change(pool, {name: now[name] for name in states}, states)
            if self._dry:
                change.note(attempt)
                return change
            self._write(attempt, pool.with_states(targets), change)
        raise AzureError(f"change the backend pool {pool_id}", f"others changed its load balancer {_RACES} times in between; try again")

    def _settled(self, pool_id: str) -> Pool:
        """The pool once Azure works on it no more."""
        while (pool := self.read(pool_id)).provisioning == "updating":
            self._pause(self._interval, pool_id)
        return pool

    def _write(self, attempt: Change, body: Json, change: Change) -> None:
        """Write once, and note in ``change`` what was or may have been written; a read will tell. Raises AzureError for a refusal that lasts."""
        pool = attempt.pool
        answer = self._arm.put_once(pool.id, VERSION, str(uuid.uuid4()), body, str(pool.body.get("etag") or "*"))
        code = (answer.code or "").lower()
        if answer.kind == "accepted":
            change.note(attempt)
            change.written = True
            self._wait(pool.id, answer)
        elif answer.kind == "throttled" or code in _BUSY:
            self._pause(self._interval if code in _BUSY and answer.retry_after is None else answer.retry_after or UNSAID_WAIT, pool.id)
        elif answer.kind == "unknown":
            change.note(attempt)
            self._pause(self._interval, pool.id)
        elif answer.status == 412:
            # A whole wave writes to the same load balancer: those who lost do not try again all at the same moment.
            self._pause(random.uniform(0, self._interval), pool.id)
        elif answer.status != 401:  # a read renews the token
            raise _refusal(pool.id, answer)

    def _wait(self, pool_id: str, answer: PostResult) -> None:
        """Wait for the operation. Without a URL, or where another write took its place, the pool itself will tell."""
        while answer.operation_url:
            status = self._arm.operation(answer.operation_url)
            if status.state == "running":
                self._pause(self._interval, pool_id)
                continue
            if status.state in ("failed", "canceled") and (status.code or "").lower() != _SUPERSEDED:
                detail = f"Azure accepted the write, which then {'failed' if status.state == 'failed' else 'was canceled'} with {status.code}: {status.message}"
                raise AzureError(f"change the backend pool {pool_id}", f"{detail}; running this again writes it again", code=status.code)
            return

    def _pause(self, seconds: float, pool_id: str) -> None:
        if self._clock.monotonic() + seconds > self._until:
            detail = f"Azure was not done with it within {self._timeout:.0f} s; look at its provisioning state, and allow a longer timeout"
            raise AzureError(f"change the backend pool {pool_id}", detail)
        self._clock.sleep(seconds)


def _refusal(pool_id: str, answer: PostResult) -> AzureError:
    """The error that a refused write stands for, with its remedy where that is known."""
    kind = {403: AuthError, 404: NotFound}.get(answer.status or 0, AzureError)
    detail = f"HTTP {answer.status or 'none'} {answer.code}: {answer.message}"
    if (answer.code or "").lower() == "scopelocked":
        detail += "; a lock forbids it: remove the lock, or drain by another provider"
    error = kind(f"change the backend pool {pool_id}", detail, status=answer.status, code=answer.code, request_id=answer.request_id)
    return _lacking(error, "write") if answer.status == 403 else error


def _lacking(error: AzureError, verb: str) -> AzureError:
    """The same error, naming the action that the identity has not; others that Azure names (join actions) are in its words."""
    if error.status != 403:
        return error
    detail = f"{error.detail}; give the identity the action {ACTION}/{verb} on the load balancer, and what else Azure names (docs/permissions.md)"
    return type(error)(error.doing, detail, status=error.status, code=error.code, request_id=error.request_id)
