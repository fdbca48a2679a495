# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which VMs of a fleet may be planned at all, and why each other one may not: state, host, opt-out, hazards.

Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import datetime as dt
import typing as t
from dataclasses import dataclass

from .._azure.maintenance import Hazard, MaintenanceStatus, format_time
from .._azure.vm import Vm, normal_location, resource_name
from .attributes import Terms, terms_of
from .plan import PERFORM_MAINTENANCE, Skip
from .policy import Policy

# Hazards of the maintenance block; they say nothing about an operation that needs no planned maintenance.
_OF_THE_BLOCK = ("completed_but_allowed", "retry_after_abort")

_MEANING = {
    "not_hosted": "deallocated, so no host has to be left; it gets an updated one when it is started",
    "not_scheduled": "no maintenance is planned for it; nothing to do",
    "unknown": "Azure reports result code {code} or leaves out a window, which is never acted on; see the portal",
    "done": "Azure reports its maintenance completed; nothing to do",
    "upcoming": "its self-service window begins {own_start}; plan again then",
    "retry_later": "an attempt did not succeed{message} and Azure allows none now; plan again in some hours, before "
                   "{own_end}",
    "skipped": "an attempt was aborted{message} and Azure allows no other; it redeploys it itself from {azure_start}",
    "blocked": "Azure allows no start although the self-service window is open until {own_end}; plan again later, else "
               "Azure redeploys it itself from {azure_start}",
    "waiting": "its self-service window ended {own_end}; Azure redeploys it itself from {azure_start}",
    "azure_controlled": "Azure redeploys it itself, at a time of its choice until {azure_end}; have its service ready",
    "expired": "both windows are over since {azure_end} and Azure does not report it completed; look at the VM in the portal",
}


@dataclass(frozen=True)
class Candidate:
    """A VM that may be planned, with what ordering needs, worked out once."""

    vm: Vm
    key: str
    set_key: str
    set_name: str
    domain: str
    own_domain: bool
    region: str
    well: bool
    deadline: dt.datetime | None
    minutes: int
    terms: Terms
    notes: str

    @property
    def phase(self) -> tuple[bool, int]:
        """Canaries before all others, then tier by tier; one phase ends before the next begins."""
        return not self.terms.canary, self.terms.rank

    @property
    def label(self) -> str:
        """Its set in words: ``set web``, ``service shop``, or the VM itself."""
        if self.vm.set_id:
            return f"set {self.set_name}"
        return self.vm.name if self.vm.service is None else f"service {self.set_name}"

    @property
    def place(self) -> str:
        """Its failure domain in words, as far as Azure names one."""
        if self.own_domain:
            return ""
        zone = f"zone {self.vm.zone}" if self.vm.zone and (self.vm.scale_set or not self.vm.set_id) else ""
        domain = f"update domain {self.vm.update_domain}" if self.vm.update_domain is not None else ""
        return " ".join(part for part in (zone, domain) if part)


def hazards_of(vm: Vm, operation: str = PERFORM_MAINTENANCE) -> tuple[Hazard, ...]:
    """Hazards of the record plus those that the view alone proves, so that a record that lacks them is no loophole."""
    implied = vm.status.hazards() if vm.status else []
    if vm.power_state != "running":
        implied.append(Hazard("not_running", f"power state is {vm.power_state}"))
    found = {hazard.name: hazard for hazard in (*implied, *vm.hazards)}
    return tuple(hazard for name, hazard in sorted(found.items())
                 if operation == PERFORM_MAINTENANCE or name not in _OF_THE_BLOCK)


def meaning(vm: Vm, now: dt.datetime) -> str:
    """What the state of a VM that cannot be planned means, and what the operator can do about it."""
    status = vm.status or MaintenanceStatus(False, None, None, "None", None)
    own, azure = status.self_service_window, status.scheduled_window
    message = f" ({status.message})" if status.message else ""
    return _MEANING[vm.state(now)].format(
        code=status.code, message=message,
        own_start=own and format_time(own.start), own_end=own and format_time(own.end),
        azure_start=azure and format_time(azure.start), azure_end=azure and format_time(azure.end))


def may_start(vm: Vm, policy: Policy, now: dt.datetime, operation: str) -> bool:
    """Whether the operation makes sense for the VM as Azure describes it, hazards aside.

    Maintenance may be due anywhere in the fleet; another operation is meant for the hosts that were named.
    """
    if operation != PERFORM_MAINTENANCE:
        return vm.host is not None and not vm.absent
    return vm.state(now) == "startable" or _consented_again(vm, policy, now)


def choose(vms: t.Iterable[Vm], policy: Policy, now: dt.datetime, operation: str,
           excluded: t.Mapping[str, str]) -> tuple[list[Candidate], list[Skip]]:
    """Split the targets of a fleet into candidates and skipped VMs.

    A VM without a host is a target only with ``include_unlisted``; otherwise it is mentioned only if it would have been
    planned. ``excluded`` maps :attr:`VmId.key` to the operator's reason.
    """
    chosen: list[Vm] = []
    skipped: list[Skip] = []
    for vm in vms:
        startable = may_start(vm, policy, now, operation)
        if not (vm.host or startable or policy.include_unlisted):
            continue
        skip = _not_startable(vm, now, operation) if not startable else _unwanted(vm, policy, operation, excluded)
        if skip:
            skipped.append(skip)
        else:
            chosen.append(vm)
    terms = terms_of(chosen, policy, now)
    return [candidate_of(vm, operation, policy, terms[vm.id.key]) for vm in chosen], skipped


def candidate_of(vm: Vm, operation: str, policy: Policy, terms: Terms = Terms()) -> Candidate:
    """The VM as the order sees it."""
    set_key, domain = vm.failure_domain
    key = vm.id.key
    window = vm.status.self_service_window if vm.status and operation == PERFORM_MAINTENANCE else None
    return Candidate(
        vm=vm, key=key, set_key=set_key, set_name=_set_name(vm), domain=domain, own_domain=domain == key,
        region=normal_location(vm.location), well=vm.unavailable_because() is None,
        deadline=window.end if window else None, minutes=policy.minutes_for(vm.groups), terms=terms,
        notes=_notes(vm, operation))


def _set_name(vm: Vm) -> str:
    return (resource_name(vm.set_id) or vm.service or vm.id.name).lower()


def _consented_again(vm: Vm, policy: Policy, now: dt.datetime) -> bool:
    return vm.state(now) == "done" and vm.status.allowed and "completed_but_allowed" in policy.accept


def _not_startable(vm: Vm, now: dt.datetime, operation: str) -> Skip:
    state = "not_hosted" if operation != PERFORM_MAINTENANCE else vm.state(now)
    if state == "done" and vm.status.allowed:
        return Skip.of(vm, state, "Azure reports its maintenance completed and yet allows a start, as a new iteration might "
                                  "look; check it, then consent with rollout_accept: [completed_but_allowed]")
    return Skip.of(vm, state, meaning(vm, now))


def _unwanted(vm: Vm, policy: Policy, operation: str, excluded: t.Mapping[str, str]) -> Skip | None:
    if not (vm.host or policy.include_unlisted):
        return Skip.of(vm, "no_host", "no host of this run stands for it: it is outside of the limit or rollout_targets, or "
                                      "the inventory has no host for it; widen that to plan it")
    if vm.id.key in excluded:
        return Skip.of(vm, "excluded", excluded[vm.id.key])
    if vm.busy:
        return Skip.of(vm, "busy", f"another operation is running on it (provisioning state {vm.provisioning_state}); "
                                   "plan again when it has ended")
    hazards = hazards_of(vm, operation)
    blocking = [hazard for hazard in hazards if hazard.blocking and hazard.name not in policy.accept]
    if blocking:
        consent = ", ".join(sorted({*policy.accept, *(hazard.name for hazard in blocking)}))
        return Skip.of(vm, "hazard",
                       f"{_described(blocking)}; to redeploy it all the same set rollout_accept: [{consent}]")
    refused = [hazard for hazard in hazards if hazard.name in policy.refuse]
    if refused:
        names = ", ".join(hazard.name for hazard in refused)
        return Skip.of(vm, "refused_hazard",
                       f"{_described(refused)}; to redeploy it all the same take {names} out of rollout_refuse")
    return None


def _described(hazards: t.Iterable[Hazard]) -> str:
    return "; ".join(f"{hazard.name}: {hazard.detail}" if hazard.detail else hazard.name for hazard in hazards)


def _notes(vm: Vm, operation: str) -> str:
    """The hazards a VM is planned with, for the person who reviews the plan."""
    hazards = hazards_of(vm, operation)
    kinds = (("accepted", [hazard.name for hazard in hazards if hazard.blocking]),
             ("noted", [hazard.name for hazard in hazards if not hazard.blocking]))
    return "; ".join(f"{word}: {', '.join(names)}" for word, names in kinds if names)
