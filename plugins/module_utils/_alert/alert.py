# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The activity-log alert for planned maintenance: what it must say, and whether the one in Azure says it already.

Standard library only; no I/O. Bodies are ARM's JSON; the audience is :mod:`action_group`.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._azure.vm import normal_location
from .._errors import OptionsError
from .._spelling import did_you_mean
from .action_group import Json, check_receivers, merged_tags, wanted_group

SERVICES = ("Virtual Machines", "Virtual Machine Scale Sets")
_CATEGORY, _INCIDENT = "category", "properties.incidentType"
_SERVICE, _REGION = "properties.impactedServices[*].ServiceName", "properties.impactedServices[*].ImpactedRegions[*].RegionName"
_NAME = re.compile(r"[^*<>%{}&:\\?/+#]{1,260}")
_GROUP_ID = re.compile(r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Insights/actionGroups/[^/]+", re.IGNORECASE)


@dataclass(frozen=True)
class Wanted:
    """The alert and its audience as the options say. A receiver list of None is not ours to change; [] empties it."""

    resource_group: str
    name: str
    action_group: str
    short_name: str
    enabled: bool = True
    description: str = ""
    services: tuple[str, ...] = SERVICES
    regions: tuple[str, ...] = ()
    emails: tuple[str, ...] | None = None
    webhooks: tuple[Json, ...] | None = None
    roles: tuple[str, ...] | None = None
    group_ids: tuple[str, ...] = ()
    tags: t.Mapping[str, str] | None = None

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any]) -> "Wanted":
        """From module options; raises OptionsError, before any request, for what cannot work."""
        group = options.get("action_group") or options["name"]
        lists = {ours: tuple(options[theirs]) if options.get(theirs) is not None else None
                 for ours, theirs in (("emails", "emails"), ("webhooks", "webhooks"), ("roles", "arm_roles"))}
        wanted = cls(
            resource_group=options["resource_group"], name=options["name"], action_group=group,
            short_name=options.get("short_name") or group[:12], enabled=options["enabled"], description=options["description"],
            services=tuple(options["services"]),
            regions=tuple(options["regions"]), group_ids=tuple(options["action_group_ids"]), tags=options.get("tags"), **lists)
        wanted.check(options["state"] == "present")
        return wanted

    def check(self, present: bool) -> None:
        for option, value in (("name", self.name), ("action_group", self.action_group)):
            if not _NAME.fullmatch(value) or value.endswith((" ", ".")):
                raise OptionsError(f"{option} {value!r} cannot be a name in Azure; it must not hold any of *<>%{{}}&:\\?/+#, nor end with a "
                                   "blank or a dot")
        if not present:
            return
        if not (self.emails or self.webhooks or self.roles or self.group_ids):
            raise OptionsError("no receiver is set: set at least one of emails, webhooks, arm_roles or action_group_ids")
        for group_id in self.group_ids:
            if not _GROUP_ID.fullmatch(group_id):
                raise OptionsError(f"action_group_ids: {group_id!r} is not the id of an action group (/subscriptions/<id>/resourceGroups/<group>"
                                   "/providers/Microsoft.Insights/actionGroups/<name>)")
        check_receivers(self.emails or (), self.webhooks or (), self.roles or (), self.short_name)

    @property
    def has_group(self) -> bool:
        """Whether the action group is of our making, rather than only those of others."""
        return not (self.emails is None and self.webhooks is None and self.roles is None)

    def group(self, present: Json | None) -> Json:
        """Body of the action group, given the one there."""
        return wanted_group(present, self.name, self.short_name, self.tags, self.emails, self.webhooks, self.roles)

    def rule(self, present: Json | None, subscription: str, regions: t.Sequence[str], own_group_id: str) -> Json:
        """Body of the alert, given the one there. ``regions`` are display names, as notices spell them."""
        old = (present or {}).get("properties") or {}
        conditions: list[Json] = [{"field": _CATEGORY, "equals": "ServiceHealth"}, {"field": _INCIDENT, "equals": "Maintenance"}]
        if self.services:
            conditions.append({"field": _SERVICE, "containsAny": list(self.services)})
        if regions:
            conditions.append({"field": _REGION, "containsAny": list(regions)})
        payloads = {str(item.get("actionGroupId")).lower(): item.get("webhookProperties") for item in _actions(old)}
        ids = {group_id.lower(): group_id for group_id in ([own_group_id] if self.has_group else []) + list(self.group_ids)}
        groups = [{"actionGroupId": group_id, "webhookProperties": payloads.get(key) or {}} for key, group_id in ids.items()]
        return {
            "location": (present or {}).get("location") or "Global",
            "tags": merged_tags((present or {}).get("tags"), self.tags or {}),
            "properties": {
                "enabled": self.enabled, "description": self.description, "scopes": [f"/subscriptions/{subscription}"],
                "condition": {"allOf": conditions},
                "actions": {"actionGroups": groups},
            },
        }


def display_regions(wanted: t.Iterable[str], locations: t.Iterable[Json]) -> list[str]:
    """Names as notices spell them ("West Europe") for regions in either spelling; raises OptionsError naming near misses."""
    known = {"global": "Global"}
    for location in locations:
        shown = location.get("displayName") or location["name"]
        known.update({normal_location(location["name"]): shown, normal_location(shown): shown})
    found = {}
    for region in wanted:
        key = normal_location(region)
        if key not in known:
            hint = did_you_mean(key, known, most=3)
            raise OptionsError(f"regions: {region!r} is no region of this subscription" + (f"; {hint}" if hint else ""))
        found[known[key]] = True
    return list(found)


def is_maintenance_rule(rule: Json) -> bool:
    """Whether an alert is about planned maintenance and nothing else; any other one of this name is somebody else's."""
    found = {field: set(values) for field, dummy, values in _conditions(rule)}
    return found.get(_CATEGORY.lower()) == {"servicehealth"} and found.get(_INCIDENT.lower()) == {"maintenance"}


def uses_group(rule: Json, group_id: str) -> bool:
    return any(str(item.get("actionGroupId")).lower() == group_id.lower() for item in _actions(rule.get("properties") or {}))


def same_rule(present: Json | None, wanted: Json) -> bool:
    """Whether a PUT of ``wanted`` would change nothing that matters, whatever order, letter case and defaults Azure answers in."""
    return present is not None and _canonical(present) == _canonical(wanted)


def _canonical(rule: Json) -> Json:
    properties = rule.get("properties") or {}
    return {
        "enabled": properties.get("enabled") is not False, "description": properties.get("description") or "",
        "scopes": sorted(str(scope).rstrip("/").lower() for scope in properties.get("scopes") or ()),
        "conditions": sorted(_conditions(rule)),
        "groups": {str(item.get("actionGroupId")).lower(): item.get("webhookProperties") or {} for item in _actions(properties)},
        "tags": {name.lower(): value for name, value in (rule.get("tags") or {}).items()},
    }


def _actions(properties: Json) -> list[Json]:
    return (properties.get("actions") or {}).get("actionGroups") or []


def _conditions(rule: Json) -> list[tuple[str, str, tuple[str, ...]]]:
    """(field, kind, values) of each condition, lower-case. Three ways to say the same thing give the same.

    One field equal to one value, any of alternatives each equal to a value, and containsAny of those values.
    """
    found = []
    condition = (rule.get("properties") or {}).get("condition") or {}
    for leaf in condition.get("allOf") or ():
        parts = leaf.get("anyOf") or [leaf]
        fields = {str(part.get("field")).lower() for part in parts}
        given = [value for part in parts for value in [*(part.get("containsAny") or ()), part.get("equals")]]
        values = [str(value).lower() for value in given if value is not None]
        kind = "is" if len(fields) == 1 else "one of several fields"
        found.append((", ".join(sorted(fields)), kind, tuple(sorted(set(values)))))
    return found


def shown_rule(rule: Json | None) -> Json:
    """What a person sees of an alert; the extra properties that webhooks get may hold secrets and are left out."""
    if rule is None:
        return {}
    properties = rule.get("properties") or {}
    return {
        "enabled": properties.get("enabled") is not False, "description": properties.get("description") or "",
        "scopes": list(properties.get("scopes") or ()),
        "conditions": {field: list(values) for field, dummy, values in sorted(_conditions(rule))},
        "action_groups": sorted(str(item.get("actionGroupId")).lower() for item in _actions(properties)),
        "tags": dict(sorted((rule.get("tags") or {}).items())),
    }
