# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models, views, interfaces and addresses, joined to records: of a subscription, of one set, or of one VM.

Pure. Answers are handed in item by item as they arrive (:class:`Listing` keeps what a record needs); then :meth:`Listing.missing` says
what one of them named and none showed, which a list that ended early or a deletion leaves behind.
"""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass, field

from .._azure.addresses import Nic, PublicIp, addresses_of
from .._azure.instance_view import Json, Model, View, make_vm, pairs_from_locations, shows_all
from .._azure.vm import Addresses, Vm, VmId
from .._errors import IncompleteFleet

_VMS = "microsoft.compute/virtualmachines"
_SCALE_SETS = "microsoft.compute/virtualmachinescalesets"
ODD_ANSWERS = (LookupError, TypeError, ValueError, AttributeError)
"""What code that reads an answer raises when its shape is not the one that Azure documents."""


@contextlib.contextmanager
def understanding(doing: str) -> t.Iterator[None]:
    """Raises IncompleteFleet, which says what was being done, in place of an error over the shape of an answer."""
    try:
        yield
    except ODD_ANSWERS as error:
        raise IncompleteFleet(doing, f"{type(error).__name__}: {error}") from error


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
    """What Azure has answered so far. Keys are lower-case ids throughout; values keep Azure's spelling."""

    wanted_group: t.Callable[[str], bool] = lambda group: True
    """Whether a resource group (lower-case) is asked for."""
    with_addresses: bool = True
    models: dict[str, Model] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)
    own_views: set[str] = field(default_factory=set)
    """VMs whose view is the VM's own or its scale set's, not the status list's."""
    named: dict[str, str] = field(default_factory=dict)
    """Every VM that anything names."""
    availability_sets: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Keys of the members that each set names itself."""
    scale_sets: dict[str, ScaleSet] = field(default_factory=dict)
    named_scale_sets: dict[str, str] = field(default_factory=dict)
    nics: dict[str, Nic] = field(default_factory=dict)
    public_ips: dict[str, PublicIp] = field(default_factory=dict)
    locations: list[Json] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    _tried: set[tuple[str, str]] = field(default_factory=set)

    # -- what answers hand in -----------------------------------------------------------------------------------------

    def take_model(self, body: Json) -> Model:
        """A VM of the model list, or one read by itself (then with its view)."""
        model = Model.of(body)
        if self._wanted(model.id.key):
            self.models[model.id.key] = model
        return model

    def take_status(self, body: Json) -> None:
        """An item of the status list, whatever it carries."""
        key = body["id"].lower()
        if self._wanted(key):
            self.named.setdefault(key, body["id"])
            view = View.of((body.get("properties") or {}).get("instanceView"))
            if view is not None and key not in self.own_views:
                self.views[key] = view

    def take_single(self, body: Json) -> Model:
        """A VM or an instance with its own view (if the answer has one)."""
        model = self.take_model(body)
        view = View.of((body.get("properties") or {}).get("instanceView"))
        if view is not None:
            self.take_view(model.id.key, view)
        return model

    def take_view(self, key: str, view: View) -> None:
        """The VM's own view."""
        self.views[key] = view
        self.own_views.add(key)

    def take_availability_set(self, body: Json) -> None:
        members = [member["id"] for member in (body.get("properties") or {}).get("virtualMachines") or ()]
        self.availability_sets[body["id"].lower()] = tuple(vm_id.lower() for vm_id in members)
        for vm_id in members:
            self._name(vm_id)

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

    def take_location(self, body: Json) -> None:
        """Only the pairs: Azure says far more of each region."""
        kept = {"name": body["name"], "metadata": {"pairedRegion": (body.get("metadata") or {}).get("pairedRegion")}}
        pairs_from_locations([kept])  # what cannot be understood is to fail here, where it has a name
        self.locations.append(kept)

    def take_resource(self, body: Json) -> None:
        """An item of Resource Manager's own list: an id and a type."""
        resource_id, kind = body["id"], body["type"].lower()
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
        unseen = (Missing("vm", vm_id) for vm_id in self.unseen())
        return self._untried([*self._missing_sets(), *unseen, *(self._missing_addresses() if self.with_addresses else ())])

    def missing_addresses(self) -> list[Missing]:
        """The same of interfaces and public addresses alone."""
        return self._untried(self._missing_addresses())

    def _untried(self, found: t.Iterable[Missing]) -> list[Missing]:
        fresh = {item.what: item for item in found if item.what not in self._tried}
        self._tried.update(fresh)
        return list(fresh.values())

    def unseen(self) -> list[str]:
        """Ids of VMs that are named and have not been shown."""
        return [spelling for key, spelling in self.named.items() if key not in self.models]

    def _missing_sets(self) -> t.Iterator[Missing]:
        for model in self.models.values():
            if model.availability_set and model.availability_set.lower() not in self.availability_sets:
                yield Missing("availability_set", model.availability_set)
            if model.scale_set and model.scale_set.lower() not in self.scale_sets:
                yield Missing("scale_set", model.scale_set)
        for key, spelling in self.named_scale_sets.items():
            if key not in self.scale_sets:
                yield Missing("scale_set", spelling)

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

    def lacking_views(self, thorough: bool) -> list[Model]:
        """VMs without any view, or, ``thorough``, without one that shows as much of the guest as the VM's own view."""
        return [model for key, model in self.models.items()
                if (view := self.views.get(key)) is None or (thorough and not shows_all(model, view))]

    def lists_blocks(self) -> bool:
        """Whether the status list shows the maintenance status of any VM."""
        return any(view.status for key, view in self.views.items() if key not in self.own_views)

    def without_view(self, blocks_listed: bool, only_affected: bool, thorough: bool = False) -> list[Model]:
        """VMs whose own view is to be read, those that may be under announced maintenance first.

        ``blocks_listed``: whether status lists are known to show maintenance statuses. A status is optional, so that a list
        without any proves nothing. A VM without a host has none; what else a record needs of it, the list has.
        The status list may leave out the guest agent and extensions as well: decisions depend on those of VMs under announced maintenance
        and of the members of their sets, or with ``thorough`` on those of every VM.
        """
        lacking = []
        in_question = self._in_question(only_affected)
        for key, model in self.models.items():
            view = self.views.get(key)
            if key in self.own_views and view is not None:
                continue
            shown = view is not None and self._shows_maintenance(model, view, blocks_listed, only_affected)
            if not shown or ((thorough or key in in_question) and not shows_all(model, view)):
                lacking.append(model)
        return sorted(lacking, key=lambda model: self._unlikely(self.views.get(model.id.key)))

    @staticmethod
    def _shows_maintenance(model: Model, view: View, blocks_listed: bool, only_affected: bool) -> bool:
        """Whether a view of the status list is enough to know the maintenance status of the VM."""
        domain_known = not model.availability_set or view.update_domain is not None
        return not (view.hosted and not (blocks_listed and domain_known)) and (domain_known or only_affected)

    def _in_question(self, only_affected: bool) -> set[str]:
        """VMs under announced maintenance, and the members of their sets unless only affected VMs are asked for."""
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

    def vm(self, key: str, pairs: t.Mapping[str, tuple[str, ...]] | None = None, addresses: Addresses | None = None) -> Vm:
        """The record of a VM whose model and view are there; ``addresses`` when they were read elsewhere."""
        model = self.models[key]
        return make_vm(model, self.views[key], self.addresses(model) if addresses is None else addresses, pairs or {})

    def addresses(self, model: Model) -> Addresses:
        """By the interfaces and public addresses seen; those that are missing give nothing."""
        return addresses_of(model.nics, self.nics, self.public_ips) if model.nics else Addresses()

    def by_set(self) -> dict[str, dict[str, VmId]]:
        """VMs by the keys of the sets that they name as their own, then by their keys."""
        found: dict[str, dict[str, VmId]] = {}
        for key, model in self.models.items():
            for set_id in filter(None, (model.availability_set, model.scale_set)):
                found.setdefault(set_id.lower(), {})[key] = model.id
        return found

    def proven_sets(self, wanted: t.Iterable[str]) -> dict[str, list[Vm]]:
        """Members of those availability sets (keys) of which every member that the set itself names is shown, each with a view that shows
        how it is and not only that it is there: a list can end early."""
        named_by_vms = self.by_set()
        found = {}
        for set_key in wanted:
            members = named_by_vms.get(set_key, {})
            own = self.availability_sets.get(set_key)
            if members and own is not None and members.keys() >= set(own) and all(map(self._shows_enough, members)):
                found[set_key] = [self.vm(key, addresses=Addresses()) for key in members]
        return found

    def _shows_enough(self, key: str) -> bool:
        view = self.views.get(key)
        return view is not None and view.update_domain is not None and shows_all(self.models[key], view)


def view_of(body: t.Any, vm_id: VmId) -> View:
    """The view in the answer to a request for it. Raises IncompleteFleet naming the VM when it is none."""
    doing = f"read the instance view of {vm_id}"
    with understanding(doing):
        view = View.of(body)
    if view is None:
        raise IncompleteFleet(doing, "the answer has no statuses")
    return view
