# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audience of an alert: what an action group must say, and whether the one in Azure says it already.

Standard library only; no I/O. Bodies are ARM's JSON. Webhook URLs are secrets: nothing that is meant to be shown holds one.
"""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from .._errors import OptionsError

Json = dict[str, t.Any]
ROLES = {"owner": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
         "reader": "acdd72a7-3385-48ef-bd42-f606fba81ae7", "monitoring_contributor": "749f88d5-cbae-40b8-bcfc-e573ddc772fa",
         "monitoring_reader": "43d0d8ad-25c7-4714-9337-8ba259a9fe05"}
MARK = "fleetops-azure-maintenance"
"""Tag of the action groups this collection made; its value is the name of the alert."""
HIDDEN = "(hidden)"
HIDDEN_NEW = "(hidden, another one)"
_SHORT_NAME = 12
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_MAIL = re.compile(r"[^@\s]+@[^@\s]+")


def check_receivers(emails: t.Iterable[str], webhooks: t.Iterable[Json], roles: t.Iterable[str], short_name: str) -> None:
    """Raise OptionsError for what Azure would refuse, or take and never deliver."""
    if not 1 <= len(short_name) <= _SHORT_NAME:
        raise OptionsError(f"short_name {short_name!r} has {len(short_name)} characters; Azure takes 1 to {_SHORT_NAME}")
    for address in emails:
        if not _MAIL.fullmatch(address):
            raise OptionsError(f"emails: {address!r} is not a mail address")
    names = [hook["name"].lower() for hook in webhooks]
    for hook in webhooks:
        if names.count(hook["name"].lower()) > 1:
            raise OptionsError(f"webhooks: the name {hook['name']!r} is there twice; names tell receivers apart")
        if not _is_url(hook["url"]):
            raise OptionsError(f"webhooks: the URL of {hook['name']!r} does not begin with https:// and a host, or holds a blank")
    for role in roles:
        role_id(role)


def _is_url(url: str) -> bool:
    try:
        return re.fullmatch(r"https?://[^/\s]+\S*", url) is not None and bool(urllib.parse.urlsplit(url).hostname)
    except ValueError:
        return False


def role_id(role: str) -> str:
    """Id of a role given by name or id."""
    if role.lower() in ROLES:
        return ROLES[role.lower()]
    if not _GUID.fullmatch(role):
        raise OptionsError(f"arm_roles: {role!r} is neither a role definition's id nor one of {', '.join(ROLES)}")
    return role.lower()


def wanted_group(present: Json | None, alert: str, short_name: str, tags: t.Mapping[str, str] | None,
                 emails: t.Sequence[str] | None, webhooks: t.Sequence[Json] | None, roles: t.Sequence[str] | None) -> Json:
    """The body to PUT. A kind of receiver given as None, every other kind and every other tag stay as they are."""
    old = present or {}
    properties = {**(old.get("properties") or {}), "groupShortName": short_name, "enabled": True}
    given = {"emailReceivers": emails, "webhookReceivers": webhooks, "armRoleReceivers": roles}
    names = {str(item.get("name", "")).lower() for kind, items in properties.items()
             if isinstance(items, list) and given.get(kind) is None for item in items}
    names |= {hook["name"].lower() for hook in webhooks or ()}
    if webhooks is not None:
        properties["webhookReceivers"] = [{"name": hook["name"], "serviceUri": hook["url"], "useCommonAlertSchema": True}
                                          for hook in webhooks]
    if emails is not None:
        properties["emailReceivers"] = _named(emails, properties.get("emailReceivers"), "emailAddress", names)
    if roles is not None:
        numbers = [role_id(role) for role in roles]
        properties["armRoleReceivers"] = _named(numbers, properties.get("armRoleReceivers"), "roleId", names)
    mails = properties.get("emailReceivers") or ()
    properties["emailReceivers"] = [{key: value for key, value in item.items() if key != "status"} for item in mails]  # read-only
    # A group that is there keeps its location, which cannot be changed; a new one carries our mark.
    mark = {} if present else {MARK: alert}
    tags = merged_tags(old.get("tags"), {**(tags or {}), **mark})
    return {"location": old.get("location") or "Global", "tags": tags, "properties": properties}


def _named(values: t.Iterable[str], present: t.Iterable[Json] | None, field: str, names: set[str]) -> list[Json]:
    """Receivers for values that Azure knows by a name too: the name it has, else one made of the value."""
    known = {str(item.get(field, "")).lower(): item.get("name") for item in present or ()}
    receivers = []
    for value in {value.lower(): value for value in values}.values():
        role = next((name for name, number in ROLES.items() if number == value.lower()), None)
        made = role or re.sub(r"[^0-9A-Za-z]+", "-", value).strip("-")
        name, number = known.get(value.lower()) or made, 1
        while name.lower() in names:
            number += 1
            name = f"{made}-{number}"
        names.add(name.lower())
        receivers.append({"name": name, field: value, "useCommonAlertSchema": True})
    return receivers


def same_group(present: Json | None, wanted: Json) -> bool:
    """Whether a PUT of ``wanted`` would change nothing that matters, whatever order, letter case and defaults Azure answers in."""
    return present is not None and _canonical(present) == _canonical(wanted)


def _canonical(body: Json) -> Json:
    properties = body.get("properties") or {}

    def receivers(kind: str, of: t.Callable[[Json], t.Any]) -> list[t.Any]:
        # Without a word about the schema an answer is taken for ours, or each run would change it again.
        return sorted((of(item), item.get("useCommonAlertSchema") is not False) for item in properties.get(kind) or ())

    return {
        "short_name": properties.get("groupShortName"), "enabled": properties.get("enabled") is not False,
        "emails": receivers("emailReceivers", lambda item: str(item.get("emailAddress")).lower()),
        "webhooks": receivers("webhookReceivers", _hook),
        "roles": receivers("armRoleReceivers", lambda item: str(item.get("roleId")).lower()),
        "tags": {name.lower(): value for name, value in (body.get("tags") or {}).items()},
    }


def _hook(item: Json) -> tuple[str, str, bool]:
    return str(item.get("name")).lower(), _same_url(item.get("serviceUri")), item.get("useAadAuth") is True


def _same_url(url: str | None) -> str:
    """Scheme and host in any letter case, an empty path as a slash; all else counts."""
    try:
        parts = urllib.parse.urlsplit(url or "")
    except ValueError:  # Azure took it once; it is not ours
        return str(url)
    return parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower(), path=parts.path or "/").geturl()


def merged_tags(present: t.Mapping[str, str] | None, wanted: t.Mapping[str, str]) -> dict[str, str]:
    """Tags with those wanted laid over them; names are the same in any letter case, and Azure knows texts only."""
    spelling = {name.lower(): name for name in present or {}}
    return {**(present or {}), **{spelling.get(name.lower(), name): str(value) for name, value in wanted.items()}}


def is_marked(group: Json) -> bool:
    """Whether this collection made it."""
    return any(name.lower() == MARK for name in group.get("tags") or {})


def shown_group(body: Json | None, before: Json | None = None) -> Json:
    """What a person may see of a group; with ``before``, a webhook whose URL differs from the one there says so."""
    if body is None:
        return {}
    properties = body.get("properties") or {}
    roles = {number: name for name, number in ROLES.items()}
    role_ids = [str(item.get("roleId")).lower() for item in properties.get("armRoleReceivers") or ()]
    old = {name: url for name, url, dummy in map(_hook, ((before or {}).get("properties") or {}).get("webhookReceivers") or ())}
    hooks = {}
    for hook in properties.get("webhookReceivers") or ():
        known = old.get(str(hook.get("name")).lower())
        hooks[str(hook.get("name"))] = HIDDEN if known in (None, _same_url(hook.get("serviceUri"))) else HIDDEN_NEW
    return {
        "short_name": properties.get("groupShortName"), "enabled": properties.get("enabled") is not False,
        "emails": sorted(str(item.get("emailAddress")).lower() for item in properties.get("emailReceivers") or ()),
        "webhooks": dict(sorted(hooks.items())),
        "arm_roles": sorted(roles.get(number, number) for number in role_ids),
        "tags": dict(sorted((body.get("tags") or {}).items())),
    }
