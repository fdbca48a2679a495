# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ansible.cfg that people copy beside their playbooks: what is safe on real hosts, and nothing that only suits simulated ones."""

from __future__ import annotations

import configparser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def settings(path: str) -> configparser.ConfigParser:
    found = configparser.ConfigParser(interpolation=None)
    found.read(ROOT / path, encoding="utf-8")
    return found


def test_host_keys_are_checked_and_the_screen_is_quiet():
    shipped = settings("ansible.cfg")
    assert not {name for section in shipped.sections() for name in shipped[section]} & {"host_key_checking", "ssh_common_args", "ssh_extra_args"}
    assert "StrictHostKeyChecking" not in (ROOT / "ansible.cfg").read_text(encoding="utf-8")
    assert shipped.getint("defaults", "forks") >= 20 and not shipped.getboolean("defaults", "display_skipped_hosts")
    assert shipped.getboolean("inventory", "any_unparsed_is_failed")


def test_the_demo_has_settings_of_its_own_for_guests_with_new_keys():
    assert not settings("tests/demo/ansible.cfg").getboolean("defaults", "host_key_checking")
