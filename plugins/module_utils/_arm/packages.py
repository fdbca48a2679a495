# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python packages this collection needs on the controller, and the line that installs them."""

from __future__ import annotations

import importlib.util
import sys

PACKAGES = {"azure.identity": "azure-identity", "azure.mgmt.compute": "azure-mgmt-compute", "jmespath": "jmespath"}


def missing_packages() -> str | None:
    """One line naming the packages that are missing and how to install them; None when all are there."""
    missing = [package for name, package in PACKAGES.items() if not _importable(name)]
    if not missing:
        return None
    return f"missing Python package {', '.join(missing)} in {sys.executable}; install with: {sys.executable} -m pip install {' '.join(missing)}"


def _importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:  # a parent package is missing
        return False
