# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records -> hosts: names, lean variables and default groups. Pure; the inventory plugin adds what this decides."""

from __future__ import annotations

import hashlib
import re
import typing as t

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.maintenance import parse_time
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.vm import resource_name

Record = t.Mapping[str, t.Any]
GROUP_FAMILIES = ("maintenance_state", "maintenance_due", "maintenance_window", "scheduled_window", "availability_set", "scale_set",
                  "update_domain", "region")


def host_names(records: t.Sequence[Record]) -> list[str]:
    """A name for each record: the VM's where it is unique, else with the resource group, else with the subscription too."""
    choices = [(r["name"], f"{r['name']}.{r['resource_group']}", f"{r['name']}.{r['resource_group']}.{r['subscription_id']}") for r in records]
    levels = [0] * len(choices)
    while True:
        names = [choice[level] for choice, level in zip(choices, levels)]
        counts = _counts(names)
        shared = [at for at, name in enumerate(names) if counts[name.lower()] > 1 and levels[at] < 2]
        if not shared:
            return names
        for at in shared:  # also a VM called a.b beside the VM a of the group b
            levels[at] += 1


def _counts(names: t.Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name.lower()] = counts.get(name.lower(), 0) + 1
    return counts


def host_vars(record: Record) -> dict[str, t.Any]:
    """The lean variables of a host; their volume decides what a big inventory costs."""
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
    return values


def address(record: Record, preference: t.Sequence[str]) -> str | None:
    """The first address by preference (private, public, fqdn), or None."""
    lists = {"private": "private", "public": "public", "fqdn": "fqdns"}
    return next((record["addresses"][lists[kind]][0] for kind in preference if record["addresses"][lists[kind]]), None)


class Grouper:
    """Default groups. Made from all records at once, so that two sets never share a group."""

    def __init__(self, records: t.Sequence[Record], families: t.Collection[str]) -> None:
        self._families = set(families)
        self._set_names: dict[str, str] = {}
        kinds = [(kind, record[kind]) for record in records for kind in ("availability_set", "scale_set") if record[kind]]
        by_name: dict[str, dict[str, str]] = {}
        for kind, set_id in kinds:
            by_name.setdefault(f"{kind} {_set_part(set_id)}", {})[set_id.lower()] = set_id
        for same_name in by_name.values():
            for key, set_id in same_name.items():
                self._set_names[key] = _set_part(set_id) if len(same_name) == 1 else self._unlike(set_id, same_name.values())

    @staticmethod
    def _unlike(set_id: str, others: t.Collection[str]) -> str:
        """A name with the subscription in it, or a hash where even that is shared (``a-b`` and ``a_b`` in one subscription)."""
        with_subscription = [f"{safe(i.split('/')[2])}_{_set_part(i)}" for i in others]
        own = f"{safe(set_id.split('/')[2])}_{_set_part(set_id)}"
        return own if with_subscription.count(own) == 1 else f"{own}_{hashlib.sha256(set_id.lower().encode()).hexdigest()[:8]}"

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
                yield family, f"{family}_{parse_time(maintenance[window]['start']).strftime('%Y%m%dT%H%MZ')}"
        for kind in ("availability_set", "scale_set"):
            if record[kind]:
                name = self._set_names[record[kind].lower()]
                yield kind, f"{kind}_{name}"
                if record["update_domain"] is not None:
                    yield "update_domain", f"update_domain_{name}_{record['update_domain']}"
        yield "region", f"region_{safe(record['location'])}"


def safe(text: str) -> str:
    """Lower-case, with everything that may not stand in a group name as an underscore."""
    return re.sub(r"[^a-z0-9_]", "_", text.lower())


def _set_part(set_id: str) -> str:
    parts = set_id.split("/")
    return f"{safe(parts[4])}_{safe(parts[-1])}"
