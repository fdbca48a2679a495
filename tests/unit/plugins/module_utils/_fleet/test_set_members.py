# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A list that ends early, or tells little, hides no member of a set: guards know all members and how each is, or refuse."""

from __future__ import annotations

import pytest
from unit.plugins.cloud import FLEET, MANY, POOLS, SUBSCRIPTION

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import Addresses, VmId
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import IncompleteFleet
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._fleet.vm_reader import VmReader

MODELS, OWN, RESOURCES, SETS = r"Microsoft.Compute/virtualMachines\?api", r"flex/virtualMachines\?", r"/resources\?", r"availabilitySets\?"
SCALE_SET, INSTANCES = r"virtualMachineScaleSets/flex\?", r"pool/virtualMachines\?"
DOWN = "flex-b (power state is stopped)"
UNPROVEN = "nothing proves that the members seen are all"


def hide(cloud, path, name):
    """A list that ended before this VM, without saying so."""
    world = cloud.simulator.world
    mine = [vm for vm in cloud.simulator.fleet.vms.values() if vm.subscription == SUBSCRIPTION and vm.name != name]
    if path == OWN:
        items = [world.view.scale_sets.bare(vm) for vm in mine if vm.scale_set and vm.scale_set.name == "flex"]
    elif path == RESOURCES:
        items = [{"id": vm.id, "type": "Microsoft.Compute/virtualMachines"} for vm in mine if vm.instance_id is None]
    else:
        items = [world.view.listed(vm) for vm in mine if vm.instance_id is None]
    cloud.fault(path, count=0, body={"value": items})


def refuse(cloud, path, status):
    cloud.fault(path, count=0, status=status)


# -- flexible scale sets --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("hiding", [(), (MODELS,), (OWN,), (RESOURCES,), (MODELS, OWN), (MODELS, RESOURCES), (OWN, RESOURCES)])
@pytest.mark.parametrize("check", [False, True])
def test_a_member_that_lists_lost_is_seen(pools, hiding, check):
    pools.change("flex-b", power="stopped")
    for path in hiding:
        hide(pools, path, "flex-b")
    result = pools.redeploy("flex-a", check=check)
    assert pools.outcomes(result) == {"flex-a": "refused"} and DOWN in result["msg"] and pools.simulator.ledger() == []


@pytest.mark.parametrize("page_size", [1, 2, 3])
def test_a_lost_next_link(pools, page_size):
    pools.change("flex-b", power="stopped")
    pools.simulator.fleet.page_size = page_size
    pools.fault(MODELS, count=0, lose_next_link=True)
    result = pools.redeploy("flex-a")
    assert pools.outcomes(result) == {"flex-a": "refused"} and DOWN in result["msg"]


@pytest.mark.parametrize("status", [400, 403, 404, 405, 500, 501])
@pytest.mark.parametrize("lacking, hiding, words", [
    ((OWN,), (), DOWN), ((OWN,), (MODELS,), DOWN), ((OWN,), (RESOURCES,), DOWN), ((OWN,), (MODELS, RESOURCES), "is to have 2, 1 were seen"),
    ((RESOURCES,), (), DOWN), ((RESOURCES,), (MODELS,), DOWN), ((RESOURCES,), (OWN,), UNPROVEN), ((RESOURCES,), (MODELS, OWN), UNPROVEN),
    ((OWN, RESOURCES), (), UNPROVEN), ((OWN, RESOURCES), (MODELS,), UNPROVEN), ((RESOURCES, SCALE_SET), (MODELS, OWN), UNPROVEN),
    ((MODELS,), (), "list virtual machines of subscription")])
def test_without_a_list_the_others_must_prove_it(pools, status, lacking, hiding, words):
    pools.change("flex-b", power="stopped")
    for path in lacking:
        refuse(pools, path, status)
    for path in hiding:
        hide(pools, path, "flex-b")
    result = pools.redeploy("flex-a")
    assert pools.outcomes(result) == {"flex-a": "refused"} and words in result["msg"] and pools.simulator.ledger() == []


@pytest.mark.parametrize("lacking", [(), (OWN,), (RESOURCES,), (OWN, SCALE_SET), (SCALE_SET,)])
@pytest.mark.parametrize("status", [403, 404])
def test_a_well_set_moves_while_its_members_are_proven(pools, lacking, status):
    pools.change("flex-b", power="running")
    for path in lacking:
        refuse(pools, path, status)
    assert pools.outcomes(pools.redeploy("flex-a")) == {"flex-a": "succeeded"}


@pytest.mark.parametrize("body", [{"capacity": None}, {}, None])
def test_without_the_list_of_resources_a_scale_set_must_say_how_many_it_has(pools, body):
    pools.change("flex-b", power="running")
    refuse(pools, RESOURCES, 403)
    group = next(group for group in pools.simulator.fleet.scale_sets.values() if group.name == "flex")
    pools.fault(SCALE_SET, count=0, body={**pools.simulator.world.view.scale_sets.scale_set(group), "sku": body})
    result = pools.redeploy("flex-a")
    assert pools.outcomes(result) == {"flex-a": "refused"} and "does not say how many it has" in result["msg"]


def test_members_listed_below_their_scale_set_are_the_vms_beside_it(pools):
    """Another way to spell a member of a flexible scale set."""
    below = pools.id("flex-a").replace("/virtualMachines/flex-a", "/virtualMachineScaleSets/flex/virtualMachines/")
    pools.change("flex-b", power="stopped")
    hide(pools, MODELS, "flex-b")
    pools.fault(OWN, count=0, body={"value": [{"id": f"{below}{name}", "name": name, "instanceId": name} for name in ("flex-a", "flex-b")]})
    assert DOWN in pools.redeploy("flex-a")["msg"]


@pytest.mark.parametrize("vm_id", [None, "x", "/subscriptions/x", 7])
def test_a_list_of_an_odd_shape_starts_nothing(pools, vm_id):
    pools.fault(OWN, count=0, body={"value": [{"id": vm_id}]})
    refuse(pools, RESOURCES, 403)
    assert pools.outcomes(pools.redeploy("flex-a", "solo")) == {"flex-a": "refused", "solo": "succeeded"}


def test_many_flexible_sets_share_the_lists_of_their_subscription(cloud_of):
    flex = POOLS["scale_sets"][1]
    sets = [{**flex, "name": f"flex{at}", "instances": [{"name": f"f{at}-a"}, {"name": f"f{at}-b"}]} for at in range(6)]
    cloud = cloud_of({**POOLS, "scale_sets": sets})
    assert cloud.redeploy(*[f"f{at}-a" for at in range(6)], check=True)["counts"] == {"would_start": 6}
    assert len(cloud.requests(having="Microsoft.Compute/virtualMachines?")) == len(cloud.requests(having="/resources?")) == 1
    assert len(cloud.requests(having="/virtualMachines/f")) == 12, "each VM once"


# -- availability sets ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("lost, words", [((), "web-1 (power state is stopped)"), ((MODELS,), "web-1 (power state is stopped)"),
                                         ((MODELS, RESOURCES), "web-1 (power state is stopped)")])
def test_a_set_names_its_members_itself(cloud, lost, words):
    cloud.change("web-1", power="stopped")
    for path in lost:
        hide(cloud, path, "web-1")
    assert words in cloud.redeploy("web-0a")["msg"]


@pytest.mark.parametrize("status", [None, 403, 404, 500])
def test_a_set_that_does_not_list_its_own_member_is_looked_up_in_lists_that_agree(cloud, status):
    cloud.fault("/availabilitySets/web", count=0, body={"id": "x", "properties": {"virtualMachines": []}})
    cloud.change("web-1", power="stopped")
    hide(cloud, MODELS, "web-1")
    if status:
        refuse(cloud, RESOURCES, status)
    result = cloud.redeploy("web-0a")
    assert cloud.outcomes(result) == {"web-0a": "refused"} and (UNPROVEN if status else "web-1 (power state is stopped)") in result["msg"]


@pytest.mark.parametrize("members", [7, ["x"], [{"id": "/subscriptions/x"}], [{}]])
def test_a_set_of_an_odd_shape_starts_nothing(cloud, members):
    cloud.fault("/availabilitySets/web", count=0, body={"id": "x", "properties": {"virtualMachines": members}})
    assert cloud.outcomes(cloud.redeploy("web-0a", "solo")) == {"web-0a": "refused", "solo": "succeeded"}


COUNT = 11
CROWD = {**FLEET, "availability_sets": [{"name": f"set-{n}", "resource_group": "Shop", "region": "westeurope", "update_domains": 2} for n in range(COUNT)],
         "vms": [{"name": f"m-{n}-{member}", "availability_set": f"set-{n}", "update_domain": member} for n in range(COUNT) for member in range(2)]}


@pytest.fixture
def crowd(cloud_of):
    return cloud_of(CROWD)


@pytest.mark.parametrize("lists", [(MODELS,), (MODELS, SETS), (SETS,), ("statusOnly",), (MODELS, "statusOnly")])
@pytest.mark.parametrize("fault", [{"lose_next_link": True}, {"status": 403}, {"body": {"value": []}}])
def test_lists_of_many_sets_that_end_early_hide_nobody(crowd, lists, fault):
    """One of two members of each set is stopped: no list may make its set look like a set of one."""
    crowd.simulator.fleet.page_size = 2 * COUNT - 1
    crowd.change(f"m-{COUNT - 1}-1", power="stopped")
    crowd.change("m-3-1", agent="not_ready")
    for path in lists:
        crowd.fault(path, count=0, **fault)
    result = crowd.redeploy(*[f"m-{n}-0" for n in range(COUNT)], check=True)
    assert result["counts"] == {"would_start": COUNT - 2, "refused": 2}
    assert f"m-{COUNT - 1}-1 (power state is stopped)" in result["msg"] and "m-3-1 (guest agent is not ready)" in result["msg"]


# -- uniform scale sets ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("sku", [{"capacity": 5}, {"capacity": "5"}, {}, None])
def test_instances_are_counted(pools, sku):
    """By the scale set's capacity, or else by its instance view."""
    pools.change("pool_3", power="stopped")
    group = next(group for group in pools.simulator.fleet.scale_sets.values() if group.name == "pool")
    pools.fault(r"virtualMachineScaleSets/pool\?", count=0, body={**pools.simulator.world.view.scale_sets.scale_set(group), "sku": sku})
    pools.simulator.fleet.page_size = 3
    pools.fault(INSTANCES, count=0, lose_next_link=True)
    result = pools.redeploy("pool_0")
    assert pools.outcomes(result) == {"pool_0": "refused"} and "it is to have 5 instances, 3 were seen" in result["msg"]


def test_instances_that_nothing_counts(pools):
    pools.change("pool_3", power="running")
    group = next(group for group in pools.simulator.fleet.scale_sets.values() if group.name == "pool")
    pools.fault(r"virtualMachineScaleSets/pool\?", count=0, body={**pools.simulator.world.view.scale_sets.scale_set(group), "sku": {}})
    pools.fault("pool/instanceView", count=0, body={})
    result = pools.redeploy("pool_0")
    assert pools.outcomes(result) == {"pool_0": "refused"} and "neither the scale set nor its instance view says how many" in result["msg"]


@pytest.mark.parametrize("lacking", [("vmAgent",), ("vmAgent", "extensions"), ("statuses",)])
def test_an_instance_list_that_says_little_of_guests(pools, lacking):
    """An instance whose agent is not ready is seen, though the list does not say so; one without an agent is well."""
    pools.change("pool_3", power="running")
    pools.change("pool_1", agent="not_ready")
    view = pools.simulator.world.view.expanded_instance
    bodies = [view(vm) for vm in pools.simulator.fleet.vms.values() if vm.instance_id is not None]
    for body in bodies:
        shown = {key: value for key, value in body["properties"]["instanceView"].items() if key not in lacking}
        body["properties"]["instanceView"] = shown
    pools.fault(INSTANCES, count=0, body={"value": bodies})
    assert "pool_1 (guest agent is not ready)" in pools.redeploy("pool_0")["msg"]
    pools.change("pool_1", agent="absent")
    assert pools.outcomes(pools.redeploy("pool_0")) == {"pool_0": "succeeded"}


# -- what is gone ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("code", ["ResourceNotFound", "resourcenotfound", "ResourceGroupNotFound", "NotFound"])
def test_a_vm_that_is_gone(cloud, code):
    cloud.fault(r"/virtualMachines/solo\?", count=0, status=404, code=code)
    assert "there is no such VM" in cloud.redeploy("solo")["msg"]


@pytest.mark.parametrize("fault", [{"body": "<html>not here</html>"}, {"code": "InvalidResourceType"}, {"code": "SubscriptionNotFound"}, {"body": ""}])
def test_another_404_says_nothing_of_the_vm(cloud, fault):
    """Of a member of a set least of all: it would not count any more."""
    cloud.fault(r"/virtualMachines/web-1\?", count=0, status=404, **fault)
    cloud.fault(r"/virtualMachines/solo\?", count=0, status=404, **fault)
    result = cloud.redeploy("web-0a", "solo")
    assert cloud.outcomes(result) == {"web-0a": "refused", "solo": "refused"} and "no such VM" not in result["msg"] and "HTTP 404" in result["msg"]


@pytest.mark.parametrize("refused, outcome", [([], "succeeded"), (["dynamic_public_ip"], "refused")])
@pytest.mark.parametrize("what", ["networkInterfaces", "publicIPAddresses"])
def test_interfaces_that_are_not_to_be_had_are_no_vm_that_is_gone(pools, what, refused, outcome):
    """They are only worth knowing, unless a dynamic address would hold the VM back."""
    pools.change("pool_3", power="running")
    pools.fault(f"pool/.*{what}", count=0, status=404)
    result = pools.redeploy("pool_3", refuse=refused)
    assert result["counts"] == {outcome: 1} and "no such VM" not in result["msg"]


def test_a_view_that_is_not_to_be_had_is_no_vm_that_is_gone(pools):
    (instance,) = pools.simulator.fleet.named("pool_3")
    pools.fault(r"pool/virtualMachines/3\?", count=0, body=pools.simulator.world.view.instance(instance))
    pools.fault("pool/virtualMachines/3/instanceView", count=0, status=404)
    with pytest.raises(IncompleteFleet, match="the VM itself is there"):
        VmReader(pools.arm()).vm(VmId.parse(pools.id("pool_3")))


def test_a_started_vm_is_not_gone_with_its_interfaces(cloud_of):
    """Among many VMs, addresses are read while operations are watched: the journal must not call the move of an instance failed."""
    cloud = cloud_of({**MANY, "scale_sets": [{**POOLS["scale_sets"][0], "capacity": 2, "instances": []}]})
    cloud.fault("pool/virtualMachines/0/networkInterfaces", nth=2, count=0, status=404)
    names = [vm.name for vm in cloud.simulator.fleet.vms.values() if vm.name != "pool_1"]
    assert cloud.redeploy(*names)["counts"] == {"succeeded": 13}


def test_an_answer_about_interfaces_that_is_lenient(pools):
    pools.fault("pool/virtualMachines/3/networkInterfaces", count=0, status=404)
    reader, vm_id = VmReader(pools.arm()), VmId.parse(pools.id("pool_3"))
    assert reader.vm(vm_id, addresses=True, lenient=True).addresses == Addresses()
    with pytest.raises(IncompleteFleet, match="network interfaces"):
        reader.vm(vm_id, addresses=True)
