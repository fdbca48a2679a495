# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench-redeploy`: 200 VMs redeployed at once by one process, against targets and against `az`.

The simulated Azure is a process of its own and keeps Compute's token buckets; Resource Manager's are checked on the log of its
requests. Ends with 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.cloud import Cloud
from benchmarks.measure import Cost, run
from benchmarks.reading import Target
from integration.clients.venvs import Client

# Resource Manager's buckets for a caller in a subscription: size, refill a second. Compute's for one operation: polls a minute.
_READS, _WRITES, _POLLS = (250, 25.0), (200, 10.0), 15


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.redeploy", description=__doc__)
    parser.add_argument("--vms", type=int, default=200)
    parser.add_argument("--operation", type=float, default=30.0, help="seconds that Azure takes")
    parser.add_argument("--az", type=int, default=10, help="runs of az to measure; 0: leave it out")
    parser.add_argument("--poll-interval", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        settings = {"single_every": 1, "regions": ["westeurope"], "limits": True, "operations": {"default": {"after_seconds": options.operation}}}
        with Cloud(options.vms + options.az, work / "azure", **settings) as cloud:
            ids = sorted(vm["id"] for vm in cloud.ask("state")["vms"].values())
            ours, log = _ours(cloud, ids[:options.vms], options.poll_interval, work)
            theirs = _az(cloud, ids[options.vms:], work) if options.az else None
    targets = _targets(options, ours, log, theirs)
    print(f"{options.vms} VMs at once, operations of {options.operation:g} s: {ours.seconds:.1f} s, {ours.cpu:.1f} s of processor time, "
          f"{ours.peak_mb:.0f} MB, {len(log)} requests")
    if theirs:
        print(f"az vm perform-maintenance, {options.az} runs: {theirs.cpu / options.az:.2f} s of processor time, {theirs.peak_mb:.0f} MB each")
    print("\n".join(target.line() for target in targets))
    return 0 if all(target.met for target in targets) else 1


def _ours(cloud: Cloud, ids: Sequence[str], interval: int, work: Path) -> tuple[Cost, list[dict[str, Any]]]:
    """One process of the module for all of them; what it cost and every request it made."""
    params, out = work / "params.json", work / "result.json"
    params.write_text(json.dumps({"vms": ids, "journal": str(work / "journal"), "poll_interval": interval}), encoding="utf-8")
    cost = run([sys.executable, Path(__file__).with_name("redeploy_once.py"), params], {**os.environ, **cloud.environment}, work, out)
    counts = json.loads(out.read_text(encoding="utf-8"))["counts"]
    if counts != {"succeeded": len(ids)}:
        raise SystemExit(f"not all succeeded: {counts}")
    starts = [entry["name"] for entry in cloud.ask("ledger") if entry["operation_id"]]
    if len(starts) != len(set(starts)) or len(starts) != len(ids):
        raise SystemExit(f"{len(starts)} starts of {len(set(starts))} VMs")
    return cost, [entry for entry in cloud.ask("requests") if "/subscriptions/" in entry["path"]]


def _az(cloud: Cloud, ids: Sequence[str], work: Path) -> Cost:
    """One run of az for each VM, all at once; the sum of their processor times."""
    client = Client("azure-cli")
    client.install(["azure-cli"])
    azure, az = cloud.environment, client.bin / "az"
    env = {**os.environ, "HOME": str(work), "AZURE_CONFIG_DIR": str(work / "az"), "AZURE_CORE_INSTANCE_DISCOVERY": "false",
           "AZURE_CORE_COLLECT_TELEMETRY": "false", "REQUESTS_CA_BUNDLE": azure["REQUESTS_CA_BUNDLE"]}
    for words in (["cloud", "register", "--name", "Bench", "--endpoint-resource-manager", azure["BENCH_URL"]], ["cloud", "set", "--name", "Bench"],
                  ["login", "--service-principal", "--tenant", azure["AZURE_TENANT_ID"], "--username", azure["AZURE_CLIENT_ID"],
                   "--password", azure["AZURE_CLIENT_SECRET"]]):
        run([az, *words, "--output", "none"], env, work, work / "az.out")
    with ThreadPoolExecutor(len(ids)) as pool:
        costs = list(pool.map(lambda vm_id: run([az, "vm", "perform-maintenance", "--ids", vm_id], env, work, work / vm_id.rsplit("/", 1)[-1]), ids))
    return Cost(max(cost.seconds for cost in costs), sum(cost.cpu for cost in costs), max(cost.peak_mb for cost in costs))


def _targets(options: argparse.Namespace, ours: Cost, log: list[dict[str, Any]], theirs: Cost | None) -> list[Target]:
    reads = [_time(entry) for entry in log if entry["method"] == "GET"]
    posts = [_time(entry) for entry in log if entry["method"] == "POST"]
    polls: dict[str, list[float]] = {}
    for entry in log:
        if "/operations/" in entry["path"]:
            polls.setdefault(entry["path"], []).append(_time(entry))
    last_guard = max(moment for moment in reads if moment <= posts[0])
    targets = [
        Target("wall time, seconds", ours.seconds, 1.1 * options.operation + 5),
        Target("memory of the one process, MB", ours.peak_mb, 150),
        Target("all starts out, seconds after the last guard", posts[-1] - last_guard, 10),
        Target("answers 429", sum(entry["status"] == 429 for entry in log), 0),
        Target("reads beyond Resource Manager's bucket", _beyond(reads, *_READS), 0),
        Target("writes beyond Resource Manager's bucket", _beyond(posts, *_WRITES), 0),
        Target("polls of one operation in a minute", max(map(_busiest_minute, polls.values()), default=0), _POLLS),
    ]
    if theirs:
        scaled = theirs.cpu / options.az * options.vms
        targets.append(Target(f"processor time of az for {options.vms} VMs ({scaled:.0f} s, scaled) over ours", scaled / ours.cpu, 10, at_least=True))
    return targets


def _time(entry: dict[str, Any]) -> float:
    return datetime.fromisoformat(entry["time"]).timestamp()


def _beyond(moments: Sequence[float], size: int, refill: float) -> float:
    """How many requests a token bucket would have refused."""
    tokens, last, refused = float(size), moments[0], 0
    for moment in sorted(moments):
        tokens, last = min(size, tokens + (moment - last) * refill), moment
        if tokens < 1:
            refused += 1
        else:
            tokens -= 1
    return refused


def _busiest_minute(moments: Sequence[float]) -> int:
    return max(sum(start <= moment < start + 60 for moment in moments) for start in moments)


if __name__ == "__main__":
    sys.exit(main())
