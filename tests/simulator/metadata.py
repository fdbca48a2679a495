# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cloud's metadata document, as Resource Manager publishes it for clients that are given its URL."""

from __future__ import annotations

from typing import Any

CLOUD_NAME = "SimulatedCloud"


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
    host = "simulated.example"
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
        "suffixes": {
            "acrLoginServer": f"azurecr.{host}",
            "attestationEndpoint": f"attest.{host}",
            "azureDataLakeAnalyticsCatalogAndJob": f"azuredatalakeanalytics.{host}",
            "azureDataLakeStoreFileSystem": f"azuredatalakestore.{host}",
            "keyVaultDns": f"vault.{host}",
            "mariadbServerEndpoint": f"mariadb.database.{host}",
            "mhsmDns": f"managedhsm.{host}",
            "mysqlServerEndpoint": f"mysql.database.{host}",
            "postgresqlServerEndpoint": f"postgres.database.{host}",
            "sqlServerHostname": f"database.{host}",
            "storage": f"core.{host}",
            "storageSyncEndpointSuffix": f"afs.{host}",
            "synapseAnalytics": f"dev.azuresynapse.{host}",
        },
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
