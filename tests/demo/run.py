# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""make demo: a rolling redeploy of a simulated fleet, from the inventory to the proof that nothing was dropped."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

# Beside this package is the simulator, which the demo starts and whose guests it looks at.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from demo import processes, scenarios  # noqa: E402
from demo.cloud import CloudError  # noqa: E402
from demo.stage import ROOT, Stage, StageError  # noqa: E402
from simulator.guests import Guests  # noqa: E402
from simulator.guests.guests import SSH_PORT  # noqa: E402


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--again", action="store_true", help="go on from the saved state: changes nothing")
    which.add_argument("--abort", metavar="VM", help="Azure aborts this VM's maintenance: what stops, what goes on")
    parser.add_argument("--out", type=Path, help="where everything is written (build/demo, build/demo-abort)")
    return parser.parse_args(arguments)


def play(options: argparse.Namespace) -> bool:
    """Play the scenario chosen; True when every promise was kept. Raises StageError or CloudError."""
    stage = Stage(options.out or ROOT / "build" / ("demo-abort" if options.abort else "demo"))
    scenario: Callable[[Stage], bool] = scenarios.again if options.again else scenarios.demo
    if options.abort:
        names = [stage.cloud.fleet.vms[key].name for key in stage.cloud.startable()]
        if options.abort not in names:
            raise StageError(f"--abort {options.abort}: no startable VM of that name; there are {', '.join(names)}")
        scenario = partial(scenarios.abort, name=options.abort)
    stage.cloud.check_addresses(SSH_PORT)
    try:
        return scenario(stage)
    finally:
        # A second Ctrl-C must not keep anything from being ended.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        stage.close()


def main() -> int:
    """0: every promise kept; 1: one was broken; 2: the demo cannot run here; 130 and 143: interrupted."""
    options = parse_arguments()
    problems = Guests.check()
    if problems:
        print(f"demo: cannot run on this machine: {'; '.join(problems)}", file=sys.stderr)
        return 2
    os.chdir(ROOT)
    processes.adopt_orphans()
    # A shell that starts a background job has it ignore Ctrl-C; then a kill -INT would do nothing.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    try:
        return 0 if play(options) else 1
    except (StageError, CloudError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("demo: interrupted; everything it started is ended", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
