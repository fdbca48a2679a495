# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The redeploy of a list of VMs: read, guard, start once, watch, tell. The heart of the collection.

Order of work, which is the safety of it: read every VM; settle what an earlier run left open; let every guard of every VM and
its whole set speak; only then post, each VM with its intent on disk first; then watch all operations against one deadline.
Whoever is started after a wait is read again, with its set, and passes its guards again.
"""

from __future__ import annotations

import datetime as dt
import typing as t

from .._arm.client import Arm
from .._arm.rate_limit import Clock
from .._azure.maintenance import format_time
from .._azure.vm import Vm, VmId
from .._errors import AuthError, AzureError, OptionsError
from .concurrent_starts import ConcurrentStarts
from .guard_inputs import GuardInputs
from .history import History
from .journal import Journal
from .session import Order, Patience, Session
from .start import Starter
from .supervise import Supervisor

# Guards speak about views that are at most so old: as long as reading takes when nothing holds it up.
_FRESH_SECONDS, _SECONDS_A_VM = 60.0, 0.2
_CLOCKS_DIFFER = dt.timedelta(minutes=1)
_ROUNDS = 3
# What is told at the time limit is still read, unless that limit is a short one.
_GRACE = 30.0


class Redeploy:
    """One call of the module."""

    def __init__(self, arm: Arm, journal: Journal, clock: Clock, patience: Patience, order: Order) -> None:
        self._arm, self._journal, self._clock, self._order = arm, journal, clock, order
        arm.reader.limit(patience.deadline, patience.stopping, min(_GRACE, (patience.deadline - clock.monotonic()) / 2))
        session = Session.begin(arm, journal, clock, patience, order)
        self._read_at = clock.monotonic()
        self._bulk, self._results = session.bulk, session.results
        self._history, self._guard_inputs = History(session), GuardInputs(session)
        self._starter = Starter(session, self._history, ConcurrentStarts(session, self._guard_inputs.members))
        self._supervisor = Supervisor(session, self._starter, self._judged_anew)

    def run(self) -> dict[str, t.Any]:
        """The module result: every VM's outcome keyed by the id the caller gave.

        Raises AuthError when nobody could sign in. Whatever else fails, fails for the VMs it concerns.
        """
        vms = self._read()
        if self._order.since and self._order.since > self._arm.now() + _CLOCKS_DIFFER:
            raise OptionsError(f"since {format_time(self._order.since)} lies in the future: by Azure's clock it is {format_time(self._arm.now())}, and every "
                               "run would redeploy again. Set it to the time of the mail; nothing was started")
        candidates = self._without_past(vms)
        if self._history.waited:
            candidates = self._again(candidates)
        cleared = self._cleared(candidates)
        if self._order.check or not self._order.start:
            for vm in cleared:
                self._results.record(vm.id.key, "would_start", f"{self._order.policy.operation} would be started")
        else:
            self._starter.start(cleared)
        if not self._order.check:
            self._supervisor.run()
        changed = bool(self._starter.posted) or bool(self._order.check and cleared)
        return self._results.module_result(changed)

    def failed(self, error: Exception) -> dict[str, t.Any]:
        """The module result when :meth:`run` raised: what is known of every VM, and nothing was started for the others."""
        for key in self._results.ids:
            if key not in self._results:
                try:
                    self._unreadable(key, error)
                except Exception as unreadable:  # what the journal says of it nobody knows either
                    self._results.record(key, "unknown", str(unreadable))
        return {**self._results.module_result(bool(self._starter.posted)), "failed": True, "msg": str(error)}

    def _read(self) -> list[Vm]:
        """The VMs that exist, can be read and are this process's to work on; the others get their outcome."""
        vms = []
        for key, vm in self._now(list(self._results.ids.values())).items():
            if isinstance(vm, AuthError) and vm.status is None:
                raise vm
            if isinstance(vm, AzureError):
                self._unreadable(key, vm)
            elif vm is None:
                self._results.record(key, "refused", "there is no such VM; correct the id, or read the fleet again")
            else:
                self._results.before[key] = vm
                if self._order.check or self._locked(vm):
                    vms.append(vm)
                else:
                    self._results.record(key, "refused", "another process of this controller is working on it or its set; wait for it to end")
        return vms

    def _locked(self, vm: Vm) -> bool:
        return self._journal.lock(vm.id) and (vm.set_id is None or self._journal.lock_set(vm.set_id))

    def _unreadable(self, key: str, error: Exception) -> None:
        """Nothing is started; if an earlier run left something open, nobody knows how that is."""
        last = self._journal.last(self._results.ids[key], self._order.policy.operation)
        unsettled = last is not None and last["outcome"] is None
        said = f"an attempt of {last['intent_at']} is open and {error}" if unsettled else str(error)
        self._results.record(key, "unknown" if unsettled else "refused", said, last if unsettled else None)

    def _without_past(self, vms: t.Sequence[Vm]) -> list[Vm]:
        """Deal with what earlier runs did; the VMs that may be started as far as their past goes."""
        pasts = self._history.pasts(vms, self._order.policy.accept, self._order.check)
        for vm in vms:
            past = pasts.get(vm.id.key)
            if past is not None:
                self._results.record(vm.id.key, past.outcome, past.reason, past.attach)
                if past.attach and not self._order.check:
                    self._starter.attach(vm, past.attach)
        return [vm for vm in vms if vm.id.key not in pasts]

    def _again(self, vms: t.Sequence[Vm]) -> list[Vm]:
        """The same VMs as they are now, for a wait lies behind them."""
        fresh = []
        for key, vm in self._now([vm.id for vm in vms]).items():
            if vm is None:
                self._results.record(key, "refused", "the VM no longer exists")
            elif isinstance(vm, AzureError):
                self._results.record(key, "refused", str(vm))
            else:
                self._results.before[key] = vm
                fresh.append(vm)
        return fresh

    def _now(self, ids: t.Sequence[VmId]) -> dict[str, Vm | AzureError | None]:
        self._read_at = self._clock.monotonic()
        return self._bulk.vms(ids)

    def _judged_anew(self, vms: t.Sequence[Vm], moving: t.Collection[str]) -> list[Vm]:
        return self._cleared(self._again(vms), moving)

    def _cleared(self, vms: t.Sequence[Vm], moving: t.Collection[str] = ()) -> list[Vm]:
        """The VMs that every guard lets pass, by views that have not grown old meanwhile; the others get their outcome."""
        for dummy in range(_ROUNDS):
            passed = self._passed(vms, moving)
            if not passed or self._clock.monotonic() - self._read_at <= _FRESH_SECONDS + _SECONDS_A_VM * len(vms):
                return passed
            vms = self._again(passed)
        for vm in vms:
            self._results.record(vm.id.key, "refused", "Azure answers so slowly that what was read is old before its set is judged; run again later")
        return []

    def _passed(self, vms: t.Sequence[Vm], moving: t.Collection[str]) -> list[Vm]:
        refusals = self._guard_inputs.check(vms, self._arm.now(), moving)
        for key, refusal in refusals.items():
            self._results.record(key, *refusal)
        return [vm for vm in vms if vm.id.key not in refusals]
