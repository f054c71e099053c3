"""Checks of behaviour, as a gate or a data test declares them.

Their words are those of CheckList (Ribeiro, Wu, Guestrin and Singh, ACL 2020: invariance and directional expectation)
and RecList (Chia, Tagliabue, Bianchi, He and Ko, "Beyond NDCG", WWW 2022: pairs, the distance of mistakes, the tail).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from penstock.errors import InvalidDefinitionError, InvalidRequestError, UnknownNameError
from penstock.semantic.templates import parse_expression

STABLE, SYMMETRIC, ASYMMETRIC, MISTAKES, TAIL = KINDS = (
    "stable_under",
    "symmetric_pairs",
    "asymmetric_pairs",
    "error_distance_below",
    "long_tail_at_least",
)
HIGHER, LOWER = EXPECTED = ("higher", "lower")
METRICS = ("accuracy", "recall", "precision")
_COMMON = ("name", "where", "min_rows")
_KEYS = {
    STABLE: ("change", "within", "max_share"),
    SYMMETRIC: ("change", "pair", "within", "max_share"),
    ASYMMETRIC: ("change", "pair", "first", "expect", "by", "max_share"),
    MISTAKES: ("at_most", "distance"),
    TAIL: ("entity", "rare_below", "metric", "at_least", "max_gap"),
}
_NEEDED = {SYMMETRIC: ("within",), MISTAKES: ("at_most",), TAIL: ("entity", "rare_below", "at_least")}
_FIX = {
    STABLE: "stable_under: {change: {distance: distance * 1.01}, within: 0.05, max_share: 0.01}",
    SYMMETRIC: "symmetric_pairs: {change: {origin: dest, dest: origin}, within: 0.05}, or pair: the column of pairs",
    ASYMMETRIC: "asymmetric_pairs: {change: {late_before: late_before + 1}, expect: higher}, or pair: and first:",
    MISTAKES: "error_distance_below: {distance: abs(stars - predicted_stars), at_most: 1.5}",
    TAIL: "long_tail_at_least: {entity: dest, rare_below: 100, metric: accuracy, at_least: 0.6}",
}


@dataclass(frozen=True)
class Check:
    """A check of behaviour.

    Attributes:
        kind: Which, one of `KINDS`.
        name: By which it is known in a gate.
        where: SQL of the rows that are looked at; all, if empty.
        min_rows: How many of them there have to be.
    """

    kind: str
    name: str
    where: str = ""
    min_rows: int = 1

    def expressions(self) -> list[exp.Expr]:
        """Its SQL, over the columns of the rows."""
        return [parsed(self.where, f"{self.name}, where")] if self.where else []


@dataclass(frozen=True)
class Movement(Check):
    """How scores differ between two forms of one thing.

    Attributes:
        change: SQL of the inputs that are changed, by their names: the second form of each row.
        pair: Or the columns that two rows have in common, which are a pair.
        first: SQL that is true of the first row of a pair.
        within: How far apart the scores may be; None: the answer may not be another one.
        expect: Of asymmetric pairs, how the second score is: `higher` or `lower`.
        by: By how much at least.
        max_share: The share of the rows, or pairs, that may do otherwise.
    """

    change: tuple[tuple[str, str], ...] = ()
    pair: tuple[str, ...] = ()
    first: str = ""
    within: float | None = None
    expect: str = HIGHER
    by: float = 0.0
    max_share: float = 0.0

    def changes(self) -> dict[str, exp.Expr]:
        """What is changed, as trees by the names of the inputs."""
        return {name: parsed(text, f"{self.name}, change of {name}") for name, text in self.change}

    def expressions(self) -> list[exp.Expr]:
        """Its SQL, over the columns of the rows."""
        first = [parsed(self.first, f"{self.name}, first")] if self.first else []
        named = [exp.column(name, quoted=True) for name in (*self.pair, *self.changes())]
        return [*super().expressions(), *self.changes().values(), *named, *first]


@dataclass(frozen=True)
class Mistakes(Check):
    """How far wrong answers are from right ones.

    Attributes:
        distance: SQL of the distance of a row's answer from what is right; without it that of two numbers.
        at_most: The mean over the mistakes that passes.
    """

    distance: str = ""
    at_most: float = 0.0

    def expressions(self) -> list[exp.Expr]:
        """Its SQL, over the columns of the rows."""
        return [*super().expressions(), *([parsed(self.distance, f"{self.name}, distance")] if self.distance else [])]


@dataclass(frozen=True)
class Tail(Check):
    """How good scores are of entities that are rare.

    Attributes:
        entity: The columns of the entity.
        rare_below: An entity with fewer rows is in the tail.
        metric: One of `METRICS`.
        at_least: Its value over the rows of the tail that passes.
        max_gap: By how much it may be below that of all other rows; None: by any.
    """

    entity: tuple[str, ...] = ()
    rare_below: int = 1
    metric: str = METRICS[0]
    at_least: float = 0.0
    max_gap: float | None = None

    def expressions(self) -> list[exp.Expr]:
        """Its SQL, over the columns of the rows."""
        return [*super().expressions(), *(exp.column(name, quoted=True) for name in self.entity)]


def parsed(text: str, where: str) -> exp.Expr:
    """An expression of a user's as a tree.

    Raises:
        InvalidDefinitionError: It is none over one row.
    """
    try:
        tree = parse_expression(text, where=where)
    except InvalidRequestError as bad:
        raise InvalidDefinitionError(bad.what, where=bad.where, near=bad.near, fix=bad.fix) from bad
    if tree.find(exp.AggFunc, exp.Window, exp.Star, exp.Placeholder, exp.Parameter) is not None:
        raise InvalidDefinitionError(f"'{text}' is over many rows, and one row is asked about", where=where)
    return tree


def checks_in(declared: Any, *, where: str) -> tuple[Check, ...]:
    """The checks of a list, each a mapping of its kind to its arguments.

    Raises:
        InvalidDefinitionError: It is no such list, two have one name, or as for `check_of`.
        UnknownNameError: As for `check_of`.

    Example:
        >>> [check] = checks_in([{"stable_under": {"change": {"miles": "miles + 1"}}}], where="models/delay.yml")
        >>> check.name, check.max_share
        ('stable_under_miles', 0.0)
    """
    fix = f"a list, such as - {_FIX[STABLE]}"
    if not isinstance(declared, list | tuple):
        raise InvalidDefinitionError(f"behaviour is {declared!r}", where=where, fix=fix)
    found: dict[str, Check] = {}
    for each in declared:
        if not isinstance(each, Mapping) or len(each) != 1:
            raise InvalidDefinitionError(f"a check of behaviour is {each!r}", where=where, fix=fix)
        [(kind, given)] = each.items()
        check = check_of(kind, given, where=where)
        if check.name in found:
            raise InvalidDefinitionError(f"two checks are named '{check.name}'", where=where, fix="name: another one")
        found[check.name] = check
    return tuple(found.values())


def check_of(kind: str, given: Any, *, where: str, apart: bool = False) -> Check:
    """A check by its kind and its arguments.

    Args:
        kind: One of `KINDS`.
        given: The arguments.
        where: The place, for errors.
        apart: Whether the second score is a column of its own, so that nothing has to be changed and no row has a pair.

    Raises:
        UnknownNameError: When there is no such kind, argument or metric.
        InvalidDefinitionError: When an argument is missing or wrong.
    """
    if kind not in KINDS:
        raise UnknownNameError.of("check", str(kind), KINDS, where=where)
    where = f"{where}, {kind}"
    if not isinstance(given, Mapping):
        raise InvalidDefinitionError(f"its arguments are {given!r}", where=where, fix=_FIX[kind])
    known = (*_COMMON, *_KEYS[kind])
    for key in given:
        if key not in known:
            raise UnknownNameError.of("key", str(key), known, where=where)
    for key in _NEEDED.get(kind, ()):
        if given.get(key) is None:
            raise InvalidDefinitionError(f"{key} is missing", where=where, fix=_FIX[kind])
    values = {
        key: _value(key, value, where, _FIX[kind])
        for key, value in given.items()
        if value is not None and key != "name"
    }
    of = {MISTAKES: Mistakes, TAIL: Tail}.get(kind, Movement)
    check: Check = of(kind, _name(kind, given, where), **values)
    if isinstance(check, Movement):
        _check_forms(check, where, apart)
    try:
        check.expressions()
    except InvalidDefinitionError as bad:  # what is no SQL is told where it is declared
        raise InvalidDefinitionError(bad.what, where=f"{where}: {bad.where}", near=bad.near, fix=bad.fix) from bad
    return check


def _name(kind: str, given: Mapping[str, Any], where: str) -> str:
    name = given.get("name")
    if name is None:
        about = given.get("change") or given.get("pair") or given.get("entity") or ()
        return "_".join([kind, *((about,) if isinstance(about, str) else map(str, about))])
    if not isinstance(name, str) or not name.strip():
        raise InvalidDefinitionError(f"name is {name!r}", where=where, fix="a text")
    return name


def _check_forms(check: Movement, where: str, apart: bool) -> None:
    """There is one way to a second score."""
    fix = _FIX[check.kind]
    ways = [bool(check.change), bool(check.pair), apart]
    if sum(ways) != 1:
        what = "change and pair are given" if sum(ways) else "it is not said what the second form of a row is"
        raise InvalidDefinitionError(what, where=where, fix=fix)
    if check.kind == ASYMMETRIC and bool(check.pair) != bool(check.first):
        what = "first is missing" if check.pair else "first without pair"
        raise InvalidDefinitionError(what, where=where, fix="first: SQL that is true of the first row of each pair")
    names = [name.lower() for name, _ in check.change]
    if len(set(names)) < len(names):
        raise InvalidDefinitionError("an input is changed twice", where=where, fix=fix)


def _value(key: str, value: Any, where: str, fix: str) -> Any:
    """An argument as its attribute has it."""
    of, wrong = _VALUES[key]
    try:
        return of(value)
    except (TypeError, ValueError) as bad:
        if key in ("metric", "expect"):
            known = METRICS if key == "metric" else EXPECTED
            raise UnknownNameError.of(key, str(value), known, where=where) from bad
        raise InvalidDefinitionError(f"{key} is {value!r}", where=where, fix=wrong or fix) from bad


def _number(value: Any, least: float = -math.inf, most: float = math.inf) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError
    if not least <= value <= most:
        raise ValueError
    return float(value)


def _size(value: Any) -> float:
    return _number(value, 0)


def _share(value: Any) -> float:
    return _number(value, 0, 1)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value


def _names(value: Any) -> tuple[str, ...]:
    names = (value,) if isinstance(value, str) else tuple(value)
    if not names or not all(isinstance(each, str) and each for each in names):
        raise ValueError
    return names


def _one_of(known: Sequence[str]) -> Callable[[Any], str]:
    def taken(value: Any) -> str:
        if value not in known:
            raise ValueError
        return str(value)

    return taken


def _changes(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping) or not value:
        raise ValueError
    return tuple((_text(name), _text(str(text))) for name, text in value.items())


_SHARE = "a share from 0 to 1"
_VALUES: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "at_least": (_share, _SHARE),
    "at_most": (_size, "a number from 0 on"),
    "by": (_number, "a number"),
    "change": (_changes, "inputs by their names, each with the SQL of what it is changed to"),
    "distance": (_text, "SQL over a row's columns"),
    "entity": (_names, "a column, or a list of columns"),
    "expect": (_one_of(EXPECTED), ""),
    "first": (_text, "SQL that is true of the first row of each pair"),
    "max_gap": (_size, "a number from 0 on"),
    "max_share": (_share, _SHARE),
    "metric": (_one_of(METRICS), ""),
    "min_rows": (_count, "a whole number from 1 on"),
    "pair": (_names, "a column, or a list of columns"),
    "rare_below": (_count, "a whole number from 1 on"),
    "where": (_text, "SQL that is true of the rows to look at"),
    "within": (_size, "a number from 0 on"),
}
