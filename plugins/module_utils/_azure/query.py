# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JMESPath over records: the one way users select VMs in this collection."""

from __future__ import annotations

import typing as t

from .._errors import OptionsError
from .._spelling import did_you_mean

try:
    import jmespath
except ImportError:  # module.py names it before anything here is used
    jmespath = None

Record = t.Mapping[str, t.Any]
_SHOWN = 30
_PARTS = ("comparator", "and_expression", "or_expression", "not_expression", "function_expression", "multi_select_list", "multi_select_dict", "key_val_pair")


def _anything(path: t.Sequence[str]) -> bool:
    """Whether a path of an expression that matches nothing may be the mistake. The bare word null is null, as everywhere in JMESPath."""
    return tuple(path) != ("null",)


def _fixed(path: t.Sequence[str]) -> bool:
    """Whether a path may be a mistake in any expression: keys of tags are anybody's."""
    return path[0] not in ("tags", "null")


def compile_query(expression: str, option: str) -> t.Callable[[Record], t.Any]:
    """A function from a record to the expression's value. Raises OptionsError naming the option when it does not parse."""
    try:
        compiled = jmespath.compile(expression)
    except jmespath.exceptions.JMESPathError as error:
        raise OptionsError(f"{option} {expression!r} is not a JMESPath expression: {' '.join(str(error).split())}") from error

    def search(record: Record) -> t.Any:
        try:
            return compiled.search(record)
        except jmespath.exceptions.JMESPathError as error:
            raise OptionsError(f"{option} {expression!r} fails on {record.get('name')}: {' '.join(str(error).split())}") from error

    return search


def no_match(expression: str, records: t.Sequence[Record]) -> str:
    """Why a valid expression may match none of these records, in words: what it names that none of them has, and the keys that there are."""
    return "; ".join([*_missing(expression, records, _anything), _keys(records)])


def mistakes(expression: str, records: t.Sequence[Record]) -> str:
    """What a valid expression names that no record ever has, whatever it matches, in words; empty when there is nothing such.

    A tag may be on no VM today; but ``tags.env == prod`` without quotes is true for every VM that lacks both.
    """
    words = _missing(expression, records, _fixed) if records else []
    return "; ".join([*words, _keys(records)]) if words else ""


def _keys(records: t.Sequence[Record]) -> str:
    tags = sorted({name for record in records for name in record["tags"]})
    known = ", ".join(tags[:_SHOWN]) + (" ..." if len(tags) > _SHOWN else "")
    return f"keys of a record are {', '.join(records[0])}; keys of tags are {known or 'none, for no VM has tags'}"


def _paths(node: t.Mapping[str, t.Any]) -> t.Iterator[tuple[str, ...]]:
    """Paths of keys that the expression takes from the record itself; what it asks of an element of a list is not among them."""
    kind, children = node["type"], node["children"]
    if kind == "field":
        yield (node["value"],)
    elif kind == "subexpression" and all(child["type"] == "field" for child in children):
        yield tuple(child["value"] for child in children)
    else:
        for child in children if kind in _PARTS else children[:1]:
            if isinstance(child, dict) and kind != "expref":
                yield from _paths(child)


def _missing(expression: str, records: t.Sequence[Record], at_fault: t.Callable[[tuple[str, ...]], bool]) -> list[str]:
    """For each path ``at_fault`` the first key that none of the records has, in words."""
    found = []
    for path in dict.fromkeys(_paths(jmespath.compile(expression).parsed)):
        there: list[t.Any] = list(records)
        for at, key in enumerate(path if at_fault(path) else ()):
            there = [one for one in there if isinstance(one, t.Mapping)]
            known = sorted({name for one in there for name in one})
            if there and key not in known:
                found.append(f"no VM has {'.'.join(path[:at + 1])}{_hint(key, known, at == 0)}")
                break
            there = [one[key] for one in there if key in one]
    return found


def _hint(key: str, known: t.Sequence[str], bare: bool) -> str:
    quoted = [f"`{key}` goes in backticks" if key in ("true", "false") else f"text goes in single quotes: '{key}'"] if bare else []
    hints = [hint for hint in (did_you_mean(key, known), *quoted) if hint]
    return f" ({'; '.join(hints)})" if hints else ""
