# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members of backend pools get another adminState: all of one VM, those named, or those that an earlier run took out.

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
from .._azure.vm import VmId
from .._errors import AuthError, AzureError, NotFound, OptionsError
from .finder import VERSION, Finder, Json, Member, members_of, pool_id

Entry = dict[str, t.Any]
"""A member of a pool in options and results: ``{pool, name, ip, admin_state}``."""
_TEXTS = {"type": "list", "elements": "str"}
MEMBERS_SPEC: dict[str, t.Any] = {
    "vm": {"type": "str"}, "addresses": _TEXTS, "pools": {**_TEXTS, "default": []}, "load_balancers": {**_TEXTS, "default": []},
}
"""Argument spec of the options that say whose members are meant (doc fragment ``backend_members``)."""
ENTRY_SPEC: dict[str, t.Any] = {
    "pool": {"type": "str", "required": True}, "name": {"type": "str", "required": True}, "ip": {"type": "str"},
    "admin_state": {"type": "str", "choices": ["down", "none", "up"]},
}
_GONE = ("resourcenotfound", "resourcegroupnotfound", "parentresourcenotfound", "notfound")
_ACTION = "Microsoft.Network/loadBalancers/backendAddressPools"
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
        return members_of(self.body)

    @property
    def provisioning(self) -> str:
        return str((self.body.get("properties") or {}).get("provisioningState") or "Succeeded").lower()

    def states(self) -> dict[str, str]:
        """Admin state by name of the member."""
        return {str(address.get("name")): admin_state(address) for address in self.addresses}

    def with_states(self, states: t.Mapping[str, str]) -> Json:
        """The body with these admin states, and nothing else changed."""
        body = copy.deepcopy(self.body)
        for address in members_of(body):
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
            # All hosts of a wave write to the same load balancer: those that came too late do not try again all at the same moment.
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
    return _lacking(error, "write")


def _lacking(error: AzureError, verb: str) -> AzureError:
    """The same error, naming the action that the identity has not; others that Azure names (join actions) are in its words."""
    remedy = f"give the identity the action {_ACTION}/{verb} on the load balancer, and what else Azure names (docs/permissions.md)"
    return error.advising(remedy if error.status == 403 else "")


class Work:
    """What one call does, pool by pool; ``members``, ``previous`` and ``left`` fill up on the way, so that a failure half way returns them too.
    ``pools`` are all members of each pool by id, with their states. ``lines`` are those of a difference: member, state before, state after."""

    def __init__(self, store: PoolStore) -> None:
        self._store = store
        self.members: list[Entry] = []
        self.previous: list[Entry] = []
        self.left: list[Entry] = []
        self.pools: dict[str, dict[str, str]] = {}
        self.lines: list[tuple[str, str, str]] = []
        self.changed = False

    def of_vm(self, arm: Arm, vm: VmId | None, options: t.Mapping[str, t.Any], state: str | None) -> None:
        """Give all members that are this VM, or without one the addresses of the options, a state (None: look only). Raises OptionsError, AzureError."""
        finder = Finder(arm, vm.subscription_id if vm else arm.settings.subscription_id)
        member = finder.member(vm) if vm else Member.of_addresses(options["addresses"])
        self.of_member(finder.pools_to_change(member, options["pools"], options["load_balancers"], state), member, state)

    def of_member(self, pools: t.Iterable[str], member: Member, state: str | None) -> None:
        """Give all members of these pools that are this VM a state (None: look only). Raises OptionsError, AzureError."""
        for pool in pools:
            self._change(pool, _ByMember(member, state), member)

    def of_entries(self, entries: t.Iterable[Entry], state: str | None, restoring: bool) -> None:
        """Give just these members a state, or, ``restoring``, their own back. What is not there any more goes into ``left``. Raises AzureError."""
        pools: dict[str, tuple[str, list[Entry]]] = {}
        for entry in entries:
            pool = pool_id(entry["pool"])
            pools.setdefault(pool.lower(), (pool, []))[1].append(entry)
        for pool, mine in pools.values():
            rule = _ByEntry(mine, state, restoring)
            try:
                self._change(pool, rule, Member())
            except NotFound as error:
                if (error.code or "").lower() not in _GONE:
                    raise
                rule.left = {entry["name"]: "the pool is not there any more" for entry in mine}
            self.left += [{"pool": pool, "name": name, "reason": reason} for name, reason in rule.left.items()]

    def _change(self, pool: str, rule: "_ByMember | _ByEntry", member: Member) -> None:
        change = Change(Pool(pool, {}))
        try:
            self._store.change(pool, rule, change)
        finally:
            self.changed = self.changed or change.written or bool(change.before)
            self.lines += [(f"{pool}/{name}", state, change.after[name]) for name, state in change.before.items()]
            shown = {str(address.get("name")): address for address in change.pool.addresses}
            self.pools[pool] = now = change.pool.states()
            self.members += [_entry(pool, name, now[name], rule.ip(shown[name], member)) for name in rule.mine if name in shown]
            self.previous += [_entry(pool, name, state, rule.ip(shown.get(name, {}), member)) for name, state in change.before.items()]


def _entry(pool: str, name: str, state: str, ip: str | None) -> Entry:
    return {"pool": pool, "name": name, "ip": ip, "admin_state": state}


class _ByMember:
    """The members of a pool that are one VM."""

    def __init__(self, member: Member, state: str | None) -> None:
        self._member, self._state, self.mine = member, state, []

    def __call__(self, pool: Pool) -> dict[str, str]:
        mine = [str(address["name"]) for address in self._member.in_pool(pool.body)]
        if not mine and not self.mine:
            raise OptionsError(f"the backend pool {pool.id} lists no address of the VM, so that it has no adminState there; run this again, or name "
                               "other pools")
        self.mine = mine or self.mine
        return dict.fromkeys(mine, self._state) if self._state else {}

    def ip(self, address: Json, member: Member) -> str | None:
        return member.ip(address)


class _ByEntry:
    """Members by name; an address that differs is another VM's under the same name."""

    def __init__(self, entries: list[Entry], state: str | None, restoring: bool) -> None:
        self._entries, self._state, self._restoring = entries, state, restoring
        self.mine = [entry["name"] for entry in entries]
        self.left: dict[str, str] = {}
        self._ips = {entry["name"]: entry.get("ip") for entry in entries}

    def __call__(self, pool: Pool) -> dict[str, str]:
        self.left = {}
        shown = {str(address.get("name")): address.get("properties") or {} for address in pool.addresses}
        now, targets = pool.states(), {}
        for entry in self._entries:
            name, ip = entry["name"], entry.get("ip")
            there = shown.get(name, {}).get("ipAddress")
            if name not in shown:
                self.left[name] = "it is not in the pool any more"
            elif ip and there and there != ip:
                self.left[name] = f"it stands for another address now ({there}, not {ip})"
            elif self._restoring and now[name] not in ("down", entry["admin_state"]):
                self.left[name] = f"it was changed by another user to {now[name]} meanwhile"
            elif self._restoring or self._state:
                targets[name] = entry["admin_state"] if self._restoring else self._state
        return targets

    def ip(self, address: Json, dummy: Member) -> str | None:
        return (address.get("properties") or {}).get("ipAddress") or self._ips.get(address.get("name"))
