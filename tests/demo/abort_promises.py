# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold when a VM's maintenance aborts half way through a rollout. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from demo.promises import Ledger, Looks, Promise, moved_only, name_of, restored


def stopped(status: int) -> Promise:
    """The run of the playbook failed."""
    return Promise("the run with the fault fails", status != 0, f"exit status {status}")


def message(text: str, name: str) -> Promise:
    """One line of the output names the VM, the reason, and what is left where."""
    lines = [line.strip() for line in text.splitlines()]
    found = [line for line in lines if f"{name}: aborted: " in line and "left: " in line]
    wanted = f"no line names {name}, the reason and what is left where"
    return Promise("its message names the VM, the reason and what is left where", bool(found), (found or [wanted])[0])


def peers(before: Looks, after: Looks, wave: Collection[str], name: str, earlier: Collection[str]) -> Promise:
    """The VMs of the wave (ids) but `name` were redeployed, and all of it is back in service."""
    others = {name_of(vm_id) for vm_id in wave} - {name}
    looked = [moved_only(before, after, others | {name_of(vm_id) for vm_id in earlier}), restored(before, after, [])]
    broken = [one.proof for one in looked if not one.kept]
    proof = f"{', '.join(sorted(others)) or 'it had no peers'}: redeployed; {looked[1].proof}"
    return Promise("its peers, and it itself, are back in service", not broken, "; ".join(broken) or proof)


def next_wave(ledger: Ledger, waves: Sequence[Collection[str]], number: int) -> Promise:
    """Nothing beyond wave `number` (from 1) was started."""
    begun = {vm_id for wave in waves[:number] for vm_id in wave}
    broken = [entry["name"] for entry in ledger if entry["id"].lower() not in begun]
    waiting = sum(len(wave) for wave in waves[number:])
    proof = (
        f"{', '.join(broken)} was started" if broken else f"{waiting} VMs of {len(waves) - number} waves not started"
    )
    return Promise("no wave after it was started", not broken, proof)
