# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a plan in the order of its waves, as a run queues them. Standard library only; no I/O, no clock."""

from __future__ import annotations

import typing as t

_Json = t.Mapping[str, t.Any]


def queue(plan: _Json) -> list[dict[str, t.Any]]:
    """One entry a host: ``host``, ``vm_id``, ``wave``, ``lane``, ``set``, ``place`` and ``canary``.

    ``place`` is what goes down together in a set: between two such places of one set there is a soak.
    """
    return [{"host": vm["host"], "vm_id": vm["id"], "wave": int(wave["number"]), "lane": int(wave["lane"]), "canary": bool(vm["canary"]),
             "set": _set(vm), "place": f"{_set(vm)} {_domain(vm) or vm['name']}"} for wave in plan["waves"] for vm in wave["vms"]]


def _set(vm: _Json) -> str:
    if vm["set"]:
        return str(vm["set"]).lower()
    return f"service:{vm['service']}" if vm["service"] is not None else ""


def _domain(vm: _Json) -> str:
    """Of a set its update domain in its zone, of a service its zone; empty for a VM that has none."""
    if vm["set"]:
        return f"{vm['zone']}/{vm['update_domain']}" if vm["update_domain"] is not None else ""
    return f"{vm['region']}/{vm['zone']}" if vm["zone"] is not None else ""
