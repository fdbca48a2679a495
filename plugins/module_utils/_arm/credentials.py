# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options -> the cloud to talk to and an azure-identity credential for it.

Option and environment names are those of azure.azcollection. ``validate`` works offline; nothing here asks the network
except :func:`resolve_cloud` for a cloud that is given as a metadata URL.
"""

from __future__ import annotations

import configparser
import os
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .._errors import AuthError, AzureError, OptionsError

# Module option -> environment variables, first one set wins. The plain azure-identity names are accepted beside the
# names azure.azcollection chose, so that one environment serves every client.
ENVIRONMENT = {
    "auth_source": ("ANSIBLE_AZURE_AUTH_SOURCE",),
    "profile": ("AZURE_PROFILE",),
    "subscription_id": ("AZURE_SUBSCRIPTION_ID",),
    "client_id": ("AZURE_CLIENT_ID",),
    "secret": ("AZURE_SECRET", "AZURE_CLIENT_SECRET"),
    "tenant": ("AZURE_TENANT", "AZURE_TENANT_ID"),
    "x509_certificate_path": ("AZURE_X509_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PATH"),
    "cloud_environment": ("AZURE_CLOUD_ENVIRONMENT",),
    "authority_host": ("AZURE_AUTHORITY_HOST",),
    "disable_instance_discovery": ("AZURE_DISABLE_INSTANCE_DISCOVERY",),
}
AUTH_SOURCES = ("auto", "cli", "credential_file", "env", "msi")
# Resource Manager, whom its tokens are for, and where to sign in by azure-identity's name. Old azure-mgmt-core, with which the
# compute client works, does not know them.
_CLOUDS = {"AzureCloud": ("https://management.azure.com", "https://management.azure.com", "AZURE_PUBLIC_CLOUD"),
           "AzureChinaCloud": ("https://management.chinacloudapi.cn", "https://management.chinacloudapi.cn", "AZURE_CHINA"),
           "AzureUSGovernment": ("https://management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net", "AZURE_GOVERNMENT")}
_PROOFS = ("secret", "x509_certificate_path")
_PRINCIPAL = ("client_id", "tenant", *_PROOFS)
_FILE_KEYS = ("subscription_id", "cloud_environment", *_PRINCIPAL)


@dataclass(frozen=True)
class Settings:
    """Sign-in options after environment and credential file have been merged in; strings or None."""

    auth_source: str = "auto"
    profile: str | None = None
    subscription_id: str | None = None
    client_id: str | None = None
    secret: str | None = None
    tenant: str | None = None
    x509_certificate_path: str | None = None
    cloud_environment: str = "AzureCloud"
    authority_host: str | None = None
    disable_instance_discovery: bool = False

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any], environment: t.Mapping[str, t.Any] | None = None) -> "Settings":
        """Settings from what a task or file says and, where that is silent, from the environment; both by option name.

        A profile is the whole identity: nothing of the environment is mixed into it, and options beside it give only what it lacks
        (and the subscription and the cloud). Raises OptionsError when the settings cannot work.
        """
        given, heard = (_chosen(values) for values in (options, environment or {}))
        profile = _profile_of(given, heard)
        if profile is None:
            chosen = {**heard, **given}
        else:
            whole = _read_profile(profile)
            others = ("auth_source", "subscription_id", *_PRINCIPAL, *(["authority_host"] if "cloud_environment" in whole else []))
            where = {name: value for name, value in heard.items() if name not in others}
            proven = not whole.keys().isdisjoint(_PROOFS)
            beside = {name: value for name, value in given.items() if not (name in _PRINCIPAL and (name in whole or (proven and name in _PROOFS)))}
            chosen = {"auth_source": "credential_file", **where, **whole, **beside}
        settings = cls(**chosen)
        settings.validate()
        return settings

    def validate(self) -> None:
        """Check offline what can be checked offline."""
        if self.auth_source not in AUTH_SOURCES:
            raise OptionsError(f"auth_source {self.auth_source!r} is unknown; use one of {', '.join(AUTH_SOURCES)}")
        if self.cloud_environment not in _CLOUDS and not self.cloud_environment.startswith("https://"):
            raise OptionsError(f"cloud_environment {self.cloud_environment!r} is unknown; use {', '.join(_CLOUDS)} or an https:// URL "
                               "of a cloud's Resource Manager")
        if self.auth_source in ("cli", "msi"):
            return
        proof = self.secret or self.x509_certificate_path
        if self.auth_source in ("env", "credential_file") or (self.auth_source == "auto" and proof):
            missing = [name for name, value in (("client_id", self.client_id), ("tenant", self.tenant),
                                                ("secret", proof)) if not value]
            if missing:
                other = "write it into the profile" if self.auth_source == "credential_file" else ", ".join(ENVIRONMENT[name][-1] for name in missing)
                raise OptionsError(f"signing in as a service principal needs {' and '.join(missing)} too; set the option or {other}")

    @property
    def service_principal(self) -> bool:
        return bool(self.auth_source not in ("cli", "msi") and self.client_id and self.tenant
                    and (self.secret or self.x509_certificate_path))


@dataclass(frozen=True)
class Cloud:
    """Where a cloud answers: ``resource_manager`` and ``authority`` are https URLs without a trailing slash."""

    resource_manager: str
    authority: str
    scope: str


def _chosen(values: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What was chosen: a default is no choice, and must not hide what the profile or the environment says."""
    defaults = {name: Settings.__dataclass_fields__[name].default for name in ENVIRONMENT}
    return {name: values[name] for name in ENVIRONMENT if values.get(name) not in (None, "", defaults[name])}


def _profile_of(given: t.Mapping[str, t.Any], heard: t.Mapping[str, t.Any]) -> str | None:
    """The profile to sign in by, if any. One that only the environment names does not overrule a sign-in that the task or file names."""
    named = given.get("profile") or heard.get("profile")
    if given.get("profile") or given.get("auth_source") == "credential_file":
        return named or "default"
    source = given.get("auth_source") or heard.get("auth_source") or "auto"
    if source not in ("auto", "credential_file") or any(name in given for name in _PRINCIPAL):
        return None
    return named or ("default" if source == "credential_file" else None)


def _read_profile(profile: str) -> dict[str, str]:
    """A profile of azure.azcollection's ``~/.azure/credentials`` file."""
    path = Path(os.environ.get("AZURE_CONFIG_DIR", "~/.azure")).expanduser() / "credentials"
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise OptionsError(f"credential file {path} cannot be read: {' '.join(str(error).split())}") from error
    if not parser.has_section(profile):
        raise OptionsError(f"credential file {path} has no profile [{profile}]")
    found = {key: parser.get(profile, key, fallback="") for key in _FILE_KEYS}
    found["x509_certificate_path"] = os.path.expanduser(found["x509_certificate_path"])
    return {key: value for key, value in found.items() if value}


def resolve_cloud(settings: Settings, fetch: t.Callable[[str], t.Any]) -> Cloud:
    """The endpoints of the chosen cloud.

    ``fetch`` GETs a URL without credentials and returns the parsed JSON (raises AzureError). A metadata URL is asked for its
    endpoints; ``authority_host`` wins over what it names.
    """
    name = settings.cloud_environment
    if name in _CLOUDS:
        from azure.identity import AzureAuthorityHosts

        resource_manager, audience, login_name = _CLOUDS[name]
        login = settings.authority_host or getattr(AzureAuthorityHosts, login_name)
        return Cloud(resource_manager, _as_url(login), f"{audience}/.default")
    return _cloud_from_metadata(settings, fetch)


def _cloud_from_metadata(settings: Settings, fetch: t.Callable[[str], t.Any]) -> Cloud:
    base = settings.cloud_environment.split("/metadata/")[0].rstrip("/")
    try:
        answer = fetch(f"{base}/metadata/endpoints?api-version=2022-09-01")
    except AzureError as error:
        # A bare Resource Manager (a proxy, Azure Stack before 2020) has no metadata; it can still be used when told where to sign in.
        if not (settings.authority_host and error.status):
            raise
        answer = {}
    entries = answer if isinstance(answer, list) else [answer or {}]
    entry = next((e for e in entries if str(e.get("resourceManager", "")).rstrip("/") == base), entries[0] if entries else {})
    login = entry.get("authentication") or {}
    authority = settings.authority_host or login.get("loginEndpoint")
    if not authority:
        raise AuthError(f"find out where to sign in to {base}", "its metadata names no login endpoint; set authority_host or AZURE_AUTHORITY_HOST")
    resource_manager = (entry.get("resourceManager") or base).rstrip("/")
    audience = (login.get("audiences") or [resource_manager])[0].rstrip("/")
    return Cloud(resource_manager, _as_url(authority), f"{audience}/.default")


def _as_url(host: str) -> str:
    return (host if "://" in host else f"https://{host}").rstrip("/")


def make_credential(settings: Settings, cloud: Cloud) -> t.Any:
    """An azure-identity credential; makes no request yet."""
    from azure import identity

    common = {"authority": cloud.authority, "disable_instance_discovery": settings.disable_instance_discovery}
    if settings.auth_source == "cli":
        return identity.AzureCliCredential(tenant_id=settings.tenant or "")
    if settings.auth_source == "msi":
        return identity.ManagedIdentityCredential(client_id=settings.client_id)
    if settings.service_principal:
        if settings.secret:
            return identity.ClientSecretCredential(settings.tenant, settings.client_id, settings.secret, **common)
        return identity.CertificateCredential(settings.tenant, settings.client_id, settings.x509_certificate_path, **common)
    return identity.DefaultAzureCredential(**common)
