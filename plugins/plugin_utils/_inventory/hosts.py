# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records -> hosts: names, lean variables and default groups. Pure; the inventory plugin adds what this decides."""

from __future__ import annotations

import functools
import hashlib
import re
import typing as t

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.maintenance import parse_time
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import resource_name
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import OptionsError

Record = t.Mapping[str, t.Any]
Namer = t.Callable[[Record], t.Optional[str]]
GROUP_FAMILIES = ("maintenance_state", "maintenance_due", "maintenance_window", "scheduled_window", "availability_set", "scale_set",
                  "update_domain", "region")
# A VM of such a name would be every host, no host, or the controller itself.
RESERVED = frozenset({"all", "ungrouped", "localhost", "127.0.0.1", "::1"})
_UNFIT_FOR_PATTERNS = re.compile(r"[\s,\[\]{}'\"]|^[!&~@]|^$")


def distinct(choices: t.Sequence[t.Sequence[str]], reserved: t.Collection[str] = ()) -> list[str]:
    """One name for each list of choices, the first that nobody shares (whatever the letter case); all who share one go on to their next."""
    levels = [0] * len(choices)
    while True:
        names = [choice[level] for choice, level in zip(choices, levels)]
        counts: dict[str, int] = {}
        for name in names:
            counts[name.lower()] = counts.get(name.lower(), 0) + 1
        shared = [at for at, name in enumerate(names)
                  if (counts[name.lower()] > 1 or name.lower() in reserved) and levels[at] + 1 < len(choices[at])]
        if not shared:
            return names
        for at in shared:
            levels[at] += 1


def spellings(record: Record) -> tuple[str, str, str]:
    """What a host of this VM may be called: its name, then with the resource group, then with the subscription too.

    Lower-case from the group on: ARM answers one id in several letter cases, and a host must not change its name with them.
    """
    in_group = f"{record['name']}.{record['resource_group'].lower()}"
    return record["name"], in_group, f"{in_group}.{record['subscription_id'].lower()}"


def host_names(records: t.Sequence[Record], namer: Namer | None = None) -> list[str]:
    """A name for each record: what ``namer`` gives, else the shortest of its :func:`spellings` that no other VM shares.

    Raises OptionsError where ``namer`` gives no name, one that is unfit for host patterns, or one name to two VMs.
    """
    if namer is None:
        return distinct([spellings(record) for record in records], RESERVED)
    taken: dict[str, str] = {}
    for record in records:
        name = namer(record)
        if name is None:
            raise OptionsError(f"hostnames gives no name for {record['id']}; add an expression that every VM has, such as name")
        if name.lower() in RESERVED or _UNFIT_FOR_PATTERNS.search(name):
            raise OptionsError(f"hostnames gives {name!r} to {record['id']}, which cannot be the name of a host")
        if name in taken:
            raise OptionsError(f"hostnames gives {name!r} to both {taken[name]} and {record['id']}; make it unique")
        taken[name] = record["id"]
    return list(taken)


def host_vars(record: Record, address_preference: t.Sequence[str] = (), whole: bool = False) -> dict[str, t.Any]:
    """The lean variables of a host; their volume decides what a big inventory costs. ``whole`` adds the record itself."""
    maintenance = record["maintenance"]
    values = {
        "azure_vm_id": record["id"], "azure_vm_name": record["name"], "azure_resource_group": record["resource_group"],
        "azure_subscription_id": record["subscription_id"], "azure_location": record["location"], "azure_zone": record["zone"],
        "azure_availability_set": resource_name(record["availability_set"]), "azure_scale_set": resource_name(record["scale_set"]),
        "azure_update_domain": record["update_domain"], "azure_fault_domain": record["fault_domain"],
        "azure_power_state": record["power_state"], "azure_maintenance_state": maintenance["state"],
        "azure_hazards": [hazard["name"] for hazard in record["hazards"]], "azure_tags": record["tags"],
    }
    for name in ("self_service_window", "scheduled_window"):
        if maintenance[name]:
            values[f"azure_{name}"] = maintenance[name]
    where = address(record, address_preference)
    if where:
        values["ansible_host"] = where
    if whole:
        values["azure_vm"] = record
    return values


def address(record: Record, preference: t.Sequence[str]) -> str | None:
    """The first address by preference (private, public, fqdn), or None."""
    lists = {"private": "private", "public": "public", "fqdn": "fqdns"}
    return next((record["addresses"][lists[kind]][0] for kind in preference if record["addresses"][lists[kind]]), None)


def families_of(chosen: t.Any) -> t.Collection[str]:
    """Group families from the option default_groups: true, false or a list of names. Raises OptionsError on another name."""
    if isinstance(chosen, bool):
        return GROUP_FAMILIES if chosen else ()
    unknown = [name for name in chosen if name not in GROUP_FAMILIES] if isinstance(chosen, list) else [chosen]
    if unknown:
        raise OptionsError(f"default_groups {unknown[0]!r} is unknown; use true, false, or a list of {', '.join(GROUP_FAMILIES)}")
    return chosen


class Grouper:
    """Default groups. Made from all records of a source at once, so that two sets never share a group."""

    def __init__(self, records: t.Iterable[Record], families: t.Collection[str]) -> None:
        self._families = frozenset(families)
        owners: dict[tuple[str, str, str], tuple[str, ...]] = {}
        for record in records:
            for family, set_id, tail in _memberships(record):
                owner = (family, set_id.lower(), tail)
                if owner not in owners:
                    owners[owner] = _choices(*owner)
        self._names = dict(zip(owners, distinct(list(owners.values()))))

    def groups(self, record: Record) -> list[str]:
        """Default groups of one record, in a fixed order."""
        return [group for family, group in self._all(record) if family in self._families]

    def _all(self, record: Record) -> t.Iterator[tuple[str, str]]:
        maintenance = record["maintenance"]
        yield "maintenance_state", f"maintenance_{maintenance['state']}"
        if maintenance["state"] == "startable":
            yield "maintenance_due", "maintenance_due"
        for family, window in (("maintenance_window", "self_service_window"), ("scheduled_window", "scheduled_window")):
            if maintenance[window]:
                yield family, f"{family}_{_stamp(maintenance[window]['start'])}"
        for family, set_id, tail in _memberships(record):
            yield family, self._names[family, set_id.lower(), tail]
        if record["location"]:
            yield "region", f"region_{safe(record['location'])}"


def _memberships(record: Record) -> t.Iterator[tuple[str, str, str]]:
    """(family, set id, what follows the set's name): in a zoned scale set an update domain is one within its zone."""
    for kind in ("availability_set", "scale_set"):
        if record[kind]:
            yield kind, record[kind], ""
            if record["update_domain"] is not None:
                zone = f"_zone{safe(str(record['zone']))}" if kind == "scale_set" and record["zone"] else ""
                yield "update_domain", record[kind], f"{zone}_{record['update_domain']}"


def _choices(family: str, set_id: str, tail: str) -> tuple[str, str, str]:
    """Group names: by resource group and set, with the subscription, and with a hash (``a-b`` beside ``a_b`` in one subscription)."""
    parts = set_id.split("/")
    place = f"{safe(parts[4])}_{safe(parts[-1])}"
    in_subscription = f"{family}_{safe(parts[2])}_{place}{tail}"
    digest = hashlib.sha256(f"{set_id.lower()}{tail}".encode()).hexdigest()[:8]
    return f"{family}_{place}{tail}", in_subscription, f"{in_subscription}_{digest}"


@functools.lru_cache(maxsize=1024)
def _stamp(start: str) -> str:
    return parse_time(start).strftime("%Y%m%dT%H%MZ")


@functools.lru_cache(maxsize=1024)
def safe(text: str) -> str:
    """Lower-case, with everything that may not stand in a group name as an underscore."""
    return re.sub(r"[^a-z0-9_]", "_", text.lower())
