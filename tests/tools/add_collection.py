# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs single collections into this Python's environment: `add_collection.py community.general`.

They come out of the PyPI package `ansible`, which holds about a hundred: a download of 50 MB instead of an installation of 500 MB, and no
Galaxy server is needed.
"""
from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

FOLDER = "ansible_collections"


def download(folder: str) -> Path:
    """Download the package's wheel; the SystemExit of a failure has pip's words before it."""
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-input", "--disable-pip-version-check"]
    if subprocess.call([*pip, "--no-deps", "--only-binary=:all:", "-d", folder, "ansible"]):
        raise SystemExit(1)
    return next(Path(folder).glob("*.whl"))


def main(names: list[str]) -> None:
    """Add the collections that are not there yet."""
    site = Path(sysconfig.get_path("purelib"))
    folders = [f"{FOLDER}/{name.replace('.', '/')}/" for name in names]
    if all((site / folder).is_dir() for folder in folders):
        return
    with tempfile.TemporaryDirectory() as scratch, zipfile.ZipFile(download(scratch)) as wheel:
        members = [name for name in wheel.namelist() if name.startswith(tuple(folders))]
        if missing := [folder for folder in folders if not any(name.startswith(folder) for name in members)]:
            raise SystemExit(f"not in the package ansible: {', '.join(missing)}")
        wheel.extractall(site, members)


if __name__ == "__main__":
    main(sys.argv[1:])
