# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleets of many web guests in availability sets, behind balancers; and what a user writes down for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

BALANCERS = ("lb-1", "lb-2")
PORT = 8080
_FIRST_ADDRESS, _FIRST_BALANCER = 11, 2


def many(net: str, sets: int, domains: int, members: int, balancers: Sequence[str] = BALANCERS) -> dict[str, Any]:
    """`sets` availability sets of `domains` update domains with `members` guests each, all due; operations end as soon as the guest is back.

    `net` is a /24 as `127.1.2`; there is room for 200 guests. Every balancer serves all guests in its backend `web`.
    """
    names = [f"{_set_name(one)}-{domain}{member:02d}" for one in range(sets) for domain in range(domains) for member in range(members)]
    addresses = {name: f"{net}.{_FIRST_ADDRESS + number}" for number, name in enumerate(names)}
    servers = {name: f"{address}:{PORT}" for name, address in addresses.items()}
    vms = [{"name": name, "availability_set": name.rpartition("-")[0], "update_domain": int(name.rpartition("-")[2]) // 100,
            "addresses": {"private": address}, "guest": {"services": ["web"]}} for name, address in addresses.items()]
    vms += [{"name": name, "wave": None, "addresses": {"private": f"{net}.{_FIRST_BALANCER + number}"},
             "guest": {"balancer": {"port": PORT, "backends": {"web": {"servers": servers}}}}} for number, name in enumerate(balancers)]
    return {
        "clock": "now", "tenant": "72f90000-0000-4000-8000-0000000000a2",
        "credentials": [{"client_id": "11111111-1111-4111-8111-111111111111", "client_secret": "simulated-secret"}],
        "regions": {"westeurope": {"display": "West Europe", "paired": []}},
        "waves": {"now": {"self_service": {"start": "-2d", "end": "+28d"}, "scheduled": {"start": "+30d", "end": "+37d"}}},
        "availability_sets": [{"name": _set_name(one), "resource_group": "shop", "region": "westeurope", "update_domains": domains,
                               "fault_domains": 2} for one in range(sets)],
        "operations": {"default": {"after_seconds": 0}}, "agent_after_seconds": 0,
        "defaults": {"resource_group": "shop", "region": "westeurope", "wave": "now"}, "vms": vms,
    }


def due(data: dict[str, Any]) -> list[str]:
    """The guests that are to be redeployed: all but the balancers."""
    return [vm["name"] for vm in data["vms"] if "availability_set" in vm]


def drained_by(balancers: Sequence[str]) -> dict[str, Any]:
    """Variables of the due hosts: out of the balancers, if there are any, then the service stops; and how it is seen to be back.

    Behind a balancer no ports are waited for: HAProxy says itself when the last request is answered, and its idle connections, which
    carry none, stay open for up to half a minute (every `pool-purge-delay` it closes half of those it thinks it will not need).
    """
    stop = {"drain_services": ["web"], "verify_ports": [PORT]}
    if not balancers:
        return {**stop, "drain_provider": ["services"], "drain_ports": [PORT]}
    return {**stop, "drain_provider": ["haproxy", "services"], "drain_haproxy_hosts": list(balancers), "drain_haproxy_backends": ["web"]}


def _set_name(number: int) -> str:
    return f"web-{'abcdefghij'[number]}"
