# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rollout_progress
type: aggregate
short_description: One live line per wave, and the outcome of every VM at the end
version_added: 1.0.0
description:
  - Prints the plan as a table, as wide as the terminal. Before a question (C(rollout_confirm)) it always does, whatever O(show_plan) is.
  - While a wave is redeployed, prints how many of its VMs are done and which are waited for, whenever that changes and every half minute.
  - After each wave prints its outcomes, the share of the rollout that is done, and the time left at this pace, soak included.
  - At the end prints a table with wave, update domain, outcome and duration of every planned VM, also when ansible-core ended the run early.
  - In that table a skipped VM (C(left_out)) or one that was not started has its reason. A VM whose host failed elsewhere is C(lost). A host that an earlier
    run left is C(recovered) or C(not_recovered).
  - Below the table prints the totals, the next command, and the path of the report. A run that ended early has written none; then the callback
    writes it, from the log of the run.
  - Then names every host that this run leaves out of service, with the steps that restore it.
  - After an interruption (Ctrl-C, SIGTERM, or an error that ends ansible-core itself) names the hosts that are out of service, the VMs whose operation was
    started and whose end was not seen, and the command that recovers them.
  - A printed command repeats playbook, inventory, limit and this collection's own variables. Of other variables it has only the names, because their values
    may be secret.
  - Works with the playbook C(fleetops.azure_maintenance.rolling_redeploy) and with any play that calls
    M(fleetops.azure_maintenance.vm_redeploy).
requirements:
  - enabled in configuration, C(callbacks_enabled = fleetops.azure_maintenance.rollout_progress)
options:
  interval:
    description: Seconds between two looks at the journal of the running wave.
    type: float
    default: 0.5
    env:
      - name: AZURE_MAINTENANCE_PROGRESS_INTERVAL
    ini:
      - section: callback_rollout_progress
        key: interval
  show_plan:
    description: Whether the plan is printed, too. Switch it off where a job before has shown the same plan. Before a question it is printed all the same.
    type: bool
    default: true
    env:
      - name: AZURE_MAINTENANCE_PROGRESS_SHOW_PLAN
    ini:
      - section: callback_rollout_progress
        key: show_plan
author:
  - fleetops contributors (@fleetops)
"""

import atexit
import contextlib
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

from ansible import context
from ansible.plugins.callback import CallbackBase

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils import _files
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import BadVmId, VmId
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._bounds import loads
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import OptionsError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy.journal import Journal
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.estimate import seconds_left
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.report import ending, why_not_started
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.run_state import FAILED
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.table import WIDTH, render
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._run import left_drained
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._run.command import again
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._run.run_folder import RunFolder

_REDEPLOY = "fleetops.azure_maintenance.vm_redeploy"
_PLAN = "fleetops.azure_maintenance.rollout_plan"
_RECHECK = "fleetops.azure_maintenance.rollout_recheck"
_MARK = "fleetops.azure_maintenance.maintenance_mark"
_EVENT = "fleetops.azure_maintenance.rollout_event"
_QUESTIONS = ("pause", "ansible.builtin.pause", "ansible.legacy.pause")
_COLOURS = {"succeeded": "green", "already_done": "green", "recovered": "green", "would_start": "cyan", "would_recover": "cyan", "started": "cyan"}
_REMIND_SECONDS = 30


class CallbackModule(CallbackBase):
    """Learns the plan from the planner's result, progress from the journal, outcomes from the redeploy's results."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "fleetops.azure_maintenance.rollout_progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._waves = {}
        self._names = set()
        self._hosts = {}
        self._lost = {}
        self._plan = {"waves": (), "policy": {}}
        self._ended = {}
        self._recovery = {}
        self._results = {}
        self._begun = time.monotonic()
        self._journal = None
        self._home = None
        self._tail = None
        self._text = None
        self._run_id = None
        self._found = {}
        self._rolling = False
        self._stopped = None
        self._open = False

    def v2_playbook_on_start(self, playbook):
        """Core calls no callback after Ctrl-C, and ends by itself on SIGTERM; both leave hosts behind that somebody has to hear of."""
        owner, before = os.getpid(), signal.getsignal(signal.SIGTERM)
        atexit.register(self._interrupted, owner)

        def terminated(number, frame):
            self._interrupted(owner)
            if callable(before):
                before(number, frame)

        if callable(before) and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, terminated)

    def v2_playbook_on_play_start(self, play):
        self._open = True
        self._show_plan()

    def v2_playbook_on_task_start(self, task, is_conditional):
        if task.action in _QUESTIONS:
            self._show_plan(always=True)

    def _show_plan(self, always=False):
        """Between plays, before a question or at the very end, where it can be read; the role shows it only where this callback is not enabled."""
        if self._text and (always or self.get_option("show_plan")):
            self._display.display(f"\n{self._text}")
        self._text = None

    def v2_runner_on_start(self, host, task):
        if task.action == _REDEPLOY and self._journal and self._tail is None:
            self._tail = _Tail(self._journal / "progress.json", float(self.get_option("interval")), self._say, self._names)
            self._tail.start()

    def v2_runner_on_ok(self, result):
        self._learn(result)
        facts = result._result.get("ansible_facts") or {}
        if facts.get("__rollout_recovery"):
            self._recover(result._host.get_name(), facts["__rollout_recovery"])
        if facts.get("__rollout_found"):
            self._found = dict(facts["__rollout_found"].get("finish") or {})

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._learn(result)

    def _learn(self, result):
        action, data = result._task.action, result._result
        if action == _PLAN and data.get("plan"):
            self._text, self._run_id, self._plan, self._ended = _as_wide_as_the_terminal(data), data.get("run_id"), data["plan"], {}
            runs = ((data.get("invocation") or {}).get("module_args") or {}).get("runs_dir")
            self._rolling, self._home = bool(runs), Path(runs).parent if runs else self._home
            self._waves = {vm["id"].lower(): wave["number"] for wave in data["plan"]["waves"] for vm in wave["vms"]}
            self._names = {vm["name"] for wave in data["plan"]["waves"] for vm in wave["vms"]}
            self._hosts = {vm["host"]: vm for wave in data["plan"]["waves"] for vm in wave["vms"]}
            self._begun = time.monotonic()
            self._results.update(self._recovery)
        elif action == _RECHECK and data.get("left_out") and data.get("invocation"):
            self._leave_out(data)
        elif action == _EVENT and data.get("event") in FAILED:
            self._lost[result._host.get_name()] = data["words"]
        elif action == _EVENT and data.get("event") == "stopped":
            self._stopped = data["words"]
        elif action == _MARK:
            folder = ((data.get("invocation") or {}).get("module_args") or {}).get("directory")
            self._home = Path(folder).parent if folder else self._home
        elif action == _REDEPLOY:
            self._stop_tail()
            # The gate asks in check mode first, so the journal is known before the wave that is watched begins.
            self._journal = Path(data["invocation"]["module_args"]["journal"]) if data.get("invocation") else self._journal
            self._home = self._journal or self._home
            self._take({vm_id.lower(): vm for vm_id, vm in (data.get("vms") or {}).items()})

    def _recover(self, host, row):
        """What became of a host that an earlier run left. Its redeploy is only asked about meanwhile, which is no outcome of this run."""
        key = row["vm_id"].lower()
        seconds = self._results.get(key, {}).get("elapsed_seconds")
        self._recovery[key] = {"name": host, "update_domain": row["update_domain"], "outcome": row["outcome"], "reason": row["reason"],
                               "elapsed_seconds": seconds}

    def _leave_out(self, data):
        """VMs whose wave begins without them, from the answer of the check before it."""
        ids = data["invocation"]["module_args"]["hosts"]
        for host, why in data["left_out"].items():
            self._results[ids[host].lower()] = {"name": host, "outcome": "left_out", "reason": why, "update_domain": None, "elapsed_seconds": None}
            self._say(f"skipped: {why}")

    def _take(self, vms):
        self._results.update(vms)
        if not vms or all(vm["outcome"] == "would_start" for vm in vms.values()):
            return
        wave = max(self._waves.get(key, 0) for key in vms)
        words = ", ".join(f"{vm['name']} {vm['outcome']}" for vm in vms.values())
        self._say(f"wave {wave}/{len(self._plan['waves'])}: {words}{self._share(wave)}" if wave else words)

    def _share(self, wave):
        """How far the rollout is, and how long it takes at this pace."""
        done = sum(1 for key in self._waves if self._results.get(key, {}).get("outcome") in ("succeeded", "already_done"))
        self._ended[wave] = time.monotonic() - self._begun
        left = seconds_left(self._plan["waves"], self._plan["policy"].get("soak_minutes") or 0, wave, self._ended)
        return f" | {done} of {len(self._waves)} VMs, {100 * done // len(self._waves)} %" + (f", about {_clock(left)} left" if left else "")

    def _say(self, text):
        self._display.display(f">> {text}", color="bright blue")

    def _stop_tail(self):
        if self._tail:
            self._tail.stop()
            self._tail = None

    def v2_playbook_on_stats(self, stats):
        self._open = False
        self._stop_tail()
        self._show_plan()
        self._results.update({key: row for key, row in self._recovery.items() if key not in self._waves})
        self._lose()
        if self._results or self._rolling and self._waves:
            self._table()
        for mark in self._left():
            self._display.display(left_drained.left(mark), color="red")

    def _interrupted(self, owner):
        """Said once, by the process that runs the playbook, when it ends before its statistics."""
        if not self._open or os.getpid() != owner:
            return
        self._open = False
        marks = [*self._left(), *self._still_to_recover()]
        unseen = list(self._end_not_seen())
        if not (self._run_id or marks or unseen):
            return  # nothing of ours had begun
        with contextlib.suppress(RuntimeError):  # a signal in the middle of a line of output
            self._display.display("\nINTERRUPTED: this run came to no end", color="red")
            for line in [*map(left_drained.left, marks), *unseen]:
                self._display.display(line, color="red")
            if not marks:
                self._display.display("No host is out of service by this run.")
            self._display.display(left_drained.next_step(again(sys.argv[1:], check=True), bool(marks)))
            self._say_report()
            sys.stdout.flush()

    def _left(self):
        """The marks of this run on this controller. A host that became unreachable gets no rescue, and core may have ended the run with it."""
        for path in sorted((self._home / "marks").glob("*.json")) if self._home and self._run_id else ():
            try:
                mark = loads(_files.read(str(path)))
            except (OSError, ValueError):
                continue  # taken away just now; the next run says what is wrong with one that cannot be read
            if mark.get("run_id") == self._run_id:
                yield mark

    def _still_to_recover(self):
        """Marks of hosts that an earlier run left, and this one has not returned to service either."""
        back = {row["name"] for row in self._recovery.values() if row["outcome"] == "recovered"}
        return [{"host": host, **mark} for host, mark in self._found.items() if host not in back]

    def _end_not_seen(self):
        """Lines about operations that the journal knows no end of."""
        names = {key: vm["name"] for key, vm in ((vm["id"].lower(), vm) for vm in self._hosts.values())}
        names.update({key: row["name"] for key, row in self._recovery.items()})
        for key, name in sorted(names.items(), key=lambda item: item[1]) if self._home else ():
            with contextlib.suppress(OptionsError, BadVmId):  # the next run says what is wrong with the entry
                yield from left_drained.end_not_seen(name, Journal(str(self._home)).unsettled(VmId.parse(key)))

    def _lose(self):
        """Hosts that were lost before they were started, or behind a redeploy that succeeded; what Azure says of the others tells more."""
        for host, words in self._lost.items():
            vm = self._hosts.get(host, {"id": host, "name": host, "update_domain": None})
            known = self._results.get(vm["id"].lower(), {"outcome": "would_start", "elapsed_seconds": None})
            if known["outcome"] in _COLOURS:
                self._results[vm["id"].lower()] = {"name": vm["name"], "update_domain": vm["update_domain"], "outcome": "lost",
                                                   "elapsed_seconds": known["elapsed_seconds"], "reason": words.partition(": ")[2] or words}

    def _table(self):
        why = why_not_started(self._stopped)
        rest = {vm["id"].lower(): {**vm, "outcome": "not_started", "reason": why, "elapsed_seconds": None} for vm in self._hosts.values()}
        rows = sorted({**rest, **self._results}.items(), key=lambda item: (self._waves.get(item[0], 0), item[1]["name"]))
        outcomes, check = [], context.CLIARGS.get("check")
        width = max(len(vm["name"]) for dummy, vm in rows)
        self._display.display(f"\nwave  {'VM':<{width}}  UD  {'outcome':<13} seconds  why", color="bright blue")
        for key, vm in rows:
            asked_only = vm["outcome"] == "would_start" and not check
            outcome, why = ("not_started", "the wave ended before it was started") if asked_only else (vm["outcome"], vm["reason"])
            outcomes.append(outcome)
            domain, seconds = ("-" if vm[name] is None else vm[name] for name in ("update_domain", "elapsed_seconds"))
            self._display.display(f"{self._waves.get(key, '-')!s:>4}  {vm['name']:<{width}}  {domain!s:>2}  {outcome:<13} {seconds!s:>7}  {why}",
                                  color=_COLOURS.get(outcome, "red"))
        self._display.display(ending(outcomes, len(self._plan.get("skipped") or ()), again(sys.argv[1:])))
        self._say_report()

    def _say_report(self):
        """Where the report is. A run that core ended early, or that was interrupted, has not come to write its own: then it is written here."""
        if not (self._home and self._run_id) or context.CLIARGS.get("check"):
            return
        folder = RunFolder(str(self._home / "runs" / str(self._run_id)))
        with contextlib.suppress(OSError, ValueError):  # nothing was queued
            if not os.path.exists(folder.report_path):
                folder.write_report(folder.report(again(sys.argv[1:]))[0])
            self._display.display(f"Report: {_from_here(Path(folder.report_path))}")


class _Tail(threading.Thread):
    """Reads the journal's progress file while the redeploy blocks; ansible-core locks the display around its forks."""

    def __init__(self, path, interval, say, names):
        super().__init__(daemon=True)
        self._path, self._interval, self._say, self._names = path, interval, say, names
        self._over = threading.Event()

    def stop(self):
        self._over.set()
        self.join()

    def run(self):
        begun, said, last = time.monotonic(), 0.0, None
        while not self._over.wait(self._interval):
            try:
                now = loads(_files.read(str(self._path)))
            except (OSError, ValueError):
                continue  # not written yet, or gone again
            if self._names and not self._names.issuperset(now["open"]):
                continue  # another lane's
            if now != last or time.monotonic() - said >= _REMIND_SECONDS:
                last, said = now, time.monotonic()
                done = now["total"] - len(now["open"])
                names = ", ".join(now["open"][:4]) + (" ..." if len(now["open"]) > 4 else "")
                self._say(f"{done}/{now['total']} done ({100 * done // now['total']} %), {_clock(time.monotonic() - begun)} gone"
                          + (f", waiting for {names}" if names else ""))


def _as_wide_as_the_terminal(data):
    """The text of a plan; the module that made it has no terminal."""
    options = (data.get("invocation") or {}).get("module_args")
    width = shutil.get_terminal_size((WIDTH, 24)).columns
    if not options or width == WIDTH:
        return data["text"]
    csv = None if context.CLIARGS.get("check") else options.get("csv_out")
    return render(data["plan"], width, options.get("next_command"), csv=csv, now=data.get("read_at"), zone=None)


def _from_here(path):
    """A path as it is typed from here, where it is below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
