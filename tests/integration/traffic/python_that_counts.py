# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest's Python that notes each module it is asked to run, and then is the Python named by REAL_PYTHON in its first lines.

A line of the guest's log is `seconds-since-1970 module`. Every execution pays for this program, so it imports next to nothing.
"""

import os
import sys
import time

LOG = "/var/log/modules.log"


def from_input() -> str:
    """The module whose text comes on the standard input, which afterwards is there to be read again."""
    text = sys.stdin.buffer.read()
    again = os.memfd_create("module")
    left = memoryview(text)
    while left:
        left = left[os.write(again, left):]
    os.lseek(again, 0, os.SEEK_SET)
    os.dup2(again, 0)
    name = text.partition(b"module_fqn='")[2].partition(b"'")[0].rpartition(b".")[2]
    return name.decode("ascii") or "unknown"


def main(python: str) -> None:
    """Note the module, then become the interpreter with the same arguments and input."""
    if len(sys.argv) > 1:  # a file that was copied to the guest, or the interpreter's own options
        name = os.path.basename(sys.argv[1]).removeprefix("AnsiballZ_").removesuffix(".py")
    else:
        name = from_input()
    log = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(log, f"{time.time():.3f} {name}\n".encode("ascii", "replace"))
    os.execv(python, [python, *sys.argv[1:]])


main(REAL_PYTHON)  # noqa: F821  # pylint: disable=undefined-variable  # see module_counts.py
