# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of a run: where its log is, what it has come to, and how an event gets into it."""

from __future__ import annotations

import datetime as dt
import json
import os
import time
import typing as t

from ...module_utils import _files
from ...module_utils._bounds import loads
from ...module_utils._rollout import run_log
from ...module_utils._rollout.report import report
from ...module_utils._rollout.run_log import Event
from ...module_utils._rollout.run_state import RunState, fold

_Json = t.Mapping[str, t.Any]


class RunFolder:
    """``path`` is ``<journal>/runs/<run id>``; in check mode a folder of the process, which ansible-core removes at its end."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._log = os.path.join(path, run_log.NAME)
        self.report_path = os.path.join(path, "report.json")

    def begin(self) -> None:
        os.makedirs(self.path, mode=0o700, exist_ok=True)

    def record(self, event: str, host: str | None = None, **detail: t.Any) -> None:
        """Add an event with what there is to say of it, on disk when this returns. Raises OSError."""
        said = {key: value for key, value in detail.items() if value not in (None, "", {})}
        _files.append(self._log, run_log.line(Event(time.time(), event, host, said)))

    def state(self) -> tuple[RunState, int]:
        """What the run has come to, and how many lines of its log cannot be read. Raises OSError where there is no log."""
        events, damaged = run_log.parse(_files.read(self._log))
        return fold(events), damaged

    def report(self, command: str | None) -> tuple[dict[str, t.Any], int]:
        """The report of the run as it is now, and how many lines of its log it is without. ``command`` goes on with what is left.

        Raises OSError and ValueError where plan or log cannot be read.
        """
        plan, (state, damaged) = loads(_files.read(os.path.join(self.path, "plan.json"))), self.state()
        return report(plan, state, os.path.basename(self.path), dt.datetime.now(dt.timezone.utc), command), damaged

    def write_report(self, document: _Json, *paths: str) -> None:
        """Write a report into the folder, and to further paths. Raises OSError."""
        content = (json.dumps(document, indent=4, sort_keys=True) + "\n").encode()
        for path in (self.report_path, *paths):
            _files.replace(path, content)
