# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator's own words say of each VM: its service, its tier, its place in its set, whether it is a canary.

Expressions are JMESPath over the record; without them nothing but the standard library is needed. No I/O, no clock.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import typing as t
from dataclasses import replace

from .._azure import query
from .._azure.vm import Vm
from .._errors import OptionsError
from .options import PolicyError
from .policy import Policy

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
TierValue = t.Union[int, float, str, None]


class Terms(t.NamedTuple):
    """Of one VM: ``rank`` counts the tiers from 0 (without tiers all are 0), ``sequence`` orders domains in a set."""

    tier: TierValue = None
    rank: int = 0
    sequence: float = 0
    canary: bool = False


def with_services(vms: t.Iterable[Vm], policy: Policy, now: dt.datetime) -> list[Vm]:
    """The VMs with :attr:`Vm.service` as the policy names it; VMs in Azure's sets are left alone.

    Needed wherever a set is judged: planning, checking a plan, guards. Raises :class:`PolicyError` for a value that
    names no service.
    """
    if policy.service is None:
        return list(vms)
    search = _compiled("service", policy.service)
    return [vm if vm.set_id else replace(vm, service=_service(vm, search(vm.to_record(now)), policy)) for vm in vms]


def terms_of(vms: t.Sequence[Vm], policy: Policy, now: dt.datetime) -> dict[str, Terms]:
    """Terms of the VMs that are to be ordered, by key. Raises :class:`PolicyError` naming the VMs that do not fit."""
    asked = {key: expression for key, expression in (
        ("tier", policy.tier), ("sequence", policy.sequence), ("canary", policy.canary)) if isinstance(expression, str)}
    if not asked and not isinstance(policy.tier, tuple):
        return {vm.id.key: Terms() for vm in vms}
    searches = {key: _compiled(key, expression) for key, expression in asked.items()}
    records = [vm.to_record(now) if asked else {} for vm in vms]
    values = {key: [search(record) for record in records] for key, search in searches.items()}
    tiers, ranks = _tiers(vms, policy, values.get("tier"))
    sequences = [_sequence(vm, value, policy) for vm, value in zip(vms, values.get("sequence", ()))]
    return {vm.id.key: Terms(tiers[at], ranks[at], sequences[at] if sequences else 0,
                             bool(values["canary"][at]) if "canary" in values else False) for at, vm in enumerate(vms)}


def unused_names(vms: t.Sequence[Vm], policy: Policy) -> t.Iterator[str]:
    """Warnings about Ansible groups that the policy names and no planned host is in: most likely typing errors."""
    present = {group for vm in vms for group in vm.groups}
    named = {"tier": policy.tier if isinstance(policy.tier, tuple) else (),
             "minutes_per_vm": () if isinstance(policy.minutes_per_vm, int) else policy.minutes_per_vm}
    for option, groups in named.items():
        missing = [name for name in groups if name not in present and (option, name) != ("minutes_per_vm", "default")]
        if missing and vms:
            yield (f"rollout_{option} names {', '.join(missing)}, but no planned host is in such a group; check the "
                   "spelling")


def refuse_mistakes(vms: t.Sequence[Vm], policy: Policy, now: dt.datetime) -> None:
    """Raises :class:`PolicyError` for a service or a tier that no VM of the fleet has: sets would not be kept apart, tiers not in order."""
    for key in ("service", "tier"):
        words = doubts(key, getattr(policy, key), vms, now)
        if words:
            raise PolicyError(key, getattr(policy, key), f"{words}. Correct it, or leave rollout_{key} out")


def doubtful_order(vms: t.Sequence[Vm], policy: Policy, now: dt.datetime) -> t.Iterator[str]:
    """A warning about a sequence that no VM of the fleet has."""
    words = doubts("sequence", policy.sequence, vms, now)
    if words:
        yield f"rollout_sequence {policy.sequence!r}: {words}; the failure domains of a set may go in another order than is meant"


def doubts(key: str, expression: t.Any, vms: t.Sequence[Vm], now: dt.datetime) -> str:
    """In words, what is wrong with an expression of the policy that names what no VM has, or gives something for none of the VMs of a fleet."""
    if not isinstance(expression, str) or not vms:
        return ""
    search, records = _compiled(key, expression), [vm.to_record(now) for vm in vms]
    if any(value is not None and value is not False and value != "" for record in records for value in [search(record)]):
        return query.mistakes(expression, records)
    return f"it gives nothing for any of the {len(vms)} VMs read: {query.no_match(expression, records)}"


def _compiled(key: str, expression: str) -> t.Callable[[t.Mapping[str, t.Any]], t.Any]:
    if query.jmespath is None:
        raise PolicyError(key, expression, "such expressions need the Python package jmespath, which is not installed "
                                           "on the computer that plans; install it there")
    try:
        search = query.compile_query(expression, key)
    except OptionsError as error:
        raise PolicyError(key, expression, str(error)) from error

    def value(record: t.Mapping[str, t.Any]) -> t.Any:
        try:
            return search(record)
        except OptionsError as error:
            raise PolicyError(key, expression, str(error)) from error
    return value


def _service(vm: Vm, value: t.Any, policy: Policy) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise PolicyError("service", policy.service, f"it gives {value!r} for {vm.name}; it must give the name of the "
                                                     "service, or null for VMs that are in none")
    return str(value)


def _tiers(vms: t.Sequence[Vm], policy: Policy, found: t.Sequence[t.Any] | None) -> tuple[list[TierValue], list[int]]:
    if isinstance(policy.tier, tuple):
        ranks = [next((rank for rank, group in enumerate(policy.tier) if group in vm.groups), len(policy.tier))
                 for vm in vms]
        tiers: list[TierValue] = [policy.tier[rank] if rank < len(policy.tier) else None for rank in ranks]
        order = {rank: at for at, rank in enumerate(sorted(set(ranks)))}
        return tiers, [order[rank] for rank in ranks]
    if found is None:
        return [None] * len(vms), [0] * len(vms)
    tiers = _alike(vms, found, policy)
    order = {tier: rank for rank, tier in enumerate(sorted({tier for tier in tiers if tier is not None}))}
    return tiers, [order.get(tier, len(order)) for tier in tiers]


def _alike(vms: t.Sequence[Vm], found: t.Sequence[t.Any], policy: Policy) -> list[TierValue]:
    """All tiers as numbers, or all as text. Tags hold text only, so text that reads as a number is one."""
    number: tuple[Vm, t.Any] | None = None
    text: tuple[Vm, t.Any] | None = None
    tiers: list[TierValue] = []
    for vm, value in zip(vms, found):
        if value is None or value == "":
            tiers.append(None)
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise PolicyError("tier", policy.tier,
                              f"it gives {value!r} for {vm.name}; it must give a number, text or null")
        numeric = _number(value)
        if numeric is None:
            text = text or (vm, value)
        else:
            number = number or (vm, value)
        if number and text:
            raise PolicyError("tier", policy.tier, (
                f"it gives a number for {number[0].name} ({number[1]!r}) and text for {text[0].name} ({text[1]!r}), "
                "which have no common order; use one kind for all"))
        tiers.append(value if numeric is None else numeric)
    return tiers


def _sequence(vm: Vm, value: t.Any, policy: Policy) -> float:
    if value is None or value == "":
        return 0
    number = float(value) if isinstance(value, bool) else _number(value)
    if number is None:
        raise PolicyError("sequence", policy.sequence, (
            f"it gives {value!r} for {vm.name}; it must give a number, or true for the last one of its set"))
    return number


def _number(value: t.Any) -> int | float | None:
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value.strip()):
            return None
        value = float(value)
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return int(value) if value == int(value) else value
