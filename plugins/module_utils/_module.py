# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that knows AnsibleModule: sign-in options, missing packages, and errors turned into failures."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule, env_fallback

from ._arm.client import Arm
from ._arm.credentials import AUTH_SOURCES, ENVIRONMENT, Settings
from ._arm.packages import missing_packages
from ._azure.vm import BadVmId
from ._errors import AzureError, OptionsError


def auth_spec(heard: set[str] | None = None) -> dict[str, t.Any]:
    """Argument spec of the sign-in options (doc fragment ``azure``); ``heard`` gets the names of those that the environment gave."""
    noted: set[str] = set() if heard is None else heard

    def fallback(name: str) -> t.Callable[..., t.Any]:
        def look(*variables: str) -> t.Any:
            value = env_fallback(*variables)
            noted.add(name)
            return value
        return look

    spec: dict[str, t.Any] = {name: {"type": "str", "fallback": (fallback(name), list(variables))} for name, variables in ENVIRONMENT.items()}
    spec["auth_source"].update(choices=list(AUTH_SOURCES), default="auto")
    spec["secret"]["no_log"] = True
    spec["x509_certificate_path"]["type"] = "path"
    spec["cloud_environment"]["default"] = "AzureCloud"
    spec["disable_instance_discovery"].update(type="bool", default=False)
    return spec


def _drop_blanks(spec: t.Mapping[str, t.Any], params: dict[str, t.Any]) -> None:
    """An empty text in place of a list (the answer to a survey) is an empty list, not one of an empty name. What is required stays as it is."""
    for name, option in spec.items():
        if option.get("type") == "list" and option.get("elements") == "str" and not option.get("required") and params[name]:
            params[name] = [text.strip() for text in params[name] if text.strip()]


def check_seconds(params: t.Mapping[str, t.Any], *names: str) -> None:
    """Raises OptionsError for one of these options that is less than a second; an argument spec knows no bounds."""
    for name in names:
        if params[name] < 1:
            raise OptionsError(f"{name} {params[name]} must be at least 1 second")


def run(spec: dict[str, t.Any], action: t.Callable[[AnsibleModule, t.Callable[..., Arm]], dict[str, t.Any]], **module_arguments: t.Any) -> None:
    """Make the module, run ``action`` and exit with its result (``failed`` in it fails the task).

    ``action`` gets the module and a function that connects, to be called once its other options are checked, with a clock if waits
    are to be on one of its own. It may raise
    AzureError, OptionsError or BadVmId; each becomes one clear message.
    """
    heard: set[str] = set()
    module = AnsibleModule(argument_spec={**spec, **auth_spec(heard)}, **module_arguments)
    missing = missing_packages()
    if missing:
        module.fail_json(msg=missing)
    _drop_blanks(spec, module.params)
    try:
        given, environment = ({name: module.params[name] for name in ENVIRONMENT if (name in heard) is there} for there in (False, True))
        settings = Settings.from_options(given, environment)
        result = action(module, lambda *clock: Arm(settings, *clock))
    except AzureError as error:
        module.fail_json(msg=str(error), failure=error.to_result())
    except (OptionsError, BadVmId) as error:
        # Like the one above this is a clean refusal; roles tell it from a crash by the failure it carries.
        module.fail_json(msg=str(error), failure={"doing": "use the options", "detail": str(error)})
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)
