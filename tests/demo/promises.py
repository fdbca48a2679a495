# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The promises, each judged from ledger, plan, load and what was seen on the guests. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from demo import spans

Ledger = Sequence[Mapping[str, Any]]
# What was seen on a guest: {boot_id, marks, services: {name: runs}, servers: {backend/server: status}}, or {error}.
Looks = Mapping[str, Mapping[str, Any]]


class Promise(NamedTuple):
    """What was promised, whether it was kept, and the figure that proves it or what broke it."""

    text: str
    kept: bool
    proof: str


def _judge(text: str, broken: Iterable[str], proof: str) -> Promise:
    listed = list(broken)
    return Promise(text, not listed, "; ".join(listed) if listed else proof)


def name_of(vm_id: str) -> str:
    """The VM's name from its id."""
    return vm_id.rsplit("/", 1)[-1].lower()


def commands_succeeded(commands: Sequence[Mapping[str, Any]]) -> Promise:
    """Every command ended with the exit status expected of it."""
    broken = [f"{c['name']} ended with {c['status']}" for c in commands if c["status"] != c["expected"]]
    figures = ", ".join(f"{c['name']} {c['status']}" for c in commands)
    return _judge("every command ended as it should", broken, f"exit status: {figures}")


def once_each(ledger: Ledger, expected: Mapping[str, str]) -> Promise:
    """One write per VM of `expected` (lower-case id to outcome), with that outcome; none that failed besides."""
    writes: dict[str, list[Any]] = {vm_id: [] for vm_id in expected}
    for entry in ledger:
        writes.setdefault(entry["id"].lower(), []).append(entry["outcome"])
    broken = [
        f"{name_of(vm_id)}: {', '.join(map(str, writes[vm_id])) or 'no write'} instead of one {outcome}"
        for vm_id, outcome in expected.items()
        if writes[vm_id] != [outcome]
    ]
    outcomes = Counter(expected.values())
    figures = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
    text = "every startable VM was started exactly once"
    return _judge(text, broken, f"{len(expected)} startable VMs, {len(ledger)} writes: {figures}")


def nothing_else(ledger: Ledger, expected: Collection[str], fleet_size: int) -> Promise:
    """No write of any kind to anything that is not in `expected` (lower-case ids)."""
    broken = [
        f"{entry['operation']} on {entry['name']}" for entry in ledger if entry["id"].lower() not in set(expected)
    ]
    text = "nothing was written to any other VM"
    return _judge(text, broken, f"{fleet_size - len(expected)} other VMs, 0 writes")


def _meetings(met: Iterable[tuple[spans.Span, spans.Span]], what: str) -> list[str]:
    return [
        f"{first.name} ({what} {first.part}) and {second.name} ({what} {second.part}) were down together"
        for first, second in met
    ]


def domains_apart(ledger: Ledger) -> Promise:
    """No two update domains of one set were down together."""
    broken: list[str] = []
    figures: list[str] = []
    for group in sorted({entry["set"] for entry in ledger if entry["set"]}):
        found = spans.closeness(spans.down([e for e in ledger if e["set"] == group], "update_domain"))
        broken += _meetings(found.met, f"{group} update domain")
        figures.append(f"{group} {found.gap:.1f} s apart" if found.gap is not None else f"{group} had one only")
    text = "no two update domains of one set were ever down together"
    return _judge(text, broken, f"0 overlaps; closest: {', '.join(figures)}")


def regions_apart(ledger: Ledger, pairs: Collection[frozenset[str]]) -> Promise:
    """No two paired regions had VMs down at the same time."""
    broken: list[str] = []
    figures: list[str] = []
    for pair in sorted(pairs, key=sorted):
        found = spans.closeness(spans.down([e for e in ledger if e["region"] in pair], "region"))
        broken += _meetings(found.met, "region")
        regions = " and ".join(sorted(pair))
        figures.append(f"{regions}: {found.gap:.1f} s apart" if found.gap is not None else f"{regions}: not both")
    return _judge("no two paired regions were ever touched together", broken, f"0 overlaps; {', '.join(figures)}")


def waves_kept(ledger: Ledger, waves: Sequence[Collection[str]]) -> Promise:
    """The ledger's writes are those of the waves (lower-case ids), one wave over before the next begins."""
    wave_of = {vm_id: number for number, wave in enumerate(waves, 1) for vm_id in wave}
    written = {entry["id"].lower() for entry in ledger}
    broken = [
        f"{name_of(vm_id)} is in wave {number} and was not started"
        for vm_id, number in wave_of.items()
        if vm_id not in written
    ]
    broken += [f"{name_of(vm_id)} is in no wave" for vm_id in sorted(written - set(wave_of))]
    over: dict[int, spans.Span] = {}
    for span in sorted((spans.span(entry, "id") for entry in ledger), key=lambda span: span.start):
        number = wave_of.get(span.part.lower(), 0)
        broken += [
            f"{span.name} of wave {number} was started before {last.name} of wave {earlier} was over"
            for earlier, last in over.items()
            if number and earlier < number and span.start < last.end
        ]
        broken += [
            f"{span.name} of wave {number} was started after wave {later} had begun"
            for later in over
            if number and later > number
        ]
        over[number] = max(span, over.get(number, span), key=lambda span: span.end)
    sizes = ", ".join(str(len(wave)) for wave in waves)
    return _judge("the waves were those of the plan", broken, f"{len(waves)} waves of {sizes} VMs, one after another")


def holds_cut_short(ledger: Ledger, listening: Collection[str]) -> Promise:
    """The redeploys of `listening` (lower-case ids) were held for Scheduled Events and let go before their time."""
    entries = {entry["id"].lower(): entry for entry in ledger if entry["notice_seconds"]}
    broken = [f"{name_of(vm_id)} was not held at all" for vm_id in listening if vm_id not in entries]
    waits = {vm_id: spans.wait(entry) for vm_id, entry in entries.items()}
    broken += [
        f"{entries[vm_id]['name']} waited {seconds:.1f} of {entries[vm_id]['notice_seconds']:.0f} s: nobody approved"
        for vm_id, seconds in waits.items()
        if seconds >= entries[vm_id]["notice_seconds"]
    ]
    notice = sum(entry["notice_seconds"] for entry in entries.values())
    names = ", ".join(sorted(entry["name"] for entry in entries.values()))
    longest = max(waits.values(), default=0.0)
    proof = (
        f"{names}: Azure would have held their redeploys for {notice:.0f} s in all; the guests approved, it held "
        f"them for {sum(waits.values()):.1f} s (longest: {longest:.1f} s)"
    )
    return _judge("no redeploy waited for a Scheduled Event that its guest could approve", broken, proof)


def load_served(load: Mapping[str, Any], least: int) -> Promise:
    """At least so many requests, none failed, none that had to be sent twice."""
    broken = [f"{load['failed']} failed: {load['errors']}"] if load["failed"] else []
    if load["requests"] < least:
        broken.append(f"only {load['requests']} requests, {least} are needed to mean anything")
    if load["idle_close_retries"]:
        broken.append(f"{load['idle_close_retries']} had to be sent twice")
    proof = (
        f"{load['requests']} requests, {load['failed']} failed, 0 sent twice; served by {len(load['per_server'])} "
        f"VMs, longest gap {load['longest_gap_seconds'] * 1000:.0f} ms"
    )
    return _judge("no HTTP request was dropped", broken, proof)


def moved_only(before: Looks, after: Looks, moved: Collection[str]) -> Promise:
    """The guests named in `moved` have another boot id than before; all others have the same."""
    broken = []
    for name in sorted(before):
        same = before[name].get("boot_id") == after[name].get("boot_id")
        if "error" not in after[name] and same == (name in moved):
            broken.append(f"{name} {'never went away' if same else 'was rebooted'}")
    new = len([name for name in before if name in moved])
    text = "each redeployed VM really went away and came back, and no other did" if moved else "no VM was rebooted"
    return _judge(text, broken, f"{new} new boot ids, {len(before) - new} as before")


def restored(before: Looks, after: Looks, journal_marks: Sequence[str]) -> Promise:
    """No mark is left anywhere, services run as before, every HAProxy server is up."""
    broken = [f"{name} cannot be looked at: {look['error']}" for name, look in after.items() if "error" in look]
    broken += [f"the controller still has the mark {mark}" for mark in journal_marks]
    well = {name: look for name, look in after.items() if "error" not in look}
    servers = {
        f"{server} on {name}": status for name, look in well.items() for server, status in look["servers"].items()
    }
    for name, look in well.items():
        broken += [f"{name} still has the mark {mark}" for mark in look["marks"]]
        was = before[name].get("services", {})
        broken += [
            f"service {service} on {name} {'runs' if runs else 'is stopped'}"
            for service, runs in look["services"].items()
            if runs != was.get(service, runs)
        ]
    broken += [f"{server} is {status}" for server, status in servers.items() if not status.startswith("UP")]
    services = sum(len(look["services"]) for look in well.values())
    proof = f"{len(well)} guests: 0 marks left, {services} services as before, {len(servers)} HAProxy servers up"
    return _judge("every VM is back in service", broken, proof)


def ledger_unchanged(before: Ledger, after: Ledger) -> Promise:
    """Nothing was written since."""
    broken = [f"{entry['operation']} on {entry['name']}" for entry in after[len(before) :]]
    if len(after) < len(before):
        broken.append(f"{len(before) - len(after)} writes are missing")
    return _judge("nothing was written to Azure", broken, f"{len(before)} writes before, {len(after)} after")
