# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures: a simulated Azure for each file of tests, and the environment of a client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import yaml
from integration.cli import ROOT
from integration.clients.venvs import Broken, Client
from simulator.server import Simulator

SMALL = ROOT / "tests" / "simulator" / "fleets" / "small.yml"
SDKS = {"33.0.0": "azure-mgmt-compute==33.0.0", "newest": "azure-mgmt-compute>=39"}
USED = pytest.StashKey[list[str]]()


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """The small fleet and a scale set in pages of two, operations still running when they are first asked after."""
    fleet = yaml.safe_load(SMALL.read_text(encoding="utf-8"))
    fleet["scale_sets"] = [{"name": "pool", "resource_group": "alpha", "region": "westeurope", "wave": "now",
                            "update_domains": 2, "capacity": 3}]
    fleet |= {"page_size": 2, "operations": {"default": {"after_seconds": 1}}}
    with Simulator(fleet, tmp_path_factory.mktemp("azure")) as running:
        yield running


@pytest.fixture(scope="session")
def install(pytestconfig: pytest.Config) -> Callable[..., Client]:
    """Make a client's environment; `shows` names the distributions and collections whose versions matter."""
    used = pytestconfig.stash.setdefault(USED, [])

    def make(name: str, *steps: list[str], shows: list[str]) -> Client:
        client = Client(name)
        began = time.monotonic()
        try:
            client.install(*steps)
        except Broken as error:
            pytest.fail(str(error), pytrace=False)
        versions = ", ".join(f"{part} {client.version(part)}" for part in shows)
        used.append(f"{name}: {versions} (environment ready in {time.monotonic() - began:.0f} s)")
        return client

    return make


@pytest.fixture(scope="module", params=SDKS)
def sdk(request: pytest.FixtureRequest, install: Callable[..., Client]) -> Client:
    """azure-mgmt-compute, in the version azure.azcollection asks for and in the newest."""
    return install(f"sdk-{request.param}", [SDKS[request.param], "azure-identity"],
                   shows=["azure-mgmt-compute", "azure-identity", "azure-core"])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which versions were proven."""
    if config.stash.get(USED, []):
        terminalreporter.section("clients")
        for line in config.stash[USED]:
            terminalreporter.write_line(line)
