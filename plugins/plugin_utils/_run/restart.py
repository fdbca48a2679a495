# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host was restarted by its redeploy: one verdict for one evidence, in the run that started it and in one that recovers it. Pure."""

from __future__ import annotations

import typing as t

_Json = t.Mapping[str, t.Any]
RESTARTS = {"perform_maintenance": "maintenance", "redeploy": "redeploy"}
"""Operations that move a VM to another host, in words; ``reapply`` need not restart it."""


def verdict(boot_id: str, before: t.Collection[str], result: _Json, forecast: _Json, finishing: bool) -> dict[str, t.Any]:
    """``restarted`` (false only where Azure says that it was, and the boot id that it was not), ``holds`` (whether the host may return to service),
    ``words`` and ``short`` (both empty unless it was not restarted).

    ``boot_id`` is the host's now, ``before`` are those from before its drain. ``result`` is its entry of vm_redeploy, ``forecast`` what vm_redeploy
    answered in check mode. A run that recovers the host (``finishing``) returns it when it is well: it must not stay out of service for good.
    """
    good = ("succeeded", "already_done") if finishing else ("succeeded",)
    says = [entry for entry in (result, forecast if finishing else {}) if entry.get("outcome") in good]
    operation = says[0].get("operation", "perform_maintenance") if says else None
    if not boot_id or boot_id not in before or operation not in RESTARTS:
        return {"restarted": True, "holds": True, "words": "", "short": ""}
    evidence = f"Azure says that the {RESTARTS[operation]} succeeded, but the boot id is the one from before the drain ({boot_id})"
    status = f"az vm get-instance-view --ids {says[0].get('id', 'ID')} --query instanceView.maintenanceRedeployStatus"
    fate = "It is healthy, and so it was returned to service" if finishing else (
        "It stays out of service. The next run returns it if it is healthy, and says this again")
    return {"restarted": False, "holds": finishing, "words": f"NOT RESTARTED: {evidence}. {fate}. Check its maintenance status: {status}",
            "short": "NOT RESTARTED (boot id unchanged since before its drain); check its maintenance status"}
