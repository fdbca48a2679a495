# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""REST bodies of VMs, NICs and public IPs -> :class:`Vm`. Pure: JSON mappings in, records out.

The bodies are read leniently (ids in any case, times of any precision, sections left out), because recordings of the real
API show all of that.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.maintenance import Hazard, MaintenanceStatus
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.vm import Addresses, Vm, VmId, normal_location

Json = t.Mapping[str, t.Any]
_SIZE = re.compile(r"^(?:standard|basic)_([a-z]+?)(s?)(\d+)(?:-\d+)?([a-z]*)(?:_(?!v\d)[a-z]+\d+)?(?:_v(\d+))?$")
# Families whose sizes, from this version on, have a temporary disk only with a "d" among their letters.
# (M of version 2 exists in both kinds; AMD's D and E followed one version later.)
_DISK_BY_LETTER = {"d": 4, "e": 4, "b": 2, "m": 3, "dc": 3, "ec": 5, "f": 6}


def has_view(view: t.Any) -> bool:
    """Whether this is an instance view that says something; ARM sends statuses with every real one."""
    return isinstance(view, dict) and bool(view.get("statuses"))


def vm_from_arm(model: Json, view: Json, addresses: Addresses, paired: t.Mapping[str, t.Iterable[str]]) -> Vm:
    """A Vm from its model and instance view (``paired``: region -> paired regions, short names).

    Raises ValueError when the id or a time in the block cannot be read.
    """
    properties = model.get("properties") or {}
    location = normal_location(model.get("location"))
    status = MaintenanceStatus.from_view(view)
    power = _status_word(view.get("statuses"), "PowerState") or "unknown"
    agent = _agent(view)
    return Vm(
        id=VmId.parse(model["id"]), location=location, status=status,
        paired_regions=tuple(paired.get(location, ())), zone=(model.get("zones") or [None])[0],
        tags=model.get("tags") or {},
        availability_set=(properties.get("availabilitySet") or {}).get("id"),
        scale_set=(properties.get("virtualMachineScaleSet") or {}).get("id"),
        update_domain=view.get("platformUpdateDomain"), fault_domain=view.get("platformFaultDomain"),
        power_state=power, agent=agent, addresses=addresses,
        provisioning_state=_status_word(view.get("statuses"), "ProvisioningState")
        or str(properties.get("provisioningState") or "unknown").lower(),
        hazards=tuple(_hazards(properties, view, status, power, agent, addresses)),
    )


def _status_word(statuses: t.Any, family: str) -> str | None:
    """Second segment of the first status of a family: order is not promised, and a family can be missing."""
    for status in statuses or ():
        parts = str(status.get("code", "")).split("/")
        if parts[0].lower() == family.lower() and len(parts) > 1:
            return parts[1].lower()
    return None


def _agent(view: Json) -> str:
    statuses = (view.get("vmAgent") or {}).get("statuses") or []
    if not statuses:
        return "unknown"
    return "ready" if any(str(s.get("displayStatus", "")).lower() == "ready" for s in statuses) else "not_ready"


def has_temp_disk(size: str | None) -> bool:
    """Whether a size has a temporary disk; True when its name does not tell, for the hazard is only noted."""
    match = _SIZE.match((size or "").lower())
    if not match:
        return True
    family, _premium, _count, letters, version = match.groups()
    needs_letter_from = _DISK_BY_LETTER.get(family)
    if needs_letter_from is None or int(version or 1) < needs_letter_from:
        return True
    if family in ("d", "e") and "a" in letters and version == "4":
        return True
    return "d" in letters


def _hazards(properties: Json, view: Json, status: MaintenanceStatus | None, power: str, agent: str,
             addresses: Addresses) -> t.Iterator[Hazard]:
    os_disk = (properties.get("storageProfile") or {}).get("osDisk") or {}
    if str((os_disk.get("diffDiskSettings") or {}).get("option", "")).lower() == "local":
        yield Hazard("ephemeral_os_disk", "the OS disk is ephemeral: a redeploy deletes it and installs the OS anew")
    if status:
        yield from status.hazards()
    if power not in ("running", "deallocated", "deallocating"):
        yield Hazard("not_running", f"power state is {power}: the move powers the VM on")
    size = (properties.get("hardwareProfile") or {}).get("vmSize")
    if has_temp_disk(size):
        yield Hazard("temp_disk", f"size {size or 'unknown'} has a temporary disk; what is on it is lost")
    if addresses.dynamic_public:
        yield Hazard("dynamic_public_ip", "a public address is dynamic and may change")
    if agent == "not_ready":
        yield Hazard("agent_not_ready", "the guest agent does not report ready")
    failed = [str(e.get("name")) for e in view.get("extensions") or () if _status_word(e.get("statuses"), "ProvisioningState") == "failed"]
    if failed:
        yield Hazard("failed_extension", f"extension {', '.join(failed)} failed: the VM may come back late")
    if str(properties.get("priority", "")).lower() in ("spot", "low"):
        yield Hazard("spot", "a Spot VM may be evicted instead of moved")
    policy = properties.get("scheduledEventsPolicy") or {}
    if policy and (policy.get("userInitiatedRedeploy") or {}).get("automaticallyApprove") is not True:
        yield Hazard("scheduled_events_on", "Scheduled Events are set up: the redeploy waits for approval or 10 to 15 minutes")


def addresses_from_arm(model: Json, nics: t.Mapping[str, Json], public_ips: t.Mapping[str, Json]) -> Addresses:
    """Addresses of a VM from NICs and public IPs keyed by lower-case id; NICs that are missing give nothing."""
    references = ((model.get("properties") or {}).get("networkProfile") or {}).get("networkInterfaces") or []
    private, public, fqdns, dynamic = [], [], [], False
    for reference in sorted(references, key=lambda r: (r.get("properties") or {}).get("primary") is False):
        nic = nics.get(str(reference.get("id")).lower()) or {}
        configurations = (nic.get("properties") or {}).get("ipConfigurations") or []
        for configuration in sorted(configurations, key=lambda c: (c.get("properties") or {}).get("primary") is False):
            settings = configuration.get("properties") or {}
            if settings.get("privateIPAddress"):
                private.append(settings["privateIPAddress"])
            pip = public_ips.get(str((settings.get("publicIPAddress") or {}).get("id")).lower())
            if not pip:
                continue
            about = pip.get("properties") or {}
            dynamic = dynamic or str(about.get("publicIPAllocationMethod", "")).lower() == "dynamic"
            if about.get("ipAddress"):
                public.append(about["ipAddress"])
            fqdn = (about.get("dnsSettings") or {}).get("fqdn")
            if fqdn:
                fqdns.append(fqdn)
    return Addresses(tuple(private), tuple(public), tuple(fqdns), dynamic)


def pairs_from_locations(locations: t.Iterable[Json]) -> dict[str, tuple[str, ...]]:
    """Region -> the regions it is paired with, both ways even where Azure lists a pair one way."""
    pairs: dict[str, set[str]] = {}
    for location in locations:
        name = normal_location(location.get("name"))
        for other in (location.get("metadata") or {}).get("pairedRegion") or ():
            partner = normal_location(other.get("name"))
            pairs.setdefault(name, set()).add(partner)
            pairs.setdefault(partner, set()).add(name)
    return {region: tuple(sorted(partners)) for region, partners in pairs.items()}
