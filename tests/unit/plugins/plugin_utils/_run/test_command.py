# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command that a run tells to run again, from its own arguments."""

from __future__ import annotations

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._run.command import again

BOOK = ["-i", "prod.azure_maintenance.yml", "fleetops.azure_maintenance.rolling_redeploy"]
SAID = "ansible-playbook -i prod.azure_maintenance.yml fleetops.azure_maintenance.rolling_redeploy"


@pytest.mark.parametrize("more, said", [
    ([], ""),
    (["--limit", "web-1,!web-2", "-v"], " --limit 'web-1,!web-2' -v"),
    (["-e", "rollout_plan_file=reviewed.json rollout_lane=1"], " -e 'rollout_plan_file=reviewed.json rollout_lane=1'"),
    (["-e", "rollout_exclude='a b'"], """ -e 'rollout_exclude='"'"'a b'"'"''"""),
    (["-erollout_lane=1", "--extra-vars=rollout_lanes=2"], " -e rollout_lane=1 -e rollout_lanes=2"),
    (["-e", '{"rollout_lane": 1}'], """ -e '{"rollout_lane": 1}'"""),
    (["-e", "@vars.yml", "-e", "@my vars.yml"], " -e @vars.yml -e '@my vars.yml'"),
    (["--start-at-task", "Report", "--start-at-task=Report", "--step"], ""),
    (["-C"], ""), (["--check", "--diff"], " --diff"),
])
def test_the_same_command_once_more(more, said):
    assert again([*BOOK, *more]).startswith(SAID + said)
    assert said or again([*BOOK, *more]) == SAID


def test_check_mode_is_kept_on_demand():
    assert again([*BOOK, "--check"], check=True) == SAID + " --check"


@pytest.mark.parametrize("value, said", [
    ("db_password=hunter2 rollout_lane=1", ''' -e '{"rollout_lane": "1"}'    # and with the same db_password'''),
    ('{"db_password": "hunter2", "rollout_auth": {"secret": "hunter2"}}', "    # and with the same db_password, rollout_auth"),
    ("rollout_auth={secret: hunter2}", "    # and with the same rollout_auth"),
    ("{db_password: hunter2}", "    # and with the same extra variables"), ("[1", "    # and with the same extra variables"), ("'hunter2", "    # and with"),
    ('["hunter2"]', "    # and with the same extra variables"),
])
def test_no_value_of_a_variable_that_may_be_secret_is_repeated(value, said):
    text = again([*BOOK, "-e", value])
    assert text.startswith(SAID + said) and "hunter2" not in text
