# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AnsibleModule for what runs on guests and balancers. Python 3.9 or newer, as all it imports."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from .mark_file import ClaimedByAnotherRun, MarkError
from .scheduled_events import ENDPOINT, VERSIONS, Client, EventsError
from .state import GuestError

SKIPPED = "Not asked in check mode: reading the endpoint turns Scheduled Events on for this VM's whole set, for a day."
EVENTS_SPEC = {
    "endpoint": {"type": "str", "default": ENDPOINT},
    "api_version": {"type": "str", "choices": list(VERSIONS)},
    "patience": {"type": "int", "default": 130},
    "vm_name": {"type": "str"},
}
"""Options of all modules that ask the metadata service."""


def run(spec: dict[str, t.Any], action: t.Callable[[AnsibleModule], dict[str, t.Any]], **module_arguments: t.Any) -> None:
    """Make the module, run ``action`` and exit with its result; what it raises becomes one clear message."""
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True, **module_arguments)
    try:
        result = action(module)
    except ClaimedByAnotherRun as error:
        module.fail_json(msg=str(error), foreign=error.mark)
    except EventsError as error:
        module.fail_json(msg=str(error), failure=error.to_result())
    except (GuestError, MarkError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


def run_with_events(
    spec: dict[str, t.Any], action: t.Callable[[AnsibleModule, Client], dict[str, t.Any]], **module_arguments: t.Any
) -> None:
    """The same for an ``action`` that asks the metadata service. In check mode nothing is asked: reading alone turns Scheduled Events on."""
    def ask(module: AnsibleModule) -> dict[str, t.Any]:
        if module.check_mode:
            return {"changed": False, "skipped": True, "events": [], "msg": SKIPPED}
        options = module.params
        return action(module, Client(options["endpoint"], options["api_version"], options["patience"]))

    run({**EVENTS_SPEC, **spec}, ask, **module_arguments)
