# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AnsibleModule for what runs on guests and balancers and asks no service of Azure's. Python 3.9 or newer."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from .mark_file import Foreign, MarkError
from .state import GuestError


def run(spec: dict[str, t.Any], action: t.Callable[[AnsibleModule], dict[str, t.Any]], **module_arguments: t.Any) -> None:
    """Make the module, run ``action`` and exit with its result; what it raises becomes one clear message."""
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True, **module_arguments)
    try:
        result = action(module)
    except Foreign as error:
        module.fail_json(msg=str(error), foreign=error.mark)
    except (GuestError, MarkError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)
