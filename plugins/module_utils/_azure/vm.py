# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a virtual machine is to this collection: its id, its record, its failure domain.

Standard library only; no I/O, no clock. The record (:meth:`Vm.to_record`) is the one shape that module results, host
variables and the planner share; it holds JSON types only.
"""

from __future__ import annotations

import datetime as dt
import re
import typing as t
from dataclasses import dataclass, field, replace

from .maintenance import Hazard, MaintenanceStatus

_VM = "microsoft.compute/virtualmachines"
_SCALE_SET = "microsoft.compute/virtualmachinescalesets"
_ID = re.compile(r"^/subscriptions/(?P<sub>[^/]+)/resourceGroups/(?P<rg>[^/]+)/providers/(?P<rest>[^/]+(?:/[^/]+)+)/?$", re.IGNORECASE)


# Provisioning states in which nothing is going on; every other word (updating, transitioning, ...) means that something is.
_AT_REST = ("succeeded", "failed", "canceled", "cancelled", "unknown")


def is_busy(provisioning: str | None) -> bool:
    """Whether a lower-case provisioning state says that an operation is running; None says nothing."""
    return (provisioning or "unknown") not in _AT_REST


class BadVmId(ValueError):
    """A string that is not the id of a virtual machine or of a uniform scale-set instance."""


@dataclass(frozen=True, eq=False, slots=True)
class VmId:
    """An ARM id of a VM or of a uniform scale-set instance; equal to every other spelling of the same id.

    ARM returns one id in several letter cases (resource groups upper-cased in lists), so comparison uses ``key``: the id
    in lower case, what two spellings of one VM have in common.
    """

    subscription_id: str
    resource_group: str
    name: str
    scale_set: str | None = None
    key: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Made once: a fleet is sorted, joined and looked up by it.
        object.__setattr__(self, "key", str(self).lower())

    @classmethod
    def parse(cls, text: str) -> "VmId":
        """Read an id such as ``/subscriptions/S/resourceGroups/G/providers/Microsoft.Compute/virtualMachines/N``.

        Raises :class:`BadVmId`, naming the text and what it is instead of a VM.
        """
        match = _ID.match(text.strip()) if isinstance(text, str) else None
        if not match:
            raise BadVmId(f"{text!r} is not an Azure resource id; expected /subscriptions/<id>/resourceGroups/<group>"
                          "/providers/Microsoft.Compute/virtualMachines/<name>")
        parts = match["rest"].split("/")
        kind = "/".join(parts[:2]).lower()
        if kind == _VM and len(parts) == 3:
            return cls(match["sub"], match["rg"], parts[2])
        if kind == _SCALE_SET and len(parts) == 5 and parts[3].lower() == "virtualmachines":
            return cls(match["sub"], match["rg"], parts[4], scale_set=parts[2])
        kind = "/".join([parts[0], *parts[1::2]])
        raise BadVmId(f"{text!r} is the id of a {kind}, not of a virtual machine or a uniform scale-set instance")

    def __str__(self) -> str:
        path = f"virtualMachines/{self.name}"
        if self.scale_set is not None:
            path = f"virtualMachineScaleSets/{self.scale_set}/{path}"
        return f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}/providers/Microsoft.Compute/{path}"

    @property
    def scale_set_id(self) -> str | None:
        """Id of the scale set that a uniform instance belongs to, None for a VM."""
        return str(self).rsplit("/", 2)[0] if self.scale_set is not None else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VmId) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def resource_name(resource_id: str | None) -> str | None:
    """Last segment of an ARM id, or None."""
    return resource_id.rstrip("/").rsplit("/", 1)[-1] if resource_id else None


def normal_location(location: str | None) -> str:
    """Short lower-case region name; ARM sometimes answers the display name (``West Europe``)."""
    return (location or "").replace(" ", "").lower()


class FailureDomain(t.NamedTuple):
    """What goes down together: an update domain of a set, or a VM that no set knows a domain for.

    ``set_key`` is the lower-case id of the availability set or scale set, else ``service:<name>``, else the VM's key.
    ``domain`` is the update domain number as text (with the zone in a scale set), the zone in a service, or the VM's
    key when there is none (0 is an update domain like any other). Zone numbers mean another building in each
    subscription and region, so both are part of a service's domain.
    """

    set_key: str
    domain: str


@dataclass(frozen=True, slots=True)
class Addresses:
    """Addresses of a VM in the order of its NICs and configurations, primary ones first."""

    private: tuple[str, ...] = ()
    public: tuple[str, ...] = ()
    fqdns: tuple[str, ...] = ()
    dynamic_public: bool = False

    def to_record(self) -> dict[str, t.Any]:
        return {"private": list(self.private), "public": list(self.public), "fqdns": list(self.fqdns),
                "dynamic_public": self.dynamic_public}

    @classmethod
    def from_record(cls, record: t.Mapping[str, t.Any]) -> "Addresses":
        return cls(tuple(record.get("private") or ()), tuple(record.get("public") or ()),
                   tuple(record.get("fqdns") or ()), bool(record.get("dynamic_public")))


@dataclass(frozen=True, slots=True)
class Vm:
    """One virtual machine with its live view. ``power_state`` and ``provisioning_state`` are lower-case Azure words."""

    id: VmId
    location: str
    status: MaintenanceStatus | None
    paired_regions: tuple[str, ...] = ()
    zone: str | None = None
    tags: t.Mapping[str, str] = field(default_factory=dict)
    availability_set: str | None = None
    scale_set: str | None = None
    instance_id: str | None = None
    computer_name: str | None = None
    update_domain: int | None = None
    fault_domain: int | None = None
    power_state: str = "unknown"
    provisioning_state: str = "unknown"
    agent: str = "unknown"
    provisioned_at: dt.datetime | None = None
    """When its last operation ended, as far as Azure says (not part of the record)."""
    addresses: Addresses = Addresses()
    hazards: tuple[Hazard, ...] = ()
    groups: tuple[str, ...] = ()
    """Ansible groups of the host that stands for this VM (planner input only; not part of the record)."""
    host: str | None = None
    """Inventory name of the host that stands for this VM (planner input only)."""
    service: str | None = None
    """What VMs outside sets have in common that serve together (planner input only)."""

    @property
    def name(self) -> str:
        """VM name; for a scale-set instance ``<set>_<instance>``, as Azure itself calls it."""
        return f"{resource_name(self.scale_set)}_{self.instance_id}" if self.instance_id is not None else self.id.name

    @property
    def set_id(self) -> str | None:
        return self.availability_set or self.scale_set

    @property
    def set_key(self) -> str | None:
        """Key of the set whose members stand in for each other: Azure's own, else the service; None without peers."""
        if self.set_id is not None:
            return self.set_id.lower()
        return None if self.service is None else f"service:{self.service}"

    @property
    def failure_domain(self) -> FailureDomain:
        set_key = self.set_key
        if self.set_id is None:
            if set_key is None or not self.zone:
                return FailureDomain(set_key or self.id.key, self.id.key)
            place = f"{self.id.subscription_id}/{normal_location(self.location)}".lower()
            return FailureDomain(set_key, f"{place}/{self.zone}")
        if self.update_domain is None:
            return FailureDomain(set_key, self.id.key)
        zone = f"{self.zone}/" if self.scale_set and self.zone else ""
        return FailureDomain(set_key, f"{zone}{self.update_domain}")

    @property
    def own_domain(self) -> bool:
        """Whether it is a failure domain of its own, in a set that may have others like it."""
        return self.failure_domain.domain == self.id.key

    @property
    def blocking_hazards(self) -> tuple[Hazard, ...]:
        return tuple(hazard for hazard in self.hazards if hazard.blocking)

    def state(self, now) -> str:
        """State of design: see :meth:`MaintenanceStatus.state`; a VM without a block has none to ask."""
        if self.power_state in ("deallocated", "deallocating"):
            return "not_hosted"
        return self.status.state(now) if self.status else "not_scheduled"

    def unavailable_because(self) -> str | None:
        """Why this VM cannot carry load now, in words; None when it is well.

        An unknown agent counts as well (Linux images without the agent are common), and provisioning ``failed`` next
        to a completed maintenance is Azure's known cosmetic state, not an illness.
        """
        if self.power_state != "running":
            return f"power state is {self.power_state}"
        if self.agent == "not_ready":
            return "guest agent is not ready"
        if self.provisioning_state == "failed" and self.status and self.status.completed:
            return None
        if self.provisioning_state not in ("succeeded", "unknown"):
            return f"provisioning state is {self.provisioning_state}"
        return None

    @property
    def absent(self) -> bool:
        """Deallocated: counts against min_available, but holds nobody back (it will not come back by itself)."""
        return self.power_state in ("deallocated", "deallocating")

    @property
    def busy(self) -> bool:
        """Whether another operation is running on it, so that Azure would refuse a second one."""
        return is_busy(self.provisioning_state)

    def with_host(self, host: str | None, groups: t.Iterable[str] = ()) -> "Vm":
        return replace(self, host=host, groups=tuple(groups))

    def to_record(self, now) -> dict[str, t.Any]:
        """The record of docs/records.md, JSON types only, times ISO-8601 UTC; ``now`` (aware) decides the state."""
        status = self.status.to_record(now) if self.status else {}
        return {
            "id": str(self.id), "name": self.name, "resource_group": self.id.resource_group,
            "subscription_id": self.id.subscription_id, "location": self.location,
            "paired_regions": list(self.paired_regions), "zone": self.zone, "tags": dict(self.tags),
            "availability_set": self.availability_set, "scale_set": self.scale_set, "instance_id": self.instance_id,
            "computer_name": self.computer_name, "update_domain": self.update_domain, "fault_domain": self.fault_domain,
            "power_state": self.power_state, "provisioning_state": self.provisioning_state, "agent": self.agent,
            "addresses": self.addresses.to_record(),
            "maintenance": {"allowed": False, "retry": False, "self_service_window": None, "scheduled_window": None,
                            "last_operation": None, "seconds_left": None, **status, "state": self.state(now)},
            "hazards": [hazard.to_record() for hazard in self.hazards],
        }

    @classmethod
    def from_record(cls, record: t.Mapping[str, t.Any]) -> "Vm":
        """Inverse of :meth:`to_record` (a plan file carries records). Raises KeyError or ValueError on a bad record."""
        return cls(
            id=VmId.parse(record["id"]), location=record["location"],
            status=MaintenanceStatus.from_record(record["maintenance"]),
            paired_regions=tuple(record.get("paired_regions") or ()), zone=record.get("zone"),
            tags=dict(record.get("tags") or {}), availability_set=record.get("availability_set"),
            scale_set=record.get("scale_set"), instance_id=record.get("instance_id"), computer_name=record.get("computer_name"),
            update_domain=record.get("update_domain"), fault_domain=record.get("fault_domain"),
            power_state=record["power_state"], provisioning_state=record["provisioning_state"], agent=record["agent"],
            addresses=Addresses.from_record(record.get("addresses") or {}),
            hazards=tuple(Hazard.from_record(item) for item in record.get("hazards") or ()),
        )
