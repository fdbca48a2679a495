# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of every VM of the plan, as rows for the report. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from demo.promises import Ledger, Looks

Addresses = Mapping[str, tuple[str | None, str | None]]


def outcomes(
    waves: Sequence[Sequence[Mapping[str, Any]]],
    ledger: Ledger,
    results: Mapping[str, str],
    looks: tuple[Looks, Looks],
    addresses: tuple[Addresses, Addresses],
) -> list[dict[str, Any]]:
    """One row per VM of the waves; `results` maps lower-case ids to outcomes, pairs are (before, after).

    `down_from`, `down_to` (ISO times) and `seconds` are None for a VM that was never down.
    """
    rows = []
    for number, wave in enumerate(waves, 1):
        for vm in wave:
            entries = [e for e in ledger if e["id"].lower() == vm["id"].lower() and e["down"]]
            last = entries[-1] if entries else {"start": None, "end": None}
            boots = [look.get(vm["name"], {}).get("boot_id") for look in looks]
            rows.append(
                {
                    "wave": number,
                    "id": vm["id"],
                    "name": vm["name"],
                    "region": vm["region"],
                    "set": vm["set"] and vm["set"].rsplit("/", 1)[-1].lower(),
                    "update_domain": vm["update_domain"],
                    "zone": vm["zone"],
                    "down_from": last["start"],
                    "down_to": last["end"],
                    "seconds": _seconds(last),
                    "outcome": results.get(vm["id"].lower(), "not started"),
                    "new_boot_id": boots[0] != boots[1],
                    "address_changed": addresses[0][vm["name"]] != addresses[1][vm["name"]],
                }
            )
    return rows


def _seconds(entry: Mapping[str, Any]) -> float | None:
    if not entry["start"] or not entry["end"]:
        return None
    return round((datetime.fromisoformat(entry["end"]) - datetime.fromisoformat(entry["start"])).total_seconds(), 1)
