# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this controller has under way on a VM, by its journal: a view may show a VM up for a while after Azure has taken on its move."""

from __future__ import annotations

import typing as t

from .._arm.client import Arm
from .._azure.maintenance import parse_time
from .._azure.vm import VmId
from .._errors import AzureError, OptionsError
from .journal import Journal


class UnderWay:
    """Asks the journal, and Azure after the operations that are open in it. ``settle``: seconds for which one without a URL is in doubt."""

    def __init__(self, arm: Arm, journal: Journal, settle: float) -> None:
        self._arm, self._journal, self._settle = arm, journal, settle

    def words(self, vm: VmId, but: str | None = None) -> str | None:
        """What is, or may be, under way on it, other than the operation ``but``; None when nothing is. Doubt counts as yes."""
        try:
            attempts = self._journal.unsettled(vm)
        except OptionsError as error:
            return str(error)
        return next(filter(None, (self._of(attempt) for attempt in attempts if attempt["operation"] != but)), None)

    def _of(self, attempt: t.Mapping[str, t.Any]) -> str | None:
        said = f"its {attempt['operation']} of {attempt['intent_at']} is under way"
        url = attempt.get("operation_url") or attempt.get("location_url")
        if not url:
            age = (self._arm.now() - parse_time(attempt["intent_at"])).total_seconds()
            return f"{said}, or may be" if age < self._settle else None
        try:
            running = self._arm.operation(url).state == "running"
        except AzureError as error:
            return f"{said}, or may be: {error}"
        return said if running else None
