# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How modules of this collection behave in check and diff mode."""

from __future__ import annotations


class ModuleDocFragment:

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Can run in check mode and tell what would change without writing anything.
  diff_mode:
    description: Shows the state before and after in diff mode.
  idempotent:
    description: Running it again changes nothing more.
  action_group:
    description: Use C(group/fleetops.azure_maintenance.azure) in C(module_defaults) to set the sign-in options once for all modules that sign in to Azure.
    support: full
    membership:
      - fleetops.azure_maintenance.azure
"""

    # Without the group: what runs on guests signs in nowhere.
    GUEST = r"""
attributes:
  check_mode:
    description: Can run in check mode and tell what would change without writing anything.
  diff_mode:
    description: Shows the state before and after in diff mode.
  idempotent:
    description: Running it again changes nothing more.
"""
