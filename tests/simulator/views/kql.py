# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of the Kusto query language as people use on Resource Graph to look rows up: expressions over a row."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Row = dict[str, Any]
Value = Callable[[Row], Any]
_TOKEN = re.compile(
    r"""\s*(?:(?P<text>@?'(?:[^'\\]|\\.)*'|@?"(?:[^"\\]|\\.)*")"""
    r"""|(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][\w$]*(?:-expand)?)"""
    r"""|(?P<sign>=~|!~|==|!=|<=|>=|!(?:in~|in\b|contains\b|has\b|startswith\b)|[|()\[\].,=<>]))""",
    re.VERBOSE,
)


class BadQuery(Exception):
    """A query that is wrong, or that this evaluator does not know."""


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else str(value)


def _has(left: Any, right: Any) -> bool:
    whole = rf"(?<![0-9A-Za-z]){re.escape(_text(right))}(?![0-9A-Za-z])"
    return re.search(whole, _text(left), re.IGNORECASE) is not None


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda left, right: left == right,
    "=~": lambda left, right: _text(left).lower() == _text(right).lower(),
    "contains": lambda left, right: _text(right).lower() in _text(left).lower(),
    "startswith": lambda left, right: _text(left).lower().startswith(_text(right).lower()),
    "has": _has,
    "in": lambda left, right: left in right,
    "in~": lambda left, right: _text(left).lower() in [_text(item).lower() for item in right],
    "<": lambda left, right: _text(left) < _text(right),
    ">": lambda left, right: _text(left) > _text(right),
    "<=": lambda left, right: _text(left) <= _text(right),
    ">=": lambda left, right: _text(left) >= _text(right),
}
_NEGATED = {"!=": "==", "!~": "=~", **{f"!{name}": name for name in ("contains", "startswith", "has", "in", "in~")}}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "tostring": _text,
    "tolower": lambda value: _text(value).lower(),
    "toupper": lambda value: _text(value).upper(),
    "parse_json": lambda value: value,
    "todynamic": lambda value: value,
    "todatetime": lambda value: value,
    "isempty": lambda value: _text(value) == "",
    "isnotempty": lambda value: _text(value) != "",
    "isnull": lambda value: value is None,
    "isnotnull": lambda value: value is not None,
    "strcat": lambda *values: "".join(map(_text, values)),
    "split": lambda value, by: _text(value).split(by),
    "not": lambda value: not value,
}


class Parser:
    """Reads expressions off a list of tokens; what it returns are functions of a row."""

    def __init__(self, query: str) -> None:
        self.tokens = _tokens(query)
        self.at = 0

    def peek(self) -> tuple[str, str]:
        """Return the next token as (kind, text); kind is end at the end."""
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self, *wanted: str) -> str:
        """Return the next token's text and go on; it has to be one of those wanted, if any are."""
        kind, text = self.peek()
        if kind == "end" or (wanted and text not in wanted):
            raise BadQuery(f"unexpected {text or 'end'!r}")
        self.at += 1
        return text

    def name(self) -> str:
        """Take a name."""
        if self.peek()[0] != "name":
            raise BadQuery(f"{self.peek()[1]!r} is no name")
        return self.take()

    def accept(self, *wanted: str) -> bool:
        """Take the next token if it is one of those wanted."""
        if self.peek()[0] in ("sign", "name") and self.peek()[1] in wanted:
            self.at += 1
            return True
        return False

    def condition(self) -> Value:
        """Read terms joined by or."""
        parts = [self._all()]
        while self.accept("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else lambda row: any(part(row) for part in parts)

    def _all(self) -> Value:
        parts = [self._comparison()]
        while self.accept("and"):
            parts.append(self._comparison())
        return parts[0] if len(parts) == 1 else lambda row: all(part(row) for part in parts)

    def _comparison(self) -> Value:
        left = self.value()
        sign = self.peek()[1]
        compare = _COMPARE.get(_NEGATED.get(sign, sign))
        if compare is None or self.peek()[0] == "text":
            return left
        self.take()
        if _NEGATED.get(sign, sign) in ("in", "in~"):
            values = self._arguments()
            right: Value = lambda row: [value(row) for value in values]  # noqa: E731
        else:
            right = self.value()
        negated = sign in _NEGATED
        return lambda row: compare(left(row), right(row)) != negated

    def _arguments(self) -> list[Value]:
        self.take("(")
        values: list[Value] = []
        while not self.accept(")"):
            values.append(self.condition())
            if self.peek()[1] != ")":
                self.take(",")
        return values

    def value(self) -> Value:
        """Read a literal, a column, a call or a parenthesis, with what is picked out of it."""
        kind, text = self.peek()
        if kind == "text":
            self.take()
            found = _always(_unquoted(text))
        elif kind == "number":
            self.take()
            found = _always(float(text) if "." in text else int(text))
        elif self.accept("("):
            found = self.condition()
            self.take(")")
        elif self.accept("["):
            column = _unquoted(self.take())
            self.take("]")
            found = _column(column)
        else:
            found = self._named(self.name())
        return self._picked(found)

    def _named(self, name: str) -> Value:
        if self.peek()[1] != "(":
            return {"true": lambda row: True, "false": lambda row: False}.get(name, lambda row: row.get(name))
        if name not in _FUNCTIONS:
            raise BadQuery(f"unknown function {name}")
        function, arguments = _FUNCTIONS[name], self._arguments()
        return lambda row: function(*(argument(row) for argument in arguments))

    def _picked(self, found: Value) -> Value:
        while True:
            if self.accept("."):
                found = _pick(found, self.name())
            elif self.accept("["):
                kind, text = self.peek()
                self.take()
                self.take("]")
                found = _pick(found, int(text) if kind == "number" else _unquoted(text))
            else:
                return found

    def columns(self) -> list[tuple[str, Value]]:
        """Read name = value, or just a value, separated by commas."""
        found = []
        while True:
            kind, text = self.peek()
            if kind == "name" and self.tokens[self.at + 1 : self.at + 2] == [("sign", "=")]:
                self.at += 2
                found.append((text, self.condition()))
            else:
                before = self.at
                value = self.condition()
                parts = [part for _kind, part in self.tokens[before : self.at] if part.isidentifier()]
                found.append(("_".join(parts), value))
            if not self.accept(","):
                return found


def _tokens(query: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    query = re.sub(r"//[^\n]*", "", query).rstrip()
    while at < len(query):
        match = _TOKEN.match(query, at)
        if not match:
            raise BadQuery(f"unexpected {query[at:at + 10]!r}")
        kind = match.lastgroup or ""
        text, at = match[kind], match.end()
        if kind == "name" and text == "in" and query[at : at + 1] == "~":
            text, at = "in~", at + 1
        tokens.append((kind, text))
    return tokens


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text.removeprefix("@")[1:-1])


def _always(value: Any) -> Value:
    return lambda row: value


def _column(name: str) -> Value:
    return lambda row: row.get(name)


def _pick(value: Value, key: str | int) -> Value:
    def picked(row: Row) -> Any:
        found = value(row)
        if isinstance(key, int):
            return found[key] if isinstance(found, list) and key < len(found) else None
        return found.get(key) if isinstance(found, dict) else None

    return picked
