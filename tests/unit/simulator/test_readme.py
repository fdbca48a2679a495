# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples in tests/simulator/README.md are true: put where it says, the route answers and the fault acts."""

from __future__ import annotations

import re
import types
from pathlib import Path

import simulator
from simulator.api import world
from simulator.fleet import faults, schema
from simulator.wire.messages import Page

README = Path(simulator.__file__).with_name("README.md").read_text(encoding="utf-8")


def examples(heading):
    """The blocks of Python below a heading."""
    (section,) = re.findall(rf"^## {heading}\n(.*?)^## ", README, re.MULTILINE | re.DOTALL)
    return re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


def execute(source, **known):
    """The names that an example defines."""
    exec(source, known)
    return types.SimpleNamespace(**known)


def test_how_to_add_a_route(monkeypatch, run):
    source, test = examples("How to add a route")
    part = execute(source, __name__="simulator.api.sizes", __package__="simulator.api")
    monkeypatch.setattr(world, "_PARTS", (*world._PARTS, part))
    execute(test).test_sizes(run())


def test_how_to_add_a_fault(monkeypatch, run):
    key, act, test = examples("How to add a fault")
    monkeypatch.setitem(faults._TABLE, "repeat_item", execute(f"table = {{{key.strip()}}}", schema=schema).table["repeat_item"])
    added = execute(f"def distort(fault, response):\n{act}    return response\n", Page=Page).distort
    distort = world.distort
    monkeypatch.setattr(world, "distort", lambda fault, response, same_page: added(fault, distort(fault, response, same_page)))
    execute(test).test_an_item_comes_twice(run())
