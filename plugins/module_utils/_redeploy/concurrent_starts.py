# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether somebody else starts another update domain of a set at the same time.

Controllers with separate journals have nothing in common but what Azure shows. So the other members of a set are read once more directly
before its VMs are started, after a random pause that sets two controllers apart, and once again right after.
"""

from __future__ import annotations

import dataclasses
import random
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

from .._arm.client import COMPUTE
from .._azure.instance_view import View
from .._azure.vm import Vm, is_busy
from .._errors import AzureError
from . import guards
from .session import Session

_LONGEST_PAUSE = 2.0
# What was read serves all VMs of a set, and a list all sets of a subscription, that are started within so many seconds.
_FRESH_SECONDS = 2.0
# From so many members to be read on, one list of the subscription is read instead.
_MANY = 30
_WORKERS = 8
_Read = t.TypeVar("_Read")


class ConcurrentStarts:
    """Looks before and after the starts of one call. ``members`` are those of each set as the guards saw them, by set key."""

    def __init__(self, session: Session, members: t.Mapping[str, t.Sequence[Vm]]) -> None:
        self._arm, self._reader, self._clock = session.arm, session.reader, session.clock
        self._policy, self._members = session.order.policy, members
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._kept: dict[str, tuple[float, t.Any]] = {}
        self._together: dict[str, list[Vm]] = {}
        self._ours: frozenset[str] = frozenset()

    def begin(self, vms: t.Sequence[Vm], started: t.Collection[str]) -> None:
        """These VMs are started next; ``started`` are keys of those that this call has started already. Pauses where a set has others."""
        self._ours = frozenset({*started, *(vm.id.key for vm in vms)})
        self._kept.clear()
        self._together = {}
        for vm in vms:
            self._together.setdefault(vm.failure_domain.set_key, []).append(vm)
        self._together = {key: group for key, group in self._together.items() if self._others(key, group)}
        if self._together:
            self._clock.sleep(random.uniform(0, _LONGEST_PAUSE))

    def before(self, vm: Vm) -> str | None:
        """Why the VM may not be started after all; None when nobody has started another update domain. Raises AzureError."""
        key = vm.failure_domain.set_key
        return self._once(key, lambda: self._judge(key)) if key in self._together else None

    def after(self, started: t.Collection[str]) -> dict[str, tuple[str, bool]]:
        """What there is to say of VMs that are started now, by key, and whether another update domain of their set went too."""
        self._kept.clear()
        sets = [key for key, group in self._together.items() if any(vm.id.key in started for vm in group)]
        with ThreadPoolExecutor(_WORKERS) as pool:
            said = dict(zip(sets, pool.map(self._seen, sets)))
        return {vm.id.key: found for key, found in said.items() if found for vm in self._together[key] if vm.id.key in started}

    def _seen(self, key: str) -> tuple[str, bool] | None:
        try:
            reason = self._judge(key)
        except AzureError as error:
            return f"whether another update domain of its set was started at the same time could not be seen: {error}", False
        return (f"another update domain of its set went down at the same time: {reason}; check the set now", True) if reason else None

    def _judge(self, key: str) -> str | None:
        """Why the set does not allow this start, by its other members as they are now."""
        group = self._together[key]
        now = self._now(self._others(key, group))
        members = [now.get(vm.id.key, vm) for vm in self._members[key]]
        return guards.check_again(group, self._members[key], members, self._policy, self._ours)

    def _others(self, key: str, group: t.Sequence[Vm]) -> list[Vm]:
        """Members on a host in another failure domain than those that are started."""
        domains = {vm.failure_domain.domain for vm in group}
        return [vm for vm in self._members.get(key, ()) if vm.id.key not in self._ours and not vm.absent and vm.failure_domain.domain not in domains]

    # -- reading ------------------------------------------------------------------------------------------------------

    def _now(self, vms: t.Sequence[Vm]) -> dict[str, Vm]:
        """The VMs as they are now, by key; one that is gone is not in the answer."""
        one = vms[0]
        if one.instance_id is not None:
            return {vm.id.key: vm for vm in self._reader.instances(one, thorough=False)}
        listed: t.Mapping[str, View] = {}
        if sum(len(self._others(key, group)) for key, group in self._together.items()) >= _MANY:
            subscription = one.id.subscription_id.lower()
            listed = self._once(subscription, lambda: self._status(subscription))
        alone = self._reader.vms(vm.id for vm in vms if vm.id.key not in listed)
        return {key: vm for key, vm in alone.items() if vm} | {vm.id.key: _as_shown(vm, listed[vm.id.key]) for vm in vms if vm.id.key in listed}

    def _status(self, subscription: str) -> dict[str, View]:
        """Views of the status list that show power and provisioning; none where there is no such list."""
        found: dict[str, View] = {}

        def take(item: t.Mapping[str, t.Any]) -> None:
            properties = item.get("properties") or {}
            view, own = View.of(properties.get("instanceView")), str(properties.get("provisioningState") or "unknown").lower()
            if view and view.power and view.provisioning:
                found[item["id"].lower()] = view._replace(provisioning=own if is_busy(own) else view.provisioning)

        try:
            self._arm.each(f"/subscriptions/{subscription}/providers/Microsoft.Compute/virtualMachines", COMPUTE,
                           f"list the status of virtual machines of subscription {subscription}", take, {"statusOnly": "true"})
        except AzureError:
            return {}
        return found

    def _once(self, key: str, read: t.Callable[[], _Read]) -> _Read:
        """What ``read`` gives, or gave a moment ago."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            at, found = self._kept.get(key, (0.0, None))
            if key not in self._kept or self._clock.monotonic() - at > _FRESH_SECONDS:
                at, found = self._clock.monotonic(), read()
                self._kept[key] = at, found
            return found


def _as_shown(vm: Vm, view: View) -> Vm:
    """The VM with what a listed view shows of it; how its agent is, many lists do not say."""
    return dataclasses.replace(vm, power_state=view.power, provisioning_state=view.provisioning, agent=vm.agent if view.agent == "unknown" else view.agent)
