# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The planner's decisions, one by one: who is planned, who is skipped, what the operator is told, in which order."""

from __future__ import annotations

import pytest
from unit.plugins.module_utils.rollout_fleet import NOW, names, policy, skips, status, vm, web

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.plan import PlanError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.planner import plan


def test_a_set_goes_one_whole_update_domain_after_the_other():
    found = plan(web(), policy(), NOW)
    assert names(found) == [["web-01", "web-02"], ["web-03", "web-04"], ["web-05", "web-06"]]
    assert [list(wave.sets.values()) for wave in found.waves] == [[0], [1], [2]]
    assert (found.lower_bound, found.skipped) == (3, ())


def test_sets_and_single_vms_share_waves():
    found = plan([*web(), *web((0, 1, 2), "db"), vm("batch-01")], policy(), NOW)
    assert names(found) == [["batch-01", "db-01", "web-01", "web-02"], ["db-02", "web-03", "web-04"],
                            ["db-03", "web-05", "web-06"]]


def test_members_spell_their_set_differently():
    fleet = [one if index % 2 else vm(one.name, "WEB", one.update_domain) for index, one in enumerate(web())]
    assert names(plan(fleet, policy(), NOW)) == names(plan(web(), policy(), NOW))


@pytest.mark.parametrize("options, waves", [
    ({"max_unavailable": 1}, [["web-01"], ["web-02"], ["web-03"], ["web-04"], ["web-05"], ["web-06"]]),
    ({"max_unavailable": 5}, [["web-01", "web-02"], ["web-03", "web-04"], ["web-05", "web-06"]]),
    ({"max_unavailable": "1%"}, [["web-01"], ["web-02"], ["web-03"], ["web-04"], ["web-05"], ["web-06"]]),
    ({"min_available": 5}, [["web-01"], ["web-02"], ["web-03"], ["web-04"], ["web-05"], ["web-06"]]),
    ({"min_available": "67%"}, [["web-01"], ["web-02"], ["web-03"], ["web-04"], ["web-05"], ["web-06"]]),
    ({"min_available": "66%"}, [["web-01", "web-02"], ["web-03", "web-04"], ["web-05", "web-06"]]),
    ({"max_parallel": 1}, [["web-01"], ["web-02"], ["web-03"], ["web-04"], ["web-05"], ["web-06"]]),
    ({"per_region": 1}, [["web-01"], ["web-02"], ["web-03"], ["web-04"], ["web-05"], ["web-06"]]),
])
def test_limits_split_an_update_domain_over_waves(options, waves):
    found = plan(web(), policy(**options), NOW)
    assert names(found) == waves
    assert found.lower_bound == len(waves)


def test_a_vm_outside_sets_has_no_peers_to_count():
    assert names(plan([vm("batch-01")], policy(min_available="50%", max_unavailable=1), NOW)) == [["batch-01"]]


def test_a_set_too_small_for_min_available_is_named():
    found = plan(web((0, 1)), policy(min_available=2), NOW)
    assert names(found) == []
    reason, detail = skips(found)["web-01"]
    assert reason == "set_too_small" and "set web has 2 members" in detail and "rollout_min_available" in detail


def test_caps_fill_waves_with_the_longest_set_first():
    fleet = [*web((0, 1, 2), "long"), vm("a"), vm("b"), vm("c")]
    assert names(plan(fleet, policy(max_parallel=2), NOW)) == [["a", "long-01"], ["b", "long-02"], ["c", "long-03"]]


def test_cap_per_region():
    fleet = [vm("a"), vm("b"), vm("c", location="polandcentral"), vm("d", location="polandcentral")]
    assert names(plan(fleet, policy(per_region=1), NOW)) == [["c", "a"], ["d", "b"]]


# health of sets

def ill(domain=1, **fields):
    """The web set with one more member that is not in a wave."""
    return [*web(), vm("web-99", "web", domain, status=None, host=False, **fields)]


@pytest.mark.parametrize("fields, words", [
    ({"power_state": "stopped"}, "web-99 (power state is stopped)"),
    ({"agent": "not_ready"}, "web-99 (guest agent is not ready)"),
    ({"provisioning_state": "updating"}, "web-99 (provisioning state is updating)")])
def test_an_unwell_member_holds_its_whole_set(fields, words):
    found = plan([*ill(**fields), vm("batch-01")], policy(), NOW)
    assert names(found) == [["batch-01"]]
    for name in ("web-01", "web-02", "web-03", "web-04", "web-05", "web-06"):
        reason, detail = skips(found)[name]
        assert reason == "set_not_healthy" and words in detail and "rollout_max_unavailable: 2" in detail


@pytest.mark.parametrize("fields", [{"power_state": "deallocated"}, {"agent": "unknown"}, {}])
def test_absent_and_well_members_hold_nobody(fields):
    assert len(plan(ill(**fields), policy(), NOW).waves) == 3


def test_a_member_beside_a_completed_maintenance_may_look_failed():
    done = status(code="MaintenanceCompleted", allowed=False)
    failed = vm("web-99", "web", 1, status=done, provisioning_state="failed")
    assert len(plan([*web(), failed], policy(), NOW).waves) == 3


def test_unwell_members_count_against_max_unavailable():
    fleet = ill(power_state="stopped")
    assert names(plan(fleet, policy(max_unavailable=3), NOW)) == [["web-01", "web-02"], ["web-03", "web-04"],
                                                                  ["web-05", "web-06"]]
    assert [len(wave) for wave in names(plan(fleet, policy(max_unavailable=2), NOW))] == [1] * 6
    held = plan(fleet, policy(max_unavailable=1), NOW)
    assert held.waves == () and {reason for reason, unused in skips(held).values()} == {"set_not_healthy"}
    assert "web-99 (power state is stopped)" in skips(held)["web-01"][1]


def test_absent_members_count_against_min_available():
    fleet = ill(power_state="deallocated")
    assert [len(wave) for wave in names(plan(fleet, policy(min_available=5), NOW))] == [1] * 6
    held = plan(fleet, policy(min_available=6), NOW)
    assert held.waves == () and "web-99 (deallocated)" in skips(held)["web-01"][1]


def test_a_stopped_candidate_holds_the_others_but_not_its_own_domain():
    fleet = web()
    fleet[2] = vm("web-03", "web", 1, power_state="stopped", hazards=["not_running"])
    found = plan(fleet, policy(accept=["not_running"]), NOW)
    assert names(found) == [["web-03", "web-04"]]
    assert {reason for reason, unused in skips(found).values()} == {"set_not_healthy"}


def test_members_that_are_down_anyway_fill_the_waves_of_the_others():
    stopped = {"power_state": "stopped", "hazards": ["not_running"]}
    fleet = [*web((0, 0)), vm("web-03", "web", 0, **stopped), vm("web-04", "web", 0, **stopped), vm("web-05", "web", 1)]
    found = plan(fleet, policy(max_unavailable=3, max_parallel=2, accept=["not_running"]), NOW)
    assert names(found) == [["web-01", "web-03"], ["web-02", "web-04"], ["web-05"]]
    assert found.lower_bound == 3


# region pairs

def pair(west=None, north=None, **policy_options):
    """Two VMs in one region and one in its pair, with days left in each."""
    fleet = [vm("w1", paired_regions=("northeurope",), status=status(own=(-5, west or 25))),
             vm("w2", paired_regions=("northeurope",), status=status(own=(-5, west or 25))),
             vm("n1", location="North Europe", status=status(own=(-5, north or 25)))]
    return plan(fleet, policy(**policy_options), NOW)


def test_the_earlier_deadline_goes_first_then_more_work_then_the_name():
    assert names(pair(west=20)) == [["w1", "w2"], ["n1"]]
    assert names(pair(north=20)) == [["n1"], ["w1", "w2"]]
    assert names(pair()) == [["w1", "w2"], ["n1"]]
    even = [vm("w1", paired_regions=("northeurope",)), vm("n1", location="northeurope")]
    assert names(plan(even, policy(), NOW)) == [["n1"], ["w1"]]
    assert pair().lower_bound == 2


def test_pairs_may_go_together_when_asked():
    assert names(pair(region_pairs="parallel")) == [["n1", "w1", "w2"]]


def test_one_way_pairs_and_their_paths_never_touch():
    def at(name, region, *paired, left=25):
        return vm(name, location=region, paired_regions=paired, status=status(own=(-5, left)))
    path = [at("se", "brazilsoutheast", "brazilsouth", left=20), at("s", "brazilsouth", "southcentralus", left=21),
            at("us", "southcentralus", "northcentralus", left=22), at("far", "polandcentral")]
    assert names(plan(path, policy(), NOW)) == [["se", "far", "us"], ["s"]]


def test_a_pair_is_known_from_any_vm_of_the_fleet():
    idle = vm("idle", status=None, host=False, paired_regions=("northeurope",))
    fleet = [vm("w1"), vm("n1", location="northeurope"), idle]
    assert names(plan(fleet, policy(), NOW)) == [["n1"], ["w1"]]


# states and targets

@pytest.mark.parametrize("fields, reason, words", [
    ({"status": None}, "not_scheduled", "nothing to do"),
    ({"power_state": "deallocated"}, "not_hosted", "when it is started"),
    ({"status": status(code="Strange")}, "unknown", "result code Strange"),
    ({"status": status(code="MaintenanceCompleted", allowed=False)}, "done", "nothing to do"),
    ({"status": status(code="MaintenanceCompleted")}, "done", "rollout_accept: [completed_but_allowed]"),
    ({"status": status(own=(3, 25), allowed=False)}, "upcoming", "begins 2026-03-13T12:00:00Z; plan again"),
    ({"status": status(code="RetryLater", allowed=False, message="busy host")}, "retry_later", "(busy host)"),
    ({"status": status(code="MaintenanceAborted", allowed=False)}, "skipped", "from 2026-04-05T12:00:00Z"),
    ({"status": status(allowed=False)}, "blocked", "until 2026-04-04T12:00:00Z"),
    ({"status": status(own=(-5, -1), azure=(1, 5), allowed=False)}, "waiting", "from 2026-03-11T12:00:00Z"),
    ({"status": status(own=(-5, -1), azure=(-0.5, 5), allowed=False)}, "azure_controlled", "until 2026-03-15T12:00"),
    ({"status": status(own=(-5, -4), azure=(-3, -1), allowed=False)}, "expired", "since 2026-03-09T12:00:00Z"),
])
def test_other_states_are_skipped_with_their_meaning(fields, reason, words):
    found = plan([vm("a", **fields)], policy(), NOW)
    assert found.waves == ()
    assert skips(found)["a"][0] == reason and words in skips(found)["a"][1]


def test_a_vm_without_host_is_mentioned_only_if_it_was_due():
    fleet = [vm("due", host=False), vm("idle", host=False, status=None), vm("named")]
    found = plan(fleet, policy(), NOW)
    assert names(found) == [["named"]]
    assert {name: reason for name, (reason, unused) in skips(found).items()} == {"due": "no_host"}
    everything = plan(fleet, policy(include_unlisted=True), NOW)
    assert names(everything) == [["due", "named"]]
    assert {name: reason for name, (reason, unused) in skips(everything).items()} == {"idle": "not_scheduled"}


def test_opt_out():
    fleet = [vm("a"), vm("b"), vm("idle", status=None)]
    found = plan(fleet, policy(), NOW, excluded={fleet[0].id.key: "tag maintenance=off", fleet[2].id.key: "tag"})
    assert names(found) == [["b"]]
    assert skips(found)["a"] == ("excluded", "tag maintenance=off")
    assert skips(found)["idle"][0] == "not_scheduled"


# hazards

@pytest.mark.parametrize("hazard", ["ephemeral_os_disk", "temp_disk_in_use"])
def test_a_blocking_hazard_needs_consent_by_name(hazard):
    fleet = [vm("a", hazards=[hazard])]
    assert skips(plan(fleet, policy(), NOW))["a"] == (
        "hazard", f"{hazard}: {hazard} of a; to redeploy it all the same set rollout_accept: [{hazard}]")
    accepted = plan(fleet, policy(accept=[hazard]), NOW)
    assert names(accepted) == [["a"]] and f"accepted: {hazard}" in accepted.vms[0].reason


def test_the_consent_to_give_includes_what_was_accepted_before():
    found = plan([vm("a", hazards=["ephemeral_os_disk", "temp_disk_in_use"])], policy(accept=["temp_disk_in_use"]), NOW)
    assert skips(found)["a"][1].endswith("rollout_accept: [ephemeral_os_disk, temp_disk_in_use]")


@pytest.mark.parametrize("fields, hazard", [
    ({"power_state": "stopped"}, "not_running"), ({"power_state": "unknown"}, "not_running"),
    ({"status": status(code="MaintenanceAborted")}, "retry_after_abort")])
def test_a_record_without_hazards_is_no_loophole(fields, hazard):
    fleet = [vm("a", **fields)]
    assert skips(plan(fleet, policy(), NOW))["a"][0] == "hazard"
    assert names(plan(fleet, policy(accept=[hazard]), NOW)) == [["a"]]


def test_noted_hazards_are_shown_and_refused_only_by_name():
    fleet = [vm("a", hazards=["spot", "temp_disk"])]
    found = plan(fleet, policy(), NOW)
    assert found.vms[0].reason.endswith("noted: spot, temp_disk")
    assert skips(plan(fleet, policy(refuse=["spot"]), NOW))["a"][0] == "refused_hazard"


def test_completed_but_allowed_is_loud_and_goes_only_with_consent():
    fleet = [vm("again", status=status(code="MaintenanceCompleted"))]
    assert any("COMPLETED BUT ALLOWED" in text and "again" in text for text in plan(fleet, policy(), NOW).warnings)
    found = plan(fleet, policy(accept=["completed_but_allowed"]), NOW)
    assert names(found) == [["again"]] and any("by your consent" in text for text in found.warnings)


# other operations

@pytest.mark.parametrize("operation", ["redeploy", "reapply"])
def test_other_operations_take_every_named_running_vm(operation):
    fleet = [vm("idle", status=None), vm("done", status=status(code="MaintenanceCompleted")), vm("other", host=False),
             vm("off", power_state="deallocated"), vm("stopped", power_state="stopped")]
    found = plan(fleet, policy(), NOW, operation)
    assert names(found) == [["done", "idle"]]
    assert skips(found)["off"][0] == "not_hosted" and skips(found)["stopped"][0] == "hazard" and len(skips(found)) == 2
    assert found.vms[0].deadline is None and found.warnings == ()


def test_other_operations_keep_sets_serial():
    assert len(plan(web(status=None), policy(), NOW, "redeploy").waves) == 3


@pytest.mark.parametrize("call, words", [
    (lambda: plan([vm("a")], policy(), NOW, "restart"), "'restart' is not known"),
    (lambda: plan([vm("a")], policy(include_unlisted=True), NOW, "redeploy"), "name the hosts"),
    (lambda: plan([vm("a"), vm("b"), vm("A")], policy(), NOW), "in the fleet twice"),
    (lambda: plan([vm("a"), vm("b").with_host("a")], policy(), NOW), "host a stands for two VMs"),
    (lambda: plan([vm("a")], policy(), NOW.replace(tzinfo=None)), "no time zone"),
])
def test_input_that_no_plan_can_be_made_from(call, words):
    with pytest.raises(PlanError, match=words):
        call()


def test_an_empty_fleet_is_an_empty_plan():
    found = plan([], policy(), NOW)
    assert (found.waves, found.skipped, found.lower_bound) == ((), (), 0)
    assert (found.estimate_minutes, found.expected_end) == (0, NOW)
