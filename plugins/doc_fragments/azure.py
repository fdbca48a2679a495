# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sign-in options, shared by modules (DOCUMENTATION) and the inventory plugin (PLUGIN)."""

from __future__ import annotations


class ModuleDocFragment:

    DOCUMENTATION = r"""
options:
  auth_source:
    description:
      - Where credentials come from.
      - V(auto) uses the service principal of the options or their environment variables. Otherwise it uses the default chain of azure-identity
        (environment, workload identity, managed identity, Azure CLI and so on).
      - Environment variable E(ANSIBLE_AZURE_AUTH_SOURCE).
    type: str
    choices: [auto, cli, credential_file, env, msi]
    default: auto
  profile:
    description:
      - Profile of C(~/.azure/credentials) to read. Environment variable E(AZURE_PROFILE).
      - A profile is the whole identity. Environment variables for the identity and the subscription do not count beside it.
      - O(client_id), O(secret), O(tenant) and O(x509_certificate_path) count only where the profile lacks them.
      - O(subscription_id) and O(cloud_environment) win over those of the profile.
      - A profile that only the environment names does not count where one of these options, or another O(auth_source), is set.
    type: str
  subscription_id:
    description: Subscription to work on. Environment variable E(AZURE_SUBSCRIPTION_ID).
    type: str
  client_id:
    description: Client id of the service principal, or of a user-assigned managed identity. Environment variable E(AZURE_CLIENT_ID).
    type: str
  secret:
    description: Secret of the service principal. Environment variable E(AZURE_SECRET) or E(AZURE_CLIENT_SECRET).
    type: str
  tenant:
    description: Tenant of the service principal. Environment variable E(AZURE_TENANT) or E(AZURE_TENANT_ID).
    type: str
  x509_certificate_path:
    description:
      - PEM or PKCS12 certificate of the service principal, instead of a secret.
      - Environment variable E(AZURE_X509_CERTIFICATE_PATH) or E(AZURE_CLIENT_CERTIFICATE_PATH).
    type: path
  cloud_environment:
    description:
      - V(AzureCloud), V(AzureChinaCloud), V(AzureUSGovernment), or the https URL of another cloud's Resource Manager, whose metadata names the rest.
      - Environment variable E(AZURE_CLOUD_ENVIRONMENT).
    type: str
    default: AzureCloud
  authority_host:
    description: Where to sign in, if the cloud names another place. Environment variable E(AZURE_AUTHORITY_HOST).
    type: str
  disable_instance_discovery:
    description:
      - Do not ask the public cloud whether the authority is genuine. Needed for private and disconnected clouds.
      - Environment variable E(AZURE_DISABLE_INSTANCE_DISCOVERY).
    type: bool
    default: false
requirements:
  - azure-identity >= 1.25.0
  - azure-mgmt-compute >= 33.0.0
  - jmespath >= 1.0
notes:
  - For a private certificate authority set the environment variable E(REQUESTS_CA_BUNDLE).
"""

    PLUGIN = r"""
options:
  auth_source:
    description: Where credentials come from; see the modules of this collection.
    type: str
    choices: [auto, cli, credential_file, env, msi]
    default: auto
    env:
      - name: ANSIBLE_AZURE_AUTH_SOURCE
  profile:
    description: Profile of C(~/.azure/credentials) to read. It is the whole identity; see the modules of this collection.
    type: str
    env:
      - name: AZURE_PROFILE
  subscription_id:
    description: Subscription to read when O(subscriptions) names none.
    type: str
    env:
      - name: AZURE_SUBSCRIPTION_ID
  client_id:
    description: Client id of the service principal, or of a user-assigned managed identity.
    type: str
    env:
      - name: AZURE_CLIENT_ID
  secret:
    description: Secret of the service principal.
    type: str
    env:
      - name: AZURE_SECRET
      - name: AZURE_CLIENT_SECRET
  tenant:
    description: Tenant of the service principal.
    type: str
    env:
      - name: AZURE_TENANT
      - name: AZURE_TENANT_ID
  x509_certificate_path:
    description: PEM or PKCS12 certificate of the service principal, instead of a secret.
    type: path
    env:
      - name: AZURE_X509_CERTIFICATE_PATH
      - name: AZURE_CLIENT_CERTIFICATE_PATH
  cloud_environment:
    description: V(AzureCloud), V(AzureChinaCloud), V(AzureUSGovernment), or the https URL of another cloud's Resource Manager.
    type: str
    default: AzureCloud
    env:
      - name: AZURE_CLOUD_ENVIRONMENT
  authority_host:
    description: Where to sign in, if the cloud names another place.
    type: str
    env:
      - name: AZURE_AUTHORITY_HOST
  disable_instance_discovery:
    description: Do not ask the public cloud whether the authority is genuine. Needed for private and disconnected clouds.
    type: bool
    default: false
    env:
      - name: AZURE_DISABLE_INSTANCE_DISCOVERY
requirements:
  - azure-identity >= 1.25.0
  - azure-mgmt-compute >= 33.0.0
  - jmespath >= 1.0
"""
