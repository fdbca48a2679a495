# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts earlier runs left out of service, from what hosts, balancers and the controller know. Pure.

``seen`` is what maintenance_mark_info answered for each host asked: ``{reached, mark, alive, drained: {host: note}, trouble}``;
``copies`` are the marks on this controller by host, each with ``alive`` besides.
"""

from __future__ import annotations

import datetime as dt
import typing as t

Mark = t.Mapping[str, t.Any]


def sort_out(seen: t.Mapping[str, Mark], copies: t.Mapping[str, Mark]) -> dict[str, t.Any]:
    """``finish``: mark by host, of runs that are dead; ``live``: mark by host, of runs that are not; ``finished``: copy by host,
    of hosts that another controller has finished; ``unread``: why, by host, for hosts whose mark is there and cannot be understood.

    What the host itself says goes before what is said elsewhere: it may have been finished from another controller. Then comes what balancers
    say of other runs than the copy is of, for those came after it. Each mark says besides whether it is ``on_host``, whether the host could be
    ``reached``, and ``known_here``: whether the journal of this controller tells what became of a start.
    """
    notes = _notes(seen)
    found: dict[str, dict[str, t.Any]] = {"finish": {}, "live": {}, "finished": {}, "unread": {}}
    for host in sorted({*notes, *copies, *(name for name, answer in seen.items() if answer.get("mark"))}):
        answer = seen.get(host) or {}
        mark = answer.get("mark")
        others = {balancer: note for balancer, note in notes.get(host, {}).items() if not _of_run(note, copies.get(host))}
        if mark:
            mark = {**mark, "alive": answer.get("alive"), "on_host": True}
        elif others:
            mark = {**_of_notes(others), "on_host": False}
        else:
            mark = {**copies[host], "on_host": False}
            elsewhere = not mark.get("alive") and finished_elsewhere(mark, answer)
            if answer.get("reached"):
                mark["undo"] = [_still_to_undo(entry, host, seen, elsewhere) for entry in mark.get("undo", [])]
            if elsewhere and all(entry.get("finished") or not entry["balancers"] for entry in mark["undo"]):
                found["finished"][host] = copies[host]
                continue
        mark.update(known_here=host in copies, reached=bool(answer.get("reached")))
        found["live" if mark.get("alive") else "finish"][host] = mark
    found["unread"] = {host: answer["trouble"] for host, answer in seen.items() if answer.get("reached") and answer.get("trouble")}
    return found


def _notes(seen: t.Mapping[str, Mark]) -> dict[str, dict[str, Mark]]:
    """By host that was taken out, the notes about it by balancer."""
    notes: dict[str, dict[str, Mark]] = {}
    for balancer, answer in seen.items():
        for host, note in (answer.get("drained") or {}).items():
            notes.setdefault(host, {})[balancer] = note
    return notes


def _of_run(note: Mark, copy: Mark | None) -> bool:
    """Whether a note is of the run that a copy is of, or of one that run took over from."""
    return copy is not None and note.get("run_id") in (copy.get("run_id"), *copy.get("earlier_runs", []))


def finished_elsewhere(copy: Mark, answer: Mark) -> bool:
    """Whether another controller has finished the host that this copy is of: the host itself says so.

    One with a new system disk has lost its mark with the old one, and says nothing; what was drained still is.
    """
    return not answer.get("mark") and copy.get("run_id") in answer.get("finished", [])


def _still_to_undo(entry: Mark, host: str, seen: t.Mapping[str, Mark], elsewhere: bool) -> Mark:
    """Of a copy whose host has no mark any more; ``finished`` is what is not to be undone again.

    A balancer tells itself, by its note: where that is gone the server was brought back, and whoever took it out since is not us.
    """
    if entry.get("provider") != "haproxy":
        return {**entry, "finished": True} if elsewhere else entry
    balancers = {name: backends for name, backends in (entry.get("balancers") or {}).items()
                 if not (seen.get(name) or {}).get("reached") or host in (seen[name].get("drained") or {})}
    return {**entry, "balancers": balancers}


def _of_notes(notes: t.Mapping[str, Mark]) -> dict[str, t.Any]:
    """A mark made of what the balancers noted, for a guest that cannot be asked."""
    first = next(iter(notes.values()))
    entries = {balancer: note["undo"][0] for balancer, note in notes.items()}
    entry = next(iter(entries.values()))
    undo = {"provider": "haproxy", "server": entry["server"], "socket": entry["socket"],
            "balancers": {balancer: found["backends"] for balancer, found in entries.items()},
            **{key: {balancer: found.get(key, []) for balancer, found in entries.items()} for key in ("unhealthy", "unchecked")}}
    alive = next((note["alive"] for note in notes.values() if note.get("alive")), None)
    earlier = {run for note in notes.values() for run in (note.get("run_id"), *note.get("earlier_runs", [])) if run} - {first.get("run_id")}
    return {**first, "undo": [undo], "alive": alive, "earlier_runs": sorted(earlier)}


# -- what is said and waited for -----------------------------------------------------------------------------------------


def to_undo(mark: Mark) -> list[Mark]:
    """Entries of a mark that change something when they are undone: a host without any was not drained by us."""
    return [entry for entry in mark.get("undo") or [] if not entry.get("finished") and _changed(entry)]


def _changed(entry: Mark) -> bool:
    """Whether a provider found anything to take out; an entry that does not say so counts."""
    known = {"services": "services", "haproxy": "balancers", "azure_load_balancer": "members", "kubernetes": "cordon"}.get(entry.get("provider", ""))
    if known is None or known not in entry:
        return True
    return any(entry[known].values()) if known == "balancers" else bool(entry[known])


def left_words(mark: Mark, file: str) -> str:
    """How a host is left, behind ``left:``; ``file`` is the controller's copy of the mark."""
    place = f"{file} and, on the host, /etc/ansible/facts.d/azure_maintenance.fact"
    if to_undo(mark):
        return f"DRAINED; to restore: {restore_words(mark)}; the drain marker is {place}"
    return f"as it is, for nothing was drained and there is nothing to restore; the drain marker, where there is one, is {place}"


def restore_words(mark: Mark) -> str:
    """What a person does to restore a host by hand, a step for each change that the mark records, in the order of restoring."""
    host = str(mark.get("host") or "the host")
    return "; ".join(step for entry in reversed(to_undo(mark)) for step in _steps(entry, host))


def _steps(entry: Mark, host: str) -> list[str]:
    provider = entry.get("provider")
    if provider == "services" and entry.get("services"):
        return [f"start {', '.join(entry['services'])} on {host}"]
    if provider == "haproxy" and entry.get("balancers"):
        return [f"set server {backend}/{entry.get('server', host)} ready on {balancer}"
                for balancer, backends in entry["balancers"].items() for backend in backends]
    if provider == "azure_load_balancer" and entry.get("members"):
        pools = [(member, str(member.get("pool") or "unknown").rpartition("/")[2]) for member in entry["members"]]
        return [f"set adminState of {member.get('name', host)} in pool {pool} to {member.get('admin_state', 'none')}" for member, pool in pools]
    if provider == "kubernetes":
        return [f"uncordon node {entry.get('node', host)}"]
    if provider == "temp_disk":
        return [f"unpack {entry.get('archive', 'the archive')} into {entry.get('mount', 'the temporary disk')} on {host}"]
    if provider == "tasks" and entry.get("files"):
        return [f"run {', '.join(entry['files'])} for {host}"]
    return [f"restore what the provider {provider} drained on {host}"]


def start_patience(hosts: t.Iterable[Mark], seconds: int, now: dt.datetime) -> int:
    """Seconds until a start shows that a dead run may have sent last; 0 where no host in question was about to be started.

    ``hosts`` are their variables, as far as they have any: ``redeploy_forecast`` of now, ``rollout_left_mark`` as it was found.
    """
    marks = [host["rollout_left_mark"] for host in hosts if (host.get("redeploy_forecast") or {}).get("outcome") == "would_start"]
    sent = [_heartbeat(mark, now) for mark in marks if not mark.get("known_here") and mark.get("step") in ("redeploy", "finish")]
    return max(0, int(seconds - (now - min(max(sent), now)).total_seconds())) if sent else 0


def _heartbeat(mark: Mark, now: dt.datetime) -> dt.datetime:
    """When a mark was written last; one that does not say so was written just now, for too long a wait does no harm."""
    try:
        return dt.datetime.strptime(str(mark.get("heartbeat")), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.timezone.utc)
    except ValueError:
        return now
