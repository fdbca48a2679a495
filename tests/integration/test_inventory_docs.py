# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every inventory file on the docs page is written as printed there, and the commands below it are run as printed there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration import cloud as clouds
from integration.cli import ROOT, Project, plain

PAGE = (ROOT / "docs" / "inventory.md").read_text(encoding="utf-8")
FIRST, SECOND = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
AZURE_RM = "inventory/10-fleet.azure_rm.yml"
EXAMPLES = dict(re.findall(r"^## (\d\. .*?)\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL))


def blocks(body: str, language: str) -> list[str]:
    """Fenced blocks of a language; none is the commands."""
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", body, re.MULTILINE | re.DOTALL)
    return [text for written_in, text in fences if written_in == language]


def fleet() -> dict[str, Any]:
    """What the page is about: two subscriptions, a shop of web servers and a database, and what is none of our business."""
    data = clouds.fleet(guests=False)
    prod = {"wave": "now", "tags": {"environment": "prod", "tier": "1"}}
    return {**data, "subscriptions": [{"id": FIRST, "name": "First"}, {"id": SECOND, "name": "Second"}], "vms": [
        {**prod, "name": "web-01", "availability_set": "web", "update_domain": 0, "addresses": {"private": "10.0.0.4", "public": "20.0.0.4"}},
        {**prod, "name": "web-02", "availability_set": "web", "update_domain": 1, "tags": {"environment": "prod", "hostname": "second.example.com"}},
        {**prod, "name": "db-01"},
        {"name": "quiet-01", "wave": None, "tags": {"environment": "prod"}},
        {"name": "test-01", "tags": {"environment": "test"}},
        {"name": "play-01", "resource_group": "sandbox"},
        {"name": "web-01", "resource_group": "far", "region": "northeurope", "subscription": "Second", "wave": None,
         "tags": {"hostname": "far.example.com"}},
    ]}


EXPECTED = {
    "1": {"@all:", "web-01", "web-02", "db-01", "quiet-01", "test-01", "play-01", "@update_domain_shop_web_0:", "@maintenance_due:"},
    "2": {"web-01", "second.example.com", "db-01", "far.example.com", "@maintenance_not_scheduled:", "@region_northeurope:"},
    "3": {"web-01_a1b2", "web-02_c3d4", "@update_domain_shop_web_1:"},
    "4": {"web-01.example.com", "old-name.example.com", "switch-01.example.com", "@availability_set_shop_web:", "@maintenance_startable:"},
    "5": {"web-01", "web-02", "db-01", "@tier_1:", "@ud_0:", "@ud_1:", "@maintenance_due:"},
    "6": {"web-01.shop", "web-01.far", "web-02", "@availability_set_shop_web:", "@region_northeurope:"},
}
ABSENT = {"2": {"play-01"}, "3": {"db-01"}, "5": {"quiet-01", "test-01", "@region_westeurope:"}}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[clouds.Cloud]:
    with clouds.start(fleet(), tmp_path_factory.mktemp("docs"), guests=False) as cloud:
        yield cloud


@pytest.fixture
def folder(shop: clouds.Cloud, make_project: Callable[[clouds.Cloud], Project]) -> Project:
    """A folder with the page's ansible.cfg and an environment that names no subscription."""
    project = make_project(shop)
    del project.environment["AZURE_SUBSCRIPTION_ID"]
    [configuration] = blocks(PAGE, "ini")
    project.write("ansible.cfg", configuration)
    return project


def write_files(project: Project, shop: clouds.Cloud, body: str) -> None:
    """The files of an example; each names itself in its first line."""
    for text in blocks(body, "yaml"):
        name = re.match(r"# (\S+\.yml)\n", text)[1]
        if name == AZURE_RM:  # the collection it belongs to is not here: what it adds is
            vm = f"/subscriptions/{FIRST}/resourceGroups/SHOP/providers/Microsoft.Compute/virtualMachines"
            text = yaml.safe_dump({"all": {"hosts": {"web-01_a1b2": {"id": f"{vm}/web-01"}, "web-02_c3d4": {"id": f"{vm}/web-02"}}}})
            name = "inventory/10-fleet.yml"
        project.write(name, text.replace("AzureUSGovernment", shop.environment["AZURE_CLOUD_ENVIRONMENT"]))


@pytest.mark.parametrize("title", EXAMPLES)
def test_an_example(shop: clouds.Cloud, folder: Project, title: str) -> None:
    body, number = EXAMPLES[title], title[0]
    write_files(folder, shop, body)
    [commands] = blocks(body, "")
    outputs = []
    for command in commands.splitlines():
        run = folder.run(*shlex.split(command))
        assert run.rc == 0, run.text
        outputs.append(run)
    seen = set(re.sub(r"[|]|--", " ", outputs[0].out).split())
    assert EXPECTED[number] <= seen and not ABSENT.get(number, set()) & seen
    assert not shop.writes()


def test_there_are_six() -> None:
    assert [title[0] for title in EXAMPLES] == list("123456") == sorted(EXPECTED)


def test_the_static_file_in_detail(shop: clouds.Cloud, folder: Project) -> None:
    write_files(folder, shop, EXAMPLES["4. Over a static file"])
    groups, hosts = folder.hosts("inventory")
    assert hosts["web-01.example.com"]["ansible_host"] == "web-01.corp.example.com", "an overlay leaves addresses alone"
    assert hosts["old-name.example.com"]["azure_vm_name"] == "db-01" and "azure_vm_id" not in hosts["switch-01.example.com"]
    assert hosts["switch-01.example.com"]["azure_maintenance_vms_without_host"] == 3
    assert set(groups["availability_set_shop_web"]["hosts"]) == {"web-01.example.com", "web-02.example.com"}
    assert "test-01" not in hosts


def test_every_variable_and_group_is_on_the_page(shop: clouds.Cloud, folder: Project) -> None:
    folder.inventory_file("all.azure_maintenance.yml", hostvars_record=True)
    groups, hosts = folder.hosts("all.azure_maintenance.yml")
    own = {name for variables in hosts.values() for name in variables if name.startswith("azure_")}
    assert {name for name in own if f"`{name}`" not in PAGE} == set()
    families = [re.sub(r"_(shop_web|westeurope|northeurope|\d+T\d+Z|startable|not_scheduled)(_\d)?$", "", name) for name in groups]
    assert {name for name in families if name not in ("all", "ungrouped") and f"`{name}" not in PAGE} == set()
    assert plain(hosts["web-02"]["azure_update_domain"]) == 1


def test_paths_on_the_page_exist() -> None:
    linked = re.findall(r"\]\((\w+\.md)\)", PAGE)
    assert linked and all((Path(ROOT) / "docs" / name).is_file() for name in linked)
