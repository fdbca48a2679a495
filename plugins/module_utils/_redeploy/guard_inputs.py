# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards with what they need to know about a VM: every member of its set, the locks above it, its scale set."""

from __future__ import annotations

import datetime as dt
import typing as t

from .._arm.client import COMPUTE
from .._azure.maintenance import parse_time
from .._azure.vm import Vm, VmId
from .._errors import AuthError, AzureError, IncompleteFleet, NotFound, OptionsError, SignInError
from .._fleet.listing import ScaleSet
from .._fleet.set_members import SetMembers
from . import guards
from .session import Session

_LOCKS = "2016-09-01"


class OpenOperations:
    """What this controller has started on a VM and not seen end, by its journal and Azure: a view may show a VM up for a while after Azure
    has taken on its move. For ``patience.settle`` seconds the result of a start without a URL is unknown."""

    def __init__(self, session: Session) -> None:
        self._arm, self._journal, self._settle = session.arm, session.journal, session.patience.settle

    def describe(self, vm: VmId, but: str | None = None) -> str | None:
        """What is, or may be, under way on it, other than the operation ``but``; None when nothing is. Doubt counts as yes."""
        try:
            attempts = self._journal.unsettled(vm)
        except OptionsError as error:
            return str(error)
        return next(filter(None, (self._of(attempt) for attempt in attempts if attempt["operation"] != but)), None)

    def _of(self, attempt: t.Mapping[str, t.Any]) -> str | None:
        said = f"its {attempt['operation']} of {attempt['intent_at']} is under way"
        url = attempt.get("operation_url") or attempt.get("location_url")
        if not url:
            age = (self._arm.now() - parse_time(attempt["intent_at"])).total_seconds()
            return f"{said}, or may be" if age < self._settle else None
        try:
            running = self._arm.operation(url).state == "running"
        except AzureError as error:
            return f"{said}, or may be: {error}"
        return said if running else None


class GuardInputs:
    """Reads them now and lets the guards judge."""

    def __init__(self, session: Session) -> None:
        self._arm, self._reader, self._policy, self._open = session.arm, session.reader, session.order.policy, OpenOperations(session)
        self.members: dict[str, t.Sequence[Vm]] = {}
        """Members of each set as they were last judged, by set key."""

    def check(self, vms: t.Sequence[Vm], now: dt.datetime, moving: t.Collection[str] = ()) -> dict[str, guards.Refusal]:
        """Refusals by VM key; ``moving`` are keys of VMs that this call has under way."""
        refusals: dict[str, guards.Refusal] = {}
        members: dict[str, t.Sequence[Vm]] = {}
        for set_key, found in SetMembers(self._arm, self._reader).by_set(vms).items():
            if isinstance(found, AzureError):
                reason = f"the rest of its set cannot be judged: {found}"
                refusals |= {vm.id.key: guards.Refusal("refused", reason) for vm in vms if vm.failure_domain.set_key == set_key}
            else:
                members[set_key] = found
        self.members |= members
        refusals |= self._occupied([vm for vm in vms if vm.id.key not in refusals])
        judged = [vm for vm in vms if vm.id.key not in refusals]
        refusals |= guards.check(judged, members, self._policy, now, moving, under_way=self._others_under_way(judged, members, moving))
        rest = [vm for vm in judged if vm.id.key not in refusals]
        refusals |= self._locked(rest)
        return refusals | self._scaling([vm for vm in rest if vm.id.key not in refusals], members)

    def _occupied(self, vms: t.Sequence[Vm]) -> dict[str, guards.Refusal]:
        """VMs on which an operation of another kind, started from here, may still be under way."""
        words = {vm.id.key: self._open.describe(vm.id, but=self._policy.operation) for vm in vms}
        return {key: guards.Refusal("refused", f"another operation is open on it: {said}; run again when it has ended") for key, said in words.items() if said}

    def _others_under_way(self, vms: t.Sequence[Vm], members: t.Mapping[str, t.Sequence[Vm]], moving: t.Collection[str]) -> dict[str, str]:
        """What earlier calls started on other members, by VM key: their views may not show it yet."""
        own = {vm.id.key for vm in vms}
        others = {vm.id for vm in vms for vm in members[vm.failure_domain.set_key] if vm.id.key not in own and vm.id.key not in moving}
        return {vm_id.key: said for vm_id in others if (said := self._open.describe(vm_id))}

    def _scaling(self, vms: t.Sequence[Vm], members: t.Mapping[str, t.Sequence[Vm]]) -> dict[str, guards.Refusal]:
        """Scale sets that change now: their instances come, go and are renumbered, so none is started."""
        refusals = {}
        for scale_set in {vm.scale_set.lower(): vm.scale_set for vm in vms if vm.scale_set}.values():
            own = [vm for vm in vms if (vm.scale_set or "").lower() == scale_set.lower()]
            try:
                count = len(members[own[0].failure_domain.set_key]) if own[0].instance_id is not None else None
                reason = self._changing(scale_set, count)
            except AzureError as error:
                reason = f"its scale set cannot be judged: {error}"
            if reason:
                refusals |= {vm.id.key: guards.Refusal("refused", reason) for vm in own}
        return refusals

    def _changing(self, scale_set: str, count: int | None) -> str | None:
        """Why a scale set is not at rest; ``count`` instances were seen in a uniform one."""
        try:
            body = self._arm.get(scale_set, COMPUTE, f"read {scale_set}")
        except (AuthError, NotFound) as error:
            # Members of a flexible set are VMs with ids that stay, and were read one by one; instances are renumbered.
            if count is None and not isinstance(error, SignInError):
                return None
            raise
        properties = body.get("properties") or {}
        state = str(properties.get("provisioningState") or "succeeded").lower()
        if state not in ("succeeded", "failed"):
            return f"its scale set is being changed (provisioning state {state}); run again when it has scaled or been upgraded"
        if count is not None and (capacity := self._capacity(scale_set, body)) != count:
            return f"its scale set scales, or the list of its instances ended early: it is to have {capacity} instances, {count} were seen; run again"
        # Automatic upgrades of the operating system roll too, whatever the mode; a manual set without them never does.
        policy = properties.get("upgradePolicy") or {}
        if str(policy.get("mode", "")).lower() != "rolling" and not (policy.get("automaticOSUpgradePolicy") or {}).get("enableAutomaticOSUpgrade"):
            return None
        try:
            upgrade = self._arm.get(f"{scale_set}/rollingUpgrades/latest", COMPUTE, f"read the upgrade of {scale_set}")
        except (AuthError, NotFound) as error:  # what it does to its instances is seen on them
            if isinstance(error, SignInError):
                raise
            return None
        code = str(((upgrade.get("properties") or {}).get("runningStatus") or {}).get("code", ""))
        return "its scale set is in a rolling upgrade; run again when that has ended" if code.lower() == "rollingforward" else None

    def _capacity(self, scale_set: str, body: t.Mapping[str, t.Any]) -> int:
        """How many instances a uniform scale set is to have: without that number nobody knows whether its list is complete."""
        doing = f"count the instances of {scale_set}"
        try:
            capacity = ScaleSet.of({**body, "id": scale_set}).capacity
            if capacity is None:
                capacity = ScaleSet.counted(self._arm.get(f"{scale_set}/instanceView", COMPUTE, doing))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise IncompleteFleet(doing, f"{type(error).__name__}: {error}") from error
        if capacity is None:
            raise IncompleteFleet(doing, "neither the scale set nor its instance view says how many it has")
        return capacity

    def _locked(self, vms: t.Sequence[Vm]) -> dict[str, guards.Refusal]:
        """Read-only locks above a VM: Azure refuses every start under one, so it is said before anything is drained."""
        refusals = {}
        for subscription in {vm.id.subscription_id for vm in vms}:
            locks = self._read_only(subscription)
            for vm in vms:
                above = [name for scope, name in locks if f"{vm.id.key}/".startswith(scope)]
                if above:
                    refusals[vm.id.key] = guards.Refusal("refused", f"the read-only lock {above[0]} covers it; remove the lock, or have it removed")
        return refusals

    def _read_only(self, subscription: str) -> list[tuple[str, str]]:
        """(lower-case scope with a slash at its end, name) of every read-only lock; none when locks may not be read."""
        path = f"/subscriptions/{subscription}/providers/Microsoft.Authorization/locks"
        try:
            locks = self._arm.list(path, _LOCKS, f"list the locks of subscription {subscription}")
        except AzureError:
            return []  # then Azure refuses the start, and nothing was executed
        found = []
        for lock in locks:
            scope, marker, name = str(lock.get("id", "")).lower().rpartition("/providers/microsoft.authorization/locks/")
            if marker and str((lock.get("properties") or {}).get("level", "")).lower() == "readonly":
                found.append((f"{scope}/", lock.get("name") or name))
        return found
