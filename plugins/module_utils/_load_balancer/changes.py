# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which members of which pools get which admin state: all of one VM, those named, or those that an earlier run took out."""

from __future__ import annotations

import typing as t

from .._arm.client import Arm
from .._azure.vm import VmId
from .._errors import NotFound, OptionsError
from .finder import Finder, Member, pool_id
from .pool import Change, Json, Pool, PoolStore

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


class Work:
    """What one call does, pool by pool; ``members``, ``previous`` and ``left`` fill up on the way, so that a failure half way tells them too.
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
        self.of_member(pools_of(finder, member, options["pools"], options["load_balancers"], state), member, state)

    def of_member(self, pools: t.Iterable[str], member: Member, state: str | None) -> None:
        """Give all members of these pools that are this VM a state (None: look only). Raises OptionsError, AzureError."""
        for pool in pools:
            self._change(pool, _ByMember(member, state), member)

    def of_entries(self, entries: t.Iterable[Entry], state: str | None, restoring: bool) -> None:
        """Give just these members a state, or, ``restoring``, their own back. What is not there any more is said. Raises AzureError."""
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
    """Members by name; an address that differs is somebody else's under the same name."""

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
                self.left[name] = f"somebody else has set it to {now[name]} meanwhile"
            elif self._restoring or self._state:
                targets[name] = entry["admin_state"] if self._restoring else self._state
        return targets

    def ip(self, address: Json, dummy: Member) -> str | None:
        return (address.get("properties") or {}).get("ipAddress") or self._ips.get(address.get("name"))


def pools_of(finder: Finder, member: Member, pools: t.Sequence[str], balancers: t.Sequence[str], state: str | None) -> list[str]:
    """The pools to work on; raises OptionsError where a state cannot be set, or the VM is in none."""
    found = finder.pools(member, pools, balancers)
    for pool in found if state else ():
        finder.must_have_admin_states(pool, state == "down")
    if state and not found:
        raise OptionsError("the VM is in no backend pool of an Azure load balancer of its subscription; name pools, or drain by another provider")
    return found
