"""SQL of a small closed form, read and worked out in plain Python: three-valued logic, arithmetic, COALESCE, CASE.

It is written for the definitions and filters of random worlds, and shares nothing with the compiler that they test.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

Value = Any
Names = Callable[[str], Value]
Node = Callable[[Names], Value]

_TOKEN = re.compile(
    r"\s*(?:(?P<ref>\{\{.*?\}\})|(?P<number>\d+(?:\.\d+)?)|'(?P<text>[^']*)'|(?P<name>\w+)|(?P<sign><>|<=|>=|[-+*/(),=<>]))"
)


def evaluate(sql: str, names: Names) -> Value:
    """The value of an expression; `names` gives that of a column's name or of a whole `{{ … }}` reference."""
    return _parsed(sql)(names)


def references(sql: str) -> list[str]:
    """The `{{ … }}` references of a filter, without their braces."""
    return [text.strip() for text in re.findall(r"\{\{(.*?)\}\}", sql)]


@lru_cache(maxsize=4096)
def _parsed(sql: str) -> Node:
    parser = _Parser(sql)
    node = parser.either()
    assert parser.at == len(parser.tokens), sql
    return node


class _Parser:
    def __init__(self, sql: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(sql.rstrip()):
            match = _TOKEN.match(sql, at)
            assert match is not None and match.lastgroup is not None, sql[at:]
            kind, text = match.lastgroup, match[match.lastgroup]
            self.tokens.append((kind, text.upper() if kind == "name" and text.upper() in _WORDS else text))
            at = match.end()
        self.at = 0

    def next(self) -> tuple[str, str]:
        self.at += 1
        return self.tokens[self.at - 1]

    def taken(self, *words: str) -> str | None:
        if self.at < len(self.tokens):
            kind, text = self.tokens[self.at]
            if kind in ("name", "sign") and text in words:
                self.at += 1
                return text
        return None

    def expect(self, word: str) -> None:
        assert self.taken(word), (word, self.tokens, self.at)

    def either(self) -> Node:
        node = self.both()
        while self.taken("OR"):
            node = _strictless(node, self.both(), True)
        return node

    def both(self) -> Node:
        node = self.inverse()
        while self.taken("AND"):
            node = _strictless(node, self.inverse(), False)
        return node

    def inverse(self) -> Node:
        if self.taken("NOT"):
            inner = self.inverse()
            return lambda names: _strict(lambda v: not v, inner(names))
        return self.comparison()

    def comparison(self) -> Node:
        left = self.sum()
        sign = self.taken("=", "<>", "<", "<=", ">", ">=")
        if sign is not None:
            right = self.sum()
            return lambda names: _strict(_COMPARE[sign], *_alike(left(names), right(names)))
        if self.taken("IS"):
            wanted = not self.taken("NOT")
            self.expect("NULL")
            return lambda names: (left(names) is None) is wanted
        if self.taken("IN"):
            self.expect("(")
            options = [self.sum()]
            while self.taken(","):
                options.append(self.sum())
            self.expect(")")
            return lambda names: _strict(lambda v: v in [o(names) for o in options], left(names))
        return left

    def sum(self) -> Node:
        node = self.product()
        while sign := self.taken("+", "-"):
            node = _arithmetic(sign, node, self.product())
        return node

    def product(self) -> Node:
        node = self.operand()
        while sign := self.taken("*", "/"):
            node = _arithmetic(sign, node, self.operand())
        return node

    def operand(self) -> Node:
        kind, text = self.next()
        if kind == "number":
            number = float(text) if "." in text else int(text)
            return lambda _: number
        if kind == "text":
            return lambda _: text
        if kind == "ref":
            reference = text[2:-2].strip()
            return lambda names: names(reference)
        if text == "-":
            inner = self.operand()
            return lambda names: _strict(lambda v: -v, inner(names))
        if text == "(":
            node = self.either()
            self.expect(")")
            return node
        if text == "COALESCE":
            return self.first_of()
        if text == "NULLIF":
            self.expect("(")
            value = self.either()
            self.expect(",")
            other = self.either()
            self.expect(")")
            return lambda names: None if value(names) == other(names) else value(names)
        if text in ("TRUE", "FALSE"):
            return lambda _: text == "TRUE"
        if text == "CASE":
            return self.case()
        assert kind == "name", (text, self.tokens)
        return lambda names: names(text)

    def first_of(self) -> Node:
        self.expect("(")
        options = [self.either()]
        while self.taken(","):
            options.append(self.either())
        self.expect(")")
        return lambda names: next((v for o in options if (v := o(names)) is not None), None)

    def case(self) -> Node:
        self.expect("WHEN")
        test = self.either()
        self.expect("THEN")
        value = self.either()
        other: Node = self.either() if self.taken("ELSE") else lambda _: None
        self.expect("END")
        return lambda names: value(names) if test(names) is True else other(names)


_WORDS = {
    "OR", "AND", "NOT", "IS", "NULL", "IN", "TRUE", "FALSE", "COALESCE", "NULLIF",
    "CASE", "WHEN", "THEN", "ELSE", "END",
}  # fmt: skip
_COMPARE: dict[str, Callable[[Value, Value], Value]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _strict(of: Callable[..., Value], *values: Value) -> Value:
    return None if any(v is None for v in values) else of(*values)


def _strictless(left: Node, right: Node, decides: bool) -> Node:
    def value(names: Names) -> Value:
        both = (left(names), right(names))
        if any(v is decides for v in both):
            return decides
        return None if None in both else not decides

    return value


def _alike(left: Value, right: Value) -> tuple[Value, Value]:
    """Text beside a moment is a moment."""
    if isinstance(left, dt.datetime) and isinstance(right, str):
        return left, dt.datetime.fromisoformat(right)
    return left, right


def _arithmetic(sign: str, left: Node, right: Node) -> Node:
    def value(names: Names) -> Value:
        a, b = left(names), right(names)
        if a is None or b is None or (sign == "/" and b == 0):
            return None
        return {"+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "/": lambda: a / b}[sign]()

    return value
