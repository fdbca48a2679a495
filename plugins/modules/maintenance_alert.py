#!/usr/bin/python
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: maintenance_alert
short_description: Ensure the alert that notifies people and programs of planned maintenance
version_added: 1.0.0
description:
  - Ensures the activity-log alert of Azure Service Health for planned maintenance of one subscription (category C(ServiceHealth), incident type
    C(Maintenance)).
  - Ensures the action group with its receivers, by mail, webhook or role.
  - Azure's own mails reach few people. You set the receivers of this alert, and a webhook may start an automation.
  - A notice names services and regions, not VMs. M(fleetops.azure_maintenance.vm_maintenance_info) lists the affected VMs.
  - Azure sends every mail address a confirmation when it is added.
options:
  name:
    description: Name of the alert.
    type: str
    required: true
  resource_group:
    description: Resource group of the alert and its action group. It must exist.
    type: str
    required: true
  state:
    description:
      - V(absent) removes the alert, and the action group if this module made it and no other activity-log alert of the subscription uses it.
      - Other uses of an action group (metric alerts, log alerts, budgets) are not checked.
    type: str
    choices: [absent, present]
    default: present
  enabled:
    description: Whether the alert fires.
    type: bool
    default: true
  description:
    description: Text of the alert.
    type: str
    default: Planned maintenance of virtual machines
  services:
    description: Services as Service Health names them. An empty list means all.
    type: list
    elements: str
    default: [Virtual Machines, Virtual Machine Scale Sets]
  regions:
    description:
      - Regions, by short or display name. An empty list means all.
      - Add V(Global) for notices that name no region.
    type: list
    elements: str
    default: []
  action_group:
    description: Name of the action group that holds the receivers. Default is O(name).
    type: str
  short_name:
    description: Name of the action group in mails and text messages, at most 12 characters. Default is the beginning of its name.
    type: str
  emails:
    description:
      - Mail addresses to notify.
      - As with the other kinds of receivers, an empty list removes all. Without the option they are not changed.
    type: list
    elements: str
  webhooks:
    description: Webhooks to call with the common alert schema.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the receiver, unique in the action group.
        type: str
        required: true
      url:
        description: Where to POST. It is a secret and never shown, also not in the diff.
        type: str
        required: true
  arm_roles:
    description:
      - Roles whose holders on the subscription get a mail.
      - V(owner), V(contributor), V(reader), V(monitoring_contributor), V(monitoring_reader), or the id of a role definition.
      - Members of groups that hold the role get none.
    type: list
    elements: str
  action_group_ids:
    description: ARM ids of other action groups to notify. They are used as they are, and never changed.
    type: list
    elements: str
    default: []
  adopt:
    description:
      - Take over an action group of this name that this module did not make. Its receivers of the kinds set here are replaced.
      - Take over an alert of this name that is about something else.
      - Otherwise the task fails in these cases.
    type: bool
    default: false
  tags:
    description: Tags to set on both. Other tags are not changed.
    type: dict
extends_documentation_fragment:
  - fleetops.azure_maintenance.azure
  - fleetops.azure_maintenance.attributes
attributes:
  check_mode:
    support: full
    details: Reads and compares; writes nothing.
  diff_mode:
    support: full
    details: Webhook URLs are hidden. One that would be replaced is marked.
  idempotent:
    support: full
    details: Order, letter case and the defaults Azure adds make no difference.
notes:
  - Needs the role Monitoring Contributor on the resource group; in check mode Monitoring Reader is enough.
seealso:
  - module: fleetops.azure_maintenance.vm_maintenance_info
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Tell the operators by mail, and Event-Driven Ansible by webhook
  fleetops.azure_maintenance.maintenance_alert:
    name: vm-maintenance
    resource_group: monitoring
    subscription_id: 11111111-1111-1111-1111-111111111111
    regions: [westeurope, North Europe, Global]
    emails: [oncall@example.org]
    arm_roles: [owner]
    webhooks:
      - name: eda
        url: "{{ vault_eda_webhook_url }}"
  delegate_to: localhost
  run_once: true

- name: Tell an action group that is there already
  fleetops.azure_maintenance.maintenance_alert:
    name: vm-maintenance
    resource_group: monitoring
    action_group_ids:
      - /subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/monitoring/providers/Microsoft.Insights/actionGroups/ops
  delegate_to: localhost
  run_once: true

- name: No alert any more
  fleetops.azure_maintenance.maintenance_alert:
    name: vm-maintenance
    resource_group: monitoring
    state: absent
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
alert_id:
  description: ARM id of the alert.
  returned: success
  type: str
  sample: /subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/monitoring/providers/Microsoft.Insights/activityLogAlerts/vm-maintenance
action_group_id:
  description: ARM id of the action group of the receivers, or null when only O(action_group_ids) are notified.
  returned: success
  type: str
  sample: /subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/monitoring/providers/Microsoft.Insights/actionGroups/vm-maintenance
actions:
  description: What was done, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [create action group vm-maintenance, create alert vm-maintenance]
kept:
  description: Why the action group was left in place by O(state=absent), or null.
  returned: success
  type: str
  sample: action group vm-maintenance is used by the alerts disk-maintenance
"""

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._alert.action_group import MARK, is_marked, same_group, shown_group
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._alert.store import AlertStore
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._alert.alert import (
    SERVICES, Wanted, display_regions, is_maintenance_rule, same_rule, shown_rule,
)
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import OptionsError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._module import run

RULE = "activityLogAlerts"
GROUP = "actionGroups"


def ensure(module, connect):
    """Compare what is there with what is wanted, and write what differs."""
    wanted, present = Wanted.from_options(module.params), module.params["state"] == "present"
    store = AlertStore(connect(), wanted.resource_group, creating=present)
    rule, group = store.read(RULE, wanted.name), store.read(GROUP, wanted.action_group)
    result = {"alert_id": store.id(RULE, wanted.name), "action_group_id": store.id(GROUP, wanted.action_group), "actions": [], "kept": None}
    if rule and not is_maintenance_rule(rule) and not module.params["adopt"]:
        raise OptionsError(f"the alert {wanted.name} in {wanted.resource_group} is not about planned maintenance alone; choose another name, or "
                           "set adopt")
    if present:
        before, after, steps = to_present(module, store, wanted, rule, group, result)
    else:
        before, after, steps = to_absent(store, wanted, rule, group, result)
    for words, step, *arguments in steps:
        result["actions"].append(words)
        if not module.check_mode:
            step(*arguments)
    if module._diff:
        result["diff"] = {"before": before, "after": after}
    return {**result, "changed": bool(steps)}


def to_present(module, store, wanted, rule, group, result):
    """What is shown before and after, and the steps; the group first, for Azure refuses an alert that names none."""
    if group and wanted.has_group and not is_marked(group) and not module.params["adopt"]:
        raise OptionsError(f"the action group {wanted.action_group} in {wanted.resource_group} was not made by this module (it has no tag {MARK}); name it in "
                           "action_group_ids to use it as it is, choose another action_group, or set adopt to replace its receivers")
    locations = store.locations() if wanted.regions else []
    new_rule = wanted.rule(rule, store.subscription, display_regions(wanted.regions, locations), result["action_group_id"])
    new_group = wanted.group(group) if wanted.has_group else None
    before, after, steps = {"alert": shown_rule(rule)}, {"alert": shown_rule(new_rule)}, []
    if new_group is None:
        result["action_group_id"] = None
    else:
        before["action_group"], after["action_group"] = shown_group(group), shown_group(new_group, group)
        if not same_group(group, new_group):
            steps.append((f"{'update' if group else 'create'} action group {wanted.action_group}", store.put, GROUP, wanted.action_group, new_group))
    if not same_rule(rule, new_rule):
        steps.append((f"{'update' if rule else 'create'} alert {wanted.name}", store.put, RULE, wanted.name, new_rule))
    return (before, after, steps) if steps else (before, before, steps)


def to_absent(store, wanted, rule, group, result):
    """The same for what is to go; the alert first, so that it never tells a group that is gone."""
    before, after, steps = {"alert": shown_rule(rule), "action_group": shown_group(group)}, {"alert": {}, "action_group": {}}, []
    if rule:
        steps.append((f"delete alert {wanted.name}", store.delete, RULE, wanted.name))
    users = store.users_of(result["action_group_id"], result["alert_id"]) if group and is_marked(group) else []
    if group and (users or not is_marked(group)):
        why = f"is used by the alerts {', '.join(users)}" if users else "was not made by this module"
        result["kept"], after["action_group"] = f"action group {wanted.action_group} {why}", before["action_group"]
    elif group:
        steps.append((f"delete action group {wanted.action_group}", store.delete, GROUP, wanted.action_group))
    return before, after, steps


def main():
    texts = {"type": "list", "elements": "str"}
    hook = {"name": {"type": "str", "required": True}, "url": {"type": "str", "required": True, "no_log": True}}
    run({"name": {"type": "str", "required": True}, "resource_group": {"type": "str", "required": True},
         "state": {"type": "str", "choices": ["absent", "present"], "default": "present"}, "enabled": {"type": "bool", "default": True},
         "description": {"type": "str", "default": "Planned maintenance of virtual machines"},
         "services": {**texts, "default": list(SERVICES)}, "regions": {**texts, "default": []},
         "action_group": {"type": "str"}, "short_name": {"type": "str"}, "emails": texts,
         "webhooks": {"type": "list", "elements": "dict", "options": hook}, "arm_roles": texts, "action_group_ids": {**texts, "default": []},
         "adopt": {"type": "bool", "default": False}, "tags": {"type": "dict"}}, ensure, supports_check_mode=True)


if __name__ == "__main__":
    main()
