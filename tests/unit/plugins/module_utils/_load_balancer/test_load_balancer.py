# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An address is a VM's only in the VM's own virtual network, wherever a pool names it: 10.0.0.4 is the first address of every default network."""

from __future__ import annotations

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import VmId
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import AuthError, OptionsError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._load_balancer.finder import Finder, Member
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._load_balancer.pool import Pool, _ByMember

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers"
NETWORK, SETS = f"{GROUP}/Microsoft.Network", f"{GROUP}/Microsoft.Compute/virtualMachineScaleSets"
VM = VmId.parse(f"{GROUP}/Microsoft.Compute/virtualMachines/web-01")
IP = "10.0.0.4"


def network(name):
    return {"virtualNetwork": {"id": f"{NETWORK}/virtualNetworks/{name}"}}


def subnet(name):
    return {"subnet": {"id": f"{NETWORK}/virtualNetworks/{name}/subnets/default"}}


def interface(name, vnet, ip=IP, base=NETWORK):
    own = f"{base}/networkInterfaces/{name}"
    return {"id": own, "properties": {"ipConfigurations": [{"id": f"{own}/ipConfigurations/ip1", "properties": {"privateIPAddress": ip, **subnet(vnet)}}]}}


def pool(balancer, *addresses, **properties):
    members = [{"name": f"m{number}", "properties": {"ipAddress": IP, **address}} for number, address in enumerate(addresses)]
    return {"id": f"{NETWORK}/loadBalancers/{balancer}/backendAddressPools/all", "name": "all",
            "properties": {**properties, "loadBalancerBackendAddresses": members}}


class Arm:
    """A subscription with these pools, one in a load balancer each, and these interfaces."""

    def __init__(self, pools, others=(), scale_sets=()):
        self.balancers = [{"id": one["id"].partition("/backendAddressPools/")[0], "name": one["id"].split("/")[8], "sku": {"name": "Standard"},
                           "properties": {"backendAddressPools": [one]}} for one in pools]
        mine = interface("web-01-nic", "vnet-web")
        self.bodies = {str(VM): {"properties": {"networkProfile": {"networkInterfaces": [{"id": mine["id"]}]}}}, mine["id"]: mine,
                       **{one["id"]: one for one in self.balancers}}
        self.lists = {"loadBalancers": self.balancers, "virtualMachineScaleSets": [], "networkInterfaces": [mine, *others]}
        for name, mode, interfaces in scale_sets:
            self.lists["virtualMachineScaleSets"].append({"id": f"{SETS}/{name}", "properties": {"orchestrationMode": mode}})
            self.lists[f"{SETS}/{name}/networkInterfaces"] = interfaces
        self.asked = []

    def get(self, path, *dummy):
        return self.bodies[path]

    def list(self, path, *dummy):
        self.asked.append(path.rpartition("/")[2])
        found = self.lists[path if path in self.lists else path.rpartition("/")[2]]
        if isinstance(found, Exception):
            raise found
        return found


def names(arm, member=None, pools=(), balancers=()):
    finder = Finder(arm, SUBSCRIPTION)
    member = member or finder.member(VM)
    bodies = {one["properties"]["backendAddressPools"][0]["id"]: one["properties"]["backendAddressPools"][0] for one in arm.balancers}
    found = finder.pools_to_change(member, pools, balancers, "down")
    return {pool.split("/")[8]: sorted(_ByMember(member, "down")(Pool(pool, bodies[pool]))) for pool in found}


NAMED = {
    "at the address": lambda vnet: pool(f"lb-{vnet}", network(vnet)),
    "by its subnet": lambda vnet: pool(f"lb-{vnet}", subnet(vnet)),
    "by the pool": lambda vnet: pool(f"lb-{vnet}", {}, **network(vnet)),
    "by the pool, in capitals": lambda vnet: pool(f"lb-{vnet}", {}, virtualNetwork={"id": network(vnet)["virtualNetwork"]["id"].upper()}),
    "by another member of the pool": lambda vnet: pool(f"lb-{vnet}", {}, {"ipAddress": "10.0.0.9", **network(vnet)}),
}


@pytest.mark.parametrize("other", NAMED)
@pytest.mark.parametrize("own", NAMED)
def test_the_same_address_in_another_network_is_somebody_elses(own, other):
    arm = Arm([NAMED[own]("vnet-web"), NAMED[other]("vnet-db")], others=[interface("db-01-nic", "vnet-db")])
    assert names(arm) == {"lb-vnet-web": ["m0"]} and arm.asked == ["loadBalancers"]
    for asked in ({"pools": [f"{NETWORK}/loadBalancers/lb-vnet-db/backendAddressPools/all"]}, {"balancers": ["lb-vnet-db"]}):
        with pytest.raises(OptionsError, match="in no backend pool|not in the backend pool"):
            names(arm, **asked)


def test_what_an_address_says_itself_comes_first():
    both = pool("lb", network("vnet-web"), {}, subnet("vnet-web"), subnet("vnet-db"), **network("vnet-db"))
    assert names(Arm([both])) == {"lb": ["m0", "m2"]}


def test_another_interface_is_another_vm_whatever_its_address():
    def member(nic):
        return {"networkInterfaceIPConfiguration": {"id": f"{NETWORK}/networkInterfaces/{nic}/ipConfigurations/ip1"}}

    assert names(Arm([pool("lb", member("db-01-nic"), member("WEB-01-nic"))])) == {"lb": ["m1"]}


OTHERS = {
    "nobody": ({}, None), "another address": ({"others": [interface("db-01-nic", "vnet-db", "10.0.0.5")]}, None),
    "a VM": ({"others": [interface("db-01-nic", "vnet-db")]}, "db-01-nic"),
    "an instance of a scale set": (
        {"scale_sets": [("pool", "Uniform", [interface("nic", "vnet-db", base=f"{SETS}/pool/virtualMachines/0")])]}, "virtualMachines/0"),
    "of a flexible one, which is listed": ({"scale_sets": [("pool", "Flexible", [])], "others": [interface("flex-nic", "vnet-db")]}, "flex-nic"),
    "nobody in a scale set": ({"scale_sets": [("pool", "Uniform", [])]}, None),
}


@pytest.mark.parametrize("case", OTHERS)
def test_without_any_network_it_is_the_vms_only_where_nobody_else_could_be_meant(case):
    others, words = OTHERS[case]
    arm = Arm([pool("lb-web", {})], **others)
    if words is None:
        assert names(arm) == names(arm, balancers=["lb-web"]) == {"lb-web": ["m0"]}
        return
    for balancers in ((), ["lb-web"]):
        with pytest.raises(OptionsError, match=rf"holds {IP} and names no virtual network, and .*{words}.* has that address, too.* Name the VM's pools"):
            names(arm, balancers=balancers)
    assert names(arm, pools=[f"{NETWORK}/loadBalancers/lb-web/backendAddressPools/all"]) == {"lb-web": ["m0"]}, "who names the pool says which is meant"


def test_interfaces_that_cannot_be_listed_are_not_none():
    arm = Arm([pool("lb-web", {})])
    arm.lists["networkInterfaces"] = AuthError("list the network interfaces", "may not", status=403)
    with pytest.raises(AuthError, match="list the network interfaces"):
        names(arm)


def test_addresses_alone_are_not_taken_for_those_of_several_networks():
    nobody = Member.of_addresses([IP])
    pools = [NAMED["by the pool"]("vnet-web"), NAMED["at the address"]("vnet-db")]
    assert names(Arm(pools[:1]), nobody) == {"lb-vnet-web": ["m0"]}
    with pytest.raises(OptionsError, match=rf"{IP} is in pools of 2 virtual networks .*lb-vnet-db.*lb-vnet-web.* Set vm, or name the pools"):
        names(Arm(pools), nobody)
    assert names(Arm(pools), nobody, pools=[pools[1]["id"]]) == {"lb-vnet-db": ["m0"]}
    assert names(Arm([pool("lb", {})]), nobody) == {"lb": ["m0"]}
    with pytest.raises(OptionsError, match="names no virtual network, and .*db-01-nic has that address, too"):
        names(Arm([pool("lb", {})], others=[interface("db-01-nic", "vnet-db")]), nobody)
