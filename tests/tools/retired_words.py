# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds words of retired_words.yml in what people read, and says what to write instead; exit status 1 if there are any."""
from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_suffix(".yml")


def sentences(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each string of Python that has a blank in it; names, comments and docstrings are not for users."""
    tree = ast.parse(source)
    docstrings = {node.body[0].value for node in ast.walk(tree)
                  if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node, clean=False) is not None}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip() and node not in docstrings:
            yield node.lineno, node.value


def texts(path: Path) -> list[tuple[int, str]]:
    """What people read of a file, in pieces, each with the line that it begins on."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return list(sentences(source))
    return [(1, re.sub(r"^ *#.*$", "", source, flags=re.MULTILINE) if path.suffix == ".yml" else source)]


def findings(path: Path, words: dict[str, str]) -> Iterator[tuple[int, str, str]]:
    """Line, word and what to write instead. A word that is quoted, or a part of a name, is code."""
    for first, text in texts(path):
        for word, instead in words.items():
            pattern = rf"(?<!C\()(?<![\w.'\"`]){word}(?![\w'\"`]|:\s)".replace(" ", r"\s+")
            for match in re.finditer(pattern, text, 0 if word != word.lower() else re.IGNORECASE):
                yield first + text.count("\n", 0, match.start()), " ".join(match[0].split()), instead


def main() -> int:
    """Prints each finding as file, line and both words."""
    settings = yaml.safe_load(LIST.read_text(encoding="utf-8"))
    skipped = {path for pattern in settings["except"] for path in ROOT.glob(pattern)}
    paths = sorted({path for pattern in settings["files"] for path in ROOT.glob(pattern)} - skipped)
    found = [f"{path.relative_to(ROOT)}:{line}: {word!r}: write {instead!r}"
             for path in paths for line, word, instead in findings(path, settings["words"])]
    print(*found, f"{len(found)} retired words in {len(paths)} files", sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
