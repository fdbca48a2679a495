# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: python -m simulator --fleet FILE --state DIR."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import yaml

from .fleet.schema import FleetError
from .runtime.guest_link import StartError
from .server import Simulator

DESCRIPTION = """\
Azure on 127.0.0.1: Entra ID and Resource Manager over HTTPS, simulated from a fleet file.
Runs until Ctrl-C or SIGTERM, saves its state, and goes on from it at the next start.
"""
EPILOG = """\
example, from the root of the checkout:
  PYTHONPATH=tests python -m simulator --fleet tests/simulator/fleets/demo.yml --state build/simulator
  . build/simulator/env.sh      in another shell; Azure clients started there reach the simulator

exit status: 0 after Ctrl-C or SIGTERM, 1 if it could not start, 2 for a wrong option or fleet file.
tests/simulator/README.md: the fleet file, faults, the control path, and what its answers leave out.
"""
GUESTS_HEAD = """\
# How the guests of this simulated Azure are reached, and the patience that seconds instead of minutes need.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM; 0 on such an end, 2 for a wrong fleet file or option."""
    options = _parser().parse_args(arguments)

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    env = options.env or options.state / "env.sh"
    env.unlink(missing_ok=True)
    try:
        simulator = Simulator(
            options.fleet,
            options.state,
            _guests(options),
            port=options.port,
            fresh=options.fresh,
            latency_ms=options.latency_ms,
        )
    except FleetError as error:
        print(f"simulator: {options.fleet}: {error}", file=sys.stderr)
        return 2
    try:
        simulator.start()
        _announce(simulator, env)
        stop.wait()
    except (OSError, StartError) as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 1
    finally:
        simulator.stop()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulator",
        usage="%(prog)s --fleet FILE --state DIR [options]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    what = parser.add_argument_group("what is simulated")
    what.add_argument("--fleet", required=True, type=Path, metavar="FILE", help="fleet file (YAML)")
    what.add_argument("--guests", action="store_true", help="boot real guests, reachable over SSH on loopback (needs root)")
    where = parser.add_argument_group("where")
    where.add_argument("--state", required=True, type=Path, metavar="DIR", help="certificates, state and ledger; made if it is not there")
    where.add_argument("--port", type=int, default=0, metavar="N", help="port on 127.0.0.1 (default: the one of the last start, else a free one)")
    where.add_argument("--env", type=Path, metavar="FILE", help="file that the environment to source is written to (default: DIR/env.sh)")
    how = parser.add_argument_group("how")
    how.add_argument("--fresh", action="store_true", help="forget what DIR has saved, go back to the fleet file")
    how.add_argument("--latency-ms", type=float, metavar="N", help="delay of all answers but the control path's (default: latency_ms of the fleet)")
    return parser


def _guests(options: argparse.Namespace):  # noqa: ANN202 - the guests package is imported only if wanted
    if not options.guests:
        return None
    from .guests import Guests  # noqa: PLC0415

    return Guests(options.state)


def _announce(simulator: Simulator, env: Path) -> None:
    text = simulator.env_text()
    partial = env.with_name(env.name + ".new")
    partial.touch(mode=0o600)
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, env)
    reach = env.with_name("guests.yml")
    reach.unlink(missing_ok=True)
    how = simulator.world.guests.describe()
    if how:
        reach.write_text(GUESTS_HEAD + yaml.safe_dump(_reach(how), sort_keys=False), encoding="utf-8")
        text += f"# how its guests are reached, for group_vars/all.yml beside an inventory: {reach}\n"
    print(f"{text}# listening on {simulator.url}; to use it elsewhere: . {env}", flush=True)


def _reach(how: dict[str, Any]) -> dict[str, Any]:
    """Variables of Ansible for all hosts."""
    return {
        "ansible_user": how["user"], "ansible_port": how["port"], "ansible_python_interpreter": str(how["python"]),
        "ansible_ssh_private_key_file": str(how["private_key"]), "ansible_ssh_common_args": how["ssh_common_args"],
        "ansible_remote_tmp": how["remote_tmp"],
        "redeploy_poll_interval": 1, "redeploy_settle_seconds": 5, "redeploy_timeout": 120, "verify_timeout": 60,
    }


if __name__ == "__main__":
    sys.exit(main())
