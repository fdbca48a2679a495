# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sign-in options agree wherever they are declared; missing packages and errors become one clear failure."""

from __future__ import annotations

import importlib.util
import json
import sys

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.fleetops.azure_maintenance.plugins.doc_fragments.azure import ModuleDocFragment
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm import packages
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.credentials import AUTH_SOURCES, ENVIRONMENT, Settings
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import AzureError, OptionsError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._module import auth_spec, run


def test_the_sign_in_options_are_the_same_everywhere():
    """Argument spec, both documentation fragments, environment names and settings."""
    spec = auth_spec()
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    plugin = yaml.safe_load(ModuleDocFragment.PLUGIN)["options"]
    assert set(spec) == set(documented) == set(plugin) == set(ENVIRONMENT) == set(Settings.__dataclass_fields__)
    for name, option in spec.items():
        facts = (option["type"], option.get("default"), option.get("choices"))
        for described in (documented[name], plugin[name]):
            assert (described["type"], described.get("default"), described.get("choices")) == facts, name
        assert [variable["name"] for variable in plugin[name]["env"]] == list(ENVIRONMENT[name]) == option["fallback"][1], name
        text = " ".join(documented[name]["description"]) if isinstance(documented[name]["description"], list) else documented[name]["description"]
        assert all(f"E({variable})" in text for variable in ENVIRONMENT[name]), name
        assert name == "auth_source" or option.get("default", None) == Settings.__dataclass_fields__[name].default, name
    assert spec["auth_source"]["choices"] == list(AUTH_SOURCES) and spec["secret"]["no_log"] is True
    assert [name for name, option in spec.items() if option.get("no_log")] == ["secret"]


ALL_ENVIRONMENT = [(name, variable) for name, variables in ENVIRONMENT.items() for variable in variables]
VALUES = {"auth_source": "cli", "disable_instance_discovery": "true", "cloud_environment": "AzureChinaCloud", "x509_certificate_path": "/c.pem"}


def execute(capsys, action, spec=None, **params):
    """One module run in this process: (exit code, result)."""
    with patch_module_args(params), pytest.raises(SystemExit) as ended:
        run(spec or {}, action, supports_check_mode=True)
    return ended.value.code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name, variable", ALL_ENVIRONMENT)
def test_every_environment_name_is_heard(capsys, monkeypatch, name, variable):
    value = VALUES.get(name, "given")
    monkeypatch.setenv(variable, value)
    for other in ("client_id", "tenant") if name in ("secret", "x509_certificate_path") else ():  # a proof alone is refused
        monkeypatch.setenv(ENVIRONMENT[other][0], "x")
    code, result = execute(capsys, lambda module, connect: {"heard": str(module.params[name])})
    if name == "profile":
        assert code == 1 and "has no profile [given]" in result["msg"]
    else:
        assert (code, result["heard"].lower()) == (0, "value_specified_in_no_log_parameter" if name == "secret" else value.lower())


def test_an_option_wins_over_its_environment(capsys, monkeypatch):
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", "from the environment")
    monkeypatch.setenv("AZURE_TENANT", "first")
    monkeypatch.setenv("AZURE_TENANT_ID", "second")
    code, result = execute(capsys, lambda module, connect: {"seen": [connect().settings.subscription_id, connect().settings.tenant]}, subscription_id="given")
    assert (code, result["seen"]) == (0, ["given", "first"])


IDENTITY = [(name, variable) for name, variable in ALL_ENVIRONMENT
            if name not in ("profile", "cloud_environment", "authority_host", "disable_instance_discovery")]


@pytest.mark.parametrize("name, variable", IDENTITY)
def test_a_profile_that_the_task_names_wins_over_every_environment_name(capsys, monkeypatch, tmp_path, name, variable):
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    (tmp_path / "credentials").write_text("[test]\nsubscription_id = sub\nclient_id = c\nsecret = s\ntenant = t\n", encoding="utf-8")
    monkeypatch.setenv(variable, VALUES.get(name, "of the environment"))

    def signed_in(module, connect):
        found = connect().settings
        return {"seen": [found.auth_source, found.subscription_id, found.client_id, found.tenant, found.secret == "s", found.x509_certificate_path]}

    code, result = execute(capsys, signed_in, profile="test")
    assert (code, result["seen"]) == (0, ["credential_file", "sub", "c", "t", True, None])


@pytest.mark.parametrize("given, seen", [("", []), (" ", []), ([], []), ([""], []), ("a, b,", ["a", "b"]), (["a", ""], ["a"]), (None, []), ("a", ["a"])])
def test_an_empty_answer_to_a_survey_is_an_empty_list(capsys, given, seen):
    spec = {"accept": {"type": "list", "elements": "str", "default": []}, "vms": {"type": "list", "elements": "str", "required": True},
            "closed": {"type": "list", "elements": "raw"}}
    code, result = execute(capsys, lambda module, connect: {"seen": [module.params["accept"], module.params["vms"]]}, spec, vms="",
                           **({} if given is None else {"accept": given}))
    assert (code, result["seen"]) == (0, [seen, [""]]), "what is required is not silently nothing"


@pytest.mark.parametrize("error, failure", [
    (AzureError("list", "HTTP 403", status=403, code="AuthorizationFailed", request_id="r", retry_after=3),
     {"doing": "list", "detail": "HTTP 403", "status": 403, "code": "AuthorizationFailed", "request_id": "r", "retry_after": 3}),
    (OptionsError("journal cannot be written"), {"doing": "use the options", "detail": "journal cannot be written"})])
def test_errors_become_one_clear_failure(capsys, error, failure):
    def action(module, connect):
        raise error

    code, result = execute(capsys, action)
    assert (code, result["failed"], result["msg"], result["failure"]) == (1, True, str(error), failure)


def test_a_failed_result_keeps_its_parts(capsys):
    code, result = execute(capsys, lambda module, connect: {"failed": True, "msg": "web: refused", "vms": {"a": 1}, "changed": True})
    assert (code, result["failed"], result["vms"], result["changed"]) == (1, True, {"a": 1}, True)


def test_nothing_is_asked_of_the_network_to_begin_with(capsys):
    code, result = execute(capsys, lambda module, connect: {"requests": connect().requests, "host": connect().host})
    assert (code, result["requests"], result["host"]) == (0, 0, "management.azure.com")


# -- packages -------------------------------------------------------------------------------------------------------------

def test_all_packages_are_there():
    assert packages.missing_packages() is None


@pytest.mark.parametrize("absent, named", [
    ({"jmespath"}, "jmespath"), ({"azure.identity"}, "azure-identity"), ({"azure.identity", "azure.mgmt.compute"}, "azure-identity, azure-mgmt-compute")])
def test_missing_packages_are_named_with_the_line_that_installs_them(capsys, monkeypatch, absent, named):
    real = importlib.util.find_spec

    def find(name):
        if name in absent and name.startswith("azure.m"):
            raise ModuleNotFoundError("azure.mgmt")  # as it is when the parent package is absent
        return None if name in absent else real(name)

    monkeypatch.setattr(importlib.util, "find_spec", find)
    expected = f"missing Python package {named} in {sys.executable}; install with: {sys.executable} -m pip install {named.replace(',', '')}"
    assert packages.missing_packages() == expected
    assert execute(capsys, lambda module, connect: {}) == (1, {"failed": True, "msg": expected, "invocation": execute_invocation()})


def execute_invocation():
    """What AnsibleModule adds to every result."""
    defaults = {**dict.fromkeys(ENVIRONMENT), "auth_source": "auto", "cloud_environment": "AzureCloud", "disable_instance_discovery": False}
    return {"module_args": defaults}
