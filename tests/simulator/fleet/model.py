# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The things of a fleet: regions, waves, availability sets, scale sets, VMs with their changing state."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from functools import cached_property
from typing import Any

NAMESPACE = uuid.UUID("6d7a1c1e-0000-4000-8000-5f6c65657400")


def guid(*parts: object) -> str:
    """Return the GUID that these parts always have."""
    return str(uuid.uuid5(NAMESPACE, "/".join(map(str, parts))))


@dataclass(frozen=True)
class Region:
    """A region and the regions it lists as its pairs."""

    name: str
    display: str
    paired: tuple[str, ...] = ()
    zones: int = 3
    type: str = "Physical"
    geography: str = "Europe"


@dataclass(frozen=True)
class Wave:
    """The two windows of one maintenance, as (start, end)."""

    name: str
    self_service: tuple[datetime, datetime]
    scheduled: tuple[datetime, datetime]


@dataclass(frozen=True)
class AvailabilitySet:
    """An availability set; concurrent_redeploys limits its VMs in motion (None: no limit)."""

    name: str
    resource_group: str
    region: str
    subscription: str
    update_domains: int = 5
    fault_domains: int = 2
    sku: str = "Aligned"
    tags: dict[str, str] = field(default_factory=dict)
    concurrent_redeploys: int | None = None

    @property
    def id(self) -> str:
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.Compute/availabilitySets/{self.name}"
        )

    @property
    def label(self) -> str:
        return f"{self.resource_group}/{self.name}"


@dataclass
class ScaleSet:
    """A scale set; ``provisioning`` and ``capacity`` change. ``template`` is what a new instance is made of.

    Instances of a uniform one are numbered; a flexible one has VMs of its own.
    """

    name: str
    resource_group: str
    region: str
    subscription: str
    orchestration: str = "uniform"
    zones: tuple[str, ...] = ()
    update_domains: int = 5
    fault_domains: int = 5
    size: str = "Standard_D2s_v5"
    upgrade: str = "Manual"
    tags: dict[str, str] = field(default_factory=dict)
    concurrent_redeploys: int | None = None
    template: dict[str, Any] = field(default_factory=dict)
    created: datetime | None = None
    provisioning: str = "Succeeded"
    next_number: int = 0

    @property
    def uniform(self) -> bool:
        return self.orchestration == "uniform"

    @cached_property
    def id(self) -> str:
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.Compute/virtualMachineScaleSets/{self.name}"
        )

    @property
    def label(self) -> str:
        return f"{self.resource_group}/{self.name}"


@dataclass
class VmState:
    """What changes in a VM's life; times are aware datetimes. ``agent_ready_at``: Not Ready until then.

    ``version`` counts the changes, so that what was made of an older state is recognised.
    """

    version = 0
    power: str = "running"
    agent: str = "ready"
    provisioning: str = "succeeded"
    wave: str | None = None
    allowed: bool | None = None
    code: str = "None"
    message: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    extensions: list[dict[str, Any]] = field(default_factory=list)
    operations: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    private: str | None = None
    public: str | None = None
    operation: str | None = None
    attempts: dict[str, int] = field(default_factory=dict)
    agent_ready_at: datetime | None = None
    changed: datetime | None = None
    boot_id: str | None = None
    etag: int = 1

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__[name] = value
        self.__dict__["version"] = self.version + 1

    def as_dict(self) -> dict[str, Any]:
        """Return the state with ISO times."""
        return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in asdict(self).items()}

    def update(self, saved: dict[str, Any]) -> None:
        """Take over what as_dict once returned; keys not given stay."""
        for name in (item.name for item in fields(self)):
            if name in saved:
                value = saved[name]
                if name in ("agent_ready_at", "changed") and isinstance(value, str):
                    value = datetime.fromisoformat(value)
                setattr(self, name, value)


@dataclass
class Vm:
    """A VM, or an instance of a uniform scale set (then with an instance id): what is fixed, and its state."""

    name: str
    resource_group: str
    subscription: str
    region: str
    index: int
    size: str
    os: str
    set: AvailabilitySet | None
    zone: str | None
    ephemeral_os: bool
    priority: str
    dynamic: bool
    has_public: bool
    data_disks: int
    guest: dict[str, Any] | None
    created: datetime
    state: VmState = field(default_factory=VmState)
    update_domain: int | None = None
    fault_domain: int | None = None
    scale_set: ScaleSet | None = None
    instance_id: str | None = None
    pinned: bool = False
    latest_model: bool = True
    initial: dict[str, Any] = field(default_factory=dict)
    pools: list[str] = field(default_factory=list)

    @cached_property
    def key(self) -> str:
        return self.id.lower()

    @cached_property
    def id(self) -> str:
        return self._id(self.resource_group, self.name)

    @cached_property
    def list_id(self) -> str:
        """The id as lists spell it: the resource group in upper case."""
        return self._id(self.resource_group.upper(), self.name)

    @cached_property
    def upper_id(self) -> str:
        """The id as availability sets spell it: group and name in upper case."""
        return self._id(self.resource_group.upper(), self.name.upper())

    def _id(self, group: str, name: str) -> str:
        if self.scale_set and self.instance_id is not None:
            return f"{self.scale_set.id}/virtualMachines/{self.instance_id}"
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{group}"
            f"/providers/Microsoft.Compute/virtualMachines/{name}"
        )

    @property
    def group(self) -> AvailabilitySet | ScaleSet | None:
        """The availability set or scale set it belongs to."""
        return self.set or self.scale_set

    @property
    def computer_name(self) -> str:
        """The name the guest has: that of the VM, or as uniform scale sets make it, ending in a base-36 number."""
        if self.instance_id is None or self.scale_set is None:
            return self.name
        digits, number = "", int(self.instance_id)
        while number:
            number, digit = divmod(number, 36)
            digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit] + digits
        return f"{self.scale_set.name[:9]}{digits:0>6}"

    @property
    def guest_address(self) -> str:
        """Where the guest is reached: its private address, or its public one (guest.reach: public)."""
        by_public = (self.guest or {}).get("reach") == "public"
        return (self.state.public if by_public else self.state.private) or ""
