# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's own words for each VM: services, tiers, sequence and canaries, and what they do to the order."""

from __future__ import annotations

from dataclasses import replace

import pytest
from unit.plugins.module_utils.rollout_fleet import NOW, names, policy, set_id, skips, vm, web

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure import query
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import FailureDomain
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.attributes import with_services
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.options import PolicyError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.planner import plan


def tagged(name, zone=None, in_set=None, domain=None, groups=(), **tags):
    one = vm(name, in_set, domain, zone=zone, tags=tags)
    return one.with_host(name, groups)


def shop(count=4, zones=("1", "1", "2", None)):
    return [tagged(f"shop-{at}", zone, service="shop") for at, zone in zip(range(count), zones)]


# services

def test_a_service_goes_zone_by_zone():
    fleet = [*shop(), tagged("other", "1"), tagged("more", "2", service="")]
    assert names(plan(fleet, policy(service="tags.service"), NOW)) == [["more", "other", "shop-0", "shop-1"], ["shop-2"], ["shop-3"]]
    found = plan(fleet, policy(service="tags.service"), NOW).vms
    assert {one.name: one.service for one in found} == {**dict.fromkeys([f"shop-{at}" for at in range(4)], "shop"), "other": None, "more": None}
    assert len(plan(fleet, policy(), NOW).waves) == 1


def test_azures_own_sets_are_no_services():
    fleet = [tagged("a", in_set="web", domain=0, service="shop"), tagged("b", in_set="web", domain=0, service="shop"), tagged("c", service="shop")]
    assert names(plan(fleet, policy(service="tags.service"), NOW)) == [["c", "a", "b"]]


def test_the_same_zone_of_another_region_or_subscription_is_another_domain():
    here, there = tagged("a", "1", service="shop"), replace(tagged("b", "1", service="shop"), location="polandcentral")
    elsewhere = tagged("c", "1", service="shop")
    elsewhere = replace(elsewhere, id=replace(elsewhere.id, subscription_id="22222222-2222-3333-4444-555555555555"))
    fleet = with_services([here, there, elsewhere], policy(service="tags.service"), NOW)
    assert len({one.failure_domain for one in fleet}) == 3 and {one.failure_domain.set_key for one in fleet} == {"service:shop"}
    assert [len(wave) for wave in names(plan(fleet, policy(), NOW))] == [1, 1, 1]


def test_an_ill_member_holds_its_service():
    fleet = [*shop(3), tagged("idle", service="shop")]
    fleet[3] = replace(fleet[3], power_state="stopped", host=None, status=None)
    found = plan(fleet, policy(service="tags.service"), NOW)
    assert found.waves == () and "idle (power state is stopped); service shop waits" in skips(found)["shop-0"][1]
    assert names(plan(fleet, policy(service="tags.service", max_unavailable=2), NOW)) == [["shop-0"], ["shop-1"], ["shop-2"]]


def test_members_without_a_zone_go_together_as_far_as_max_unavailable_says():
    fleet = shop(4, (None,) * 4)
    assert [len(wave) for wave in names(plan(fleet, policy(service="tags.service"), NOW))] == [1, 1, 1, 1]
    assert [len(wave) for wave in names(plan(fleet, policy(service="tags.service", max_unavailable="50%"), NOW))] == [2, 2]


def pool(count, domain=None, zone=None):
    return [replace(vm(f"p{at}", zone=zone and str(1 + at % zone)), scale_set=set_id("pool", kind="virtualMachineScaleSets"),
                    update_domain=domain and at // zone % domain) for at in range(count)]


@pytest.mark.parametrize("allowed", [None, 2, "100%"])
def test_members_of_an_availability_set_whose_domain_azure_does_not_tell_go_one_by_one(allowed):
    """Two of them may well be in two update domains, whatever number may be down."""
    fleet = [*web((0, 0)), vm("web-03", "web"), vm("web-04", "web")]
    found = [set(wave) for wave in names(plan(fleet, policy(max_unavailable=allowed), NOW))]
    assert len(found) == 3 and {"web-03"} in found and {"web-04"} in found


def test_flexible_scale_sets_go_one_by_one_unless_told_otherwise():
    assert [len(wave) for wave in names(plan(pool(4), policy(), NOW))] == [1] * 4
    assert [len(wave) for wave in names(plan(pool(4), policy(max_unavailable=3), NOW))] == [3, 1]


def test_zoned_scale_sets_go_by_zone_and_update_domain():
    found = plan(pool(8, domain=2, zone=2), policy(), NOW)
    assert [sorted((one.zone, one.update_domain) for one in wave.vms) for wave in found.waves] == [
        [("1", 0)] * 2, [("2", 0)] * 2, [("1", 1)] * 2, [("2", 1)] * 2]
    assert found.waves[1].vms[0].reason == "follows zone 1 update domain 0 of set pool; zone 2 update domain 0"


def test_a_service_key_is_not_mistaken_for_a_name():
    one = replace(vm("a"), service="Shop/EU")
    assert one.failure_domain == FailureDomain("service:Shop/EU", one.id.key) and one.own_domain


# tiers

def test_tiers_by_number_text_and_group():
    fleet = [tagged("a", tier="10"), tagged("b", tier="9"), tagged("c"), tagged("d", tier="9")]
    assert names(plan(fleet, policy(tier="tags.tier"), NOW)) == [["b", "d"], ["a"], ["c"]]
    assert [one.tier for one in plan(fleet, policy(tier="tags.tier"), NOW).vms] == [9, 9, 10, None]
    words = [tagged("a", tier="web"), tagged("b", tier="db"), tagged("c")]
    assert names(plan(words, policy(tier="tags.tier"), NOW)) == [["b"], ["a"], ["c"]]
    grouped = [tagged("a", groups=["web", "db"]), tagged("b", groups=["db"]), tagged("c", groups=["web"]), tagged("d")]
    found = plan(grouped, policy(tier=["db", "web"]), NOW)
    assert names(found) == [["a", "b"], ["c"], ["d"]] and [one.tier for one in found.vms] == ["db", "db", "web", None]
    assert found.waves[2].vms[0].reason == "waits for tier web"


def test_numbers_may_have_fractions_and_come_from_anywhere_in_the_record():
    fleet = [tagged("a", tier="1.5"), tagged("b", tier="-1"), tagged("c", tier="2.0")]
    assert [one.tier for one in plan(fleet, policy(tier="tags.tier"), NOW).vms] == [-1, 1.5, 2]
    assert names(plan(web((1, 0)), policy(tier="update_domain"), NOW)) == [["web-02"], ["web-01"]]


@pytest.mark.parametrize("options, tags, words", [
    ({"tier": "tags.tier"}, [{"tier": "1"}, {"tier": "web"}], r"tier: 'tags.tier' .* a number for v0 \('1'\) and text for v1 \('web'\)"),
    ({"tier": "tags"}, [{"tier": "1"}], "gives {'tier': '1'} for v0; it must give a number, text or null"),
    ({"tier": "tags."}, [{}], "tier: 'tags.' .* is not a JMESPath expression"),
    ({"canary": "abs(tags.x)"}, [{}], "canary: .* fails on v0"),
    ({"sequence": "tags.leader"}, [{"leader": "yes"}], "sequence: .* 'yes' for v0; it must give a number, or true"),
    ({"service": "tags.x == 'y'"}, [{}], "service: .* gives False for v0; it must give the name of the service, or null")])
def test_values_that_do_not_fit_name_the_vm(options, tags, words):
    with pytest.raises(PolicyError, match=words):
        plan([tagged(f"v{at}", **own) for at, own in enumerate(tags)], policy(**options), NOW)


def test_expressions_need_jmespath_and_say_so(monkeypatch):
    monkeypatch.setattr(query, "jmespath", None)
    with pytest.raises(PolicyError, match="tier: .* the Python package jmespath, which is not installed"):
        plan([vm("a")], policy(tier="tags.tier"), NOW)
    assert names(plan([vm("a")], policy(tier=["web"]), NOW)) == [["a"]]


def test_groups_that_nobody_is_in_are_mentioned():
    warnings = plan([tagged("a", groups=["web"])], policy(tier=["web", "bd"], minutes_per_vm={"wbe": 40, "default": 20}), NOW).warnings
    assert warnings == ("rollout_tier names bd, but no planned host is in such a group; check the spelling",
                        "rollout_minutes_per_vm names wbe, but no planned host is in such a group; check the spelling")


# sequence and canaries

def test_the_leader_of_a_set_goes_last():
    fleet = [tagged(f"web-{at}", in_set="web", domain=at, leader="true" if at == 0 else "") for at in range(3)]
    assert names(plan(fleet, policy(sequence="tags.leader == 'true'"), NOW)) == [["web-1"], ["web-2"], ["web-0"]]
    pair = [tagged("a", service="db", leader="2"), tagged("b", service="db", leader="1"), tagged("c", service="db")]
    assert names(plan(pair, policy(service="tags.service", sequence="tags.leader", max_unavailable=3), NOW)) == [["c"], ["b"], ["a"]]


def test_so_many_canaries_go_first_and_alone():
    fleet = [*web(), *web((0, 1), "db"), vm("one")]
    found = plan(fleet, policy(canary=2), NOW)
    assert names(found)[0] == ["db-01", "one"] and [one.canary for one in found.vms] == [True] * 2 + [False] * 7
    assert {one.reason.split(";")[0] for one in found.waves[0].vms} == {"canary"}
    assert found.waves[1].vms[0].reason.startswith("waits for the canaries")
    assert names(plan(fleet, policy(canary=2, tier=["nobody"], sequence="name == 'one'"), NOW))[0] == ["db-01", "web-01"], "no leader"


def test_canaries_by_expression_come_before_all_tiers():
    fleet = [tagged("a", tier="1"), tagged("b", tier="2", first="yes"), tagged("c", tier="2")]
    assert names(plan(fleet, policy(canary="tags.first", tier="tags.tier"), NOW)) == [["b"], ["a"], ["c"]]
    assert "without canaries" in plan([tagged("a")], policy(canary="tags.first"), NOW).warnings[0]


def test_canaries_are_chosen_among_those_that_may_go():
    fleet = [*web((0, 1), "bad"), vm("bad-09", "bad", 2, power_state="stopped", status=None, host=False), vm("well"), vm("wow")]
    found = plan(fleet, policy(canary=1), NOW)
    assert names(found) == [["well"], ["wow"]] and len(found.skipped) == 2
