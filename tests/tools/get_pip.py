# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for get-pip.py, which ansible-test looks for in its cache and else downloads: bootstraps pip from ensurepip."""
from __future__ import annotations

import os
import subprocess
import sys


def main() -> int:
    """Installs the packages given as get-pip.py would; returns pip's exit status."""
    args = [arg for arg in sys.argv[1:] if arg not in ("--no-setuptools", "--no-wheel")]
    os.environ.pop("GET_PIP", None)
    # a process of its own, for ensurepip blanks the settings of pip in the process that runs it
    subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
    return subprocess.call([sys.executable, "-m", "pip", "install", "-q", "--upgrade", *args])


if __name__ == "__main__":
    sys.exit(main())
