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

_MOST_WAVES, _FIRST_WAVES, _LAST_WAVES = 16, 12, 3
_MOST_WARNINGS, _FIRST_WARNINGS = 5, 3
_Json = t.Mapping[str, t.Any]


def render(plan: _Json, width: int = 100) -> str:
    """Text of a plan as ``to_json`` writes it, no line longer than ``width`` (at least 60)."""
    width = max(width, 60)
    parts = [_head(plan, width), _waves(plan, width), _skipped(plan, width), _warnings(plan, width), _next(plan, width)]
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


def _head(plan: _Json, width: int) -> list[str]:
    counts = plan["counts"]
    first = (f"Plan for {plan['operation']}: {_many(counts['planned'], 'VM')} in {_many(counts['waves'], 'wave')}, "
             f"{counts['skipped']} skipped, {counts['fleet']} known")
    if not plan["waves"]:
        return _wrapped(first, width)
    return [*_wrapped(first, width), *_wrapped(
        f"about {_duration(plan['estimate_minutes'])}, until {_moment(plan['expected_end'])} UTC if begun "
        f"{_moment(plan['created'])}; no order needs fewer than {_many(plan['lower_bound'], 'wave')}", width)]


def _waves(plan: _Json, width: int) -> list[str]:
    waves = plan["waves"]
    if not waves:
        return []
    labels = _set_labels(plan)
    several = len({vm["region"] for wave in waves for vm in wave["vms"]}) > 1
    begin = 0
    lines = ["wave   VMs  after        deadline (UTC)    what"]
    for wave in waves:
        end = begin + wave["estimate_minutes"]
        number, count = wave["number"], len(wave["vms"])
        if len(waves) <= _MOST_WAVES or number <= _FIRST_WAVES or number > len(waves) - _LAST_WAVES:
            span = f"{_clock(begin)}-{_clock(end)}"
            start = f"{number:4} {count:5}  {span:<11}  {_moment(wave['deadline']):<16}  "
            lines.append(start + _touched(wave, labels, several, width - len(start)))
        elif number == _FIRST_WAVES + 1:
            lines.append(f" ...  {len(waves) - _FIRST_WAVES - _LAST_WAVES} more waves")
        begin = end
    return lines


def _touched(wave: _Json, labels: t.Mapping[str, str], several_regions: bool, room: int) -> str:
    """Per set its update domain and VMs, and the VMs outside sets; only their number where the names do not fit."""
    groups: dict[tuple, list[str]] = collections.defaultdict(list)
    for vm in wave["vms"]:
        place = f"{vm['region']} " if several_regions else ""
        if vm["set"]:
            domain = "" if vm["update_domain"] is None else f" UD {vm['update_domain']}"
            groups[(place, f"{labels[vm['set'].lower()]}{domain}")].append(vm["name"])
        else:
            groups[(place, "")].append(vm["name"])
    full = ", ".join(f"{place}{label}: {' '.join(names)}" if label else f"{place}{' '.join(names)}"
                     for (place, label), names in groups.items())
    if len(full) <= room:
        return full
    return _listed([f"{place}{label or 'single'} ({len(names)})" for (place, label), names in groups.items()], room)


def _set_labels(plan: _Json) -> dict[str, str]:
    """Short name of each set, with its resource group where two sets share a name."""
    ids = {vm["set"].lower(): vm["set"] for wave in plan["waves"] for vm in wave["vms"] if vm["set"]}
    names = {key: spelled.rsplit("/", 1)[-1] for key, spelled in ids.items()}
    uses = collections.Counter(name.lower() for name in names.values())
    return {key: name if uses[name.lower()] == 1 else f"{ids[key].split('/')[4]}/{name}" for key, name in names.items()}


def _skipped(plan: _Json, width: int) -> list[str]:
    groups: dict[str, list[_Json]] = collections.defaultdict(list)
    for skip in plan["skipped"]:
        groups[skip["reason"]].append(skip)
    lines = ["Skipped"] if groups else []
    for reason, skips in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        start = f"  {reason:<18}{len(skips):5}  "
        lines.append(start + _listed([skip["name"] for skip in skips], width - len(start)))
        one = skips[0]
        example = f"such as {one['name']}: {one['detail']}" if len({s["detail"] for s in skips}) > 1 else one["detail"]
        lines += _wrapped(example, width, indent=" " * 4, most=3)
    return lines


def _warnings(plan: _Json, width: int) -> list[str]:
    warnings = plan["warnings"]
    shown = list(warnings)
    if len(warnings) > _MOST_WARNINGS:
        left = len(warnings) - _FIRST_WARNINGS - 1
        shown = [*warnings[:_FIRST_WARNINGS], f"{left} more warnings like these, see the plan's JSON", warnings[-1]]
    return [line for text in shown for line in _wrapped(f"! {text}", width, hang="  ", most=6)]


def _next(plan: _Json, width: int) -> list[str]:
    if plan["waves"]:
        text = ("Next: nothing has been started. Run fleetops.azure_maintenance.rolling_redeploy with the same "
                "inventory, limit and variables; every VM is read again before it is touched.")
    elif plan["skipped"]:
        text = "Next: nothing can be started now; the reasons above say what would change that."
    else:
        text = "Next: no VM was named or found, so there is nothing to start; check inventory and limit."
    return _wrapped(text, width)


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
