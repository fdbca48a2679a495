# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is played on the stage: the demo, the demo again, and a demo in which one VM's maintenance aborts."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from demo import abort_promises, promises, screen, table
from demo.promises import Looks, Promise
from demo.stage import INVENTORY, RATE, Stage, StageError

_PLAYBOOK = ["ansible-playbook", "-i", INVENTORY]
_PLAN = "fleetops.azure_maintenance.plan"
_ROLL = "fleetops.azure_maintenance.rolling_redeploy"
# Not only the hosts that are due: so the plan says of every VM of the fleet in which wave it is, or why it is in none.
_ALL = ["-e", "rollout_targets=all"]
# The set whose guests listen to Scheduled Events: one read turns them on for all of it. See its group_vars.
_LISTENING, _FIRST = "shop/db", "db-01"
_INFO = "fleetops.azure_maintenance.scheduled_events_info"
_THOUSANDS, _HUNDRED = 2000, 100
_SHOWN = re.compile(r"maintenance_(?!window|startable)")
_PLAN_WAS_SHOWN = {"AZURE_MAINTENANCE_PROGRESS_SHOW_PLAN": "false"}


def groups_of(graph: str) -> dict[str, list[str]]:
    """Hosts by group, of what `ansible-inventory --graph` prints for groups without children."""
    found: dict[str, list[str]] = {}
    for line in graph.splitlines():
        name = line.rpartition("|--")[2]
        if name.startswith("@"):
            found[name.strip("@:")] = []
        elif found and "|--" in line:
            found[next(reversed(found))].append(name)
    return found


@dataclass
class Rollout:
    """What the runs of rolling_redeploy were about: `waves` that were begun, `results` by lower-case VM id."""

    before: Looks
    addresses: table.Addresses
    startable: list[str]
    waves: list[list[dict[str, Any]]] = field(default_factory=list)
    results: dict[str, str] = field(default_factory=dict)
    run_ids: list[str] = field(default_factory=list)

    def ids(self) -> list[list[str]]:
        """Lower-case VM ids of the waves."""
        return [[vm["id"].lower() for vm in wave] for wave in self.waves]


def demo(stage: Stage) -> bool:
    """Inventory, plan, rolling redeploy under load; True when every promise was kept."""
    stage.clear()
    rollout = _begin(stage)
    with _traffic(stage) as load:
        _roll(stage, rollout, "The rolling redeploy: drain, redeploy, verify, return to service, wave by wave")
    expected = dict.fromkeys(rollout.startable, "completed")
    kept = _finish(stage, "demo", rollout, expected, load, [])
    screen.headline("Where to look, and what to try next")
    screen.note("In build/demo: plan.json, ledger.json (every write Azure saw), load.json, report.json, and logs in log")
    screen.command("make demo-again                             # starts from what this run left, and changes nothing")
    screen.command(".venv/bin/python tests/demo/run.py --abort web-03   # Azure aborts one VM: what stops, what is left where")
    screen.command("make simulator SIMULATOR_STATE=build/demo/state     # this fleet, for playbooks of your own: docs/simulator.md")
    return kept


def again(stage: Stage) -> bool:
    """The same fleet after the demo, default targets: nothing is left to do, and nothing is done."""
    earlier = stage.out / "report.json"
    if not earlier.exists() or not stage.state.exists():
        raise StageError("there is no demo to go on from; run make demo first")
    before = json.loads(earlier.read_text(encoding="utf-8"))["guests"]
    screen.headline("The simulated Azure again, as the demo left it: same VMs, same boot ids, same ledger")
    stage.logs = stage.out / "again" / "log"
    stage.power_on()
    ledger = stage.cloud.ledger()
    with _traffic(stage, "again/load.json") as load:
        screen.headline("The rolling redeploy once more, for what is due; then for every VM there is")
        stage.run("rolling_redeploy", [*_PLAYBOOK, _ROLL])
        stage.run("rolling_redeploy_all", [*_PLAYBOOK, _ROLL, *_ALL])
    after = stage.look()
    kept = [
        promises.commands_succeeded(stage.commands),
        promises.ledger_unchanged(ledger, stage.cloud.ledger()),
        promises.moved_only(before, after, set()),
        promises.restored(before, after, stage.marks()),
        promises.load_served(load, _HUNDRED),
    ]
    stage.write("ledger.json", stage.cloud.ledger())
    return _judge(stage, "again/report.json", {"scenario": "again", "guests": after}, kept)


def abort(stage: Stage, name: str) -> bool:
    """The maintenance of one VM aborts: the run stops after its wave; the next run does the rest."""
    stage.clear()
    rollout = _begin(stage)
    screen.headline(f"A fault: Azure will abort the maintenance of {name}")
    vm = stage.cloud.fleet.named(name)[0]
    stage.cloud.ask(f"vms/{vm.name}", {"operations": {"performMaintenance": "aborted"}})
    with _traffic(stage) as load:
        text = _roll(stage, rollout, "Rolling redeploy: it must stop after the wave with the fault", expected=None)
        stopped = _stopped(stage, rollout, vm.key, text)
        screen.headline("What the fault stopped, and what it left")
        screen.promises(stopped)
        screen.headline("The fault is gone: run again, and the rest is done")
        stage.cloud.ask(f"vms/{vm.name}", {"operations": vm.initial["operations"]})
        _roll(stage, rollout, None)
    expected = {**dict.fromkeys(rollout.startable, "completed"), vm.key: "aborted"}
    return _finish(stage, "abort", rollout, expected, load, stopped)


def _begin(stage: Stage) -> Rollout:
    count = len(stage.cloud.fleet.vms)
    guests = len(stage.cloud.addresses())
    screen.headline(f"A simulated Azure: {count} VMs in two paired regions, {guests} of them can be logged in to")
    before = stage.power_on()
    rollout = Rollout(before, stage.cloud.all_addresses(), stage.cloud.startable())
    screen.headline("The inventory: hosts by maintenance state (left out here: window, set, update domain, region)")
    graph = stage.must("inventory", ["ansible-inventory", "-i", INVENTORY, "--graph"], quiet=True)
    screen.groups({name: hosts for name, hosts in groups_of(graph).items() if _SHOWN.match(name)})
    screen.headline("The plan: which VMs in which wave, which not and why. Nothing is written to Azure")
    stage.must("plan", [*_PLAYBOOK, _PLAN, *_ALL])
    screen.headline("Scheduled Events: a guest reads them, so Azure holds its set's redeploys until they are approved")
    arguments = ["-m", _INFO, "-a", "endpoint={{ redeploy_events_endpoint }}"]
    stage.must("scheduled_events", ["ansible", "-i", INVENTORY, _FIRST, *arguments], quiet=True)
    return rollout


def _traffic(stage: Stage, name: str = "load.json") -> AbstractContextManager[dict[str, Any]]:
    screen.headline(f"Users: {RATE} HTTP requests a second in all through HAProxy, from now to the end")
    return stage.load(name)


def _roll(stage: Stage, rollout: Rollout, title: str | None, expected: int | None = 0) -> str:
    """Run rolling_redeploy and take down what it was about; returns what it said."""
    if title:
        screen.headline(title)
    text = stage.run("rolling_redeploy", [*_PLAYBOOK, _ROLL, *_ALL], expected=expected, env=_PLAN_WAS_SHOWN)
    report, plan = stage.journal_file("report.json"), stage.journal_file("plan.json")
    rollout.run_ids.append(report.get("run_id", ""))
    rollout.results |= {vm["id"].lower(): vm["outcome"] for vm in report.get("vms", [])}
    written = {entry["id"].lower() for entry in stage.cloud.ledger()}
    done = {vm_id for wave in rollout.ids() for vm_id in wave}
    planned = plan.get("waves", [])
    begun = [wave["vms"] for wave in planned if written & {vm["id"].lower() for vm in wave["vms"]} - done]
    rollout.waves += begun if expected is None else [wave["vms"] for wave in planned]
    return text


def _stopped(stage: Stage, rollout: Rollout, vm_id: str, text: str) -> Sequence[Promise]:
    planned = [[vm["id"].lower() for vm in wave["vms"]] for wave in stage.journal_file("plan.json").get("waves", [])]
    number = next((number for number, wave in enumerate(planned, 1) if vm_id in wave), len(planned))
    wave, earlier = planned[number - 1], [one for before in planned[: number - 1] for one in before]
    name, after = promises.name_of(vm_id), stage.look()
    return [
        abort_promises.stopped(stage.commands[-1]["status"]),
        abort_promises.message(text, name),
        abort_promises.peers(rollout.before, after, wave, name, earlier),
        abort_promises.next_wave(stage.cloud.ledger(), planned, number),
    ]


def _finish(
    stage: Stage,
    scenario: str,
    rollout: Rollout,
    expected: Mapping[str, str],
    load: Mapping[str, Any],
    earlier: Sequence[Promise],
) -> bool:
    """Table, promises and documents of a rollout; `expected` maps lower-case ids to the ledger's outcome."""
    after, ledger = stage.look(), stage.cloud.ledger()
    rows = table.outcomes(
        rollout.waves,
        ledger,
        rollout.results,
        (rollout.before, after),
        (rollout.addresses, stage.cloud.all_addresses()),
    )
    moved = {promises.name_of(vm_id) for vm_id, outcome in expected.items() if outcome == "completed"}
    kept = [
        *earlier,
        promises.commands_succeeded(stage.commands),
        promises.once_each(ledger, expected),
        promises.nothing_else(ledger, expected, len(stage.cloud.fleet.vms)),
        promises.waves_kept(ledger, rollout.ids()),
        promises.domains_apart(ledger),
        promises.regions_apart(ledger, stage.cloud.pairs()),
        promises.holds_cut_short(ledger, stage.cloud.members(_LISTENING) & set(rollout.startable)),
        promises.moved_only(rollout.before, after, moved),
        promises.restored(rollout.before, after, stage.marks()),
        promises.load_served(load, _THOUSANDS),
    ]
    stage.write("plan.json", stage.journal_file("plan.json"))
    stage.write("ledger.json", ledger)
    document = {"scenario": scenario, "run_ids": rollout.run_ids, "vms": rows, "guests": after}
    return _judge(stage, "report.json", document, kept)


def _judge(stage: Stage, name: str, document: Mapping[str, Any], kept: Sequence[Promise]) -> bool:
    screen.headline("What was promised, and the proof")
    screen.promises(kept)
    broken = [promise for promise in kept if not promise.kept]
    seconds = round(time.monotonic() - stage.began, 1)
    judged = [promise._asdict() for promise in kept]
    stage.write(
        name, {**document, "seconds": seconds, "commands": stage.commands, "promises": judged, "kept": not broken}
    )
    said = f"BROKEN: {'; '.join(promise.text for promise in broken)}" if broken else f"all {len(kept)} promises kept"
    screen.note(f"{said} ({seconds:.0f} s)")
    return not broken
