# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cloud's metadata document, as Resource Manager publishes it for clients that are given its URL."""

from __future__ import annotations

from typing import Any

CLOUD_NAME = "SimulatedCloud"
_SUFFIXES = {
    "acrLoginServer": "azurecr.simulated.example",
    "attestationEndpoint": "attest.simulated.example",
    "azureDataLakeAnalyticsCatalogAndJob": "azuredatalakeanalytics.simulated.example",
    "azureDataLakeStoreFileSystem": "azuredatalakestore.simulated.example",
    "keyVaultDns": "vault.simulated.example",
    "mariadbServerEndpoint": "mariadb.database.simulated.example",
    "mhsmDns": "managedhsm.simulated.example",
    "mysqlServerEndpoint": "mysql.database.simulated.example",
    "postgresqlServerEndpoint": "postgres.database.simulated.example",
    "sqlServerHostname": "database.simulated.example",
    "storage": "core.simulated.example",
    "storageSyncEndpointSuffix": "afs.simulated.example",
    "synapseAnalytics": "dev.azuresynapse.simulated.example",
}


def cloud(url: str, tenant: str, version: str) -> Any:
    """Return the document of an api-version: small (2015-01-01), a list (2019-05-01), or one cloud (later)."""
    if version < "2018-01-01":
        return {
            "galleryEndpoint": f"{url}/gallery/",
            "graphEndpoint": f"{url}/graph/",
            "portalEndpoint": f"{url}/portal/",
            "authentication": {"loginEndpoint": f"{url}/", "audiences": [url]},
        }
    return [_full(url, tenant)] if version < "2022-01-01" else _full(url, tenant)


def _full(url: str, tenant: str) -> dict[str, Any]:
    return {
        "portal": f"{url}/portal",
        "authentication": {
            "loginEndpoint": url,
            "audiences": [url, f"{url}/"],
            "tenant": tenant,
            "identityProvider": "AAD",
        },
        "media": f"{url}/media",
        "graphAudience": f"{url}/graph/",
        "graph": f"{url}/graph/",
        "name": CLOUD_NAME,
        "suffixes": _SUFFIXES,
        "batch": f"{url}/batch-service/",
        "resourceManager": url,
        "vmImageAliasDoc": f"{url}/aliases.json",
        "activeDirectoryDataLake": f"{url}/datalake/",
        "sqlManagement": f"{url}/sql/",
        "gallery": f"{url}/gallery/",
        "appInsightsResourceId": f"{url}/appinsights",
        "appInsightsTelemetryChannelResourceId": f"{url}/telemetry",
        "appServiceResourceId": f"{url}/appservice",
        "attestationResourceId": f"{url}/attest",
        "azmirrorStorageAccountResourceId": f"{url}/azmirror",
        "logAnalyticsResourceId": f"{url}/loganalytics",
        "microsoftGraphResourceId": f"{url}/msgraph/",
        "ossrdbmsResourceId": f"{url}/ossrdbms",
        "synapseAnalyticsResourceId": f"{url}/synapse",
    }
