# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as a table for a person. Every VM is named, up to some hundreds; a larger plan is one screen, and the CSV names its VMs.

Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import collections
import datetime as dt
import textwrap
import typing as t

from .._azure.maintenance import parse_time
from .times import Times

_MOST_NAMED = 300
_MOST_WAVES, _FIRST_WAVES, _LAST_WAVES = 14, 8, 3
_MOST_REASONS = 4
_MOST_WARNINGS, _FIRST_WARNINGS = 3, 1
_LEAST_ROOM, _FOLDED = 24, 7
WIDTH = 88
"""Leaves room for the quotes and the indent that Ansible puts around it on a screen of 100 columns."""
_Json = t.Mapping[str, t.Any]
_Groups = t.Mapping[tuple[str, str], t.Sequence[str]]


def render(plan: _Json, width: int = WIDTH, command: str | None = None, *, csv: str | None = None, now: str | None = None,
           zone: dt.tzinfo | None = dt.timezone.utc) -> str:
    """Text of a plan as ``to_json`` writes it, no line longer than ``width`` (at least 60) but those that are there to be copied.

    ``command`` is what applies the plan, to be named at the end; the empty string leaves the end out. ``csv`` is where every VM is in a file.
    ``now`` is when it is looked at, by default when it was made. Times are in UTC and beside it in ``zone``, None for this machine's.
    """
    view = _View(plan, max(width, 60), Times(now or plan["created"], zone))
    table = view.lanes if plan["lanes"] > 1 and len({wave["lane"] for wave in plan["waves"]}) > 1 else view.waves
    file = [f"Every VM with its reason: {csv}"] if csv and (plan["waves"] or plan["skipped"]) else []
    parts = [view.head(), table(), view.skipped(), view.warnings(), file, _next(plan, view.width, command)]
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


class _View:
    """The parts of the text."""

    def __init__(self, plan: _Json, width: int, times: Times) -> None:
        self._plan, self.width, self._times = plan, width, times
        self._cells = times if width >= WIDTH else times.in_utc()  # a narrow table has no room for two times in a cell
        self._names_all = sum(len(wave["vms"]) for wave in plan["waves"]) + len(plan["skipped"]) <= _MOST_NAMED
        self._labels = _set_labels(plan)
        self._several = len({vm["region"] for wave in plan["waves"] for vm in wave["vms"]}) > 1

    def head(self) -> list[str]:
        plan, counts = self._plan, self._plan["counts"]
        first = (f"Plan for {plan['operation']}: {_many(counts['planned'], 'VM')} in {_many(counts['waves'], 'wave')}, "
                 f"{counts['skipped']} skipped, {counts['fleet']} known")
        if not plan["waves"]:
            return _wrapped(first, self.width)
        bound = f"no order needs fewer than {_many(plan['lower_bound'], 'wave')}"
        lanes = {wave["lane"] for wave in plan["waves"]}
        if plan["lanes"] > 1:
            which = f"in {plan['lanes']} lanes side by side" if len(lanes) > 1 else f"lane {min(lanes)} of {plan['lanes']}"
            bound = f"{which}; the fleet allows {plan['lanes_possible']}"
        return [*_wrapped(first, self.width), *_wrapped(
            f"about {_duration(plan['estimate_minutes'])}, until {self._times.sentence(plan['expected_end'])} if begun "
            f"{self._times.sentence(plan['created'])}; {bound}", self.width)]

    def waves(self) -> list[str]:
        waves = self._plan["waves"]
        if not waves:
            return []
        spans, deadlines = self._spans(), self._deadlines(waves)
        lines = [f"wave   VMs  {spans[0]}  {deadlines[0]}  what"]
        for wave, span, deadline in zip(waves, spans[1:], deadlines[1:]):
            number = wave["number"]
            if self._names_all or len(waves) <= _MOST_WAVES or number <= _FIRST_WAVES or number > len(waves) - _LAST_WAVES:
                lines += self._row(f"{number:4} {len(wave['vms']):5}  {span}  {deadline}  ", _role(wave), self._groups(wave["vms"]))
            elif number == _FIRST_WAVES + 1:
                hidden = waves[_FIRST_WAVES:len(waves) - _LAST_WAVES]
                lines.append(f" ... {sum(len(wave['vms']) for wave in hidden):5}  {_many(len(hidden), 'more wave')}")
        return lines

    def lanes(self) -> list[str]:
        """One entry per lane; its waves are in the JSON and the CSV, and on screen when it is applied."""
        by_lane: dict[int, list[_Json]] = collections.defaultdict(list)
        for wave in self._plan["waves"]:
            by_lane[wave["lane"]].append(wave)
        deadlines = self._deadlines([
            {"deadline": min((wave["deadline"] for wave in waves if wave["deadline"]), default=None)} for dummy, waves in sorted(by_lane.items())])
        lines = [f"lane  waves   VMs  about          {deadlines[0]}  what"]
        for number, (lane, waves) in enumerate(sorted(by_lane.items()), 1):
            if number > _MOST_WAVES and not self._names_all:
                lines.append(f" ...  {_many(len(by_lane) - _MOST_WAVES, 'more lane')}")
                break
            length = _duration(self._minutes(max(wave["ends_at"] for wave in waves)))
            vms = [vm for wave in waves for vm in wave["vms"]]
            lines += self._row(f"{lane:4} {len(waves):6} {len(vms):5}  {length:<13}  {deadlines[number]}  ", "", self._groups(vms, domains=False))
        return lines

    def _spans(self) -> list[str]:
        """Heading and cells of when each wave is: after the beginning, or by the clock where a calendar says when."""
        waves = self._plan["waves"]
        if self._plan["policy"].get("calendar"):
            cells = [self._cells.span(wave["starts_at"], wave["ends_at"]) for wave in waves]
            return _column("at " + self._cells.heading(wave[key] for wave in waves for key in ("starts_at", "ends_at")), cells)
        return _column("after", ["-".join(_clock(self._minutes(wave[key])) for key in ("starts_at", "ends_at")) for wave in waves], 11)

    def _deadlines(self, waves: t.Sequence[_Json]) -> list[str]:
        moments = [wave["deadline"] for wave in waves]
        return _column(f"deadline {self._cells.heading(moments)}", [self._cells.deadline(moment) for moment in moments], 16)

    def _groups(self, vms: t.Iterable[_Json], domains: bool = True) -> dict[tuple[str, str], list[str]]:
        """Names by region (where there are several) and set, with its update domain; the label of VMs outside sets is empty."""
        groups: dict[tuple[str, str], list[str]] = collections.defaultdict(list)
        for vm in vms:
            place = f"{vm['region']} " if self._several else ""
            label = self._labels[vm["set"].lower()] if vm["set"] else vm["service"] or ""
            domain = f" UD {vm['update_domain']}" if vm["set"] and vm["update_domain"] is not None else ""
            domain = f" zone {vm['zone']}" if vm["service"] is not None and vm["zone"] else domain
            groups[(place, f"{label}{domain if domains else ''}" if label else "")].append(vm["name"])
        return groups

    def _row(self, start: str, role: str, groups: _Groups) -> list[str]:
        """What a wave or lane touches behind its other cells: every name, on as many lines as it takes, or else as short as one line needs."""
        texts = _ever_shorter(groups)
        everything = role + next(texts)
        room = self.width - len(start)
        if len(everything) <= room:
            return [start + everything]
        if self._names_all:
            if max(room, 0) < max(_LEAST_ROOM, *map(len, everything.split())):
                return [start.rstrip(), *_wrapped(everything, self.width, indent=" " * _FOLDED)]
            first, *rest = _wrapped(everything, room)
            return [start + first, *(" " * len(start) + line for line in rest)]
        fitting = next((text for text in texts if len(role + text) <= room), None)
        # A long role may leave no room for anything else.
        return [start + (role + fitting if fitting else (role + everything)[:max(room - 3, 0)] + "...")]

    def skipped(self) -> list[str]:
        groups: dict[str, dict[str, list[str]]] = collections.defaultdict(lambda: collections.defaultdict(list))
        for skip in self._plan["skipped"]:
            groups[skip["reason"]][self._times.annotated(skip["detail"])].append(skip["name"])
        lines = ["Skipped"] if groups else []
        ordered = sorted(groups.items(), key=lambda item: (-_count(item[1]), item[0]))
        most = len(ordered) if self._names_all else _MOST_REASONS
        for reason, details in ordered[:most]:
            lines += self._reason(f"  {reason:<18}{_count(details):5}  ", details)
        if len(ordered) > most:
            rest = ", ".join(f"{reason} {_count(details)}" for reason, details in ordered[most:])
            lines += _wrapped(rest, self.width, indent="  ")
        return lines

    def _reason(self, start: str, details: t.Mapping[str, t.Sequence[str]]) -> list[str]:
        """The VMs that are skipped for one reason. What is said of them is never cut: it holds until when something must be done."""
        if self._names_all and len(details) > 1:
            return [start.rstrip(), *(line for detail, names in details.items()
                                      for line in _wrapped(f"{', '.join(names)}: {detail}", self.width, indent=" " * 4, hang=" " * 6))]
        names = [name for some in details.values() for name in some]
        detail, some = next(iter(details.items()))
        text = f"such as {some[0]}: {detail}" if len(details) > 1 else detail
        listed = _wrapped(", ".join(names), self.width, indent=start, hang=" " * len(start)) if self._names_all else [
            start + _listed(names, self.width - len(start))]
        return [*listed, *_wrapped(text, self.width, indent=" " * 4)]

    def warnings(self) -> list[str]:
        warnings = [self._times.annotated(warning) for warning in self._plan["warnings"]]
        shown = list(warnings)
        if len(warnings) > _MOST_WARNINGS and not self._names_all:
            left = len(warnings) - _FIRST_WARNINGS - 1
            shown = [*warnings[:_FIRST_WARNINGS], f"{left} more warnings like these, see the plan file", warnings[-1]]
        return [line for text in shown for line in _wrapped(f"! {text}", self.width, hang="  ")]

    def _minutes(self, moment: str) -> int:
        """Minutes from the making of the plan."""
        return int((parse_time(moment) - parse_time(self._plan["created"])).total_seconds()) // 60


def _column(heading: str, cells: t.Sequence[str], least: int = 0) -> list[str]:
    width = max(least, *map(len, (heading, *cells)))
    return [f"{text:<{width}}" for text in (heading, *cells)]


def _ever_shorter(groups: _Groups) -> t.Iterator[str]:
    """What a wave touches: by VM, by set, by region. Beside sets, VMs outside of them say so, or they would be read as members of one."""
    first = {place: key for key in reversed(groups) for place in [key[0]]}  # a region is named once
    where = {key: key[0] if first[key[0]] == key else "" for key in groups}
    alone = "single: " if any(label for dummy, label in groups) else ""
    yield ", ".join(where[key] + (f"{key[1]}: " if key[1] else alone) + " ".join(names) for key, names in groups.items())
    yield ", ".join(f"{where[key]}{key[1] or 'single'} ({len(names)})" for key, names in groups.items())
    by_place: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0])
    for (place, label), names in groups.items():
        by_place[place][0 if label else 1] += 1 if label else len(names)
    yield ", ".join(place + _sets_and_singles(*counts) for place, counts in by_place.items())
    regions = f"{len(by_place)} regions: " if len(by_place) > 1 else ""
    yield regions + _sets_and_singles(*(sum(counts) for counts in zip(*by_place.values())))


def _sets_and_singles(sets: int, singles: int) -> str:
    return ", ".join(words for count, words in ((sets, _many(sets, "set")), (singles, f"{singles} single")) if count)


def _role(wave: _Json) -> str:
    """Why the wave stands where it stands, where that is the same for all its VMs."""
    if all(vm["canary"] for vm in wave["vms"]):
        return "canary: "
    tiers = {vm["tier"] for vm in wave["vms"]}
    return f"tier {tiers.pop()}: " if len(tiers) == 1 and None not in tiers else ""


def _set_labels(plan: _Json) -> dict[str, str]:
    """Short name of each set, with its resource group where two sets share a name."""
    ids = {vm["set"].lower() for wave in plan["waves"] for vm in wave["vms"] if vm["set"]}
    # Azure spells one name in several letter cases.
    names = {key: key.rsplit("/", 1)[-1] for key in ids}
    uses = collections.Counter(names.values())
    return {key: name if uses[name] == 1 else f"{key.split('/')[4]}/{name}" for key, name in names.items()}


def _count(details: t.Mapping[str, t.Sequence[str]]) -> int:
    return sum(len(names) for names in details.values())


def _next(plan: _Json, width: int, command: str | None) -> list[str]:
    if command == "":
        return []
    if not plan["waves"]:
        why = ("nothing can be started now; the reasons above say what would change that." if plan["skipped"] else
               "no VM was named or found, so there is nothing to start; check inventory and limit.")
        return _wrapped(f"Next: {why}", width)
    lanes = sorted({wave["lane"] for wave in plan["waves"]})
    if command is None:
        return _wrapped("Next: nothing has been started. Run fleetops.azure_maintenance.rolling_redeploy with the same "
                        "inventory, limit and variables; every VM is read again before it is touched.", width)
    if plan["lanes"] > 1 and len(lanes) > 1:
        return [*_wrapped("Next: nothing has been started. Every lane is a run of its own; they may run at the same "
                          f"time. The first of {plan['lanes']}:", width), f"  {command} -e rollout_lane={lanes[0]}"]
    return [*_wrapped("Next: nothing has been started. To apply exactly this plan:", width), f"  {command}"]


def _listed(items: t.Sequence[str], room: int) -> str:
    """As many items as fit, and how many were left out."""
    text = ", ".join(items)
    if len(text) <= room:
        return text
    shown: list[str] = []
    for item in items:
        rest = f" +{len(items) - len(shown) - 1} more"
        if len(", ".join([*shown, item])) + len(rest) > room:
            break
        shown.append(item)
    if not shown:
        rest = f" +{len(items) - 1} more" if len(items) > 1 else ""
        return items[0][:max(room - len(rest) - 3, 0)] + "..." + rest
    return f"{', '.join(shown)} +{len(items) - len(shown)} more"


def _wrapped(text: str, width: int, indent: str = "", hang: str | None = None) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent if hang is None else hang, break_on_hyphens=False)


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _duration(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"


def _clock(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02}"
