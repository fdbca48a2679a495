# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run has come to, from its events: the phase of every host, and what may begin next. Standard library only; no I/O, no clock.

A host goes through its phases in this order, and never back::

    queued -> prepared -> admitted -> draining -> drained -> starting -> azure_done -> in_service
    and ends early as: already_done | left_out | not_prepared | refused | restored | left_drained

``queued`` says nothing of a host's health, ``admitted`` that the gate of its wave found it wanted. When a host fails:

- in the preparation: ``not_prepared``. It was never seen to be well, so it counts as out of service.
- at the question to Azure, before its drain: ``refused``, untouched.
- later, and Azure has not touched it: ``restored``; what was drained is back.
- later, and Azure has, may have, or the restore failed: ``left_drained``.

Events may come in any order and twice: the latest phase counts, of two ends the worse. What the log does not say is not taken for granted.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .run_log import Event

_Json = t.Mapping[str, t.Any]
ENDED_WELL = ("in_service", "already_done")
FAILED = ("not_prepared", "refused", "restored", "left_drained")
PHASES = ("queued", "prepared", "admitted", "draining", "drained", "starting", "azure_done", *ENDED_WELL, "left_out", *FAILED)
"""In order; those behind ``azure_done`` are ends, the worse ones later."""
STEPS = PHASES[1:]
"""Events of hosts."""
UNFINISHED = ("draining", "drained", "starting", "azure_done")
"""Phases that a run which came to its end leaves no host in, unless core lost the host."""
_RANK = {phase: rank for rank, phase in enumerate(PHASES)}
_UNTOUCHED = ("admitted", "left_out", "refused", "restored", *ENDED_WELL)
"""Phases of hosts that are in service as far as the run knows: not touched since the gate saw them, or returned."""


@dataclass(frozen=True)
class Host:
    """A planned host. ``at`` has the time at which each phase began, ``detail`` what its events said beside that."""

    name: str
    vm_id: str
    wave: int
    set: str = ""
    place: str = ""
    canary: bool = False
    phase: str = "queued"
    at: t.Mapping[str, float] = field(default_factory=dict)
    detail: t.Mapping[str, _Json] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        return self.phase in FAILED

    @property
    def done(self) -> bool:
        return self.phase in ENDED_WELL

    @property
    def ready(self) -> bool:
        """Whether it is drained, and nothing but its start has happened since."""
        return "drained" in self.at and self.phase in ("drained", "starting")

    @property
    def words(self) -> str:
        """How the host ended, where the run said so; else empty."""
        return str(self.detail.get(self.phase, {}).get("words", ""))

    def said(self, key: str) -> t.Any:
        """The newest of what its events said under ``key``, or None."""
        found = [detail[key] for phase, detail in sorted(self.detail.items(), key=lambda item: _RANK[item[0]]) if detail.get(key)]
        return found[-1] if found else None


@dataclass(frozen=True)
class RunState:
    """``hosts`` in the order of the plan, ``soak_seconds`` between two places of one set, ``stopped`` why the run stopped, in words."""

    hosts: tuple[Host, ...] = ()
    begun: float | None = None
    soak_seconds: float = 0.0
    stopped: str | None = None

    def host(self, name: str) -> Host | None:
        return next((host for host in self.hosts if host.name == name), None)

    @property
    def waves(self) -> int:
        return max((host.wave for host in self.hosts), default=0)

    def failed(self, unreachable: t.Collection[str] = ()) -> list[Host]:
        """Hosts that the run has lost: failed, or not to be reached any more (``unreachable``, which core knows)."""
        return [host for host in self.hosts if host.failed or host.name in unreachable]

    def out_of_service(self, wave: int, unreachable: t.Collection[str] = ()) -> list[Host]:
        """Hosts of earlier waves, and failed ones, that are not known to be in service."""
        return [host for host in self.hosts
                if (host.wave < wave or host.failed or host.name in unreachable) and (host.phase not in _UNTOUCHED)]

    def not_started(self, wave: int, unreachable: t.Collection[str] = ()) -> list[str]:
        """Names of the hosts that this wave and later ones would still have to redeploy."""
        return [host.name for host in self.hosts if host.wave >= wave and not (host.failed or host.done or host.name in unreachable)]

    def bad_canaries(self, wave: int) -> list[str]:
        return [host.name for host in self.hosts if host.canary and host.wave < wave and not host.done]

    def soak_left(self, batch: t.Collection[str], now: float) -> float:
        """Seconds until the sets of these hosts have settled: since the last return of a host in another place (failure domain) of one of them."""
        here = [host for host in self.hosts if host.name in batch]
        sets, places = {host.set for host in here if host.set}, {host.place for host in here}
        back = [host.at["in_service"] for host in self.hosts if "in_service" in host.at and host.set in sets and host.place not in places]
        return max(0.0, self.soak_seconds - (now - max(back))) if back else 0.0


def fold(events: t.Iterable[Event]) -> RunState:
    """The state that these events lead to. Events of hosts that were never planned, and of kinds that are not known, change nothing."""
    events = list(events)
    state = RunState()
    for event in events:
        if event.event == "planned":
            state = replace(state, hosts=tuple(_planned(one) for one in event.detail["hosts"]), begun=event.time,
                            soak_seconds=60.0 * float(event.detail.get("soak_minutes") or 0))
        elif event.event == "stopped":
            state = replace(state, stopped=state.stopped or str(event.detail.get("words")))
    hosts = {host.name: host for host in state.hosts}
    for event in events:
        if event.host in hosts and event.event in STEPS:
            hosts[event.host] = _step(hosts[event.host], event)
    return replace(state, hosts=tuple(hosts.values()))


def _planned(entry: _Json) -> Host:
    return Host(str(entry["host"]), str(entry["vm_id"]), int(entry["wave"]), str(entry["set"]), str(entry["place"]), bool(entry["canary"]))


def _step(host: Host, event: Event) -> Host:
    """A phase is reached once: what its first event said, by time, is kept."""
    if event.time >= host.at.get(event.event, float("inf")):
        return host
    at, detail = {**host.at, event.event: event.time}, {**host.detail, event.event: event.detail}
    return replace(host, at=at, detail=detail, phase=max(at, key=lambda phase: _RANK[phase]))


# -- gates -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class WaveGate:
    """Whether a wave may begin: not when there is a reason to ``stop`` (with what to do about it), not before ``soak_seconds`` have passed."""

    members: tuple[str, ...]
    stop: str | None = None
    advice: str = "Run again"
    soak_seconds: float = 0.0


def wave_gate(state: RunState, wave: int, batch: t.Collection[str], now: float, stop_file: str | None = None) -> WaveGate:
    """``batch`` are the hosts that core is about to take through the wave, ``stop_file`` is the path of a stop file that is there.

    A batch that is not of this one wave stops the run. Members are those of the batch that were prepared and have not failed.
    """
    hosts = [host for host in state.hosts if host.name in batch]
    members = tuple(host.name for host in hosts if host.phase == "prepared")
    foreign = sorted({*batch} - {host.name for host in hosts if host.wave == wave})
    if foreign:
        return WaveGate((), f"this batch holds hosts that are not of this wave ({', '.join(foreign)}); nothing of it was changed",
                        "Run the whole playbook as it is shipped, with its own serial and without --start-at-task")
    bad = state.bad_canaries(wave)
    if bad:
        return WaveGate((), f"of the canaries {', '.join(bad)} did not come through", "Look into it, then run again")
    if stop_file:
        return WaveGate((), f"the stop file {stop_file} is there", "Take it away and run again")
    return WaveGate(members, soak_seconds=state.soak_left(batch, now))


@dataclass(frozen=True)
class StartGate:
    """Whether a host may be started: not when there is a ``refusal``. ``going`` are the hosts of its wave that are started with it."""

    going: tuple[str, ...] = ()
    refusal: str | None = None


NOT_ADMITTED = "the gate of this wave was not passed; nothing was started. Run the whole playbook, without --start-at-task"


def drain_refusal(state: RunState, name: str, wave: int) -> str | None:
    """Why a host may not be drained now; None when it may: the gate of its wave has admitted it, and nothing else has happened to it since."""
    host = state.host(name)
    return None if host and host.wave == wave and host.phase == "admitted" else NOT_ADMITTED


def start_gate(state: RunState, name: str, batch: t.Collection[str], partial: bool) -> StartGate:
    """``batch`` are the hosts of the wave that core still reaches. One whose drain failed waits in it for the others, and must not be
    started undrained. Unless ``partial``, all that were admitted to the wave must have been drained for any of them to go.
    """
    own = state.host(name)
    if own is None or not own.ready:
        return StartGate(refusal="the drain of this host is not in the log of this run; nothing was started")
    wave = [host for host in state.hosts if host.name in batch and host.wave == own.wave and "admitted" in host.at
            and host.phase not in ("already_done", "refused")]
    missing = [host.name for host in wave if "drained" not in host.at]
    if missing and not partial:
        return StartGate(refusal=f"not redeployed, because {', '.join(missing)} of its wave did not drain")
    return StartGate(tuple(host.name for host in wave if host.ready))


# -- what is told ----------------------------------------------------------------------------------------------------------


_OF_ONE_HOST = ("before_drain", "after_verify", "on_failure")
_OF_THE_RUN = ("before_run", "after_run")


def hook_payload(state: RunState, point: str, run_id: str, name: str | None, wave: int | None) -> dict[str, t.Any]:
    """What hooks of this point are told, see docs/hooks.md. ``name`` and ``wave`` are of the host that runs the hook."""
    wave = None if point in _OF_THE_RUN else wave
    hosts = [host for host in state.hosts if wave is None or host.wave == wave]
    own = next((host for host in hosts if host.name == name and point in _OF_ONE_HOST), None)
    lists = {
        "succeeded": [host.name for host in hosts if host.done],
        "lost": [host.name for host in hosts if host.failed],
        "left_out": [host.name for host in hosts if host.phase == "left_out"],
    }
    told = {one for names in lists.values() for one in names}
    reason = own.words if own and point == "on_failure" else state.stopped if point == "after_run" else None
    words = ["Azure maintenance", point.replace("_", " "), f"wave {wave}" if wave is not None else "", own.name if own else f"{len(hosts)} hosts",
             "{} done, {} failed, {} skipped".format(*map(len, lists.values())) if point in ("after_wave", "after_run") else "", reason]
    return {
        "point": point, "run_id": run_id, "wave": wave, "waves": state.waves, "hosts": [host.name for host in hosts],
        "host": own.name if own else None, "reason": reason or None, **lists,
        "not_started": [host.name for host in hosts if host.name not in told], "summary": ": ".join(filter(None, words)),
    }


def stop_words(where: str, reason: str, not_started: t.Sequence[str], advice: str, command: str) -> str:
    """What is said when a run stops. ``where`` such as ``before wave 2``; the command is what goes on with the rest."""
    return f"STOPPED {where}: {reason}. Not started: {', '.join(not_started) or 'none'}. {advice}: {command}"


def failure_words(name: str, phase: str, reason: str, left: str | None, group: str | None, domain: t.Any) -> str:
    """How a host failed, and how it was left. ``group`` and ``domain`` are its availability set and update domain, where it has them."""
    if phase in ("not_prepared", "refused"):
        return f"{name}: {reason} -- left: not changed"
    where = f"update domain {domain} of {group}" if group else "single VM"
    return f"{name} ({where}): {reason} -- left: {left}"


def rest_words(state: RunState, command: str) -> str:
    """What of the plan was not done, for the end of the run; empty when all was. ``command`` makes a new plan."""
    left_out = [host.words for host in state.hosts if host.phase == "left_out"]
    omitted = f"SKIPPED, not changed: {'; '.join(left_out)}. Mend that, then plan the rest: {command}" if left_out else ""
    return " ".join(filter(None, (omitted, state.stopped)))


def concerned(state: RunState, reached: t.Sequence[str]) -> list[str]:
    """The hosts that core still reaches, those first that stand for what was not done: failed ones, then those of the run that are not done."""
    rank = {host.name: 0 if host.failed else 2 if host.done else 1 for host in state.hosts}
    return sorted(reached, key=lambda name: rank.get(name, 3))
