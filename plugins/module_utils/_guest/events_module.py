# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AnsibleModule for what runs on guests: options of the metadata service, and its errors turned into failures.

Apart from ``module``, which brings the controller's packages with it: this one and all it imports run on Python 3.9.
"""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from .scheduled_events import ENDPOINT, VERSIONS, Client, EventsError

SKIPPED = "Not asked in check mode: reading the endpoint turns Scheduled Events on for this VM's whole set, for a day."
SPEC = {
    "endpoint": {"type": "str", "default": ENDPOINT},
    "api_version": {"type": "str", "choices": list(VERSIONS)},
    "patience": {"type": "int", "default": 130},
    "vm_name": {"type": "str"},
}


def run(
    spec: dict[str, t.Any], action: t.Callable[[AnsibleModule, Client], dict[str, t.Any]], **module_arguments: t.Any
) -> None:
    """Make the module, run ``action`` and exit with its result.

    In check mode nothing is asked: reading alone turns Scheduled Events on.
    """
    module = AnsibleModule(argument_spec={**SPEC, **spec}, supports_check_mode=True, **module_arguments)
    if module.check_mode:
        module.exit_json(changed=False, skipped=True, events=[], msg=SKIPPED)
    options = module.params
    try:
        result = action(module, Client(options["endpoint"], options["api_version"], options["patience"]))
    except EventsError as error:
        module.fail_json(msg=str(error), failure=error.to_result())
    module.exit_json(**result)
