# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast the planner is, how near to the best possible, and what other ways of batching give on the same fleets.

Run as ``PYTHONPATH=tests python -m benchmarks.planner``; exits 1 when a target is missed. Seconds are processor time of
one core, so that a busy machine does not change them much; memory is the peak of a process that does nothing else.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import resource
import statistics
import sys
import time
import typing as t

from benchmarks.planner_others import barrier, serial, serial_share
from planning.bound import lower_bound
from planning.exact import fewest_waves
from planning.fleets import NOW, PAIRS, FleetSpec, SetSpec, random_fleet, small_fleet

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.planner import plan
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.policy import Policy

MOST_SECONDS, MOST_MEGABYTES = 2.0, 300
MOST_ON_AVERAGE, MOST_AT_WORST = 1.03, 1.10
LARGE = 10_000
MINUTES = Policy().overhead_minutes + Policy().minutes_for(())
_NIGHTS = {"open": [{"from": "22:00", "to": "05:00"}], "time_zone": "Europe/Amsterdam"}
POLICIES: dict[str, dict[str, t.Any]] = {
    "defaults": {}, "caps": {"max_parallel": 200, "per_region": 60}, "three tiers, cap, canaries": {"tier": "tags.tier", "max_parallel": 150, "canary": 20},
    "soak, calendar, cap": {"soak_minutes": 30, "calendar": _NIGHTS, "max_parallel": 100}}


def large_fleet() -> FleetSpec:
    """10,000 VMs in sets of 5 and 20 update domains."""
    draw = random.Random(1)
    sets: list[SetSpec] = []
    while (left := LARGE - sum(one.size for one in sets)) > 0:
        count = draw.choice((5, 20))
        sizes = [draw.randint(1, 3) for unused in range(count)] if left > 60 else [1] * min(left, count)
        sets.append(SetSpec(f"set{len(sets)}", draw.choice(sorted(PAIRS)), draw.randrange(3), tuple(sizes)))
    return FleetSpec(tuple(sets))


def cost(options: t.Mapping[str, t.Any], results: multiprocessing.SimpleQueue) -> None:
    """Processor seconds and peak megabytes of one plan of the large fleet, in a process of its own."""
    fleet = large_fleet().vms()
    policy = Policy.from_options(options)
    begin = time.process_time()
    found = plan(fleet, policy, NOW)
    seconds = time.process_time() - begin
    results.put((len(found.vms), len(found.waves), found.lower_bound, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def speed() -> list[str]:
    """Prints the costs; returns the targets missed."""
    missed = []
    print(f"{'one plan of':<30} {'VMs':>6} {'waves':>6} {'bound':>6} {'seconds':>8} {'MB':>5}")
    context = multiprocessing.get_context("spawn")
    for name, options in POLICIES.items():
        results = context.SimpleQueue()
        process = context.Process(target=cost, args=(options, results))
        process.start()
        vms, waves, bound, seconds, megabytes = results.get()
        process.join()
        print(f"{name:<30} {vms:>6} {waves:>6} {bound:>6} {seconds:>8.2f} {megabytes:>5.0f}")
        if seconds > MOST_SECONDS or megabytes > MOST_MEGABYTES or vms != LARGE:
            missed.append(f"{LARGE} VMs in {MOST_SECONDS} s and {MOST_MEGABYTES} MB ({name}: {seconds:.2f} s, {megabytes:.0f} MB)")
    return missed


def nearness(count: int) -> list[str]:
    """Prints waves / lower bound for the planner and the other ways, and what those would have broken; returns the targets missed."""
    ways: dict[str, t.Callable[[FleetSpec], t.Any]] = {
        "serial: 1": lambda fleet: serial(fleet, 1), "serial: 20%": lambda fleet: serial_share(fleet, 20), "barrier per domain": barrier}
    fleets = [random_fleet(seed) for seed in range(count)]
    bounds = [lower_bound(fleet) for fleet in fleets]
    planned = [len(plan(fleet.vms(), fleet.policy, NOW).waves) for fleet in fleets]
    sets = sum(one.size > 1 and len(one.domains) > 1 for fleet in fleets for one in fleet.sets)
    print(f"\n{count} random fleets: {sum(fleet.size for fleet in fleets)} VMs, {sets} sets of two or more update domains; waves of {MINUTES} minutes")
    print(f"{'way':<20} {'waves/bound':>11} {'worst':>6} {'median h':>9} {'total h':>9} {'sets broken':>12} {'pairs broken':>13}")
    ratios = [waves / bound for waves, bound in zip(planned, bounds)]
    _row("this planner", planned, bounds, 0, 0)
    for name, way in ways.items():
        found = [way(fleet) for fleet in fleets]
        _row(name, [one.waves for one in found], bounds, sum(one.broken_sets for one in found), sum(one.broken_pairs for one in found))
    print(f"the planner met the bound exactly on {sum(ratio == 1 for ratio in ratios)} of {count} fleets; a ratio below 1 is had by breaking rules")
    average, worst = statistics.fmean(ratios), max(ratios)
    return [f"waves / bound {what} {value:.4f}, at most {most}" for what, value, most in (
        ("on average", average, MOST_ON_AVERAGE), ("at worst", worst, MOST_AT_WORST)) if value > most]


def _row(name: str, waves: t.Sequence[int], bounds: t.Sequence[int], sets: int, pairs: int) -> None:
    ratios = [own / bound for own, bound in zip(waves, bounds)]
    hours = [own * MINUTES / 60 for own in waves]
    print(f"{name:<20} {statistics.fmean(ratios):>11.4f} {max(ratios):>6.2f} {statistics.median(hours):>9.1f} {sum(hours):>9.0f} {sets:>12} {pairs:>13}")


def exactness(count: int) -> list[str]:
    """Prints how often planner and bound meet the exact solver on small fleets; returns the targets missed."""
    rows = []
    for seed in range(count):
        fleet = small_fleet(seed)
        rows.append((lower_bound(fleet), fewest_waves(fleet), len(plan(fleet.vms(), fleet.policy, NOW).waves)))
    best, tight = sum(exact == own for bound, exact, own in rows), sum(exact == bound for bound, exact, own in rows)
    print(f"\n{count} small fleets against the exact solver: planner as good on {best}, bound as high on {tight}")
    wrong = [row for row in rows if not row[0] <= row[1] <= row[2]]
    return [f"bound <= exact <= planner ({wrong[0]})"] if wrong else []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fleets", type=int, default=1000, help="random fleets to plan (default 1000)")
    count = parser.parse_args().fleets
    missed = speed() + nearness(count) + exactness(count)
    for target in missed:
        print(f"MISSED: {target}")
    print("\nall targets met" if not missed else "")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
