# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as a spreadsheet: one line per VM, planned or skipped.

Standard library only; no I/O, no clock.
"""

from __future__ import annotations

import csv
import io
import typing as t

COLUMNS = ("wave", "lane", "host", "name", "id", "set", "update_domain", "region", "zone", "tier", "starts_at",
           "ends_at", "deadline", "state", "reason")
# A spreadsheet runs a cell that begins like this as a formula; tags and tiers are anybody's text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_Json = t.Mapping[str, t.Any]


def to_csv(plan: _Json) -> str:
    """CSV with a heading of a plan as ``to_json`` writes it; the waves in order, then the skipped VMs.

    ``set`` is the id of the set or ``service:<name>``; a skipped VM has no wave, its state is ``skipped`` and its
    reason begins with the word for it. What a VM does not have is empty.
    """
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for wave in plan["waves"]:
        when = {"wave": wave["number"], **{key: wave[key] for key in ("lane", "starts_at", "ends_at")}}
        for vm in wave["vms"]:
            service = f"service:{vm['service']}" if vm["service"] is not None else None
            writer.writerow(_safe({**vm, **when, "set": vm["set"] or service}))
    for skip in plan["skipped"]:
        writer.writerow(_safe({**skip, "state": "skipped", "reason": f"{skip['reason']}: {skip['detail']}"}))
    return file.getvalue()


def _safe(row: _Json) -> dict[str, t.Any]:
    return {key: f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
            for key, value in row.items()}
