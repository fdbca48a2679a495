#!/usr/bin/python
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_plan
short_description: Plan the waves in which Azure VMs are redeployed
version_added: 1.0.0
description:
  - Reads the whole fleet and orders the targets into waves. A set is known completely, even when only some of its VMs are targets.
  - A wave never holds two failure domains of one set, nor VMs of two paired regions.
  - Every target is in exactly one wave, or skipped with a reason.
  - With O(plan_file) it makes no plan. It checks that the reviewed plan still holds, and returns what is to be done of it. When the plan does not hold, it
    fails with the difference by VM.
options:
  hosts:
    description: The targets, host name to ARM id of the VM. Only these are planned.
    type: dict
    required: true
  groups:
    description: Ansible groups of each host. Only needed when O(tier) is a list of groups or O(minutes_per_vm) a mapping.
    type: dict
    default: {}
  plan_file:
    description:
      - A plan made earlier, to be applied as it is. Operation and policy are then the plan's, and the options for them have no effect.
      - Of O(hosts) only those that stand for VMs in it count. A planned VM whose host is not among O(hosts) is skipped as C(not_in_run).
    type: path
  lane:
    description: Experimental. The lane of O(plan_file) to apply, from 1. Required when the plan has several.
    type: int
  error_budget:
    description:
      - Failed hosts that are allowed before the run stops, as a count or a percentage of the planned hosts.
      - Or a mapping of C(overall) and C(per_set). The latter is of the planned members of one set. A set with more failed hosts has no more redeployed.
      - This module only checks that it can be understood.
    type: raw
    default: 0
  plan_out:
    description: File to write the plan to, for people to review and O(plan_file) to apply.
    type: path
  csv_out:
    description: File to write the plan to as CSV.
    type: path
  runs_dir:
    description: Directory in which a copy of the plan is kept as C(plan.json) in a directory named by its RV(run_id), for the waves of this run.
    type: path
  operation:
    description: What the waves are for, see M(fleetops.azure_maintenance.vm_redeploy).
    type: str
    choices: [perform_maintenance, redeploy, reapply]
    default: perform_maintenance
  subscriptions:
    description: Subscriptions to read. Default is those of O(hosts). With O(plan_file) those that the plan was made from are always read, too.
    type: list
    elements: str
    default: []
  exclude:
    description: JMESPath expression over a record; targets for which it is true are skipped. For example V(tags.maintenance == 'manual').
    type: str
  max_unavailable:
    description:
      - Members of a set that may be down at once, counting those already down, as a count or a percentage of the set.
      - Without it a whole failure domain goes at once, while all other members are healthy.
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
    description: V(serial) finishes one region of a pair before the other begins. V(parallel) ignores pairs.
    type: str
    choices: [serial, parallel]
    default: serial
  service:
    description:
      - JMESPath expression over a record, for example V(tags.service). VMs outside sets for which it gives the same text form a set.
      - One that gives nothing for any VM read is an error.
      - Their failure domains are the zones; a VM without a zone is one of its own.
    type: str
  tier:
    description:
      - JMESPath expression over a record that gives a number or text, or a list of Ansible groups. A tier is finished before the next begins.
      - Hosts without one, or in none of the groups, come last. An expression that gives nothing for any VM read is an error.
    type: raw
  sequence:
    description: JMESPath expression over a record that gives a number, or true and false. Failure domains of a set with a higher value go later.
    type: str
  canary:
    description: How many VMs go first and alone, or a JMESPath expression that is true for them.
    type: raw
  soak_minutes:
    description: Minutes between two failure domains of the same set. Other sets do not wait.
    type: int
    default: 0
  calendar:
    description: When waves may run. A wave that cannot end inside open hours does not start.
    type: dict
    suboptions:
      time_zone:
        description: Time zone of hours and dates, V(UTC) by default, for example V(Europe/Amsterdam).
        type: str
      open:
        description: Open hours, each with C(days) (C(mon) to C(sun), default all), C(from) and C(to). They may cross midnight. Default is always.
        type: list
        elements: dict
      closed:
        description: Closed dates, each a date such as C(2026-12-24), or C(from) and C(to), both included.
        type: list
        elements: raw
  lanes:
    description:
      - Experimental. Number of parts of the plan. They have no set, region pair or tier in common and may run at the same time.
      - Not needed with O(plan_file). A number other than the plan's is refused.
    type: int
    default: 1
  accept:
    description: Blocking hazards consented to, and V(unknown_attempt), see M(fleetops.azure_maintenance.vm_redeploy).
    type: list
    elements: str
    default: []
  refuse:
    description: Noted hazards for which a VM is skipped.
    type: list
    elements: str
    default: []
  on_deadline:
    description: What happens to a VM whose wave would end after its self-service window. V(warn) plans it with a warning. V(refuse) skips it.
    type: str
    choices: [warn, refuse]
    default: warn
  minutes_per_vm:
    description: Minutes one redeploy takes, or a mapping of Ansible groups, and V(default), to minutes. Use a high quantile, not the mean.
    type: raw
    default: 15
  learn_from:
    description:
      - A report that an earlier rollout wrote. The minutes per VM are then the 90th percentile of its successful redeploys, rounded up.
      - With a mapping in O(minutes_per_vm), they are its C(default).
      - Measured times include the wait for Scheduled Events, so O(scheduled_events_minutes) counts as 0.
    type: path
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
  next_command:
    description: The command that applies the plan, to print at the end of RV(text).
    type: str
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
  description: The plan, as it is written to a plan file. C(docs/plan-schema.json) in the collection is its JSON schema.
  returned: success
  type: dict
  contains:
    version:
      description: Version of this format.
      type: int
      sample: 2
    operation:
      description: What the waves are for.
      type: str
      sample: perform_maintenance
    created:
      description: When it was made, by Azure's clock.
      type: str
      sample: "2026-03-07T00:00:00Z"
    subscriptions:
      description: Subscriptions that were read for it.
      type: list
      elements: str
      sample: [11111111-1111-1111-1111-111111111111]
    lanes:
      description: Number of lanes.
      type: int
      sample: 1
    lanes_possible:
      description: Number of lanes that this rollout could have at most.
      type: int
      sample: 3
    policy:
      description: The policy it was made with.
      type: dict
      sample: {region_pairs: serial, minutes_per_vm: 15}
    waves:
      description: Waves in order. Each has lane and number (both from 1), vms (id, name, host, set, service, update_domain, zone, region, tier, canary,
        minutes, state, window_start, deadline, reason), deadline, estimate_minutes, starts_at and ends_at.
      type: list
      elements: dict
      sample: [{lane: 1, number: 1, vms: [{name: web-01, host: web-01, update_domain: 0}], estimate_minutes: 27}]
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
      description: Deadlines that are missed, VMs that are done and yet allow a start, VMs that gain nothing.
      type: list
      elements: str
      sample: []
    fingerprint:
      description: Hash over what it was made from, that is operation, policy, and the facts of the VMs in it.
      type: str
      sample: 5a0c6f0f5d3a
    checksum:
      description: Hash over all of it, so that a plan which was edited is refused.
      type: str
      sample: 9b1d7702e4c1
read_at:
  description: When the fleet was read, by Azure's clock.
  returned: success
  type: str
  sample: "2026-03-07T00:00:00Z"
text:
  description:
    - The plan as a table for a person. It names every VM up to 300. Above that it counts sets and regions, and RV(csv) names the VMs.
    - Times are in UTC, and also in the time zone of the controller where that is another.
    - A deadline less than two hours away is in minutes.
  returned: success
  type: str
  sample: "Plan for perform_maintenance: 12 VMs in 4 waves, 0 skipped, 18 known"
csv:
  description: The plan as CSV, one line per VM, the skipped ones included.
  returned: success
  type: str
  sample: "wave,lane,host,name,id,set,update_domain,region,zone,tier,starts_at,ends_at,deadline,state,reason"
run_id:
  description: A name for the run that applies it.
  returned: success
  type: str
  sample: 20260307T000000Z-5a0c6f0f
vms:
  description: Records of the VMs in waves, keyed by id; see M(fleetops.azure_maintenance.vm_maintenance_info).
  returned: success
  type: dict
  sample: {}
differences:
  description: What no longer holds, as a sentence by VM name.
  returned: when O(plan_file) does not hold any more
  type: dict
  sample: {web-01: "web-01: update domain was 0, is now 1"}
counts:
  description: What was read, see M(fleetops.azure_maintenance.vm_maintenance_info).
  returned: success
  type: dict
  sample: {subscriptions: 1, vms: 18, requests: 8}
"""

import dataclasses
import json

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.maintenance import format_time
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.query import compile_query, mistakes, no_match
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import OptionsError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._fleet.fleet import Selection, read_fleet
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._module import run
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout import plan_file, recheck
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.attributes import refuse_mistakes
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.documents import read_json, write_all
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.estimate import learn
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.plan import PlanError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.planner import plan
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.policy import ON_DEADLINE, REGION_PAIRS, Policy, PolicyError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.table import render
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.targets import (
    RUN_SPEC, budget_of, judges_everybody, subscriptions_of, with_hosts,
)

POLICY_SPEC = {
    "max_unavailable": {"type": "str"},
    "min_available": {"type": "str"},
    "max_parallel": {"type": "int"},
    "per_region": {"type": "int"},
    "region_pairs": {"type": "str", "choices": list(REGION_PAIRS), "default": "serial"},
    "service": {"type": "str"},
    "tier": {"type": "raw"},
    "sequence": {"type": "str"},
    "canary": {"type": "raw"},
    "soak_minutes": {"type": "int", "default": 0},
    "calendar": {"type": "dict", "options": {
        "time_zone": {"type": "str"}, "open": {"type": "list", "elements": "dict"}, "closed": {"type": "list", "elements": "raw"}}},
    "lanes": {"type": "int", "default": 1},
    "accept": {"type": "list", "elements": "str", "default": []},
    "refuse": {"type": "list", "elements": "str", "default": []},
    "on_deadline": {"type": "str", "choices": list(ON_DEADLINE), "default": "warn"},
    "minutes_per_vm": {"type": "raw", "default": 15},
    "scheduled_events_minutes": {"type": "int", "default": 10},
    "drain_minutes": {"type": "int", "default": 2},
    "include_unlisted": {"type": "bool", "default": False},
}
SPEC = {
    **RUN_SPEC,
    "groups": {"type": "dict", "default": {}},
    "plan_file": {"type": "path"},
    "plan_out": {"type": "path"}, "csv_out": {"type": "path"}, "runs_dir": {"type": "path"},
    "operation": {"type": "str", "choices": ["perform_maintenance", "redeploy", "reapply"], "default": "perform_maintenance"},
    "exclude": {"type": "str"},
    "learn_from": {"type": "path"},
    "next_command": {"type": "str"},
    **POLICY_SPEC,
}


def policy_of(params):
    """The policy of the options, and what was learnt for it, in words."""
    options = {name: params[name] for name in POLICY_SPEC}
    if options["calendar"]:
        options["calendar"] = {key: value for key, value in options["calendar"].items() if value is not None}
    if not params["learn_from"]:
        return Policy.from_options(options), ()
    try:
        learnt = learn(read_json(params["learn_from"], "report"))
    except PlanError as error:
        raise OptionsError(f"learn_from {params['learn_from']}: {error}") from error
    minutes = options["minutes_per_vm"]
    options["minutes_per_vm"] = {**minutes, "default": learnt.minutes} if isinstance(minutes, dict) else learnt.minutes
    options["scheduled_events_minutes"] = 0
    return Policy.from_options(options), (f"LEARNT: {learnt.minutes} minutes per VM, the wait for Scheduled Events included, is the 90th percentile of "
                                          f"{learnt.redeploys} redeploys in {params['learn_from']}",)


def excluded_of(params, vms, now):
    """Reasons by VM. An expression that matches no VM at all, or names what no VM has, is refused: what it was to leave alone would be redeployed."""
    expression = params["exclude"]
    if not expression:
        return {}
    matches, records = compile_query(expression, "exclude"), {vm.id.key: vm.to_record(now) for vm in vms}
    excluded = {key: f"exclude {expression!r} matches it" for key, record in records.items() if matches(record)}
    known = list(records.values())
    words = mistakes(expression, known) if excluded else f"it matches none of the {len(known)} VMs read: {no_match(expression, known)}"
    if words:
        raise OptionsError(f"exclude {expression!r}: {words}. Correct it, or leave rollout_exclude out")
    return excluded


def new_plan(params, fleet):
    """A plan made now, and its VMs."""
    vms = with_hosts(fleet.vms, params["hosts"], params["groups"], strict=True)
    excluded = excluded_of(params, vms, fleet.now)
    policy, notes = policy_of(params)
    refuse_mistakes(vms, policy, fleet.now)
    made = plan(vms, policy, fleet.now, params["operation"], excluded)
    return dataclasses.replace(made, warnings=(*made.warnings, *notes)), vms


def described(module, planned, fleet, vms):
    """What the module returns about a plan, once it is written where it is wanted."""
    params, document = module.params, plan_file.to_json(planned)
    named = {vm.id.lower() for vm in planned.vms}
    lane = f"-lane{params['lane']}" if params["lane"] else ""
    run_id = f"{fleet.now.strftime('%Y%m%dT%H%M%SZ')}-{document['fingerprint'][:8]}{lane}"
    text, csv = json.dumps(document, indent=4, sort_keys=True) + "\n", plan_file.to_csv(document)
    table = render(document, command=params["next_command"], csv=None if module.check_mode else params["csv_out"], now=format_time(fleet.now), zone=None)
    kept = f"{params['runs_dir']}/{run_id}/plan.json" if params["runs_dir"] else None
    wanted = {path: content for path, content in ((params["plan_out"], text), (params["csv_out"], csv), (kept, text)) if path}
    return {
        "changed": write_all(wanted) if not module.check_mode else False, "plan": document, "csv": csv, "counts": fleet.counts, "run_id": run_id,
        "text": table, "read_at": format_time(fleet.now), "vms": {str(vm.id): vm.to_record(fleet.now) for vm in vms if vm.id.key in named},
    }


def rollout_plan(module, connect):
    """Read, plan, and return the plan with the records it names."""
    params = module.params
    if not params["hosts"]:
        raise OptionsError("hosts is empty: there is nothing to plan")
    budget_of(params["error_budget"])
    try:
        reviewed = plan_file.from_json(read_json(params["plan_file"], "plan file")) if params["plan_file"] else None
        chosen = recheck.select_lane(reviewed, params["lane"], params["lanes"]) if reviewed else None
        subscriptions = subscriptions_of(params["hosts"], params["subscriptions"], reviewed)
        service, operation = (reviewed.policy.service, reviewed.operation) if reviewed else (params["service"], params["operation"])
        fleet = read_fleet(connect(), Selection(subscriptions=subscriptions, thorough=judges_everybody(service, operation)))
        for warning in fleet.warnings:
            module.warn(warning)
        if chosen is None:
            made, vms = new_plan(params, fleet)
            return described(module, dataclasses.replace(made, subscriptions=tuple(subscriptions)), fleet, vms)
        vms = with_hosts(fleet.vms, params["hosts"])
        return described(module, recheck.apply(chosen, vms, fleet.now), fleet, vms)
    except recheck.PlanChanged as error:
        return {"failed": True, "msg": f"{params['plan_file']}: {error}", "differences": error.differences}
    except (PlanError, PolicyError) as error:
        raise OptionsError(f"{params['plan_file']}: {error}" if params["plan_file"] else str(error)) from error


def main():
    run(SPEC, rollout_plan, supports_check_mode=True, required_by={"lane": "plan_file"})


if __name__ == "__main__":
    main()
