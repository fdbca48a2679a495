# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as a table for a person: one screen, however large the fleet; the JSON has the rest.

Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import collections
import textwrap
import typing as t

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.maintenance import parse_time

_MOST_WAVES, _FIRST_WAVES, _LAST_WAVES = 14, 8, 3
_MOST_REASONS = 4
_MOST_WARNINGS, _FIRST_WARNINGS, _WARNING_LINES = 3, 1, 3
WIDTH = 88
"""Leaves room for the quotes and the indent that Ansible puts around it on a screen of 100 columns."""
_Json = t.Mapping[str, t.Any]


def render(plan: _Json, width: int = WIDTH, command: str | None = None) -> str:
    """Text of a plan as ``to_json`` writes it, no line longer than ``width`` (at least 60) but that of the command.

    ``command`` is what applies the plan, to be named at the end; the empty string leaves the end out.
    """
    width = max(width, 60)
    table = _lanes if plan["lanes"] > 1 and len({wave["lane"] for wave in plan["waves"]}) > 1 else _waves
    parts = [_head(plan, width), table(plan, width), _skipped(plan, width), _warnings(plan, width),
             _next(plan, width, command)]
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


def _head(plan: _Json, width: int) -> list[str]:
    counts = plan["counts"]
    first = (f"Plan for {plan['operation']}: {_many(counts['planned'], 'VM')} in {_many(counts['waves'], 'wave')}, "
             f"{counts['skipped']} skipped, {counts['fleet']} known")
    if not plan["waves"]:
        return _wrapped(first, width)
    bound = f"no order needs fewer than {_many(plan['lower_bound'], 'wave')}"
    lanes = {wave["lane"] for wave in plan["waves"]}
    if plan["lanes"] > 1:
        which = f"in {plan['lanes']} lanes side by side" if len(lanes) > 1 else f"lane {min(lanes)} of {plan['lanes']}"
        bound = f"{which}; the fleet allows {plan['lanes_possible']}"
    return [*_wrapped(first, width), *_wrapped(
        f"about {_duration(plan['estimate_minutes'])}, until {_moment(plan['expected_end'])} UTC if begun "
        f"{_moment(plan['created'])}; {bound}", width)]


def _waves(plan: _Json, width: int) -> list[str]:
    waves = plan["waves"]
    if not waves:
        return []
    labels = _set_labels(plan)
    several = len({vm["region"] for wave in waves for vm in wave["vms"]}) > 1
    span, heading = _spans(plan)
    lines = [f"wave   VMs  {heading}  deadline (UTC)    what"]
    for wave in waves:
        number, count = wave["number"], len(wave["vms"])
        if len(waves) <= _MOST_WAVES or number <= _FIRST_WAVES or number > len(waves) - _LAST_WAVES:
            start = f"{number:4} {count:5}  {span(wave):<{len(heading)}}  {_moment(wave['deadline']):<16}  "
            lines.append(start + _touched(wave, labels, several, width - len(start)))
        elif number == _FIRST_WAVES + 1:
            hidden = waves[_FIRST_WAVES:len(waves) - _LAST_WAVES]
            lines.append(f" ... {sum(len(wave['vms']) for wave in hidden):5}  {_many(len(hidden), 'more wave')}")
    return lines


def _lanes(plan: _Json, width: int) -> list[str]:
    """One line per lane; its waves are in the JSON and the CSV, and on screen when it is applied."""
    by_lane: dict[int, list[_Json]] = collections.defaultdict(list)
    for wave in plan["waves"]:
        by_lane[wave["lane"]].append(wave)
    labels = _set_labels(plan)
    lines = ["lane  waves   VMs  about          deadline (UTC)    what"]
    for number, (lane, waves) in enumerate(sorted(by_lane.items()), 1):
        if number > _MOST_WAVES:
            lines.append(f" ...  {_many(len(by_lane) - _MOST_WAVES, 'more lane')}")
            break
        length = _duration(_minutes(plan, max(wave["ends_at"] for wave in waves)))
        deadline = min((wave["deadline"] for wave in waves if wave["deadline"]), default=None)
        count = sum(len(wave["vms"]) for wave in waves)
        start = f"{lane:4} {len(waves):6} {count:5}  {length:<13}  {_moment(deadline):<16}  "
        what = dict.fromkeys(_label(vm, labels) or vm["name"] for wave in waves for vm in wave["vms"])
        lines.append(start + _listed(list(what), width - len(start)))
    return lines


def _spans(plan: _Json) -> tuple[t.Callable[[_Json], str], str]:
    """How the time of a wave is shown: after the beginning, or by the clock where a calendar says when."""
    if plan["policy"].get("calendar"):
        return lambda wave: f"{wave['starts_at'][5:16].replace('T', ' ')}-{wave['ends_at'][11:16]}", "at (UTC)         "

    def gone(moment: str) -> str:
        return _clock(_minutes(plan, moment))
    return lambda wave: f"{gone(wave['starts_at'])}-{gone(wave['ends_at'])}", "after      "


def _touched(wave: _Json, labels: t.Mapping[str, str], several_regions: bool, room: int) -> str:
    """Per set its update domain and VMs, and the VMs outside sets; only their number where the names do not fit."""
    groups: dict[tuple, list[str]] = collections.defaultdict(list)
    for vm in wave["vms"]:
        place = f"{vm['region']} " if several_regions else ""
        label = _label(vm, labels)
        domain = f" UD {vm['update_domain']}" if vm["set"] and vm["update_domain"] is not None else ""
        domain = f" zone {vm['zone']}" if vm["service"] is not None and vm["zone"] else domain
        groups[(place, f"{label}{domain}" if label else "")].append(vm["name"])
    role = _role(wave)
    for text in _ever_shorter(groups):
        if len(role + text) <= room:
            return role + text
    # A long role may leave no room for anything else.
    return (role + text)[:max(room - 3, 0)] + "..."


def _ever_shorter(groups: t.Mapping[tuple[str, str], t.Sequence[str]]) -> t.Iterator[str]:
    """What a wave touches: by VM, by set, by region."""
    first = {place: key for key in reversed(groups) for place in [key[0]]}  # a region is named once
    where = {key: key[0] if first[key[0]] == key else "" for key in groups}
    yield ", ".join(where[key] + (f"{key[1]}: " if key[1] else "") + " ".join(names) for key, names in groups.items())
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


def _label(vm: _Json, labels: t.Mapping[str, str]) -> str:
    """Short name of the set or service of a VM; empty when it stands alone."""
    return labels[vm["set"].lower()] if vm["set"] else vm["service"] or ""


def _set_labels(plan: _Json) -> dict[str, str]:
    """Short name of each set, with its resource group where two sets share a name."""
    ids = {vm["set"].lower() for wave in plan["waves"] for vm in wave["vms"] if vm["set"]}
    # Azure spells one name in several letter cases.
    names = {key: key.rsplit("/", 1)[-1] for key in ids}
    uses = collections.Counter(names.values())
    return {key: name if uses[name] == 1 else f"{key.split('/')[4]}/{name}" for key, name in names.items()}


def _skipped(plan: _Json, width: int) -> list[str]:
    groups: dict[str, list[_Json]] = collections.defaultdict(list)
    for skip in plan["skipped"]:
        groups[skip["reason"]].append(skip)
    lines = ["Skipped"] if groups else []
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    most = _MOST_REASONS if len(plan["waves"]) > _FIRST_WAVES else _MOST_REASONS + 2
    for reason, skips in ordered[:most]:
        start = f"  {reason:<18}{len(skips):5}  "
        lines.append(start + _listed([skip["name"] for skip in skips], width - len(start)))
        one = skips[0]
        example = f"such as {one['name']}: {one['detail']}" if len({s["detail"] for s in skips}) > 1 else one["detail"]
        lines += _wrapped(example, width, indent=" " * 4, most=2 if len(ordered) > 3 else 3)
    if len(ordered) > most:
        rest = ", ".join(f"{reason} {len(skips)}" for reason, skips in ordered[most:])
        lines += _wrapped(rest, width, indent="  ", most=2)
    return lines


def _warnings(plan: _Json, width: int) -> list[str]:
    warnings = plan["warnings"]
    shown = list(warnings)
    if len(warnings) > _MOST_WARNINGS:
        left = len(warnings) - _FIRST_WARNINGS - 1
        shown = [*warnings[:_FIRST_WARNINGS], f"{left} more warnings like these, see the plan file", warnings[-1]]
    return [line for text in shown for line in _wrapped(f"! {text}", width, hang="  ", most=_WARNING_LINES)]


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


def _wrapped(text: str, width: int, indent: str = "", hang: str | None = None, most: int = 20) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent if hang is None else hang,
                         max_lines=most, placeholder=" ...", break_on_hyphens=False)


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _duration(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"


def _clock(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02}"


def _moment(text: str | None) -> str:
    return text[:16].replace("T", " ") if text else "none"


def _minutes(plan: _Json, moment: str) -> int:
    """Minutes from the making of the plan."""
    return int((parse_time(moment) - parse_time(plan["created"])).total_seconds()) // 60
