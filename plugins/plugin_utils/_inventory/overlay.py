# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which host of an existing inventory stands for which VM: by Azure id first, by name only where nothing else is of that name. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import BadVmId, VmId
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import OptionsError

Record = t.Mapping[str, t.Any]
Hosts = t.Mapping[str, t.Mapping[str, t.Any]]
_OWN = "azure_vm_id"
_SHOWN = 3


@dataclass(frozen=True)
class Matches:
    """``pairs`` of host and record in the order of the records; the records and the number of hosts that are left over."""

    pairs: list[tuple[str, Record]]
    by_id: int
    records_left: list[Record]
    hosts_left: int

    def homeless(self) -> list[str]:
        """Ids of VMs that may be redeployed now and that no host stands for."""
        return [record["id"] for record in self.records_left if record["maintenance"]["state"] == "startable"]

    def __str__(self) -> str:
        return (f"{self.by_id} hosts matched by id, {len(self.pairs) - self.by_id} by name; "
                f"{self.hosts_left} hosts without a VM, {len(self.records_left)} VMs without a host")


def azure_id(host: str, variables: t.Mapping[str, t.Any], id_vars: t.Sequence[str]) -> str | None:
    """Key (:attr:`VmId.key`) of the first of these variables that holds the id of a VM; None when none does.

    Raises OptionsError for an ``azure_vm_id`` that is none: by its name the host would be taken for another VM than a rollout would.
    """
    for name in id_vars:
        value = variables.get(name)
        if not value or not (isinstance(value, str) or name == _OWN):
            continue
        try:
            return VmId.parse(value).key
        except BadVmId as error:
            if name == _OWN:
                raise OptionsError(f"host {host}: {name}: {error}") from error
            # ``id`` is anybody's name for anything
    return None


def match(hosts: Hosts, records: t.Sequence[Record], id_vars: t.Sequence[str], names_of: t.Callable[[Record], t.Iterable[str]]) -> Matches:
    """Find the host of each record. A host that carries a VM's id is never matched by name.

    Raises OptionsError, naming both, where two hosts would be one VM or one host could be two VMs, and where nothing
    matches at all.
    """
    found: dict[int, str] = {}
    unidentified = _match_ids(hosts, records, id_vars, found)
    by_id = len(found)
    _match_names(unidentified, records, names_of, found)
    if not found:
        raise OptionsError(_nothing_matches(list(hosts), records, id_vars))
    pairs = [(found[at], record) for at, record in enumerate(records) if at in found]
    return Matches(pairs, by_id, [record for at, record in enumerate(records) if at not in found], len(hosts) - len(found))


def check_new(hosts: Hosts, pairs: t.Iterable[tuple[str, Record]], id_vars: t.Sequence[str]) -> None:
    """Raises OptionsError where a host that is to be added is there already and is another VM: two would become one."""
    for name, record in pairs:
        there = azure_id(name, hosts[name], id_vars) if name in hosts else None
        if there not in (None, record["id"].lower()):
            raise OptionsError(f"{name} would be {record['id']}, but an earlier source has it as {there}; read both subscriptions by one file, "
                               "or set hostnames that tell the VMs apart")


def _match_ids(hosts: Hosts, records: t.Sequence[Record], id_vars: t.Sequence[str], found: dict[int, str]) -> list[str]:
    """Adds record -> host to ``found``; the hosts that carry no id."""
    places = {record["id"].lower(): at for at, record in enumerate(records)}
    unidentified = []
    for host, variables in hosts.items():
        key = azure_id(host, variables, id_vars)
        at = places.get(key)
        if key is None:
            unidentified.append(host)
        elif at in found:
            raise OptionsError(f"overlay: hosts {found[at]} and {host} both carry the id {records[at]['id']}; a VM can be one host only")
        elif at is not None:
            found[at] = host
    return unidentified


def _match_names(hosts: t.Iterable[str], records: t.Sequence[Record], names_of: t.Callable[[Record], t.Iterable[str]], found: dict[int, str]) -> None:
    by_id = set(found)
    places: dict[str, list[int]] = {}
    for at, record in enumerate(records):
        for name in {name.lower() for name in names_of(record)}:
            places.setdefault(name, []).append(at)
    for host in hosts:
        candidates = places.get(host.lower(), [])
        if by_id.issuperset(candidates):
            continue  # nobody of that name, or somebody with a host already: this one is another machine
        if len(candidates) > 1:
            one, other = (records[at]["id"] for at in candidates[:2])
            raise OptionsError(f"overlay: host {host} could be {one} or {other}; set its azure_vm_id, or set hostnames that tell them apart")
        at = candidates[0]
        if at in found:
            raise OptionsError(f"overlay: hosts {found[at]} and {host} could both be {records[at]['id']}; set azure_vm_id on the one that is")
        found[at] = host


def _nothing_matches(hosts: t.Sequence[str], records: t.Sequence[Record], id_vars: t.Sequence[str]) -> str:
    order = "list this source after the one that adds the hosts (several -i are read in the order given, a folder in the order of file names)"
    if not hosts:
        return f"overlay: no host is there yet; {order}"
    if not records:
        return f"overlay: no VM was read for the {len(hosts)} hosts there; look at subscriptions and resource_groups, and at the identity's rights"
    return (f"overlay: none of the {len(hosts)} hosts there ({_some(hosts)}) is one of the {len(records)} VMs read "
            f"({_some([record['name'] for record in records])}); {order}, set {id_vars[0] if id_vars else 'overlay_id_vars'} on the hosts, or give "
            "hostnames that say what the host of a VM is called")


def _some(names: t.Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "")
