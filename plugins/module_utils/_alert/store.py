# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alerts and action groups in Azure: read, put and delete one, each failure with its remedy."""

from __future__ import annotations

import re

from .._arm.client import RESOURCES, Arm
from .._errors import AzureError, NotFound, OptionsError
from .action_group import HIDDEN, Json
from .alert import uses_group

_VERSIONS = {"activityLogAlerts": "2020-10-01", "actionGroups": "2023-01-01"}
_WORDS = {"activityLogAlerts": "alert", "actionGroups": "action group"}


class AlertStore:
    """The alerts and action groups of one resource group; only when ``creating`` must the group be there."""

    def __init__(self, arm: Arm, resource_group: str, creating: bool) -> None:
        self._arm, self._group, self._creating = arm, resource_group, creating
        self.subscription = arm.settings.subscription_id
        if not self.subscription:
            raise OptionsError("no subscription is named: set subscription_id or AZURE_SUBSCRIPTION_ID; an alert watches one subscription")

    def id(self, kind: str, name: str) -> str:
        """ARM id of an alert (``activityLogAlerts``) or action group (``actionGroups``)."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self._group}/providers/Microsoft.Insights/{kind}/{name}"

    def read(self, kind: str, name: str) -> Json | None:
        """Its body, None when there is none."""
        try:
            return self._arm.get(self.id(kind, name), _VERSIONS[kind], f"read the {_WORDS[kind]} {name}")
        except NotFound as error:
            code = (error.code or "").lower()
            if code == "subscriptionnotfound" or (code == "resourcegroupnotfound" and self._creating):
                raise _with_remedy(error, "read") from error
            return None
        except AzureError as error:
            raise _with_remedy(error, "read") from error

    def put(self, kind: str, name: str, body: Json) -> None:
        try:
            self._arm.put(self.id(kind, name), _VERSIONS[kind], f"write the {_WORDS[kind]} {name}", body)
        except AzureError as error:
            # Azure may quote a webhook's URL, in whatever spelling: Ansible would hide only the one it was given.
            error.detail = re.sub(r"(?i)https?(://|%3a%2f%2f)[^\s'\"]+", HIDDEN, error.detail)
            raise _with_remedy(error, "write") from None

    def delete(self, kind: str, name: str) -> None:
        try:
            self._arm.delete(self.id(kind, name), _VERSIONS[kind], f"delete the {_WORDS[kind]} {name}")
        except AzureError as error:
            raise _with_remedy(error, "delete") from error

    def locations(self) -> list[Json]:
        return self._arm.list(f"/subscriptions/{self.subscription}/locations", RESOURCES, "list the regions")

    def users_of(self, group_id: str, but: str) -> list[str]:
        """Names of the subscription's other activity-log alerts that tell this action group."""
        path = f"/subscriptions/{self.subscription}/providers/Microsoft.Insights/activityLogAlerts"
        rules = self._arm.list(path, _VERSIONS["activityLogAlerts"], "list the alerts that use the action group")
        return sorted(str(rule.get("name")) for rule in rules if uses_group(rule, group_id) and str(rule.get("id")).lower() != but.lower())


def _with_remedy(error: AzureError, action: str) -> AzureError:
    """The same error, saying what to do where that is known."""
    code, remedy = (error.code or "").lower(), ""
    if error.status == 403:
        remedy = f"give the identity the role Monitoring {'Reader' if action == 'read' else 'Contributor'} on the resource group"
    elif code == "resourcegroupnotfound":
        remedy = "create the resource group first, or correct resource_group"
    elif code == "subscriptionnotfound":
        remedy = "correct subscription_id, or give the identity a role in that subscription"
    elif code in ("missingsubscriptionregistration", "subscriptionnotregistered"):
        remedy = "register the resource provider once: az provider register --namespace Microsoft.Insights"
    elif code == "scopelocked":
        remedy = "a lock on the resource group forbids it: remove the lock, or use another resource_group"
    return error.advising(remedy)
