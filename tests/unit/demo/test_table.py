# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of the demo: one row per planned VM, from ledger, results and boot ids."""

from __future__ import annotations

from demo import table

WEB = {
    "id": "/S/web-01",
    "name": "web-01",
    "region": "westeurope",
    "set": "/S/availabilitySets/WEB",
    "update_domain": 0,
    "zone": None,
}
API = {"id": "/S/api-01", "name": "api-01", "region": "northeurope", "set": None, "update_domain": None, "zone": "1"}
LEDGER = [
    {"id": "/s/WEB-01", "down": False, "start": "2026-11-22T11:00:00+00:00", "end": "2026-11-22T11:00:01+00:00"},
    {
        "id": "/s/WEB-01",
        "down": True,
        "start": "2026-11-22T12:00:01.250000+00:00",
        "end": "2026-11-22T12:00:05.750000+00:00",
    },
]


def rows() -> list[dict]:
    looks = (
        {"web-01": {"boot_id": "a"}, "api-01": {"boot_id": "c"}},
        {"web-01": {"boot_id": "b"}, "api-01": {"boot_id": "c"}},
    )
    addresses = (
        {"web-01": ("10.0.0.1", "1.2.3.4"), "api-01": ("10.0.0.2", None)},
        {"web-01": ("10.0.0.1", "1.2.3.5"), "api-01": ("10.0.0.2", None)},
    )
    return table.outcomes([[WEB], [API]], LEDGER, {"/s/web-01": "succeeded"}, looks, addresses)


def test_a_row_tells_when_a_vm_was_down_and_what_changed():
    web, api = rows()
    assert (web["wave"], web["set"], web["update_domain"], web["seconds"]) == (1, "web", 0, 4.5)
    assert (web["outcome"], web["new_boot_id"], web["address_changed"]) == ("succeeded", True, True)
    assert (api["wave"], api["seconds"], api["outcome"]) == (2, None, "not started")
    assert (api["new_boot_id"], api["address_changed"]) == (False, False)
