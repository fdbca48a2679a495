# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another cloud than the simulator, plain and sparse: whatever legal shape its answers have, the fleet is complete or an error is named."""

from __future__ import annotations

import email.utils
import gzip
import json
import re
import time

import pytest
from unit.plugins.listener import Listener

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.client import Arm
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.credentials import Settings
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import IncompleteFleet
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._fleet import fleet as fleet_module
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._fleet.fleet import Selection, read_fleet

SUB = "/subscriptions/0a000000-0000-4000-8000-000000000001"
COMPUTE = f"{SUB}/resourceGroups/Rg/providers/Microsoft.Compute"
NETWORK = f"{SUB}/resourceGroups/rg/providers/Microsoft.Network"
POOL = f"{COMPUTE}/virtualMachineScaleSets/pool"
BLOCK = {"isCustomerInitiatedMaintenanceAllowed": True, "preMaintenanceWindowStartTime": "2026-03-02T00:00:00Z",
         "preMaintenanceWindowEndTime": "2026-04-06T23:30:00.1234567+00:00", "maintenanceWindowStartTime": "2026-04-07T00:00:00+00:00",
         "maintenanceWindowEndTime": "2026-04-13T23:59:00+00:00"}
NAMES = ["a", "b", "pool_0", "pool_1"]


def view(domain=None, **more):
    body = {"statuses": [{"code": "PowerState/running"}, {"code": "ProvisioningState/succeeded"}], "maintenanceRedeployStatus": BLOCK, **more}
    return body if domain is None else {**body, "platformUpdateDomain": domain}


def vm(name, **properties):
    return {"id": f"{COMPUTE}/virtualMachines/{name}", "location": "West Europe", "surprise": [1],
            "properties": {"networkProfile": {"networkInterfaces": [{"id": f"{NETWORK}/networkInterfaces/{name}"}]}, **properties}}


def instance(number, **properties):
    return {"id": f"{POOL}/virtualMachines/{number}", "instanceId": str(number), "location": "westeurope", "properties": properties}


NIC = {"id": f"{NETWORK}/networkInterfaces/A", "properties": {"ipConfigurations": [{"properties": {
    "privateIPAddress": "10.0.0.4", "publicIPAddress": {"id": f"{NETWORK}/publicIPAddresses/a"}}}]}}
IP = {"id": f"{NETWORK}/publicIPAddresses/a", "properties": {"ipAddress": "20.0.0.4"}}
SETS = {"availabilitySet": {"id": f"{COMPUTE}/availabilitySets/AS"}}
MODELS, STATUS, INSTANCES = r"virtualMachines\?api", "statusOnly", r"pool/virtualMachines\?"
NO_EXPAND = r"pool/virtualMachines\?.*expand"


class Fake:
    """Answers by the first pattern that fits; what a test puts first counts. An answer is a body, or (status, body, headers)."""

    def __init__(self) -> None:
        self.answers = [
            (r"^/subscriptions\?", {"value": [{"id": SUB}]}),
            ("/locations", {"value": [{"name": "westeurope", "metadata": {"pairedRegion": [{"name": "northeurope"}]}}]}),
            (MODELS, {"value": [vm("a", **SETS), vm("b")]}),
            (STATUS, {"value": [{**vm("A"), "properties": {"instanceView": view(0)}}, {**vm("b"), "properties": {"instanceView": view()}}]}),
            (INSTANCES, {"value": [instance(0, instanceView=view(0)), instance(1, instanceView=view(1))]}),
            (r"virtualMachineScaleSets\?", {"value": [{"id": POOL}], "nextLink": ""}),
            ("pool/instanceView", {"virtualMachine": {"statusesSummary": [{"code": "ProvisioningState/succeeded", "count": 2}]}}),
            ("pool/virtualMachines/(0|1)/instanceView", view(1)), ("virtualMachines/a/instanceView", view(0)), ("virtualMachines/b/instanceView", view()),
            ("virtualMachines/a", vm("a", instanceView=view(0), **SETS)), ("virtualMachines/b", vm("b", instanceView=view())),
            (r"pool\?", {"id": POOL}), ("pool/", {"value": []}),
            (r"networkInterfaces\?", {"value": [NIC]}), (r"networkInterfaces/a\?", NIC), (r"publicIPAddresses\?", {"value": [IP]}),
            ("publicIPAddresses/a", IP), (r"availabilitySets\?", {"value": []}), (r"/resources\?", {"value": []}),
        ]
        self.asked: list[str] = []

    def put(self, pattern, answer):
        self.answers.insert(0, (pattern, answer))

    def __call__(self, handler) -> None:
        self.asked.append(handler.path)
        missing = 404, {"error": {"code": "ResourceNotFound"}}, {}
        found = next((answer for pattern, answer in self.answers if re.search(pattern, handler.path, re.IGNORECASE)), missing)
        found = found(handler) if callable(found) else found
        status, body, headers = found if isinstance(found, tuple) else (200, found, {})
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response_only(status)  # without a Date
        for name, value in {**headers, "Content-Length": str(len(payload))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(payload)


@pytest.fixture
def fake(cloud):
    with Listener(cloud.directory / "server.pem", Fake()) as listener:
        listener.answer.url, listener.answer.clock = listener.url, cloud.clock
        options = {**cloud.options(), "cloud_environment": listener.url, "authority_host": cloud.simulator.url}
        listener.answer.arm = Arm(Settings.from_options(options), cloud.clock)
        yield listener.answer


def read(fake, **options):
    return read_fleet(fake.arm, Selection(**options))


def names(fleet):
    return sorted(vm.name for vm in fleet.vms)


def complete(fleet):
    """All VMs, with all that matters of them."""
    found = {vm.name: vm for vm in fleet.vms}
    assert sorted(found) == NAMES and fleet.gone == fleet.left_out == []
    assert {name: vm.update_domain for name, vm in found.items() if name in "ab"} == {"a": 0, "b": None}
    assert {vm.status.allowed for vm in found.values()} == {True}
    assert found["a"].addresses.private == ("10.0.0.4",) and found["a"].addresses.public == ("20.0.0.4",)
    return True


def test_a_sparse_cloud(fake):
    fleet = read(fake)
    assert complete(fleet) and fleet.counts["views_read"] == 2 and fleet.warnings == [], "the status list does not say how their agents are"
    assert {vm.name: vm.paired_regions for vm in fleet.vms}["a"] == ("northeurope",)


@pytest.mark.parametrize("status", [
    {"value": [vm("a"), vm("b")]}, {"value": []}, {"value": [{"id": vm("a")["id"]}, {"id": vm("b")["id"], "properties": None}]},
    {"value": [{**vm("a"), "properties": {"instanceView": {"statuses": [{"code": "PowerState/running"}]}}}]},
    (400, {"error": {"code": "InvalidParameter", "message": "statusOnly"}}, {}), (404, {}, {}), (405, b"", {}), (501, b"not here", {})])
def test_a_status_list_that_is_of_no_use(fake, status):
    """It ignores its parameter, says nothing, or is not there: then every view is read."""
    fake.put(STATUS, status)
    fleet = read(fake)
    assert complete(fleet) and fleet.counts["views_read"] == 2
    assert len(fleet.warnings) == (1 if isinstance(status, tuple) else 0)


@pytest.mark.parametrize("status", [400, 404, 405, 501])
@pytest.mark.parametrize("path", ["Microsoft.Network/networkInterfaces[?]", "Microsoft.Network/publicIPAddresses[?]", "availabilitySets[?]", "/resources[?]"])
def test_a_list_that_this_cloud_does_not_have(fake, path, status):
    fake.put(path, (status, {"error": {"code": "InvalidResourceType"}}, {}))
    fleet = read(fake)
    assert complete(fleet) and len(fleet.warnings) == 1 and SUB.rsplit("/", 1)[-1] in fleet.warnings[0]


@pytest.mark.parametrize("path", ["Microsoft.Network/networkInterfaces[?]", "Microsoft.Network/publicIPAddresses[?]", STATUS, r"virtualMachineScaleSets\?"])
def test_a_lack_of_rights_is_no_lack_of_a_list(fake, path):
    fake.put(path, (403, {"error": {"code": "AuthorizationFailed", "message": "No."}}, {}))
    with pytest.raises(IncompleteFleet, match="HTTP 403 AuthorizationFailed: No. -- give the identity the role Reader on the whole subscription"):
        read(fake)
    if "Network" in path:
        assert names(read(fake, addresses=False)) == NAMES


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_cloud_without_scale_sets(fake, status):
    fake.put(r"virtualMachineScaleSets\?", (status, {}, {}))
    fleet = read(fake)
    assert names(fleet) == ["a", "b"] and "there is no list of scale sets" in fleet.warnings[0]
    fake.put(r"/resources\?", {"value": [{"id": POOL, "type": "Microsoft.Compute/virtualMachineScaleSets"}]})
    assert complete(read(fake)), "the list of resources names the one that there is"


@pytest.mark.parametrize("locations", [(404, {}, {}), (400, {}, {}), {"value": []}])
def test_regions_that_nobody_lists(fake, locations):
    fake.put("/locations", locations)
    fleet = read(fake)
    assert complete(fleet) and "region westeurope is in no list of locations" in " ".join(fleet.warnings)


def test_a_subscription_that_is_not_there(fake):
    fake.put(SUB, (404, {"error": {"code": "SubscriptionNotFound", "message": "x"}}, {}))
    with pytest.raises(IncompleteFleet, match="SubscriptionNotFound"):
        read(fake)


# -- scale sets -----------------------------------------------------------------------------------------------------------

def test_an_instance_list_that_knows_no_expand(fake):
    fake.put(INSTANCES, {"value": [instance(0), instance(1)]})
    fake.put(NO_EXPAND, (400, {"error": {"code": "InvalidParameter"}}, {}))
    fleet = read(fake)
    assert complete(fleet) and fleet.counts["views_read"] == 4


@pytest.mark.parametrize("sku, summary, said", [
    ({}, [{"code": "ProvisioningState/succeeded", "count": 3}], "ended after 2 of 3"), ({"capacity": 3}, None, "ended after 2 of 3"),
    ({"capacity": 3}, [], "ended after 2 of 3"), ({"capacity": "3"}, (404, {}, {}), "ended after 2 of 3"), ({"capacity": "many"}, [], "understand"),
    ({"capacity": 3}, [{"code": "ProvisioningState/succeeded", "count": 2}], None), ({}, None, None), ({}, (405, {}, {}), None),
    ({"capacity": None}, (403, {}, {}), None), ({"capacity": 2}, (500, {}, {}), None), ({"capacity": 3}, [3], "understand")])
def test_counting_instances(fake, sku, summary, said):
    """By the capacity, or by the view of the set where that is another number; where neither is told the list is believed."""
    fake.put(r"virtualMachineScaleSets\?", {"value": [{"id": POOL, "sku": sku}]})
    fake.put("pool/instanceView", summary if isinstance(summary, tuple) else {"virtualMachine": {"statusesSummary": summary}})
    if said:
        with pytest.raises(IncompleteFleet, match=said):
            read(fake)
    else:
        assert complete(read(fake))


@pytest.mark.parametrize("gone", [True, False])
def test_a_scale_set_that_is_deleted_while_it_is_read(fake, gone):
    fake.put("pool/", (404, {"error": {"code": "NotFound"}}, {}))
    if gone:
        fake.put(r"pool\?", (404, {"error": {"code": "ResourceNotFound"}}, {}))
        fleet = read(fake)
        assert names(fleet) == ["a", "b"] and fleet.gone == [POOL] and fleet.counts["gone"] == 1
    else:
        with pytest.raises(IncompleteFleet, match="list the instances of .*pool.*HTTP 404"):
            read(fake)


def test_a_scale_set_whose_interfaces_have_no_list(fake):
    nic = {**NIC, "id": f"{POOL}/virtualMachines/0/networkInterfaces/n", "properties": {"ipConfigurations": [{"properties": {"privateIPAddress": "10.1.0.4"}}]}}
    profile = {"networkProfile": {"networkInterfaces": [{"id": nic["id"]}]}}
    fake.put(INSTANCES, {"value": [instance(0, instanceView=view(0), **profile), instance(1, instanceView=view(1))]})
    fake.put("pool/networkInterfaces", (404, {}, {}))
    fake.put("networkInterfaces/n", nic)
    fleet = read(fake)
    assert complete(fleet) and {vm.name: vm.addresses.private for vm in fleet.vms}["pool_0"] == ("10.1.0.4",)


# -- how answers are sent -------------------------------------------------------------------------------------------------

def test_compressed_answers(fake):
    body = gzip.compress(json.dumps({"value": [vm("a", **SETS), vm("b")]}).encode())
    fake.put(MODELS, (200, body, {"Content-Encoding": "gzip"}))
    assert complete(read(fake))
    fake.put(MODELS, (200, body[:40], {"Content-Encoding": "gzip"}))
    with pytest.raises(IncompleteFleet, match="list virtual machines"):
        read(fake)


def test_a_next_page_with_a_scheme_in_capitals(fake):
    host = fake.url.replace("https", "HTTPS")
    fake.put(MODELS, {"value": [vm("a", **SETS)], "nextLink": f"{host}{SUB}/providers/Microsoft.Compute/virtualMachines?next=2"})
    fake.put("next=2", {"value": [vm("b")], "nextLink": None})
    assert complete(read(fake))


@pytest.mark.parametrize("later, waited", [(45, 45), (-30, 1), (100_000, 0)])
@pytest.mark.parametrize("dated", [True, False])
def test_a_wait_that_is_given_as_a_date(fake, later, waited, dated):
    refused = []

    def answer(handler):
        if refused and later < 100_000:
            return 200, {"value": [vm("a", **SETS), vm("b")]}, {}
        refused.append(handler.path)
        now = time.time() + (86400 if dated else 0)  # the cloud's clock is another one
        date = {"Date": email.utils.formatdate(now, usegmt=True)} if dated else {}
        return 429, {"error": {"code": "TooManyRequests"}}, {"Retry-After": email.utils.formatdate(now + later, usegmt=True), **date}

    fake.put(MODELS, answer)
    if later == 100_000:
        with pytest.raises(IncompleteFleet, match="HTTP 429"):
            read(fake)
        assert fake.clock.seconds < 60 and len(refused) == 1, "nobody waits for a day"
        return
    assert complete(read(fake))
    assert waited - 2 <= fake.clock.seconds <= waited + 20


def test_who_is_interrupted_does_not_wait(fake, monkeypatch):
    """Threads that wait out a 429, or still have views to read, must not keep the process alive after Ctrl-C."""
    arm = Arm(fake.arm.settings)
    idle(fake, 600)
    fake.put(MODELS, (429, {}, {"Retry-After": "30"}))

    def wait_and_interrupt(*args, **options):
        time.sleep(0.5)
        raise KeyboardInterrupt

    monkeypatch.setattr(fleet_module, "wait", wait_and_interrupt)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        read_fleet(arm)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("value", ["soon", "inf", "nan", ""])
def test_a_wait_that_says_nothing(fake, value):
    answers = [(429, {}, {"Retry-After": value}), {"value": [vm("a", **SETS), vm("b")]}]
    fake.put(MODELS, lambda handler: answers.pop(0))
    assert complete(read(fake)) and fake.clock.seconds >= 60


# -- odd and broken answers -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("path, body", [
    (r"^/subscriptions\?", {"value": ["x"]}), (r"^/subscriptions\?", {"value": [{}]}), ("/locations", {"value": [{"name": 5}]}),
    ("/locations", {"value": [{"name": "westeurope", "metadata": {"pairedRegion": ["northeurope"]}}]}), (MODELS, {"value": [None]}),
    (MODELS, {"value": None}), (MODELS, {}), (MODELS, []), (MODELS, b""), (STATUS, {"value": [{"id": None}]}),
    (r"virtualMachineScaleSets\?", {"value": [{"id": POOL, "sku": 3}]}), ("pool/instanceView", {"virtualMachine": [1]}), ("pool/instanceView", []),
    (INSTANCES, {"value": [{"id": POOL}]}), ("Network/networkInterfaces", {"value": [{"id": "x", "properties": {"ipConfigurations": [None]}}]}),
    ("availabilitySets", {"value": [{"id": "x", "properties": {"virtualMachines": [{}]}}]}),
    ("/resources", {"value": [{"type": "microsoft.compute/virtualmachines"}]})])
def test_what_nobody_can_understand_is_a_named_error(fake, path, body):
    fake.put(path, body)
    with pytest.raises(Exception) as caught:
        read(fake)
    assert isinstance(caught.value, IncompleteFleet) and "could not" in str(caught.value)


@pytest.mark.parametrize("source, path, body", [
    ("service_health", "ResourceHealth/events", {"value": [{"properties": {"eventType": "PlannedMaintenance", "status": "Active"}}]}),
    ("service_health", "ResourceHealth/events", (404, {}, {})), ("resource_graph", "ResourceGraph", {"data": [["x"]]}),
    ("resource_graph", "ResourceGraph", [])])
def test_a_second_opinion_nobody_can_understand_is_a_warning(fake, source, path, body):
    fake.put(path, body)
    fleet = read(fake, second_opinion=source)
    assert complete(fleet) and fleet.second_opinion is None and f"no second opinion of {source}" in fleet.warnings[0]


# -- nobody in a wave -----------------------------------------------------------------------------------------------------

def idle(fake, number):
    views = {"statuses": [{"code": "PowerState/running"}]}
    fake.put(MODELS, {"value": [vm(f"v{at}", networkProfile=None) for at in range(number)]})
    fake.put(STATUS, {"value": [{**vm(f"v{at}"), "properties": {"instanceView": views}} for at in range(number)]})
    fake.put(r"virtualMachineScaleSets\?", {"value": []})
    fake.put(r"virtualMachines/v\d+/instanceView", views)


def test_an_idle_fleet_costs_a_view_each_unless_the_list_is_trusted(fake):
    idle(fake, 300)
    fleet = read(fake)
    assert fleet.counts["views_read"] == 300 and "proves nothing; 300 views were read" in fleet.warnings[0]
    fake.asked.clear()
    fleet = read(fake, trust_status_list=True)
    assert len(fleet.vms) == 300 and fleet.counts["views_read"] == 0 and fleet.warnings == []
    assert [path for path in fake.asked if "/instanceView" in path] == []


def test_a_list_is_trusted_only_for_what_it_shows(fake):
    """Members of sets without a domain, and VMs without any view, are read all the same."""
    fake.put(STATUS, {"value": [{**vm("a"), "properties": {"instanceView": view()}}]})
    fleet = read(fake, trust_status_list=True)
    assert complete(fleet) and fleet.counts["views_read"] == 2


def test_few_views_are_not_worth_a_word(fake):
    idle(fake, 20)
    fleet = read(fake)
    assert fleet.counts["views_read"] == 20 and fleet.warnings == []


def test_a_resource_group_without_any_vm_is_named(fake):
    fleet = read(fake, resource_groups=["RG", "Rgg"])
    assert complete(fleet) and fleet.warnings == ["resource group Rgg: no VM there in any subscription read; is the name right?"]
