# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module vm_redeploy in a process of its own, without Ansible around it: ``params.json`` in, its result on the standard output."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ansible.module_utils.testing import patch_module_args

from ansible_collections.fleetops.azure_maintenance.plugins.modules import vm_redeploy

if __name__ == "__main__":
    with patch_module_args(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))):
        vm_redeploy.main()
