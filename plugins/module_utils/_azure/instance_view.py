# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""REST bodies of VMs and scale-set instances -> :class:`Vm`. Pure: JSON mappings in, records out.

A body is first reduced to what a record needs (:class:`Model`, :class:`View`), because thousands are held before they can be
joined. Bodies are read leniently (ids in any case, times of any precision, sections left out): recordings show all of that.
"""

from __future__ import annotations

import functools
import datetime as dt
import re
import typing as t

from .addresses import nic_references
from .maintenance import Hazard, MaintenanceStatus, parse_time
from .vm import Addresses, Vm, VmId, is_busy, normal_location

Json = t.Mapping[str, t.Any]
_SIZE = re.compile(r"^(?:standard|basic)_([a-z]+?)(s?)(\d+)(?:-\d+)?([a-z]*)(?:_(?!v\d)[a-z]+\d+)?(?:_v(\d+))?$")
# Families whose sizes, from this version on, have a temporary disk only with a "d" among their letters.
# (M of version 2 exists in both kinds; AMD's D and E followed one version later.)
_DISK_BY_LETTER = {"d": 4, "e": 4, "b": 2, "m": 3, "dc": 3, "ec": 5, "f": 6}
_NOT_HOSTED = ("deallocated", "deallocating")


class Model(t.NamedTuple):
    """What a record needs of the model of a VM or a uniform scale-set instance. ``nics`` are ids, primary ones first."""

    id: VmId
    location: str
    zone: str | None
    tags: t.Mapping[str, str]
    availability_set: str | None
    scale_set: str | None
    instance_id: str | None
    computer_name: str | None
    size: str | None
    provisioning_state: str | None
    ephemeral: bool
    spot: bool
    events_on: bool
    nics: tuple[str, ...]
    extensions: bool = False
    """Whether it has any."""

    @property
    def set_key(self) -> str | None:
        """Key of its availability set or scale set."""
        return (self.availability_set or self.scale_set or "").lower() or None

    @classmethod
    def of(cls, body: Json) -> "Model":
        """From the body of a VM or an instance. Raises BadVmId, or KeyError when there is no id."""
        vm_id, properties = VmId.parse(body["id"]), body.get("properties") or {}
        size = (properties.get("hardwareProfile") or {}).get("vmSize") or (body.get("sku") or {}).get("name")
        os_disk = (properties.get("storageProfile") or {}).get("osDisk") or {}
        policy = properties.get("scheduledEventsPolicy") or {}
        uniform = vm_id.scale_set_id
        return cls(
            id=vm_id, location=normal_location(body.get("location")), zone=(body.get("zones") or [None])[0], tags=_tags(body),
            availability_set=(properties.get("availabilitySet") or {}).get("id"),
            scale_set=uniform or (properties.get("virtualMachineScaleSet") or {}).get("id"),
            instance_id=(str(body.get("instanceId") or vm_id.name)) if uniform else None,
            computer_name=(properties.get("osProfile") or {}).get("computerName"), size=size,
            provisioning_state=properties.get("provisioningState"),
            ephemeral=str((os_disk.get("diffDiskSettings") or {}).get("option", "")).lower() == "local",
            spot=str(properties.get("priority", "")).lower() in ("spot", "low"),
            events_on=bool(policy) and (policy.get("userInitiatedRedeploy") or {}).get("automaticallyApprove") is not True,
            nics=nic_references(properties),
            extensions=any("/extensions/" in str(item.get("id")).lower() for item in body.get("resources") or ()),
        )


class View(t.NamedTuple):
    """What a record needs of an instance view. ``power`` and ``provisioning`` are lower-case, None when Azure sends none."""

    power: str | None
    provisioning: str | None
    agent: str
    update_domain: int | None
    fault_domain: int | None
    status: MaintenanceStatus | None
    failed_extensions: tuple[str, ...]
    provisioned_at: dt.datetime | None = None
    extensions: bool = False
    """Whether it says how any extension is."""

    @classmethod
    def of(cls, body: t.Any) -> "View | None":
        """None when this is no instance view that says something: ARM sends statuses with every real one.

        Raises ValueError when a time in the maintenance block cannot be read.
        """
        if not isinstance(body, dict) or not body.get("statuses"):
            return None
        power = _status_word(body["statuses"], "PowerState")
        return cls(
            power=power, provisioning=_status_word(body["statuses"], "ProvisioningState"),
            # What the agent of a VM without a host said last says nothing now, and some lists leave it out.
            agent="unknown" if power in _NOT_HOSTED else _agent(body),
            update_domain=body.get("platformUpdateDomain"), fault_domain=body.get("platformFaultDomain"), status=MaintenanceStatus.from_view(body),
            failed_extensions=tuple(str(e.get("name")) for e in body.get("extensions") or ()
                                    if _status_word(e.get("statuses"), "ProvisioningState") == "failed"),
            provisioned_at=_status_time(body["statuses"], "ProvisioningState"), extensions=bool(body.get("extensions")),
        )

    @property
    def hosted(self) -> bool:
        """Whether it is on a host, as only such a VM can be in a wave."""
        return self.power not in _NOT_HOSTED


def shows_all(model: Model, view: View) -> bool:
    """Whether a view from a list tells of the guest what the VM's own view would.

    Lists may leave out power state, agent and extensions. A VM without an agent looks the same there: its own view is to be read.
    """
    return not view.hosted or (view.power is not None and view.agent != "unknown" and (view.extensions or not model.extensions))


def make_vm(model: Model, view: View, addresses: Addresses, paired: t.Mapping[str, tuple[str, ...]]) -> Vm:
    """The record (``paired``: region -> paired regions, short names)."""
    own = str(model.provisioning_state or "unknown").lower()
    return Vm(
        id=model.id, location=model.location, status=view.status, paired_regions=paired.get(model.location, ()), zone=model.zone, tags=model.tags,
        availability_set=model.availability_set, scale_set=model.scale_set, instance_id=model.instance_id, computer_name=model.computer_name,
        update_domain=view.update_domain, fault_domain=view.fault_domain, power_state=view.power or "unknown",
        agent=view.agent, provisioned_at=view.provisioned_at,
        # Where the model and its view tell different things, the one that says "busy" is the newer.
        addresses=addresses, provisioning_state=own if is_busy(own) else view.provisioning or own,
        hazards=tuple(_hazards(model, view, addresses)),
    )


def _status_word(statuses: t.Any, family: str) -> str | None:
    """Second segment of the first status of a family: order is not promised, and a family can be missing."""
    for status in statuses or ():
        parts = str(status.get("code", "")).split("/")
        if parts[0].lower() == family.lower() and len(parts) > 1:
            return parts[1].lower()
    return None


def _tags(body: t.Mapping[str, t.Any]) -> t.Mapping[str, str]:
    tags = body.get("tags") or {}
    if not isinstance(tags, t.Mapping):  # they may be what keeps the VM out of a rollout
        raise ValueError(f"its tags are {tags!r:.80}, no names with values")
    return tags


def _status_time(statuses: t.Any, family: str) -> dt.datetime | None:
    """Time of the first status of a family that has one; running operations and power states have none."""
    times = (status.get("time") for status in statuses or () if str(status.get("code", "")).lower().startswith(f"{family.lower()}/"))
    try:
        return parse_time(next(filter(None, times), None))
    except ValueError:  # it is worth knowing, but nothing depends on it alone
        return None


def _agent(view: Json) -> str:
    statuses = (view.get("vmAgent") or {}).get("statuses") or []
    if not statuses:
        return "unknown"
    return "ready" if any(str(s.get("displayStatus", "")).lower() == "ready" for s in statuses) else "not_ready"


@functools.lru_cache(maxsize=256)
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


@functools.lru_cache(maxsize=1024)
def _hazard(name: str, detail: str) -> Hazard:
    """One object for what thousands of VMs have in common."""
    return Hazard(name, detail)


def _hazards(model: Model, view: View, addresses: Addresses) -> t.Iterator[Hazard]:
    if model.ephemeral:
        yield _hazard("ephemeral_os_disk", "the OS disk is ephemeral: a redeploy deletes it and installs the OS anew")
    if view.status:
        yield from view.status.hazards()
    if view.hosted and view.power != "running":
        yield _hazard("not_running", f"power state is {view.power or 'unknown'}: the move powers the VM on")
    if has_temp_disk(model.size):
        yield _hazard("temp_disk", f"size {model.size or 'unknown'} has a temporary disk; what is on it is lost")
    if addresses.dynamic_public:
        yield _hazard("dynamic_public_ip", "a public address is dynamic and may change")
    if view.agent == "not_ready":
        yield _hazard("agent_not_ready", "the guest agent does not report ready")
    if view.failed_extensions:
        yield Hazard("failed_extension", f"extension {', '.join(view.failed_extensions)} failed: the VM may come back late")
    if model.spot:
        yield _hazard("spot", "a Spot VM may be evicted instead of moved")
    if model.events_on:
        yield _hazard("scheduled_events_on", "Scheduled Events are set up: the redeploy waits for approval or 10 to 15 minutes")


def pairs_from_locations(locations: t.Iterable[Json]) -> dict[str, tuple[str, ...]]:
    """Every region named -> the regions it is paired with, both ways even where Azure lists a pair one way."""
    pairs: dict[str, set[str]] = {}
    for location in locations:
        name = normal_location(location.get("name"))
        partners = pairs.setdefault(name, set())
        for other in (location.get("metadata") or {}).get("pairedRegion") or ():
            partner = normal_location(other.get("name"))
            partners.add(partner)
            pairs.setdefault(partner, set()).add(name)
    return {region: tuple(sorted(partners)) for region, partners in pairs.items()}
