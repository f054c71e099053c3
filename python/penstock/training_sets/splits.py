"""Which rows are to be fitted and which to be judged by: a column with the part that each row is in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.semantic.durations import parse_duration
from penstock.training_sets.arguments import Share, instant_of, name_of, shares_of, text_of, texts_of, whole_number
from penstock.training_sets.hashing import border, hash_of
from penstock.training_sets.keys import Key, columns_of
from penstock.training_sets.sql import not_null

if TYPE_CHECKING:
    from penstock.semantic.request import Dialect

_WHERE = "split"


@dataclass(frozen=True)
class TimeSplit:
    """Train, validation and test by the time of each row, which is UTC.

    Args:
        test_from: From when on rows are for the test: a date or time, or its text.
        validation_from: From when on rows before the test are for validation.
        gap: How long before a border rows are in no part (NULL), such as `7 days`: as long as labels look ahead, so
            that none of one part is about what happened in the next.
        name: The name of the column.
    """

    test_from: str | date
    validation_from: str | date | None = None
    gap: str | None = None
    name: str = "split"


@dataclass(frozen=True)
class EntitySplit:
    """Parts by the key of an entity: all rows of one key are in one. A row without a key is in none (NULL).

    Args:
        entity: One of the spine's entities.
        shares: The parts and their shares of the keys, which add up to 1.
        seed: Another seed gives other parts.
        name: The name of the column.
    """

    entity: str
    shares: Mapping[str, Share]
    seed: int = 0
    name: str = "split"


@dataclass(frozen=True)
class HashSplit:
    """Parts by columns: rows that are equal in all of them are in one. NULL is a value like others.

    Args:
        columns: Columns of the spine.
        shares: The parts and their shares, which add up to 1.
        seed: Another seed gives other parts.
        name: The name of the column.
    """

    columns: tuple[str, ...]
    shares: Mapping[str, Share]
    seed: int = 0
    name: str = "split"


Split = TimeSplit | EntitySplit | HashSplit


def check_split(split: Split, entities: Mapping[str, Key]) -> tuple[str, ...]:
    """The columns of the spine that a split reads, beside its time.

    Raises:
        InvalidRequestError: The split has no answer.
        UnknownNameError: Its entity is none of the spine's.
    """
    name_of(split.name, _WHERE)
    if isinstance(split, TimeSplit):
        _borders(split)
        return ()
    shares_of(split.shares, _WHERE)
    whole_number(split.seed, "seed", _WHERE)
    if isinstance(split, HashSplit):
        return texts_of(split.columns, "columns", _WHERE)
    if text_of(split.entity, "entity", _WHERE) not in entities:
        raise UnknownNameError.of(
            "entity", split.entity, entities, where=_WHERE, fix="give its column in the spine's entities"
        )
    return columns_of([entities[split.entity]])


def parts_of(split: Split) -> tuple[str, ...]:
    """The names of the parts."""
    if isinstance(split, TimeSplit):
        return ("train", "test") if split.validation_from is None else ("train", "validation", "test")
    return tuple(split.shares)


def part_of_row(split: Split, time: exp.Expr, columns: list[exp.Expr], dialect: Dialect) -> exp.Expr:
    """The part that a row is in.

    Args:
        split: A split that `check_split` has seen.
        time: The row's time in microseconds.
        columns: The columns that `check_split` told of.
        dialect: The dialect compiled to.
    """
    if isinstance(split, TimeSplit):
        return _by_time(split, time)
    shares = shares_of(split.shares, _WHERE)
    number = hash_of(columns, "split", split.seed, dialect)
    *_, last = shares
    cases, below = [], Fraction(0)
    for name, share in shares.items():
        below += share
        if name != last:
            test = exp.LT(this=number.copy(), expression=border(below))
            cases.append(exp.If(this=test, true=exp.Literal.string(name)))
    part = exp.Case(ifs=cases, default=exp.Literal.string(last))
    if isinstance(split, HashSplit):
        return part
    return exp.Case(ifs=[exp.If(this=not_null(columns[0]), true=part)])


def _by_time(split: TimeSplit, time: exp.Expr) -> exp.Expr:
    gap, borders = _borders(split)
    cases = []
    for name, (begins, ends) in zip(parts_of(split), zip([None, *borders], [*borders, None], strict=True), strict=True):
        tests: list[exp.Expr] = (
            [] if begins is None else [exp.GTE(this=time.copy(), expression=exp.Literal.number(begins))]
        )
        if ends is not None:
            tests.append(exp.LT(this=time.copy(), expression=exp.Literal.number(ends - gap)))
        cases.append(exp.If(this=exp.and_(*tests, copy=False), true=exp.Literal.string(name)))
    return exp.Case(ifs=cases)


def _borders(split: TimeSplit) -> tuple[int, list[int]]:
    gap = parse_duration(text_of(split.gap, "gap", _WHERE), where=_WHERE).microseconds if split.gap is not None else 0
    test = instant_of(split.test_from, "test_from", _WHERE)
    if split.validation_from is None:
        return gap, [test]
    validation = instant_of(split.validation_from, "validation_from", _WHERE)
    if validation >= test - gap:
        raise InvalidRequestError(
            f"no row can be for validation: it begins at {split.validation_from}, and the test at {split.test_from}"
            + (f" with a gap of {split.gap} before it" if split.gap else ""),
            where=_WHERE,
            fix="let validation_from come before test_from by more than the gap",
        )
    return gap, [validation, test]
