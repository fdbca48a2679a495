# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options, environment and credential file -> settings -> a cloud and a credential; all of it offline."""

from __future__ import annotations

import argparse

import pytest
from azure import identity

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.credentials import Cloud, Settings, make_credential, resolve_cloud
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import AuthError, AzureError, OptionsError

DEFAULTS = {"auth_source": "auto", "cloud_environment": "AzureCloud", "disable_instance_discovery": False}
PRINCIPAL = {"client_id": "c", "secret": "s", "tenant": "t"}
CLOUD = Cloud("https://arm.example", "https://login.example", "https://arm.example/.default")


def settings(**options):
    """Settings as a module makes them: with the defaults of the argument spec, and None for what is not given."""
    return Settings.from_options({**dict.fromkeys(("profile", "subscription_id", "client_id", "secret", "tenant", "x509_certificate_path",
                                                   "authority_host")), **DEFAULTS, **options})


def test_nothing_given():
    assert settings() == Settings() and not settings().service_principal


def test_every_option_arrives():
    given = {**PRINCIPAL, "auth_source": "env", "subscription_id": "sub", "cloud_environment": "AzureChinaCloud", "authority_host": "login.x",
             "disable_instance_discovery": True, "x509_certificate_path": "/c.pem"}
    assert settings(**given) == Settings(**given) and settings(**given).service_principal


@pytest.mark.parametrize("options, missing", [
    ({"secret": "s"}, "client_id and tenant"), ({"secret": "s", "client_id": "c"}, "tenant"), ({"secret": "s", "tenant": "t"}, "client_id"),
    ({"x509_certificate_path": "/c.pem", "tenant": "t"}, "client_id"), ({"auth_source": "env"}, "client_id and tenant and secret"),
    ({"auth_source": "env", "client_id": "c", "tenant": "t"}, "secret")])
def test_a_partial_principal_is_named(options, missing):
    with pytest.raises(OptionsError, match=f"needs {missing} too; set the option or AZURE_"):
        settings(**options)


@pytest.mark.parametrize("options", [
    {"client_id": "c"}, {"client_id": "c", "tenant": "t"}, {"auth_source": "msi", "secret": "s"}, {"auth_source": "cli", "client_id": "c"}, PRINCIPAL])
def test_what_may_be_left_out(options):
    settings(**options)


@pytest.mark.parametrize("options, words", [
    ({"auth_source": "magic"}, "auth_source 'magic' is unknown; use one of auto, cli"),
    ({"cloud_environment": "Azure"}, "cloud_environment 'Azure' is unknown"),
    ({"cloud_environment": "http://arm.example"}, "an https:// URL")])
def test_what_cannot_work(options, words):
    with pytest.raises(OptionsError, match=words):
        settings(**options)


# -- the credential file --------------------------------------------------------------------------------------------------

@pytest.fixture
def credential_file(tmp_path, monkeypatch):
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    (tmp_path / "credentials").write_text(
        "[default]\nsubscription_id = sub\nclient_id = c\nsecret = 50%off\ntenant = t\n[half]\nclient_id = c\nsecret = s\n"
        "[china]\nclient_id = c\nsecret = s\ntenant = t\ncloud_environment = AzureChinaCloud\n"
        "[certified]\nclient_id = c\nsecret =\nx509_certificate_path = /c.pem\ntenant = t\n", encoding="utf-8")
    return tmp_path / "credentials"


def test_the_default_profile(credential_file):
    found = settings(auth_source="credential_file")
    assert (found.client_id, found.secret, found.tenant, found.subscription_id) == ("c", "50%off", "t", "sub") and found.service_principal


def test_a_named_profile_and_what_is_given_beside_it(credential_file):
    found = settings(profile="default", subscription_id="mine")
    assert (found.client_id, found.subscription_id) == ("c", "mine")


def test_the_cloud_of_a_profile(credential_file):
    assert settings(profile="china").cloud_environment == "AzureChinaCloud"
    assert settings(profile="china", cloud_environment="AzureUSGovernment").cloud_environment == "AzureUSGovernment"


def test_a_profile_that_is_not_there_or_not_whole(credential_file):
    with pytest.raises(OptionsError, match=rf"{credential_file} has no profile \[nobody\]"):
        settings(profile="nobody")
    with pytest.raises(OptionsError, match="needs tenant too"):
        settings(profile="half")
    credential_file.unlink()
    with pytest.raises(OptionsError, match="has no profile"):
        settings(auth_source="credential_file")


@pytest.mark.parametrize("text", ["no section\n", "[default]\nclient_id = c\n[default]\n", "\x00"])
def test_a_credential_file_nobody_can_read(credential_file, text):
    credential_file.write_text(text, encoding="utf-8")
    with pytest.raises(OptionsError, match="credential file|needs"):
        settings(auth_source="credential_file")


ELSEWHERE = {"client_id": "env-c", "secret": "env-s", "tenant": "env-t", "subscription_id": "env-sub", "x509_certificate_path": "/env.pem",
             "auth_source": "cli"}
NAMED = {"default": ("c", "50%off", "t", "sub", None), "china": ("c", "s", "t", None, None), "certified": ("c", None, "t", None, "/c.pem")}


def identity_of(found):
    return found.client_id, found.secret, found.tenant, found.subscription_id, found.x509_certificate_path


@pytest.mark.parametrize("name", [*ELSEWHERE, "all"])
@pytest.mark.parametrize("options, profile", [
    ({"profile": "default"}, "default"), ({"auth_source": "credential_file"}, "default"), ({"profile": "china"}, "china"),
    ({"profile": "certified"}, "certified"), ({"auth_source": "credential_file", "profile": "china"}, "china")])
def test_a_profile_is_the_whole_identity_whatever_the_environment_has(credential_file, options, profile, name):
    environment = ELSEWHERE if name == "all" else {name: ELSEWHERE[name]}
    found = Settings.from_options({**DEFAULTS, **options}, environment)
    assert identity_of(found) == NAMED[profile] and found.auth_source == "credential_file" and found.service_principal


@pytest.mark.parametrize("name", ["client_id", "secret", "tenant", "x509_certificate_path"])
def test_a_profile_that_the_environment_names_is_no_less_whole(credential_file, name):
    assert identity_of(Settings.from_options(DEFAULTS, {"profile": "china", name: "of the environment"})) == NAMED["china"]
    assert identity_of(Settings.from_options({"profile": "china"}, {"profile": "default", name: "of the environment"})) == NAMED["china"]


@pytest.mark.parametrize("options, found", [
    ({"subscription_id": "mine"}, ("c", "s", "t", "mine", None)), ({"client_id": "other"}, NAMED["china"]), ({"secret": "other"}, NAMED["china"]),
    ({"x509_certificate_path": "/other.pem"}, NAMED["china"])])
def test_options_beside_a_profile_give_what_it_lacks(credential_file, options, found):
    assert identity_of(settings(profile="china", **options)) == found
    assert identity_of(settings(profile="half", tenant="t")) == ("c", "s", "t", None, None)


@pytest.mark.parametrize("options", [PRINCIPAL, {"auth_source": "msi"}, {"auth_source": "cli"}, {"client_id": "mine"}])
def test_a_sign_in_that_is_named_is_not_overruled_by_a_profile_of_the_environment(credential_file, options):
    found = Settings.from_options({**DEFAULTS, **options}, {"profile": "default"})
    assert (found.client_id, found.secret, found.subscription_id) == (options.get("client_id"), options.get("secret"), None)


def test_half_a_profile_is_not_completed_by_the_environment(credential_file):
    with pytest.raises(OptionsError, match="needs tenant too; set the option or write it into the profile"):
        Settings.from_options({"profile": "half"}, {"tenant": "of another identity"})


def test_where_the_cloud_is_may_come_from_the_environment(credential_file):
    where = {"cloud_environment": "https://arm.example", "authority_host": "login.example", "disable_instance_discovery": True}
    found = Settings.from_options({"profile": "default", **DEFAULTS}, where)
    assert (found.cloud_environment, found.authority_host, found.disable_instance_discovery) == tuple(where.values())
    found = Settings.from_options({"profile": "china"}, where)
    assert (found.cloud_environment, found.authority_host) == ("AzureChinaCloud", None), "who signs in there is not sent to another cloud's authority"


def test_the_environment_completes_options_where_no_profile_is_named():
    found = Settings.from_options({"secret": "mine"}, PRINCIPAL)
    assert (found.client_id, found.secret, found.tenant) == ("c", "mine", "t")


# -- clouds ---------------------------------------------------------------------------------------------------------------

def never(url):
    raise AssertionError(f"{url} was asked")


@pytest.mark.parametrize("name, manager, authority", [
    ("AzureCloud", "https://management.azure.com", "https://login.microsoftonline.com"),
    ("AzureChinaCloud", "https://management.chinacloudapi.cn", "https://login.chinacloudapi.cn"),
    ("AzureUSGovernment", "https://management.usgovcloudapi.net", "https://login.microsoftonline.us")])
def test_known_clouds_need_no_request(name, manager, authority):
    cloud = resolve_cloud(settings(cloud_environment=name), never)
    assert (cloud.resource_manager, cloud.authority) == (manager, authority)
    assert cloud.scope.endswith("/.default") and cloud.scope.startswith("https://management")
    assert resolve_cloud(settings(cloud_environment=name, authority_host="login.mine/"), never).authority == "https://login.mine"


METADATA = {"resourceManager": "https://arm.example/", "authentication": {
    "loginEndpoint": "https://login.example/", "audiences": ["https://audience.example/"]}}


@pytest.mark.parametrize("answer", [METADATA, [METADATA], [{"resourceManager": "https://other.example"}, METADATA]])
@pytest.mark.parametrize("url", ["https://arm.example", "https://arm.example/", "https://arm.example/metadata/endpoints?api-version=2019-05-01"])
def test_a_cloud_by_its_metadata(answer, url):
    asked = []
    cloud = resolve_cloud(settings(cloud_environment=url), lambda where: asked.append(where) or answer)
    assert cloud == Cloud("https://arm.example", "https://login.example", "https://audience.example/.default")
    assert asked == ["https://arm.example/metadata/endpoints?api-version=2022-09-01"]


def test_an_authority_that_is_given_wins():
    assert resolve_cloud(settings(cloud_environment="https://arm.example", authority_host="https://mine/"), lambda url: METADATA).authority == "https://mine"


@pytest.mark.parametrize("answer", [{}, [], None, [{}], {"authentication": None}, {"authentication": {"audiences": []}}])
def test_metadata_that_names_no_login(answer):
    with pytest.raises(AuthError, match="set authority_host or AZURE_AUTHORITY_HOST"):
        resolve_cloud(settings(cloud_environment="https://arm.example"), lambda url: answer)
    cloud = resolve_cloud(settings(cloud_environment="https://arm.example", authority_host="login.mine"), lambda url: answer)
    assert cloud == Cloud("https://arm.example", "https://login.mine", "https://arm.example/.default")


def test_a_bare_resource_manager():
    def missing(url):
        raise AzureError("read the cloud's metadata", "HTTP 404", status=404)

    def unreachable(url):
        raise AzureError("read the cloud's metadata", "no answer")

    bare = settings(cloud_environment="https://arm.example", authority_host="login.mine")
    assert resolve_cloud(bare, missing) == Cloud("https://arm.example", "https://login.mine", "https://arm.example/.default")
    for options, fetch in ((bare, unreachable), (settings(cloud_environment="https://arm.example"), missing)):
        with pytest.raises(AzureError, match="metadata"):
            resolve_cloud(options, fetch)


# -- credentials ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("options, kind", [
    (PRINCIPAL, identity.ClientSecretCredential), ({**PRINCIPAL, "auth_source": "env"}, identity.ClientSecretCredential),
    ({**PRINCIPAL, "auth_source": "cli"}, identity.AzureCliCredential), ({**PRINCIPAL, "auth_source": "msi"}, identity.ManagedIdentityCredential),
    ({}, identity.DefaultAzureCredential), ({"client_id": "c"}, identity.DefaultAzureCredential)])
def test_the_credential_that_is_made(options, kind):
    assert isinstance(make_credential(settings(**options), CLOUD), kind)


def test_a_certificate(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(identity, "CertificateCredential", lambda *given, **named: made.append(argparse.Namespace(given=given, **named)))
    make_credential(settings(client_id="c", tenant="t", x509_certificate_path="/c.pem", disable_instance_discovery=True), CLOUD)
    assert made == [argparse.Namespace(given=("t", "c", "/c.pem"), authority="https://login.example", disable_instance_discovery=True)]
