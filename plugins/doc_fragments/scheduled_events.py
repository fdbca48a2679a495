# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all modules that talk to a guest's metadata service have in common."""

from __future__ import annotations


class ModuleDocFragment:

    DOCUMENTATION = r"""
description:
  - Runs on the VM itself, not on the controller. It needs only Python 3.9 or newer there, and uses no proxy.
  - Reading the endpoint turns Scheduled Events on for the VM and its whole set, for 24 hours.
  - From then on each restart or redeploy waits for an approval, or 10 to 15 minutes. Therefore check mode reads nothing.
options:
  endpoint:
    description: Where the metadata service of this VM is. Change it only for tests.
    type: str
    default: http://169.254.169.254
  api_version:
    description: Version of Scheduled Events. Without it the newest that the service offers.
    type: str
    choices: ["2020-07-01", "2019-08-01", "2019-04-01", "2019-01-01", "2017-11-01", "2017-08-01", "2017-03-01"]
  patience:
    description:
      - Seconds for one call with all its retries, after 410, 429, server errors and lost connections.
      - The call that turns the service on may take two minutes.
      - A connection that is refused, or not accepted within 5 seconds, fails at once.
    type: int
    default: 130
  vm_name:
    description: Name that events use for this VM. A scale set's instance is called C(SET_NUMBER). Default is what the metadata service answers.
    type: str
"""
