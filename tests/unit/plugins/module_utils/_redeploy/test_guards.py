# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards as a table: one VM by its state and hazards, a set by what moves together. Pure."""

from __future__ import annotations

from dataclasses import replace

import pytest
from unit.plugins.module_utils.rollout_fleet import NOW, set_id, status, vm

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.availability import Availability
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.maintenance import STATES
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy.guards import STATE_SENTENCES, Policy, check, state_sentence

COMPLETED = status(code="MaintenanceCompleted")


def ask(vms, members=(), moving=(), most=None, **policy):
    """Outcome and reason by name."""
    everybody = [*vms, *members]
    sets = {}
    for one in everybody:
        sets.setdefault(one.failure_domain.set_key, []).append(one)
    options = {name: frozenset(value) if name in ("accept", "refuse") else value for name, value in policy.items()}
    found = check(vms, sets, Policy(availability=Availability.parse(most, None), **options), NOW, {one.id.key for one in moving})
    return {one.name: found[one.id.key] for one in vms if one.id.key in found}


def test_every_state_has_its_sentence():
    assert set(STATE_SENTENCES) == set(STATES) - {"startable"}


@pytest.mark.parametrize("fields, state, words", [
    ({"status": None}, "not_scheduled", "no planned maintenance"), ({"power_state": "deallocated"}, "not_hosted", "deallocated"),
    ({"status": status(own=(1, 2), allowed=False)}, "upcoming", "begins at 2026-03-11T12:00:00Z"),
    ({"status": status(own=(-3, -1), allowed=False)}, "waiting", "ended at 2026-03-09T12:00:00Z"),
    ({"status": status(code="Strange")}, "unknown", "never acted on")])
def test_sentences(fields, state, words):
    one = vm("a", **fields)
    assert one.state(NOW) == state and words in state_sentence(one, NOW)
    outcome, reason = ask([one])["a"]
    assert outcome == "not_allowed" and f"state {state}" in reason and words in reason


@pytest.mark.parametrize("one, policy, outcome", [
    (vm("a"), {}, None), (vm("a", status=COMPLETED), {}, "already_done"),
    (vm("a", status=status(code="MaintenanceCompleted", allowed=False)), {}, "already_done"),
    (vm("a", status=COMPLETED, hazards=["completed_but_allowed"]), {"accept": ["completed_but_allowed"]}, None),
    (vm("a", status=status(code="MaintenanceCompleted", allowed=False)), {"accept": ["completed_but_allowed"]}, "already_done"),
    (vm("a", hazards=["ephemeral_os_disk"]), {}, "refused"), (vm("a", hazards=["ephemeral_os_disk"]), {"accept": ["not_running"]}, "refused"),
    (vm("a", hazards=["ephemeral_os_disk"]), {"accept": ["ephemeral_os_disk"]}, None), (vm("a", hazards=["spot", "temp_disk"]), {}, None),
    (vm("a", hazards=["spot"]), {"refuse": ["spot"]}, "refused"), (vm("a", hazards=["spot"]), {"refuse": ["temp_disk"]}, None),
    (vm("a", provisioning_state="updating"), {}, "refused"), (vm("a", provisioning_state="failed"), {}, None),
    (vm("a", status=None), {"operation": "redeploy"}, None),
    (vm("a", status=COMPLETED, hazards=["completed_but_allowed"]), {"operation": "redeploy"}, None),
    (vm("a", hazards=["retry_after_abort"]), {"operation": "reapply"}, None), (vm("a", hazards=["not_running"]), {"operation": "redeploy"}, "refused"),
    (vm("a", power_state="deallocated"), {"operation": "redeploy"}, "refused"),
    (vm("a", provisioning_state="migrating"), {"operation": "redeploy"}, "refused")])
def test_one_vm(one, policy, outcome):
    found = ask([one], **policy)
    assert (found["a"].outcome if found else None) == outcome


def test_one_update_domain_at_a_time():
    both = [vm("a", "web", 0), vm("b", "web", 1), vm("alone")]
    found = ask(both)
    assert set(found) == {"a", "b"} and {refusal.outcome for refusal in found.values()} == {"refused"}
    assert "span 2 update domains of one set (0: a; 1: b)" in found["a"].reason
    assert ask([vm("a", "web", 0), vm("b", "web", 0)]) == {}
    assert ask([vm("a", "web", 0), vm("b", "api", 1)]) == {}, "two sets"
    zoned = [vm(name, scale_set=f"/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/{name}", domain=0) for name in "ab"]
    assert ask(zoned) == {}


def test_members_without_a_domain_are_domains_of_their_own():
    pool = set_id("pool", kind="virtualMachineScaleSets")
    a, b, c, d = (replace(vm(name), scale_set=pool, update_domain=domain) for name, domain in (("a", None), ("b", None), ("c", None), ("d", 0)))
    flexible = [a, b]
    assert set(ask(flexible)) == {"a", "b"}
    assert ask(flexible, [c], most="2") == {}
    assert "max_unavailable is 1" in ask(flexible, [c], most="1")["a"].reason
    assert set(ask([d, b], most="2")) == {"d", "b"}, "a known domain is respected"
    assert set(ask([vm("a", "web"), vm("b", "web")], most="2")) == {"a", "b"}, "in an availability set every VM has one"


def test_a_vm_that_may_not_start_is_not_in_the_way_of_its_domain():
    found = ask([vm("a", "web", 0, status=None), vm("b", "web", 1)])
    assert {name: refusal.outcome for name, refusal in found.items()} == {"a": "not_allowed"}


def test_the_rest_of_the_set_is_well():
    found = ask([vm("a", "web", 0)], [vm("b", "web", 1, agent="not_ready")])
    assert found["a"].outcome == "refused" and "b (guest agent is not ready)" in found["a"].reason
    assert ask([vm("a")], [vm("b", agent="not_ready")]) == {}, "VMs outside sets have no peers"


def test_what_moves_already_counts_but_does_not_hold_back():
    moving = vm("b", "web", 0, power_state="starting", agent="not_ready", provisioning_state="updating")
    ill = vm("c", "web", 1, power_state="stopped")
    assert ask([vm("a", "web", 0)], [moving])["a"].outcome == "refused"
    assert ask([vm("a", "web", 0)], [moving], moving=[moving]) == {}
    assert ask([vm("a", "web", 0)], [moving, ill], moving=[moving], most="3") == {}
    assert "c (power state is stopped)" in ask([vm("a", "web", 0)], [moving, ill], moving=[moving], most="2")["a"].reason
