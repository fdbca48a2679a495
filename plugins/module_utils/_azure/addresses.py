# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""REST bodies of network interfaces and public IPs -> the addresses of a VM. Pure; keys are lower-case ids."""

from __future__ import annotations

import typing as t

from .vm import Addresses

Json = t.Mapping[str, t.Any]


class Nic(t.NamedTuple):
    """(private address, key of the public IP) per configuration, primary one first; ``owner`` is the id of the VM it is attached to."""

    owner: str | None
    configurations: tuple[tuple[str | None, str | None], ...]

    @classmethod
    def of(cls, body: Json) -> "Nic":
        properties = body.get("properties") or {}
        found = []
        for configuration in _primary_first(properties.get("ipConfigurations")):
            settings = configuration.get("properties") or {}
            public = (settings.get("publicIPAddress") or {}).get("id")
            if public or settings.get("privateIPAddress"):
                found.append((settings.get("privateIPAddress") or None, public.lower() if public else None))
        return cls((properties.get("virtualMachine") or {}).get("id"), tuple(found))


class PublicIp(t.NamedTuple):
    """``address`` is None while a dynamic one is not allocated."""

    address: str | None
    fqdn: str | None
    dynamic: bool

    @classmethod
    def of(cls, body: Json) -> "PublicIp":
        properties = body.get("properties") or {}
        return cls(properties.get("ipAddress") or None, (properties.get("dnsSettings") or {}).get("fqdn") or None,
                   str(properties.get("publicIPAllocationMethod", "")).lower() == "dynamic")


def nic_references(properties: Json) -> tuple[str, ...]:
    """Ids of the network interfaces that a VM's properties name, primary ones first."""
    references = _primary_first((properties.get("networkProfile") or {}).get("networkInterfaces"))
    return tuple(str(reference["id"]) for reference in references if reference.get("id"))


def _primary_first(items: t.Iterable[Json] | None) -> list[Json]:
    return sorted(items or (), key=lambda item: (item.get("properties") or {}).get("primary") is False)


def addresses_of(nic_ids: t.Iterable[str], nics: t.Mapping[str, Nic], public_ips: t.Mapping[str, PublicIp]) -> Addresses:
    """Addresses of a VM from its interfaces in their order; those that are missing give nothing."""
    private, public, fqdns, dynamic = [], [], [], False
    for nic_id in nic_ids:
        nic = nics.get(nic_id.lower())
        for address, public_key in nic.configurations if nic else ():
            if address:
                private.append(address)
            ip = public_ips.get(public_key) if public_key else None
            if ip is None:
                continue
            dynamic = dynamic or ip.dynamic
            if ip.address:
                public.append(ip.address)
            if ip.fqdn:
                fqdns.append(ip.fqdn)
    return Addresses(tuple(private), tuple(public), tuple(fqdns), dynamic)
