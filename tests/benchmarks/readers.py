# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reads a fleet, and how each is called: this collection, the two floors, and the tools people use today."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import measure
from benchmarks.cloud import Cloud
from benchmarks.measure import Cost

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
# Of peers' environments the folder only; `make test-clients` makes them.
CLIENTS = ROOT / "build" / "clients"
_OURS = "fleetops.azure_maintenance.azure_maintenance"


@dataclass(frozen=True)
class Reader:
    """``command`` is run in the workshop's folder; ``most`` is the largest fleet it is asked to read."""

    name: str
    command: Sequence[str | Path]
    env: Mapping[str, str]
    most: int | None = None


class Workshop:
    """A folder with the files that the readers need, against one cloud."""

    def __init__(self, home: Path, cloud: Cloud, subscriptions: Sequence[str]) -> None:
        self.home, self.cloud = home, cloud
        self._subscriptions = list(subscriptions)
        kept = {name: os.environ[name] for name in ("TMPDIR", "TZ") if name in os.environ}
        self.env = {**kept, "PATH": f"{BIN}:{os.defpath}", "HOME": str(home), "LC_ALL": "C.UTF-8", "NO_COLOR": "1", **cloud.environment,
                    "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true", "ANSIBLE_LOCALHOST_WARNING": "false",
                    "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false"}
        self._source("all", {})
        self._source("due", {"only_affected": True})

    def _source(self, name: str, options: Mapping[str, object]) -> None:
        source = {"plugin": _OURS, "subscriptions": self._subscriptions, **options}
        (self.home / f"{name}.azure_maintenance.yml").write_text(json.dumps(source), encoding="utf-8")

    def cost(self, reader: Reader) -> Cost:
        """Run a reader once, and count what it asked of the cloud; raises Failed when it ended badly."""
        before = self.cloud.ask("requests")
        output = self.home / f"{reader.name.replace(' ', '-')}.out"
        cost = measure.run(reader.command, reader.env, self.home, output)
        asked = self.cloud.ask("requests")[len(before):]
        return Cost(cost.seconds, cost.cpu, cost.peak_mb, len([one for one in asked if "/oauth2/" not in one["path"]]))

    # -- the readers --------------------------------------------------------------------------------------------------

    def raw(self) -> Reader:
        return Reader("raw fetch", [sys.executable, HERE / "raw_fetch.py", *self._subscriptions], self.env)

    def floor(self, which: str) -> Reader:
        """Needs :meth:`dump` first."""
        env = {**self.env, "ANSIBLE_INVENTORY_PLUGINS": str(HERE), "ANSIBLE_INVENTORY_ENABLED": "inventory_floor"}
        return Reader(f"Ansible floor {which}", self._listing(f"{which}.floor.json"), env)

    def dump(self, which: str) -> None:
        """What our inventory adds, for the floor to add the same."""
        target = self.home / f"{which}.floor.json"
        command = [sys.executable, HERE / "inventory_floor.py", f"{which}.azure_maintenance.yml", target]
        measure.run(command, self.env, self.home, self.home / "dump.out")

    def inventory(self, which: str) -> Reader:
        return Reader(f"inventory {which}", self._listing(f"{which}.azure_maintenance.yml"), self.env)

    def facts(self) -> Reader:
        arguments = json.dumps({"subscriptions": self._subscriptions})
        return Reader("vm_maintenance_info", [BIN / "ansible", "localhost", "-m", "fleetops.azure_maintenance.vm_maintenance_info",
                                              "-a", arguments], {**self.env, "ANSIBLE_PYTHON_INTERPRETER": sys.executable})

    @staticmethod
    def _listing(source: str) -> list[str | Path]:
        return [BIN / "ansible-inventory", "-i", source, "--list"]

    # -- peers --------------------------------------------------------------------------------------------------------

    def azure_rm(self) -> Reader:
        source = {"plugin": "azure.azcollection.azure_rm", "auth_source": "env", "plain_host_names": True, "include_vm_resource_groups": ["*"]}
        (self.home / "estate.azure_rm.yml").write_text(json.dumps(source), encoding="utf-8")
        return Reader("azure_rm inventory", [self._peer("ansible-inventory"), "-i", "estate.azure_rm.yml", "--list"], self._peer_env(), 5000)

    def azure_rm_info(self) -> Reader:
        command = [self._peer("ansible"), "localhost", "-m", "azure.azcollection.azure_rm_virtualmachine_info"]
        return Reader("azure_rm_virtualmachine_info", command, self._peer_env(), 1000)

    def az(self) -> Reader:
        """Signed in beforehand: signing in is not what is measured."""
        env = {**self.env, "AZURE_CONFIG_DIR": str(self.home / "az"), "AZURE_CORE_COLLECT_TELEMETRY": "false",
               "AZURE_CORE_INSTANCE_DISCOVERY": "false"}
        az = CLIENTS / "azure-cli" / "bin" / "az"
        azure = self.cloud.environment
        for words in (["cloud", "register", "--name", "Bench", "--endpoint-resource-manager", azure["BENCH_URL"]], ["cloud", "set", "--name", "Bench"],
                      ["login", "--service-principal", "--tenant", azure["AZURE_TENANT_ID"], "--username", azure["AZURE_CLIENT_ID"],
                       "--password", azure["AZURE_CLIENT_SECRET"]]):
            measure.run([az, *words], env, self.home, self.home / "login.out")
        return Reader("az vm list -d", [az, "vm", "list", "--show-details", "--output", "json"], env, 1000)

    @staticmethod
    def _peer(command: str) -> Path:
        return CLIENTS / "azcollection" / "bin" / command

    def _peer_env(self) -> dict[str, str]:
        folder = CLIENTS / "azcollection" / "bin"
        return {**self.env, "PATH": f"{folder}:{os.defpath}", "ANSIBLE_PYTHON_INTERPRETER": str(folder / "python")}
