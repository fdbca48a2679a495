# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench`: what it costs to know a fleet, side by side with the floors and with the tools people use today.

Every figure of a fleet comes from one run on one machine, so that the ratios hold elsewhere. Ends with 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.cloud import Cloud
from benchmarks.measure import Cost, Failed
from benchmarks.readers import CLIENTS, Reader, Workshop

_AFFECTED_EVERY = 10
_CURVE = (2_000, 4_000, 6_000, 8_000, 10_000)
_CURVE_SUBSCRIPTIONS = 50


@dataclass
class Table:
    """Costs of one fleet, by the reader's name."""

    vms: int
    latency: int
    costs: dict[str, Cost] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """A ratio that must hold, with the figure that was found."""

    text: str
    found: float
    limit: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.found >= self.limit if self.at_least else self.found <= self.limit

    def line(self) -> str:
        sign = "at least" if self.at_least else "at most"
        return f"  {'ok    ' if self.met else 'MISSED'}  {self.text}: {self.found:.2f} ({sign} {self.limit:g})"


def main() -> int:
    """Read fleets of every size at every latency and print the tables."""
    parser = argparse.ArgumentParser(prog="benchmarks.reading", description=__doc__)
    parser.add_argument("--sizes", default="100,1000,5000,10000", help="fleet sizes")
    parser.add_argument("--latency", default="0,50", help="milliseconds that every answer of the cloud takes")
    parser.add_argument("--runs", type=int, default=3, help="runs of each command but the peers'; the median counts")
    parser.add_argument("--no-peers", action="store_true", help="without azure.azcollection and az")
    parser.add_argument("--no-curve", action="store_true", help=f"without the curve over {_CURVE_SUBSCRIPTIONS} subscriptions")
    options = parser.parse_args()
    if not options.no_peers and not all((CLIENTS / name / "bin").is_dir() for name in ("azcollection", "azure-cli")):
        print("The peers are not installed: run `make test-clients` first, or give --no-peers.", file=sys.stderr)
        return 2
    targets: list[Target] = []
    for vms in map(int, options.sizes.split(",")):
        for latency in map(int, options.latency.split(",")):
            targets += _judge(_measure(vms, latency, options.runs, not options.no_peers))
    if not options.no_curve:
        targets += _curve()
    print("\nTargets")
    for target in targets:
        print(target.line())
    return 0 if all(target.met for target in targets) else 1


@contextmanager
def _workshop(vms: int, subscriptions: int, **settings: int) -> Iterator[Workshop]:
    home = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        with Cloud(vms, home / "cloud", affected_every=_AFFECTED_EVERY, subscriptions=subscriptions, **settings) as cloud:
            ids = cloud.environment["BENCH_SUBSCRIPTIONS"].split(",")
            yield Workshop(home, cloud, ids)
    finally:
        shutil.rmtree(home)


def _measure(vms: int, latency: int, runs: int, peers: bool) -> Table:
    table = Table(vms, latency)
    print(f"\n{vms} VMs in 1 subscription, {latency} ms latency, 1 in {_AFFECTED_EVERY} affected, {os.cpu_count()} cores\n{_HEAD}", flush=True)
    with _workshop(vms, 1, latency_ms=latency) as shop:
        for which in ("all", "due"):
            shop.dump(which)
        own = [shop.raw(), shop.floor("all"), shop.inventory("all"), shop.floor("due"), shop.inventory("due"), shop.facts()]
        others = [make() for make in (shop.azure_rm, shop.azure_rm_info, shop.az)] if peers else []
        rows: dict[str, list[Cost]] = {reader.name: [] for reader in own}
        for dummy in range(runs):  # in turn, so that a busy moment of the machine does not fall on one of them
            for reader in own:
                rows[reader.name].append(shop.cost(reader))
        for name, costs in rows.items():
            table.costs[name] = Cost.median(costs)
            print(_row(name, table.costs[name]), flush=True)
        for reader in (one for one in others if vms <= one.most):
            _try(shop, reader, table)
    return table


def _try(shop: Workshop, reader: Reader, table: Table) -> None:
    """A peer that fails is a line of the table, not the end of it."""
    try:
        table.costs[reader.name] = shop.cost(reader)
        print(_row(reader.name, table.costs[reader.name]), flush=True)
    except Failed as error:
        print(f"  {reader.name:<28} failed: {str(error).splitlines()[-1][:100]}", flush=True)


_HEAD = f"  {'':<28}{'seconds':>9}{'cpu s':>9}{'peak MB':>9}{'requests':>10}"


def _row(name: str, cost: Cost) -> str:
    return f"  {name:<28}{cost.seconds:>9.2f}{cost.cpu:>9.2f}{cost.peak_mb:>9.0f}{cost.requests:>10}"


def _judge(table: Table) -> Iterator[Target]:
    """The targets that are stated for this size."""
    where = f"{table.vms} VMs, {table.latency} ms"
    raw, costs = table.costs["raw fetch"], table.costs
    if table.vms == 5_000:
        for which, limit in (("all", 1.3), ("due", 1.5)):
            floor = raw.seconds + costs[f"Ansible floor {which}"].seconds
            yield Target(f"{where}: inventory {which} / (raw fetch + Ansible floor)", costs[f"inventory {which}"].seconds / floor, limit)
        yield Target(f"{where}: inventory, peak MB", costs["inventory all"].peak_mb, 256)
        if "azure_rm inventory" in costs:
            yield Target(f"{where}: azure_rm / inventory", costs["azure_rm inventory"].seconds / costs["inventory all"].seconds, 5, True)
    if table.vms == 1_000 and table.latency:
        for peer in ("azure_rm_virtualmachine_info", "az vm list -d"):
            if peer in costs:
                yield Target(f"{where}: {peer} / vm_maintenance_info", costs[peer].seconds / costs["vm_maintenance_info"].seconds, 40, True)
    yield Target(f"{where}: requests beyond the pages of the lists", costs["vm_maintenance_info"].requests - raw.requests, 5)


def _curve() -> list[Target]:
    """Time and memory over growing fleets; linear when the cost of one more VM does not grow."""
    print(f"\nInventory over {_CURVE_SUBSCRIPTIONS} subscriptions\n{_HEAD}", flush=True)
    costs = []
    for vms in _CURVE:
        with _workshop(vms, _CURVE_SUBSCRIPTIONS) as shop:
            costs.append(shop.cost(shop.inventory("all")))
            print(_row(f"{vms} VMs", costs[-1]), flush=True)
    middle = len(_CURVE) // 2
    return [
        Target(f"{_CURVE[-1]} VMs: {what} per VM, upper / lower half of the curve",
               ((of[-1] - of[middle]) / (_CURVE[-1] - _CURVE[middle])) / ((of[middle] - of[0]) / (_CURVE[middle] - _CURVE[0])), 1.3)
        for what, of in (("CPU seconds", [cost.cpu for cost in costs]), ("MB", [cost.peak_mb for cost in costs]))
    ]


if __name__ == "__main__":
    sys.exit(main())
