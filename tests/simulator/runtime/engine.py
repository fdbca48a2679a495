# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long-running operations: begin, wait for their time or polls, end; state decides, not a script."""

from __future__ import annotations

import sys
import threading
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from ..fleet.fleet import Fleet
from ..fleet.model import Vm
from ..fleet.transitions import Transition, choose
from . import effects
from .clock import Clock
from .guest_link import NoGuests
from .ledger import Ledger
from .operation import Operation, SetOperation

_STATUS = {"failed": "Failed", "canceled": "Canceled"}


class Engine:
    """All operations of a fleet. Callers hold the lock; jobs on guests run without it."""

    def __init__(self, fleet: Fleet, clock: Clock, ledger: Ledger, guests: NoGuests) -> None:
        self.fleet, self.clock, self.ledger, self.guests = fleet, clock, ledger, guests
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.operations: dict[str, Operation | SetOperation] = {}
        self.running: dict[str, Operation] = {}
        self.writes = 0
        # Scheduled Events, where the fleet has them, decide whether an operation waits.
        self.with_notice: Callable[[Vm, str, Transition], Transition] = lambda vm, kind, transition: transition

    def begin(self, vm: Vm, kind: str, **ledger: Any) -> Operation:
        """Start an operation that no guard refused; with an operation_id it is a part of that one."""
        now = self.clock.now()
        attempt = vm.state.attempts.get(kind, 0)
        vm.state.attempts[kind] = attempt + 1
        transition = self.with_notice(vm, kind, choose(kind, attempt, self.fleet.operations, vm.state.operations))
        down = effects.takes_down(kind, transition, vm)
        own_id = str(uuid.uuid4())
        operation_id = ledger.pop("operation_id", own_id)
        entry = self.ledger.write(
            at=now,
            method="POST",
            operation=kind,
            status=202,
            outcome=None,
            vm=vm,
            ended=False,
            down=down,
            accepted=now,
            operation_id=operation_id,
            notice_seconds=transition.waits_seconds,
            **ledger,
        )
        operation = Operation(
            own_id, kind, vm.key, vm.subscription, vm.region, now, transition, entry.entry, down
        )
        self.operations[operation.id] = self.running[operation.id] = operation
        vm.state.operation = operation.id
        vm.state.etag += 1
        self.writes += 1
        self.catch_up()
        self.changed.notify_all()
        return operation

    def begin_many(self, vms: list[Vm], kind: str, **ledger: Any) -> SetOperation:
        """Start one operation on several instances at once; each has its entry in the ledger, under one id."""
        operation_id = str(uuid.uuid4())
        parts = [self.begin(vm, kind, operation_id=operation_id, **ledger) for vm in vms]
        whole = SetOperation(operation_id, kind, vms[0].subscription, vms[0].region, parts)
        self.operations[whole.id] = whole
        return whole

    def remove(self, vm: Vm) -> None:
        """Delete a VM: what ran on it fails."""
        operation = self.running.pop(vm.state.operation or "", None)
        if operation:
            operation.phase, operation.end, operation.status = "done", self.clock.now(), "Failed"
            operation.error = {"code": "VMNotFound", "message": f"The VM '{vm.name}' was not found."}
            entry = self.ledger.get(operation.entry)
            entry.end, entry.outcome, entry.error = operation.end, "failed", "VMNotFound"
        self.fleet.remove(vm)
        self.guests.run(lambda: self.guests.halt(vm))
        self.writes += 1
        self.changed.notify_all()

    def catch_up(self) -> None:
        """Bring every running operation to where it is by now."""
        now = self.clock.now()
        before = self.writes
        for operation in list(self.running.values()):
            if operation.phase == "waiting" and now >= self.leaves_at(operation):
                self._leave(operation, now)
            if operation.phase == "moving" and self._is_due(operation, now):
                self._arrive(operation)
        if self.writes != before:
            self.changed.notify_all()

    def poll(self, operation: Operation | SetOperation) -> None:
        """Count a poll of the operation's URL."""
        for part in operation.parts if isinstance(operation, SetOperation) else [operation]:
            if part.id in self.running:
                part.polls += 1
        self.catch_up()

    def approve(self, vm: Vm) -> bool:
        """End the wait before the VM goes down (an approved event); False if it does not wait."""
        operation = self.operations.get(vm.state.operation or "")
        if operation is None or operation.phase != "waiting":
            return False
        self._leave(operation, self.clock.now())
        self.catch_up()
        return True

    def next_change(self) -> float | None:
        """Return the seconds until something is due by the clock; None: nothing is."""
        now = self.clock.now()
        times = []
        for operation in self.running.values():
            if operation.phase == "waiting":
                times.append(self.leaves_at(operation))
            elif (
                operation.phase == "moving"
                and operation.transition.after_polls is None
                and operation.transition.result != "stuck"
            ):
                times.append(self._ends_at(operation))
        return max(0.0, (min(times) - now).total_seconds()) if times else None

    def vm(self, operation: Operation) -> Vm:
        """Return the operation's VM."""
        return self.fleet.vms[operation.vm]

    def moving(self, vm: Vm) -> Operation | None:
        """Return the operation that keeps this VM out of service now, or None."""
        operation = self.operations.get(vm.state.operation or "")
        return operation if operation and operation.down and operation.phase not in ("waiting", "done") else None

    def is_up(self, vm: Vm) -> bool:
        """Say whether the VM runs and no operation keeps it out of service."""
        return vm.state.power == "running" and self.moving(vm) is None

    def leaves_at(self, operation: Operation) -> datetime:
        """Return when the VM goes down unless its event is approved before."""
        return operation.start + timedelta(seconds=operation.transition.waits_seconds)

    def _ends_at(self, operation: Operation) -> datetime:
        return (operation.left or self.leaves_at(operation)) + timedelta(seconds=operation.transition.after_seconds)

    def _is_due(self, operation: Operation, now: datetime) -> bool:
        transition = operation.transition
        if transition.result == "stuck":
            return False
        if transition.after_polls is not None:
            return operation.polls > transition.after_polls
        return now >= self._ends_at(operation)

    def _leave(self, operation: Operation, now: datetime) -> None:
        vm = self.vm(operation)
        operation.left = now
        self.writes += 1
        if operation.transition.waits_seconds:
            self.ledger.get(operation.entry).start = now
        if not operation.down:
            operation.phase = "moving"
            return
        operation.phase = "halting"

        def halt() -> None:
            self._guest(operation, lambda: self.guests.halt(vm))
            with self.lock:
                operation.phase = "moving"
                if self.guests.real:
                    self.catch_up()

        self.guests.run(halt)

    def _arrive(self, operation: Operation) -> None:
        vm = self.vm(operation)
        operation.phase = "booting"
        leaves_running = effects.leaves_running(operation.kind, operation.transition, vm)
        boots = leaves_running and (operation.down or vm.state.power != "running")
        effects.arrive(self.fleet, vm, operation.kind, operation.transition)

        def boot() -> None:
            wipe = vm.ephemeral_os and operation.kind in ("performMaintenance", "redeploy")
            boot_id = self._guest(operation, lambda: self.guests.boot(vm, wipe_os=wipe)) if boots else None
            with self.lock:
                self._end(operation, vm, boot_id)

        if boots:
            self.guests.run(boot)
        else:
            boot()

    def _guest(self, operation: Operation, job: Any) -> str | None:
        try:
            return job()
        except Exception as error:  # noqa: BLE001 - whatever a guest does wrong, the operation must end
            print(f"guest {self.vm(operation).name}: {error}", file=sys.stderr)
            operation.error = {
                "code": "VMStartTimedOut",
                "message": f"VM '{self.vm(operation).name}' did not start: {error}",
            }
            return None

    def _end(self, operation: Operation, vm: Vm, boot_id: str | None) -> None:
        now = self.clock.now()
        transition = operation.transition
        effects.finish(self.fleet, vm, operation.kind, transition, now)
        if boot_id:
            vm.state.boot_id = boot_id
        if vm.state.operation == operation.id:
            vm.state.operation = None
        vm.state.etag += 1
        operation.phase, operation.end = "done", now
        operation.status, operation.error = self._verdict(operation, vm)
        self.running.pop(operation.id, None)
        entry = self.ledger.get(operation.entry)
        entry.end, entry.outcome = now, transition.result
        if operation.error:
            entry.error = operation.error["code"]
        self.writes += 1
        self.changed.notify_all()

    def _verdict(self, operation: Operation, vm: Vm) -> tuple[str, dict[str, str] | None]:
        transition = operation.transition
        if operation.error:
            return "Failed", operation.error
        failed = transition.operation == "failed" or (transition.result == "aborted" and transition.operation is None)
        status = "Failed" if failed else _STATUS.get(transition.result, "Succeeded")
        if status != "Failed":
            return status, None
        code = transition.code or "VMRedeploymentFailed"
        return status, {
            "code": code,
            "message": transition.message
            or f"The operation '{operation.kind}' of VM '{vm.name}' failed. Please try again later or contact support.",
        }
