# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory source inside ansible-core's own inventory, over records that need no Azure: what lands on which host and group."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.doc_fragments import constructed, inventory_cache
from ansible.plugins.loader import inventory_loader
from ansible.vars.manager import VariableManager
from unit.plugins.module_utils.rollout_fleet import NOW, SUBSCRIPTION, vm

from ansible_collections.fleetops.azure_maintenance.plugins.doc_fragments import azure, inventory
from ansible_collections.fleetops.azure_maintenance.plugins.inventory.azure_maintenance import DOCUMENTATION, InventoryModule
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.credentials import ENVIRONMENT
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._inventory.cache import Snapshot

OURS = "50-own.azure_maintenance.yml"
DOCUMENTS = (DOCUMENTATION, azure.ModuleDocFragment.PLUGIN, *(
    module.ModuleDocFragment.DOCUMENTATION for module in (inventory, constructed, inventory_cache)))


def load(name: str, real: t.Callable[..., t.Any] = inventory_loader.get) -> t.Any:
    """The plugin of this process in place of the loader's, which would need ansible-core to import all collections anew."""
    if name != InventoryModule.NAME:
        return real(name)
    options = {key: value for text in DOCUMENTS for key, value in yaml.safe_load(text)["options"].items()}
    C.config.initialize_plugin_configuration_definitions("inventory", name, options)
    plugin = InventoryModule()
    plugin._load_name = name
    return plugin


class Folder:
    """A folder of inventory sources and variables, read by ansible-core with given VMs in place of Azure's answer."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch, screen: pytest.CaptureFixture[str]) -> None:
        self.path, self._screen, self.vms = path, screen, [vm("db"), vm("web")]
        self.use(monkeypatch, lambda plugin: Snapshot([one.to_record(NOW) for one in self.vms], NOW))

    def use(self, monkeypatch: pytest.MonkeyPatch, fetch: t.Callable[[InventoryModule], Snapshot]) -> None:
        monkeypatch.setattr(C, "INVENTORY_ANY_UNPARSED_IS_FAILED", True)
        monkeypatch.setattr(inventory_loader, "get", load)
        monkeypatch.setattr(InventoryModule, "_fetch", fetch)

    def write(self, name: str, data: t.Any) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(data), encoding="utf-8")

    def read(self, **options: t.Any) -> "Folder":
        self.write(OURS, {"plugin": InventoryModule.NAME, **options})
        loader = DataLoader()
        self.inventory = InventoryManager(loader, [str(path) for path in sorted(self.path.glob("[0-9]*.y*ml"))])
        self._variables = VariableManager(loader, self.inventory)
        return self

    def failure(self, **options: t.Any) -> str:
        """What ansible-core prints when the source fails."""
        with pytest.raises(AnsibleError, match="Completely failed to parse inventory source"):
            self.read(**options)
        return " ".join(self._screen.readouterr().err.split())

    def variables(self, host: str) -> dict[str, t.Any]:
        """As a task of a play sees them, templates still unevaluated."""
        return self._variables.get_vars(host=self.inventory.hosts[host])

    def members(self, group: str) -> set[str]:
        return {host.name for host in self.inventory.groups[group].get_hosts()}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Folder:
    return Folder(tmp_path, monkeypatch, capsys)


def id_of(name: str) -> str:
    return str(vm(name).id)


def static(**groups: t.Any) -> dict[str, t.Any]:
    return {"all": {"children": {name: {"hosts": hosts} for name, hosts in groups.items()}}}


# -- a host with the name of a group --------------------------------------------------------------------------------------

CONSTRUCTED: dict[str, dict[str, t.Any]] = {
    "plain": {}, "own variables": {"compose": {"label": "azure_vm_name"}}, "own groups": {"groups": {"mine": "azure_vm_name == 'db'"}},
    "a group by its own name": {"groups": {"db": "azure_vm_name == 'db'"}},
    "keyed by its own name": {"keyed_groups": [{"key": "azure_vm_name", "separator": "", "parent_group": "services"}]},
    "no default groups": {"default_groups": False},
}


@pytest.mark.parametrize("overlay", [True, False], ids=["overlay", "standalone"])
@pytest.mark.parametrize("options", CONSTRUCTED.values(), ids=CONSTRUCTED)
def test_a_vm_that_is_called_as_a_group_is_the_host_and_never_the_group(folder: Folder, options: dict[str, t.Any], overlay: bool) -> None:
    folder.write("10-hosts.yml", static(db={"replica": None}, vms={"db": {"rack": "r1"}} if overlay else {"other": None}))
    folder.read(overlay=overlay, **options)
    host, replica = folder.variables("db"), folder.variables("replica")
    assert host["azure_vm_id"] == id_of("db")
    assert overlay or host["inventory_dir"] == str(folder.path)
    assert not {name for name in replica if name.startswith("azure_") and not name.startswith("azure_maintenance_")} | ({"label"} & set(replica))
    assert not {"azure_vm_id", "label"} & set(folder.inventory.groups["db"].vars)
    assert {"db", "replica"} <= folder.members("all") and "replica" in folder.members("db")
    groups = {group.name for group in folder.inventory.hosts["replica"].get_groups()} - {"all", "db", "services"}
    assert not groups, "the host of the group was taken for the VM"
    if options.get("default_groups", True):
        assert folder.members("maintenance_due") == ({"db"} if overlay else {"db", "web"})
    assert "groups" not in options or "db" in folder.members(next(iter(options["groups"])))
    assert host.get("label") == ("db" if "compose" in options else None)
    if "keyed_groups" in options:
        assert folder.members("services") >= {"replica", "db"}


@pytest.mark.parametrize("name", ["maintenance_due", "maintenance_startable", "region_westeurope"])
def test_a_vm_that_is_called_as_a_default_group(folder: Folder, name: str) -> None:
    folder.vms = [vm(name), vm("web")]
    folder.read()
    assert folder.members(name) == folder.members("maintenance_due") == {name, "web"}
    assert folder.variables(name)["azure_vm_id"] == id_of(name) and folder.variables("web")["azure_vm_id"] == id_of("web")


# -- the name of the file -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["azure.yml", "prod.yaml", "azure_maintenance.prod.yml"])
def test_a_file_of_another_name_is_told_the_rule_first(folder: Folder, capsys: pytest.CaptureFixture[str], name: str) -> None:
    folder.write(f"60-{name}", {"plugin": InventoryModule.NAME})
    said = folder.failure()
    assert "must end in azure_maintenance.yml (or .yaml); rename it, such as to" in said.partition("Failed to parse inventory with 'yaml' plugin")[0]


def test_files_of_other_plugins_are_left_to_them(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(C, "INVENTORY_ENABLED", [InventoryModule.NAME, *C.INVENTORY_ENABLED])
    folder.write("10-hosts.yml", static(vms={"other": None}))
    folder.read()
    assert folder.members("all") == {"db", "web", "other"}


# -- a query that matches nothing -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("overlay", [True, False], ids=["overlay", "standalone"])
@pytest.mark.parametrize(("query", "warned"), [
    ("nme == 'db'", "no VM has nme (did you mean name?"), ("name == db", "single quotes: 'db'"), ("name == 'x'", "keys of a record are"), ("name == 'db'", "")])
def test_a_query_that_matches_nothing_is_warned_of(folder: Folder, query: str, warned: str, overlay: bool, capsys: pytest.CaptureFixture[str]) -> None:
    folder.write("10-hosts.yml", static(vms={"db": None, "web": None} if overlay else {"other": None}))
    folder.read(overlay=overlay, query=query)
    said = " ".join(capsys.readouterr().err.split())
    assert (f"query {query!r} matches none of the 2 VMs: " in said) is bool(warned) and warned in said
    assert ("azure_vm_id" in folder.inventory.hosts["db"].vars if "db" in folder.inventory.hosts else False) is not bool(warned)


# -- signing in -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", [name for option in ("client_id", "secret", "tenant", "subscription_id", "x509_certificate_path", "auth_source")
                                  for name in ENVIRONMENT[option]])
def test_a_profile_of_the_file_wins_over_every_environment_name(folder: Folder, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    found: list[t.Any] = []
    folder.use(monkeypatch, lambda plugin: found.append(plugin._settings()) or Snapshot([vm("web").to_record(NOW)], NOW))
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(folder.path))
    (folder.path / "credentials").write_text("[test]\nsubscription_id = sub\nclient_id = c\nsecret = s\ntenant = t\n", encoding="utf-8")
    monkeypatch.setenv(name, "cli" if "AUTH" in name else "of the environment")
    folder.read(profile="test")
    (settings,) = found
    assert (settings.auth_source, settings.client_id, settings.secret, settings.tenant, settings.subscription_id, settings.x509_certificate_path) == (
        "credential_file", "c", "s", "t", "sub", None)


# -- ids wherever variables of hosts are kept -----------------------------------------------------------------------------

TEMPLATE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines/{{{{ vm_of_host }}}}"
PLACES: dict[str, dict[str, t.Any]] = {
    "in the file": {"10-hosts.yml": static(moved={"web": {"azure_vm_id": id_of("db")}})},
    "host_vars": {"host_vars/web.yml": {"azure_vm_id": id_of("db")}},
    "host_vars of another name": {"host_vars/web.yml": {"resource_id": id_of("db").upper().replace("/RESOURCEGROUPS/", "/resourceGroups/")}},
    "group_vars": {"group_vars/moved.yml": {"azure_vm_id": id_of("db")}},
    "group_vars/all": {"group_vars/all.yml": {"azure_vm_id": id_of("db")}},
    "host before group": {"group_vars/moved.yml": {"azure_vm_id": id_of("web")}, "host_vars/web.yml": {"azure_vm_id": id_of("db")}},
    "group before all": {"group_vars/all.yml": {"azure_vm_id": id_of("web")}, "10-hosts.yml": {"all": {"children": {"moved": {
        "hosts": {"web": None}, "vars": {"azure_vm_id": id_of("db")}}}}}},
    "group variable": {"10-hosts.yml": {"all": {"children": {"moved": {"hosts": {"web": None}, "vars": {"azure_vm_id": id_of("db")}}}}}},
    "template": {"group_vars/moved.yml": {"azure_vm_id": TEMPLATE}, "host_vars/web.yml": {"vm_of_host": "db"}},
    "template of the file": {"10-hosts.yml": static(moved={"web": {"azure_vm_id": TEMPLATE, "vm_of_host": "{{ inventory_hostname | replace('web', 'db') }}"}})},
}


@pytest.mark.parametrize("files", PLACES.values(), ids=PLACES)
def test_an_id_counts_wherever_it_is_kept(folder: Folder, files: dict[str, t.Any]) -> None:
    folder.vms = [vm("db"), vm("web", status=None)]
    for name, data in {"10-hosts.yml": static(moved={"web": None}), **files}.items():
        folder.write(name, data)
    folder.read(overlay=True)
    assert folder.inventory.hosts["web"].vars["azure_vm_id"] == id_of("db") and folder.variables("web")["azure_vm_name"] == "db"
    assert folder.members("maintenance_due") == {"web"}, "due is the VM of its id, not that of its name"


@pytest.mark.parametrize(("value", "said"), [
    ("{{ known_at_run_time }}", "host web: azure_vm_id is a template that cannot be evaluated here"),
    ("{{ 'x' | no_such_filter }}", "host web: azure_vm_id is a template that cannot be evaluated here"),
    ("/subscriptions/S/resourceGroups/shop/virtualMachines/db", "host web: azure_vm_id: "), ("db", "host web: azure_vm_id: 'db' is not an Azure resource id"),
    ([1], "host web: azure_vm_id: [1] is not an Azure resource id")])
def test_an_id_that_cannot_be_understood_is_no_reason_to_go_by_the_name(folder: Folder, value: t.Any, said: str) -> None:
    folder.write("10-hosts.yml", static(moved={"web": None}))
    folder.write("host_vars/web.yml", {"azure_vm_id": value})
    assert said in folder.failure(overlay=True)


def test_one_id_for_a_whole_group_is_refused(folder: Folder) -> None:
    folder.write("10-hosts.yml", static(moved={"web": None, "db": None}))
    folder.write("group_vars/moved.yml", {"azure_vm_id": id_of("db")})
    assert "hosts db and web both carry the id" in folder.failure(overlay=True)


def test_a_new_host_is_not_made_of_two_vms(folder: Folder) -> None:
    folder.write("10-hosts.yml", static(moved={"web": None}))
    folder.write("host_vars/web.yml", {"azure_vm_id": id_of("other")})
    assert f"web would be {id_of('web')}, but" in folder.failure()
