#!/usr/bin/python
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_plan
short_description: Plan in which waves Azure VMs are redeployed, and say which are skipped and why
version_added: 1.0.0
description:
  - Reads the whole fleet, so that a set is known completely even when only some of its VMs are targets, and orders the targets into waves.
  - A wave never holds two update domains of one set, nor VMs of two paired regions. Every target is in exactly one wave or skipped with a reason.
  - With O(plan_file) it makes no plan but checks that a reviewed one still holds, and returns that, without the VMs that are done by now.
options:
  hosts:
    description: The targets, host name to ARM id of the VM. Only these are planned.
    type: dict
    required: true
  plan_file:
    description: A plan made earlier, to be applied as it is. Policy options are then taken from it.
    type: path
  operation:
    description: What the waves are for, see M(fleetops.azure_maintenance.vm_redeploy).
    type: str
    choices: [perform_maintenance, redeploy, reapply]
    default: perform_maintenance
  subscriptions:
    description: Subscriptions to read. Default is those of O(hosts).
    type: list
    elements: str
    default: []
  exclude:
    description: JMESPath expression over a record; targets for which it is true are skipped. For example V(tags.maintenance == 'manual').
    type: str
  max_unavailable:
    description:
      - Members of a set that may be down at once, counting those already down, as a count or a percentage of the set.
      - Without it a whole update domain goes at once, while all other members are well.
    type: str
  min_available:
    description: Members of a set that must stay up, as a count or a percentage.
    type: str
  max_parallel:
    description: VMs per wave, over all sets.
    type: int
  per_region:
    description: VMs per wave and region.
    type: int
  region_pairs:
    description: V(serial) finishes one region of a pair before the other begins. V(parallel) does not look at pairs.
    type: str
    choices: [serial, parallel]
    default: serial
  accept:
    description: Blocking hazards consented to.
    type: list
    elements: str
    default: []
  refuse:
    description: Noted hazards that hold a VM back.
    type: list
    elements: str
    default: []
  on_deadline:
    description: What happens to a VM whose wave would end after its self-service window. V(warn) plans it and says so, V(refuse) skips it.
    type: str
    choices: [warn, refuse]
    default: warn
  minutes_per_vm:
    description: Minutes one redeploy takes; use a high quantile, not the mean.
    type: int
    default: 15
  scheduled_events_minutes:
    description: Minutes Azure waits in each wave for guests that listen to Scheduled Events.
    type: int
    default: 10
  drain_minutes:
    description: Minutes a drain takes in each wave.
    type: int
    default: 2
  include_unlisted:
    description: Plan VMs of the fleet that no host stands for, too. They cannot be drained.
    type: bool
    default: false
extends_documentation_fragment:
  - fleetops.azure_maintenance.azure
  - fleetops.azure_maintenance.attributes
attributes:
  check_mode:
    support: full
    details: Only reads.
  diff_mode:
    support: N/A
    details: Changes nothing.
  idempotent:
    support: full
seealso:
  - module: fleetops.azure_maintenance.vm_redeploy
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Plan the redeployment of all VMs that are due
  fleetops.azure_maintenance.rollout_plan:
    hosts: "{{ dict(groups['maintenance_due'] | zip(groups['maintenance_due'] | map('extract', hostvars, 'azure_vm_id'))) }}"
    max_parallel: 20
    exclude: tags.maintenance == 'manual'
  delegate_to: localhost
  run_once: true
  register: planned

- name: Read it
  ansible.builtin.debug:
    msg: "{{ planned.text.splitlines() }}"
  run_once: true
"""

RETURN = r"""
plan:
  description: The plan, as it is written to a plan file.
  returned: success
  type: dict
  contains:
    version:
      description: Version of this format.
      type: int
      sample: 1
    operation:
      description: What the waves are for.
      type: str
      sample: perform_maintenance
    created:
      description: When it was made, by Azure's clock.
      type: str
      sample: "2026-03-07T00:00:00Z"
    policy:
      description: The policy it was made with.
      type: dict
      sample: {region_pairs: serial, minutes_per_vm: 15}
    waves:
      description: Waves in order. Each has number (from 1), vms (id, name, host, set, update_domain, zone, region, state, window_start, deadline, reason),
        deadline, estimate_minutes, starts_at and ends_at.
      type: list
      elements: dict
      sample: [{number: 1, vms: [{name: web-01, host: web-01, update_domain: 0}], estimate_minutes: 27}]
    skipped:
      description: Targets that are in no wave, with reason (a word) and detail (a sentence).
      type: list
      elements: dict
      sample: [{name: legacy-01, host: legacy-01, reason: skipped, detail: its attempt was aborted}]
    counts:
      description: VMs known, planned and skipped, waves, and skipped VMs by reason.
      type: dict
      sample: {fleet: 18, planned: 12, skipped: 0, waves: 4, skipped_by_reason: {}}
    lower_bound:
      description: No order needs fewer waves than this.
      type: int
      sample: 4
    estimate_minutes:
      description: Expected length of the whole rollout.
      type: int
      sample: 108
    expected_end:
      description: When it would end if begun at once.
      type: str
      sample: "2026-03-07T01:48:00Z"
    warnings:
      description: Deadlines that are missed, VMs that look done and yet allow a start, VMs that gain nothing.
      type: list
      elements: str
      sample: []
    fingerprint:
      description: Hash over what must still hold when the plan is applied.
      type: str
      sample: 5a0c6f0f5d3a
text:
  description: The plan as a table for a person.
  returned: success
  type: str
  sample: "Plan for perform_maintenance: 12 VMs in 4 waves, 0 skipped, 18 known"
run_id:
  description: A name for the run that carries it out.
  returned: success
  type: str
  sample: 20260307T000000Z-5a0c6f0f
vms:
  description: Records of the VMs in waves, keyed by id; see M(fleetops.azure_maintenance.vm_maintenance_info).
  returned: success
  type: dict
  sample: {}
counts:
  description: What was read, see M(fleetops.azure_maintenance.vm_maintenance_info).
  returned: success
  type: dict
  sample: {subscriptions: 1, vms: 18, requests: 8}
"""

import dataclasses
import json

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils import rollout_file
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.errors import OptionsError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.fleet import read_fleet
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.module import run
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.query import compile_query
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout import plan
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_policy import ON_DEADLINE, REGION_PAIRS, Policy, PolicyError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_records import PlanError, changes
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.rollout_text import render
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.vm import VmId

POLICY_SPEC = {
    "max_unavailable": {"type": "str"},
    "min_available": {"type": "str"},
    "max_parallel": {"type": "int"},
    "per_region": {"type": "int"},
    "region_pairs": {"type": "str", "choices": list(REGION_PAIRS), "default": "serial"},
    "accept": {"type": "list", "elements": "str", "default": []},
    "refuse": {"type": "list", "elements": "str", "default": []},
    "on_deadline": {"type": "str", "choices": list(ON_DEADLINE), "default": "warn"},
    "minutes_per_vm": {"type": "int", "default": 15},
    "scheduled_events_minutes": {"type": "int", "default": 10},
    "drain_minutes": {"type": "int", "default": 2},
    "include_unlisted": {"type": "bool", "default": False},
}
SPEC = {
    "hosts": {"type": "dict", "required": True},
    "plan_file": {"type": "path"},
    "operation": {"type": "str", "choices": ["perform_maintenance", "redeploy", "reapply"], "default": "perform_maintenance"},
    "subscriptions": {"type": "list", "elements": "str", "default": []},
    "exclude": {"type": "str"},
    **POLICY_SPEC,
}


def with_hosts(fleet, hosts):
    """The fleet's VMs, each with the host that stands for it; a host without a VM is an error."""
    wanted = {}
    for host, vm_id in hosts.items():
        other = wanted.setdefault(VmId.parse(vm_id).key, host)
        if other != host:
            raise OptionsError(f"hosts {other} and {host} both stand for {vm_id}; name each VM once")
    vms = [vm.with_host(wanted.pop(vm.id.key, None)) for vm in fleet.vms]
    if wanted:
        raise OptionsError(f"host {', '.join(wanted.values())} stands for a VM that Azure does not have (any more): {', '.join(wanted)}; refresh the inventory")
    return vms


def new_plan(params, fleet, vms):
    """A plan made now."""
    excluded = {}
    if params["exclude"]:
        matches = compile_query(params["exclude"], "exclude")
        excluded = {vm.id.key: f"exclude {params['exclude']!r} matches it" for vm in vms if matches(vm.to_record(fleet.now))}
    policy = Policy.from_options({name: params[name] for name in POLICY_SPEC})
    return plan(vms, policy, fleet.now, params["operation"], excluded)


def reviewed_plan(params, fleet, vms):
    """The plan of the plan file, without what is done by now; raises PlanError naming what else no longer holds."""
    try:
        with open(params["plan_file"], encoding="utf-8") as file:
            data = json.load(file)
    except (OSError, ValueError) as error:
        raise OptionsError(f"the plan file {params['plan_file']} cannot be read: {error}") from error
    reviewed = rollout_file.from_json(data, fleet.now)
    known = {vm.id.key: vm for vm in vms}
    done = {vm.id.lower() for vm in reviewed.vms if vm.id.lower() in known and known[vm.id.lower()].state(fleet.now) in ("done", "not_scheduled")}
    absent = {vm.id.lower() for vm in reviewed.vms if vm.id.lower() in known and not known[vm.id.lower()].host}
    waves = [dataclasses.replace(wave, vms=tuple(vm for vm in wave.vms if vm.id.lower() not in done | absent)) for wave in reviewed.waves]
    rest = dataclasses.replace(reviewed, waves=tuple(wave for wave in waves if wave.vms))
    differences = changes(rest, vms, fleet.now)
    if differences:
        raise PlanError(f"the plan file {params['plan_file']} does not hold any more: {'; '.join(differences.values())}; make the plan again")
    return rest


def rollout_plan(module, connect):
    """Read, plan, and return the plan with the records it names."""
    params = module.params
    if not params["hosts"]:
        raise OptionsError("hosts is empty: there is nothing to plan")
    subscriptions = params["subscriptions"] or sorted({VmId.parse(vm_id).subscription_id for vm_id in params["hosts"].values()})
    fleet = read_fleet(connect(), subscriptions)
    vms = with_hosts(fleet, params["hosts"])
    try:
        planned = reviewed_plan(params, fleet, vms) if params["plan_file"] else new_plan(params, fleet, vms)
    except (PlanError, PolicyError) as error:
        raise OptionsError(str(error)) from error
    document = rollout_file.to_json(planned)
    named = {vm.id.lower() for vm in planned.vms}
    return {
        "changed": False, "plan": document, "text": render(document), "counts": fleet.counts,
        "run_id": f"{fleet.now.strftime('%Y%m%dT%H%M%SZ')}-{document['fingerprint'][:8]}",
        "vms": {str(vm.id): vm.to_record(fleet.now) for vm in vms if vm.id.key in named},
    }


def main():
    run(SPEC, rollout_plan, supports_check_mode=True)


if __name__ == "__main__":
    main()
