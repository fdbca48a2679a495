# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards: may this VM be started now? Pure; evaluated for every VM of a call before the first POST.

A guard answers with an outcome and a reason that names the rule and the remedy, or lets the VM pass.
"""

from __future__ import annotations

import datetime as dt
import typing as t
from dataclasses import dataclass

from .._azure.availability import NOT_BACK, Availability
from .._azure.maintenance import format_time
from .._azure.vm import Vm

# Why a VM in this state may not be started, in a sentence an operator can act on.
STATE_SENTENCES = {
    "not_hosted": "it is deallocated and has no host; when started again it lands on a host of Azure's choice",
    "not_scheduled": "it is in no planned maintenance",
    "unknown": "Azure's answer about its maintenance is not understood; it is never acted on",
    "done": "its maintenance is done",
    "upcoming": "its self-service window begins at {start}",
    "retry_later": "Azure asked to retry later and does not allow it now",
    "skipped": "its attempt was aborted; Azure will restart it in the scheduled window, or a later wave brings a new attempt",
    "blocked": "it is inside its self-service window, but Azure does not allow a start",
    "waiting": "its self-service window ended at {end}; Azure will restart it in the scheduled window",
    "azure_controlled": "it is in the scheduled window; Azure restarts it without asking",
    "expired": "both of its windows are over",
}


@dataclass(frozen=True)
class Policy:
    """``accept``: blocking hazards consented to; ``refuse``: noted hazards that shall hold a VM back."""

    operation: str = "perform_maintenance"
    accept: frozenset[str] = frozenset()
    refuse: frozenset[str] = frozenset()
    availability: Availability = Availability()


class Refusal(t.NamedTuple):
    outcome: str
    reason: str


def state_sentence(vm: Vm, now: dt.datetime) -> str:
    """What its state means, for a VM that cannot be started."""
    window = vm.status.self_service_window if vm.status else None
    times = {"start": format_time(window.start), "end": format_time(window.end)} if window else {}
    return STATE_SENTENCES[vm.state(now)].format(**times)


def check(vms: t.Sequence[Vm], members: t.Mapping[str, t.Sequence[Vm]], policy: Policy, now: dt.datetime,
          moving: t.Collection[str] = (), lost: t.Collection[str] = (), under_way: t.Mapping[str, str] | None = None) -> dict[str, Refusal]:
    """Refusals by VM key; a VM that is not in the answer may be started together with the others that are not.

    ``members`` holds every member of each VM's set, by set key; ``moving`` are keys of members started before in the same call,
    ``lost`` keys of VMs that count as unavailable although Azure calls them well, and ``under_way`` those among them, with words,
    that an earlier call has started: no limit allows another domain beside them.
    """
    lost = {**dict.fromkeys(lost, NOT_BACK), **(under_way or {})}
    refusals = {vm.id.key: refusal for vm in vms if (refusal := _check_one(vm, policy, now))}
    for set_key, together in _by_set([vm for vm in vms if vm.id.key not in refusals]).items():
        reason = _check_set(together, members[set_key], policy, moving, lost, under_way or {})
        if reason:
            refusals.update({vm.id.key: Refusal("refused", reason) for vm in together})
    return refusals


def check_again(together: t.Sequence[Vm], before: t.Iterable[Vm], now: t.Sequence[Vm], policy: Policy, ours: t.Collection[str]) -> str | None:
    """Why VMs of one set that passed may not be started after all, by its members ``now``; None when they may.

    A member that was well ``before``, is not now and is not one of ``ours`` (keys) was started by somebody else, or has failed.
    """
    well = {vm.id.key for vm in before if not vm.unavailable_because()}
    worse = {vm.id.key: words for vm in now if vm.id.key in well and vm.id.key not in ours and (words := vm.unavailable_because())}
    return _check_set(together, now, policy, ours, worse, worse) if worse else None


def _by_set(vms: t.Iterable[Vm]) -> dict[str, list[Vm]]:
    sets: dict[str, list[Vm]] = {}
    for vm in vms:
        sets.setdefault(vm.failure_domain.set_key, []).append(vm)
    return sets


def _check_one(vm: Vm, policy: Policy, now: dt.datetime) -> Refusal | None:
    state = vm.state(now)
    if policy.operation == "perform_maintenance":
        again = state == "done" and vm.status.allowed and "completed_but_allowed" in policy.accept
        if state == "done" and not again:
            return Refusal("already_done", STATE_SENTENCES["done"])
        if state != "startable" and not again:
            return Refusal("not_allowed", f"state {state}: {state_sentence(vm, now)}")
    elif state == "not_hosted":
        return Refusal("refused", f"it is deallocated; there is nothing to {policy.operation}")
    if vm.busy:
        return Refusal("refused", f"another operation is running on it (provisioning state {vm.provisioning_state}); run again when it has ended")
    return _check_hazards(vm, policy)


def _check_hazards(vm: Vm, policy: Policy) -> Refusal | None:
    without_consent = [h for h in vm.blocking_hazards if h.name not in policy.accept and _applies(h.name, policy.operation)]
    if without_consent:
        names = [h.name for h in without_consent]
        details = "; ".join(f"{h.name}: {h.detail}" for h in without_consent)
        return Refusal("refused", f"hazard without consent: {details}; to go on all the same name it in accept: [{', '.join(names)}]")
    unwanted = [h for h in vm.hazards if h.name in policy.refuse]
    if unwanted:
        return Refusal("refused", "; ".join(f"hazard {h.name} is named in refuse: {h.detail}" for h in unwanted))
    return None


def _applies(hazard: str, operation: str) -> bool:
    """Hazards of the maintenance attempt do not concern a plain redeploy or reapply."""
    return operation == "perform_maintenance" or hazard not in ("completed_but_allowed", "retry_after_abort")


def _check_set(together: t.Sequence[Vm], members: t.Sequence[Vm], policy: Policy, moving: t.Collection[str], lost: t.Collection[str],
               under_way: t.Mapping[str, str]) -> str | None:
    down = {vm.id.key: vm for vm in (*together, *(vm for vm in members if vm.id.key in moving or vm.id.key in under_way))}.values()
    domains = sorted({vm.failure_domain.domain for vm in down})
    # Members without a domain (flexible scale sets, services outside zones) are domains of their own; there max_unavailable rules.
    # In an availability set all have one: if Azure does not tell it, nobody knows which two share it.
    counted = policy.availability.max_unavailable and all(vm.own_domain and not vm.availability_set for vm in down)
    if len(domains) > 1 and not counted:
        return _spanning(together, [vm for vm in down if vm not in together], domains, under_way)
    if together[0].set_key is None:
        return None  # a VM outside sets has no peers to count
    return policy.availability.held_back(members, {*moving, *(vm.id.key for vm in together)}, lost)


def _spanning(together: t.Sequence[Vm], others: t.Sequence[Vm], domains: t.Sequence[str], under_way: t.Mapping[str, str]) -> str:
    """The refusal of VMs that, with ``others`` under way, are in more than one domain of their set."""
    every = (*together, *others)
    listed = "; ".join(f"{d.rsplit('/', 1)[-1]}: {', '.join(vm.name for vm in every if vm.failure_domain.domain == d)}" for d in domains)
    kind = "update domain" if together[0].set_id else "failure domain"
    words = ", ".join(f"{vm.name} ({under_way.get(vm.id.key, 'under way')})" for vm in others)
    named = f"the VMs named and {words}" if others else "the VMs named"
    return f"{named} span {len(domains)} {kind}s of one set ({listed}); start one {kind} at a time"
