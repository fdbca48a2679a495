# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one subscription holds, put together from its lists: everything any of them names, and what each left out.

Pure. The lists hand in their items as pages arrive (:class:`Listing` keeps what a record needs); then :meth:`Listing.missing` says
what somebody named and nobody showed, which a list that ended early or a deletion leaves behind.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._azure.addresses import Nic, PublicIp, addresses_of
from .._azure.instance_view import Json, Model, View, make_vm, shows_all
from .._azure.vm import Addresses, Vm, VmId
from .._errors import IncompleteFleet

_VMS = "microsoft.compute/virtualmachines"
_SCALE_SETS = "microsoft.compute/virtualmachinescalesets"


class ScaleSet(t.NamedTuple):
    """``capacity`` is how many instances it should have, None when Azure does not say."""

    id: str
    uniform: bool
    capacity: int | None

    @classmethod
    def of(cls, body: Json) -> "ScaleSet":
        mode = str((body.get("properties") or {}).get("orchestrationMode") or "Uniform")
        capacity = (body.get("sku") or {}).get("capacity")
        return cls(body["id"], mode.lower() != "flexible", None if capacity is None else int(capacity))

    @staticmethod
    def counted(view: Json) -> int | None:
        """How many instances the instance view of a scale set counts, by their provisioning states; None when it does not."""
        summary = (view.get("virtualMachine") or {}).get("statusesSummary")
        if not isinstance(summary, list):
            return None
        return sum(int(item.get("count") or 0) for item in summary if str(item.get("code", "")).lower().startswith("provisioningstate/"))


class Missing(t.NamedTuple):
    """Something to be read by itself. ``kind`` is vm, availability_set, scale_set, nic, public_ip, or instance_ips (all public IPs of
    the scale set ``id``); ``needed_by`` is the id of a VM, or None."""

    kind: str
    id: str
    needed_by: str | None = None

    @property
    def what(self) -> tuple[str, str]:
        return self.kind, self.id.lower()


@dataclass
class Listing:
    """One subscription. Keys are lower-case ids throughout; values keep Azure's spelling."""

    wanted_group: t.Callable[[str], bool]
    """Whether a resource group (lower-case) is asked for."""
    with_addresses: bool = True
    models: dict[str, Model] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    """VMs whose view is the VM's own or its scale set's, not the status list's."""
    named: dict[str, str] = field(default_factory=dict)
    """Every VM that anything names."""
    availability_sets: set[str] = field(default_factory=set)
    scale_sets: dict[str, ScaleSet] = field(default_factory=dict)
    named_scale_sets: dict[str, str] = field(default_factory=dict)
    nics: dict[str, Nic] = field(default_factory=dict)
    public_ips: dict[str, PublicIp] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    _tried: set[tuple[str, str]] = field(default_factory=set)

    # -- what the lists hand in ---------------------------------------------------------------------------------------

    def take_model(self, body: Json) -> None:
        """A VM of the model list, or one read by itself (then with its view)."""
        model = Model.of(body)
        if self._wanted(model.id.key):
            self.models[model.id.key] = model

    def take_status(self, body: Json) -> None:
        """An item of the status list, whatever it carries."""
        key = body["id"].lower()
        if self._wanted(key):
            self.named.setdefault(key, body["id"])
            view = View.of((body.get("properties") or {}).get("instanceView"))
            if view is not None and key not in self.settled:
                self.views[key] = view

    def take_single(self, body: Json) -> None:
        """A VM or an instance with its own view (if the answer has one)."""
        self.take_model(body)
        view = View.of((body.get("properties") or {}).get("instanceView"))
        if view is not None:
            self.take_view(body["id"].lower(), view)

    def take_view(self, key: str, view: View) -> None:
        """The VM's own view."""
        self.views[key] = view
        self.settled.add(key)

    def take_availability_set(self, body: Json) -> None:
        self.availability_sets.add(body["id"].lower())
        for member in (body.get("properties") or {}).get("virtualMachines") or ():
            self._name(member["id"])

    def take_scale_set(self, body: Json) -> None:
        if self._wanted(body["id"].lower()):
            self.scale_sets[body["id"].lower()] = ScaleSet.of(body)

    def take_nic(self, body: Json) -> None:
        nic = Nic.of(body)
        self.nics[body["id"].lower()] = nic
        if nic.owner and "/virtualmachines/" in nic.owner.lower():
            self._name(nic.owner)

    def take_public_ip(self, body: Json) -> None:
        self.public_ips[body["id"].lower()] = PublicIp.of(body)

    def take_resource(self, body: Json) -> None:
        """An item of Resource Manager's own list: an id and a type."""
        resource_id, kind = body["id"], str(body.get("type", "")).lower()
        if kind == _VMS:
            self._name(resource_id)
        elif kind == _SCALE_SETS and self._wanted(resource_id.lower()):
            self.named_scale_sets.setdefault(resource_id.lower(), resource_id)

    def _name(self, vm_id: str) -> None:
        if self._wanted(vm_id.lower()):
            self.named.setdefault(vm_id.lower(), vm_id)

    def _wanted(self, key: str) -> bool:
        parts = key.split("/", 5)
        return len(parts) < 5 or self.wanted_group(parts[4])

    # -- what is missing ----------------------------------------------------------------------------------------------

    def missing(self) -> list[Missing]:
        """What is named and has not been shown, each once: reading it may name more, so ask until nothing comes."""
        found = [*self._missing_sets(), *self._missing_vms(), *(self._missing_addresses() if self.with_addresses else ())]
        fresh = {item.what: item for item in found if item.what not in self._tried}
        self._tried.update(fresh)
        return list(fresh.values())

    def _missing_sets(self) -> t.Iterator[Missing]:
        for model in self.models.values():
            if model.availability_set and model.availability_set.lower() not in self.availability_sets:
                yield Missing("availability_set", model.availability_set)
            if model.scale_set and model.scale_set.lower() not in self.scale_sets:
                yield Missing("scale_set", model.scale_set)
        for key, spelling in self.named_scale_sets.items():
            if key not in self.scale_sets:
                yield Missing("scale_set", spelling)

    def _missing_vms(self) -> t.Iterator[Missing]:
        for key, spelling in self.named.items():
            if key not in self.models:
                yield Missing("vm", spelling)

    def _missing_addresses(self) -> t.Iterator[Missing]:
        for key, model in self.models.items():
            for nic_id in model.nics:
                nic = self.nics.get(nic_id.lower())
                if nic is None:
                    yield Missing("nic", nic_id, key)
                    continue
                for dummy, public in nic.configurations:
                    if not public or public in self.public_ips:
                        continue
                    if model.instance_id is None:
                        yield Missing("public_ip", public, key)
                    else:
                        yield Missing("instance_ips", model.scale_set, model.scale_set)

    def lists_blocks(self) -> bool:
        """Whether the status list shows the maintenance block of somebody."""
        return any(view.status for key, view in self.views.items() if key not in self.settled)

    def without_view(self, blocks_listed: bool, only_affected: bool, thorough: bool = False) -> list[Model]:
        """VMs whose own view is to be read, those that may be in a wave first.

        ``blocks_listed``: whether status lists are known to show maintenance blocks. A block is optional, so that a list
        without any proves nothing. A VM without a host is in no wave; what else a record needs of it, the list has.
        The status list may leave out the guest agent and extensions as well: decisions depend on those of VMs in a wave and of the
        members of their sets, or with ``thorough`` on everybody's.
        """
        lacking = []
        in_question = self._in_question(only_affected)
        for key, model in self.models.items():
            view = self.views.get(key)
            if key in self.settled and view is not None:
                continue
            tells = view is not None and self._tells_wave(model, view, blocks_listed, only_affected)
            if not tells or ((thorough or key in in_question) and not shows_all(model, view)):
                lacking.append(model)
        return sorted(lacking, key=lambda model: self._unlikely(self.views.get(model.id.key)))

    @staticmethod
    def _tells_wave(model: Model, view: View, blocks_listed: bool, only_affected: bool) -> bool:
        """Whether a view of the status list is enough to know whether and how the VM is in a wave."""
        domain_known = not model.availability_set or view.update_domain is not None
        return not (view.hosted and not (blocks_listed and domain_known)) and (domain_known or only_affected)

    def _in_question(self, only_affected: bool) -> set[str]:
        """VMs in a wave, and with them the members of their sets unless nobody else is asked for."""
        affected = {key for key, view in self.views.items() if view.status and key in self.models}
        if only_affected:
            return affected
        sets = {set_key for key in affected if (set_key := self.models[key].set_key)}
        return affected | {key for key, model in self.models.items() if model.set_key in sets}

    @staticmethod
    def _unlikely(view: View | None) -> bool:
        return view is not None and not view.hosted

    def forget(self, key: str) -> None:
        """It was listed and is no more."""
        self.gone.append(str(self.models.pop(key).id) if key in self.models else self.named.get(key, key))

    def forget_set(self, set_id: str) -> None:
        """A uniform scale set was listed and is no more, nor are its instances."""
        if set_id not in self.gone:
            self.gone.append(set_id)
        for key, model in list(self.models.items()):
            if model.instance_id is not None and model.scale_set.lower() == set_id.lower():
                del self.models[key]

    # -- what comes of it ---------------------------------------------------------------------------------------------

    def vm(self, key: str, pairs: t.Mapping[str, tuple[str, ...]]) -> Vm:
        """The record of a VM whose model and view are there."""
        model = self.models[key]
        addresses = addresses_of(model.nics, self.nics, self.public_ips) if model.nics else Addresses()
        return make_vm(model, self.views[key], addresses, pairs)


def view_of(body: t.Any, vm_id: VmId) -> View:
    """The view in the answer to a request for it. Raises IncompleteFleet naming the VM when it is none."""
    doing = f"read the instance view of {vm_id}"
    try:
        view = View.of(body)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IncompleteFleet(doing, f"{type(error).__name__}: {error}") from error
    if view is None:
        raise IncompleteFleet(doing, "the answer has no statuses")
    return view
