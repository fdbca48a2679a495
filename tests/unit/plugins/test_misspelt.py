# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which names of variables are taken for mistakes, with the options that the roles really have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.fleetops.azure_maintenance.plugins.filter.misspelt import misspelt

ROLES = Path(__file__).resolve().parents[3] / "roles"
SPECS = [yaml.safe_load((ROLES / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8")) for role in ("drain", "verify", "redeploy")]
KNOWN = sorted({name for spec in SPECS for entry in spec["argument_specs"].values() for name in entry.get("options", {})})


@pytest.mark.parametrize("name, meant", [
    ("drain_provder", "drain_provider"), ("drain_providers", "drain_provider"), ("drain_haproxy_backend", "drain_haproxy_backends"),
    ("drain_time_out", "drain_timeout"), ("verify_url", "verify_urls"), ("verify_service", "verify_services"), ("redeploy_time_out", "redeploy_timeout")])
def test_a_letter_away_is_a_mistake(name, meant):
    assert misspelt([name, meant], KNOWN) == [f"{name} ({meant}?)"]


@pytest.mark.parametrize("name", ["verify_ssl", "drain_node", "drain_by", "redeploy_ticket", "verify_backup_job", "drain_window", *KNOWN])
def test_what_exists_and_what_is_somebodys_own_is_none(name):
    assert misspelt([name], KNOWN) == []


def test_all_of_them_are_told_in_order():
    assert misspelt(["verify_url", "drain_port", "mine"], KNOWN) == ["drain_port (drain_ports?)", "verify_url (verify_urls?)"]


def test_the_roles_know_their_names_as_the_rollout_reads_them():
    """The rollout does not parse the specifications for every host; its pattern finds every option all the same."""
    pattern = yaml.safe_load((ROLES / "rollout" / "vars" / "main.yml").read_text(encoding="utf-8"))["__rollout_option_pattern"]
    found = {name for role in ("drain", "verify", "redeploy")
             for name in re.findall(pattern, (ROLES / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"), re.MULTILINE)}
    assert set(KNOWN) <= found
