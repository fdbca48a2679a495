# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bridge from VMs to real guests; with no guests it only makes boot ids."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..fleet.model import Vm

_JOB_SECONDS = 25


class StartError(Exception):
    """Guests that could not be started; the text names each."""


class NoGuests:
    """Stands in where no VM is really reached: everything is done at once."""

    real = False

    def run(self, job: Callable[[], None]) -> None:
        """Do a job in the caller's thread."""
        job()

    def halt(self, vm: Vm) -> None:
        """Cut the guest."""

    def boot(self, vm: Vm, *, wipe_os: bool = False) -> str:
        """Return a new boot id."""
        return str(uuid.uuid4())

    def start(self, vms: Iterable[Vm], is_up: Callable[[Vm], bool]) -> None:
        """Give VMs that are up a boot id if they have none."""
        for vm in vms:
            if is_up(vm) and vm.state.boot_id is None:
                vm.state.boot_id = self.boot(vm)

    def finish_jobs(self) -> None:
        """Wait for jobs that run in threads."""

    def stop(self) -> None:
        """Nothing to stop."""

    def describe(self) -> dict[str, Any]:
        """Say that there are none."""
        return {}


class RealGuests(NoGuests):
    """Drives a Guests object; jobs that block run in their own threads."""

    real = True

    def __init__(self, guests: Any) -> None:
        self.guests = guests
        self._jobs: set[threading.Thread] = set()

    def run(self, job: Callable[[], None]) -> None:
        """Do a job in a thread of its own."""

        def body() -> None:
            try:
                job()
            finally:
                self._jobs.discard(thread)

        thread = threading.Thread(target=body, daemon=True, name="guest-job")
        self._jobs.add(thread)
        thread.start()

    def halt(self, vm: Vm) -> None:
        """Cut the guest's connections and processes."""
        if vm.guest is not None:
            self.guests.halt(vm.name)

    def boot(self, vm: Vm, *, wipe_os: bool = False) -> str:
        """Boot the guest, wait until SSH answers, return its new boot id."""
        if vm.guest is None:
            return super().boot(vm)
        if wipe_os:
            self.guests.wipe_os(vm.name)
        return str(self.guests.boot(vm.name, vm.guest_address))

    def start(self, vms: Iterable[Vm], is_up: Callable[[Vm], bool]) -> None:
        """Create all guests and boot those of VMs that are up, with the boot ids they had."""
        known = list(vms)
        super().start((vm for vm in known if vm.guest is None), is_up)
        with ThreadPoolExecutor(max_workers=8) as pool:
            guests = [vm for vm in known if vm.guest is not None]
            tried = pool.map(self._first_boot, guests, map(is_up, guests))
            failures = [failure for failure in tried if failure]
        if failures:
            names = ", ".join(name for name, dummy in failures)
            raise StartError(f"guests that did not start: {names}; the first one said: {failures[0][1]}")

    def _first_boot(self, vm: Vm, up: bool) -> tuple[str, Exception] | None:
        try:
            self.guests.create(vm.name, vm.guest_address, {k: v for k, v in vm.guest.items() if k != "reach"})
            if up:
                vm.state.boot_id = str(self.guests.boot(vm.name, vm.guest_address, boot_id=vm.state.boot_id))
        except Exception as error:  # noqa: BLE001 - whatever a guest does wrong is said
            return vm.name, error
        return None

    def finish_jobs(self) -> None:
        """Wait for jobs that run in threads."""
        for thread in list(self._jobs):
            thread.join(timeout=_JOB_SECONDS)

    def stop(self) -> None:
        """Wait a little for running jobs, then halt all guests."""
        self.finish_jobs()
        self.guests.stop_all()

    def describe(self) -> dict[str, Any]:
        """Return how the guests are reached."""
        return self.guests.describe()
