# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the arguments of the role rollout refuse, as ansible-core checks them before its first task."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

SPECS = yaml.safe_load((Path(__file__).resolve().parents[3] / "roles/rollout/meta/argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]


@pytest.mark.parametrize("entry", SPECS)
@pytest.mark.parametrize(("name", "value", "said"), [
    ("rollout_region_pairs", "whatever", "value of rollout_region_pairs must be one of: serial, parallel, got: whatever"),
    ("rollout_operation", "restart", "value of rollout_operation must be one of: perform_maintenance, redeploy, reapply, got: restart"),
    ("rollout_on_deadline", "ignore", "value of rollout_on_deadline must be one of: "),
    ("rollout_confirm", "always", "value of rollout_confirm must be one of: ")])
def test_a_value_that_is_none_of_the_choices(entry, name, value, said):
    messages = ArgumentSpecValidator(SPECS[entry].get("options", {})).validate({name: value}).error_messages
    assert len(messages) == 1 and messages[0].startswith(said)
