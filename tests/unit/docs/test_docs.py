# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""README and docs hold together: links lead somewhere, names exist, and every word that a run reports is explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.maintenance import CONSENTS, NOTED_HAZARDS
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy import outcome
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout import candidates, run_state

ROOT = Path(__file__).resolve().parents[3]
PAGES = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
OUTCOMES = PAGES["docs/outcomes.md"]
REPORTED = ("lost", "left_out", "not_started", "unfinished", "recovered", "would_recover")
"""Words that a rollout reports beside those of vm_redeploy."""
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def prose(text: str) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", text)


def anchors(text: str) -> set[str]:
    """What a link to a heading of the page ends with, as GitHub makes it."""
    headings = re.findall(r"^#+ (.*)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def rows(section: str) -> set[str]:
    """The words in the first column of the tables of a section of docs/outcomes.md."""
    body = OUTCOMES.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return {word for line in body.splitlines() if line.startswith("| `") for word in re.findall(r"`(\w+)`", line.split("|")[1])}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    for path, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", prose(PAGES[page])):
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), f"{page} links to {path}"
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), f"{page} links to #{anchor} of {target.name}"


def test_every_page_is_in_the_index() -> None:
    linked = set(re.findall(r"\]\((\w[\w-]*\.md)", PAGES["docs/README.md"]))
    assert {Path(page).name for page in PAGES} - {"README.md"} == linked


def test_the_readme_is_short() -> None:
    assert len(PAGES["README.md"].splitlines()) <= 120


def test_every_outcome_is_explained() -> None:
    assert rows("Outcomes") == {*outcome.ADVICE, *REPORTED}


def test_every_skip_reason_is_explained() -> None:
    sources = Path(candidates.__file__).parent.glob("*.py")
    named = {name for source in sources for name in re.findall(r'Skip\.of\(\s*[\w.]+,\s*"(\w+)"', source.read_text(encoding="utf-8"))}
    assert {"hazard", "deadline", "set_too_small"} <= named, "the pattern finds none any more"
    assert rows("Skip reasons") == {*candidates._MEANING, *named}


def test_every_hazard_is_explained() -> None:
    assert rows("Hazards") | {"unknown_attempt"} == {*CONSENTS, *NOTED_HAZARDS}
    assert "`unknown_attempt`" in OUTCOMES


def test_every_event_of_a_run_is_explained() -> None:
    body = PAGES["docs/report.md"].partition("| Event |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in body.splitlines() if line.startswith("| `")))) == {
        "planned", "stopped", *run_state.STEPS}


@pytest.mark.parametrize("page", PAGES)
def test_variables_and_targets_exist(page: str) -> None:
    specs = yaml.safe_load((ROOT / "roles" / "rollout" / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    known = {name for entry in specs.values() for name in entry.get("options", {})}
    plugins = {path.stem for kind in ("modules", "callback") for path in (ROOT / "plugins" / kind).glob("rollout_*.py")}
    assert set(re.findall(r"\brollout_\w*", PAGES[page])) - known - plugins - {"rollout_hook", "rollout_hooks_", "rollout_"} == set()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", PAGES[page], re.MULTILINE)) <= targets


@pytest.mark.parametrize("page", PAGES)
def test_names_of_the_collection_exist(page: str) -> None:
    for name in re.findall(r"fleetops\.azure_maintenance\.(\w+)", PAGES[page]):
        places = [f"plugins/modules/{name}.py", f"plugins/inventory/{name}.py", f"plugins/callback/{name}.py", f"roles/{name}", f"playbooks/{name}.yml",
                  f"extensions/eda/plugins/event_source/{name}.py", f"extensions/eda/rulebooks/{name}.yml"]
        assert name == "azure" or any((ROOT / place).exists() for place in places), f"{page} names {name}"
