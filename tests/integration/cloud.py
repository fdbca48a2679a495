# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small simulated fleet with guests that are really reached, and what tests ask of it: ledger, guests, balancer."""

from __future__ import annotations

import copy
import csv
import io
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from simulator.guests import Guests, login
from simulator.server import Simulator

# Of its own for every run: two runs at a time do not meet, nor the demo nor the unit tests.
NET = f"127.{40 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
ALL = ("web-1", "web-2", "web-3", "web-4", "solo-1", "ne-1")
"""VMs that are startable after a reset."""
MARK = "/etc/ansible/facts.d/azure_maintenance.fact"
CHANGED_BY_TESTS = ("default", "ansible/facts.d")
"""Below a guest's /etc: how its services start and stop, and its marks. A reboot keeps both."""

FLEET = yaml.safe_load(Path(__file__).with_name("fleet.yml").read_text(encoding="utf-8").replace("NET.", f"{NET}."))


def fleet(*, guests: bool = True, **changes: Any) -> dict[str, Any]:
    """The fleet as data of the caller's own; without guests nothing listens anywhere."""
    data = {**copy.deepcopy(FLEET), **changes}
    if not guests:
        for vm in data["vms"]:
            vm["guest"] = None
    return data


def variables(guests: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What a user writes into group_vars for this fleet; `guests` says how they are reached."""
    connection = {
        "ansible_user": guests.get("user", "root"), "ansible_port": guests.get("port", 22),
        "ansible_python_interpreter": guests.get("python", "auto_silent"), "ansible_remote_tmp": guests.get("remote_tmp", "/tmp"),
        "ansible_ssh_private_key_file": str(guests.get("private_key", "")), "ansible_ssh_common_args": guests.get("ssh_common_args", ""),
    }
    quick = {"redeploy_poll_interval": 1, "redeploy_settle_seconds": 4, "redeploy_timeout": 90, "rollout_minutes_per_vm": 1,
             "verify_timeout": 30, "verify_port_timeout": 10, "drain_timeout": 10}
    return {
        "all": {**connection, **quick},
        "availability_set_shop_web": {
            "drain_provider": ["haproxy", "services"], "drain_haproxy_hosts": ["lb-1"], "drain_haproxy_backends": ["web"], "drain_services": ["web"],
            "drain_ports": [8080], "verify_ports": [8080], "verify_urls": ["http://{{ ansible_host }}:8080/healthz"],
        },
        "region_northeurope": {"drain_provider": ["services"], "drain_services": ["db"], "verify_ports": [5432]},
    }


class Cloud:
    """A running simulator of the fleet `data`, and its guests."""

    def __init__(self, simulator: Simulator, data: dict[str, Any]) -> None:
        self.sim = simulator
        self.data = data
        self.guests: dict[str, Any] = simulator.world.guests.describe()
        self.environment = simulator.env()
        self._addresses = {vm["name"]: vm.get("addresses", {}) for vm in data["vms"]}
        self._public = {vm["name"] for vm in data["vms"] if (vm.get("guest") or {}).get("reach") == "public"}
        self._etc = {folder: {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
                     for below in CHANGED_BY_TESTS for folder in simulator.directory.glob(f"guests/*/etc/{below}")}

    def __enter__(self) -> Cloud:
        return self

    def __exit__(self, *dummy: object) -> None:
        self.sim.stop()

    # -- the control path -----------------------------------------------------------------------------------------------

    def reset(self, startable: Iterable[str] = ALL) -> None:
        """Everything as on the first day; of the startable VMs only those named are in the wave."""
        for folder, files in self._etc.items():
            for path in folder.iterdir():
                if path.is_file() and path.name not in files:
                    path.unlink()
            for name, content in files.items():
                (folder / name).write_bytes(content)
        self.sim.reset()
        for name in set(ALL) - set(startable):
            self.patch(name, wave=None)

    def patch(self, name: str, **changes: Any) -> None:
        """Change a VM as if Azure did."""
        with self.sim.world.lock:
            self.sim.control.patch(name, changes)

    def faults(self, *specs: dict[str, Any]) -> None:
        """Put faults in force in place of those that are; none ends all."""
        self.sim.world.faults.clear()
        self.sim.world.faults.add(list(specs))

    # -- the ledger -----------------------------------------------------------------------------------------------------

    def writes(self) -> list[dict[str, Any]]:
        """All writes so far."""
        return self.sim.ledger()

    def posts(self) -> dict[str, int]:
        """Starts by VM, accepted or not."""
        return dict(Counter(write["name"] for write in self.writes()))

    def methods(self, since: int = 0) -> set[str]:
        """Methods Resource Manager was asked with, from a mark of `len(sim.requests())` on."""
        return {request["method"] for request in self.sim.requests()[since:] if "/oauth2/" not in request["path"]}

    def check_ledger(self, expected: Iterable[str]) -> None:
        """Each VM expected was started exactly once and nothing else written; sets and paired regions kept their distance."""
        assert self.posts() == dict.fromkeys(expected, 1)
        self.check_distance()

    def check_distance(self) -> None:
        """No two domains of a set, nor two paired regions, were ever down at once."""
        for one, other in combinations(self.writes(), 2):
            if one["name"] == other["name"] or not (one["down"] and other["down"]):
                continue
            apart = (one["set"] and one["set"] == other["set"] and one["update_domain"] != other["update_domain"]) or one["region"] != other["region"]
            if apart:
                assert one["end"] and other["end"], (one, other)
                assert one["end"] <= other["start"] or other["end"] <= one["start"], (one, other)

    # -- the guests -----------------------------------------------------------------------------------------------------

    def address(self, name: str) -> str:
        """Where a guest listens now; a dynamic address changes with each redeploy."""
        return self.sim.fleet.named(name)[0].guest_address if name in self._public else self._addresses[name]["private"]

    def ssh_command(self, name: str) -> list[str]:
        """How a guest is logged in to; a command may follow."""
        return login.ssh_command(self.guests, self.address(name))

    def ssh(self, name: str, command: str) -> str:
        """What a command printed on a guest; raises CalledProcessError when it failed."""
        return login.ssh(self.guests, self.address(name), command)

    def boot_ids(self, names: Iterable[str] = ALL) -> dict[str, str]:
        """Boot ids, read on the guests."""
        return {name: self.ssh(name, "cat /proc/sys/kernel/random/boot_id") for name in names}

    def marked(self, names: Iterable[str] = ALL) -> list[str]:
        """Guests that carry a mark."""
        return [name for name in names if self.ssh(name, f"test -e {MARK} && echo yes || echo no") == "yes"]

    def service_up(self, name: str, service: str = "web") -> bool:
        """Whether a service of a guest runs."""
        return self.ssh(name, f"service {service} status >/dev/null && echo up || echo down") == "up"

    def haproxy(self, command: str, balancer: str = "lb-1") -> str:
        """What a balancer's admin socket answers."""
        return login.ask_haproxy(self.guests, self.address(balancer), command)

    def balancer_stats(self, balancer: str = "lb-1") -> dict[str, dict[str, str]]:
        """The rows of a balancer's stats for the backend web by server name, with BACKEND for all of them together."""
        rows = csv.DictReader(io.StringIO(self.haproxy("show stat", balancer).removeprefix("# ")))
        return {row["svname"]: row for row in rows if row["pxname"] == "web"}

    def backends(self, balancer: str = "lb-1") -> dict[str, str]:
        """Status by server, as a balancer's stats show it."""
        return {name: row["status"] for name, row in self.balancer_stats(balancer).items() if name not in ("FRONTEND", "BACKEND")}

    def all_in_service(self) -> None:
        """Nothing is drained: every server takes traffic, every service runs, no guest carries a mark."""
        wait_until(lambda: set(self.backends().values()) == {"UP"}, "all servers are up")
        assert all(self.service_up(name) for name in ALL if name.startswith("web"))
        assert self.service_up("ne-1", "db")
        assert not self.marked()


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Poll; fails by name when it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.2)


def start(data: dict[str, Any], state: Path, *, guests: bool) -> Cloud:
    """A cloud of this fleet, for a `with` that ends it; skips the test, saying why, where guests are wanted and cannot run."""
    problems = Guests.check() if guests else []
    if problems:
        pytest.skip("; ".join(problems))
    return Cloud(Simulator(data, state, Guests(state) if guests else None).start(), data)
