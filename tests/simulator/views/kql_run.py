# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a query of Resource Graph over tables of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .kql import BadQuery, Parser, Row

Table = Callable[[], Iterable[Row]]


class UnknownTable(Exception):
    """A table that Resource Graph does not have; the argument is its name."""


def run(query: str, tables: dict[str, Table]) -> list[Row]:
    """Return the rows; raises BadQuery for what is wrong or not known here, UnknownTable for an unknown table."""
    parser = Parser(query)
    rows = _pipeline(parser, tables)
    if parser.peek()[0] != "end":
        raise BadQuery(f"unexpected {parser.peek()[1]!r}")
    return rows


def _pipeline(parser: Parser, tables: dict[str, Table]) -> list[Row]:
    """Run a table and what follows it, up to the end or a closing parenthesis. Without a table it is resources."""
    named = parser.peek()[1] not in _OPERATORS
    name = parser.name().lower() if named else "resources"
    if name not in tables:
        raise UnknownTable(name)
    rows = list(tables[name]())
    while parser.accept("|") or not named:
        named = True
        operator = parser.name()
        if operator == "union":
            parser.take("(")
            rows = rows + _pipeline(parser, tables)
            parser.take(")")
        elif operator in _OPERATORS:
            rows = _OPERATORS[operator](parser, rows)
        else:
            raise BadQuery(f"unknown operator {operator}")
    return rows


def _where(parser: Parser, rows: list[Row]) -> list[Row]:
    condition = parser.condition()
    return [row for row in rows if condition(row)]


def _extend(parser: Parser, rows: list[Row]) -> list[Row]:
    columns = parser.columns()
    for position, row in enumerate(rows):
        rows[position] = row = dict(row)
        for name, value in columns:
            row[name] = value(row)
    return rows


def _project(parser: Parser, rows: list[Row]) -> list[Row]:
    columns = parser.columns()
    return [{name: value(row) for name, value in columns} for row in rows]


def _expand(parser: Parser, rows: list[Row]) -> list[Row]:
    [(name, value)] = parser.columns()[:1]
    found = []
    for row in rows:
        many: Any = value(row)
        found += [{**row, name: item} for item in (many if isinstance(many, list) else [many])]
    return found


def _take(parser: Parser, rows: list[Row]) -> list[Row]:
    kind, text = parser.peek()
    if kind != "number":
        raise BadQuery(f"{text!r} is no number")
    parser.take()
    return rows[: int(text)]


def _order(parser: Parser, rows: list[Row]) -> list[Row]:
    parser.take("by")
    keys = []
    while True:
        value = parser.value()
        down = not parser.accept("asc")
        parser.accept("desc")
        keys.append((value, down))
        if not parser.accept(","):
            break
    for value, down in reversed(keys):
        rows = sorted(rows, key=lambda row, value=value: str(value(row)), reverse=down)
    return rows


def _count(parser: Parser, rows: list[Row]) -> list[Row]:
    return [{"Count": len(rows)}]


_OPERATORS: dict[str, Callable[[Parser, list[Row]], list[Row]]] = {
    "where": _where,
    "extend": _extend,
    "project": _project,
    "mv-expand": _expand,
    "mvexpand": _expand,
    "take": _take,
    "limit": _take,
    "order": _order,
    "sort": _order,
    "count": _count,
}
