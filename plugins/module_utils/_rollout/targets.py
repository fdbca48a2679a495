# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VMs that a run is about, and what has to be read of the fleet to judge them: for the plan, and for the look before each wave. Pure."""

from __future__ import annotations

import typing as t

from .._azure.vm import Vm, VmId
from .._errors import OptionsError
from .error_budget import Budget
from .plan import PERFORM_MAINTENANCE, Plan

RUN_SPEC: dict[str, t.Any] = {
    "hosts": {"type": "dict", "required": True},
    "lane": {"type": "int"},
    "error_budget": {"type": "raw", "default": 0},
    "subscriptions": {"type": "list", "elements": "str", "default": []},
}
"""Argument spec of the options that rollout_plan and rollout_recheck have in common."""


def subscriptions_of(hosts: t.Mapping[str, str], named: t.Sequence[str], reviewed: Plan | None) -> list[str]:
    """What to read: for a reviewed plan all that it was made from, or members of its services would be missed."""
    ids = [vm.id for vm in (*reviewed.vms, *reviewed.skipped)] if reviewed else hosts.values()
    found = [VmId.parse(vm_id).subscription_id for vm_id in ids] if reviewed or not named else []
    return sorted({subscription.lower(): subscription for subscription in (*found, *named, *(reviewed.subscriptions if reviewed else ()))}.values())


def judges_everybody(service: str | None, operation: str) -> bool:
    """Whether VMs are judged that no maintenance and no set of Azure's points to: members of services, and of sets in a plain redeploy."""
    return bool(service) or operation != PERFORM_MAINTENANCE


def with_hosts(vms: t.Iterable[Vm], hosts: t.Mapping[str, str], groups: t.Mapping[str, t.Sequence[str]] | None = None, strict: bool = False) -> list[Vm]:
    """The fleet's VMs, each with the host that stands for it. Raises OptionsError for two hosts of one VM and, when ``strict``, for a host without one."""
    wanted: dict[str, str] = {}
    for host, vm_id in hosts.items():
        other = wanted.setdefault(VmId.parse(vm_id).key, host)
        if other != host:
            raise OptionsError(f"hosts {other} and {host} both stand for {vm_id}; name each VM once")
    found = [vm.with_host(host, (groups or {}).get(host or "", ())) for vm in vms for host in [wanted.pop(vm.id.key, None)]]
    if wanted and strict:
        raise OptionsError(f"host {', '.join(wanted.values())} stands for a VM that Azure does not have (any more): {', '.join(wanted)}; refresh the inventory")
    return found


def budget_of(value: t.Any) -> Budget:
    """The error budget; raises OptionsError for one that is not understood."""
    try:
        return Budget.parse(value)
    except ValueError as error:
        raise OptionsError(str(error)) from error
