"""Fewer rows: a share of all, or of the classes that have too many.

Which rows are kept is said of each by its hash. A larger share keeps what a smaller one keeps, and more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.training_sets.arguments import Share, name_of, number_of, share_of, text_of, texts_of, whole_number
from penstock.training_sets.hashing import NUMBERS, border, hash_of
from penstock.training_sets.sql import column, not_null

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from fractions import Fraction

    from penstock.semantic.request import Dialect

WEIGHT = "_weight"


@dataclass(frozen=True)
class Sample:
    """A share of the spine's rows.

    Args:
        share: The share to keep, above 0 and at most 1.
        by: Columns of the spine; rows that are equal in all of them are kept or left out together.
        seed: Another seed keeps other rows.
    """

    share: Share
    by: tuple[str, ...]
    seed: int = 0


@dataclass(frozen=True)
class Balance:
    """Fewer rows of the classes that have more than the smallest.

    Rows without a label are left out: they are of no class.

    Args:
        label: The column of the spine with each row's class.
        by: Columns of the spine that tell the rows of a class apart.
        seed: Another seed keeps other rows.
        ratio: How many times as many rows as the smallest class a class may keep, at least 1.
        splits: The parts of the split that are balanced; the rows of others are kept, with a weight of 1. All rows are
            balanced when empty.
        name: The name of the column with the weight of each row, 1 over the share that its class keeps.
    """

    label: str
    by: tuple[str, ...]
    seed: int = 0
    ratio: Share = 1
    splits: tuple[str, ...] = ()
    name: str = "sample_weight"


def check_sample(sample: Sample) -> tuple[str, ...]:
    """The columns of the spine that a sample reads.

    Raises:
        InvalidRequestError: The sample has no answer.
    """
    share_of(sample.share, "share", "sample")
    whole_number(sample.seed, "seed", "sample")
    return texts_of(sample.by, "by", "sample")


def is_kept(sample: Sample, columns: Sequence[exp.Expr], dialect: Dialect) -> exp.Expr:
    """Whether a row is in the sample.

    Args:
        sample: A sample that `check_sample` has seen.
        columns: The columns that `check_sample` told of.
        dialect: The dialect compiled to.
    """
    number = hash_of(columns, "sample", sample.seed, dialect)
    return exp.LT(this=number, expression=border(share_of(sample.share, "share", "sample")))


def check_balance(balance: Balance, parts: Sequence[str]) -> tuple[str, ...]:
    """The columns by which a balance tells rows apart; it reads its label too.

    Raises:
        InvalidRequestError: The balance has no answer.
        UnknownNameError: A part is none of the split.
    """
    where = "balance"
    name_of(balance.name, where)
    text_of(balance.label, "label", where)
    whole_number(balance.seed, "seed", where)
    _ratio(balance)
    for part in texts_of(balance.splits, "splits", where) if balance.splits != () else ():
        if part not in parts:
            raise UnknownNameError.of("part", part, parts, where=where, fix="name parts of the request's split")
    return texts_of(balance.by, "by", where)


def balanced(
    balance: Balance,
    upstream: str,
    carried: Iterable[str],
    *,
    label: str,
    by: Sequence[str],
    part: str | None,
    dialect: Dialect,
) -> dict[str, exp.Query]:
    """The steps that keep the rows of `upstream` in balance, each with its weight as `WEIGHT`.

    The classes are counted once. A class of `n` rows keeps those whose hash is below its share of all numbers, so that
    no row waits for another; how many it keeps is right on average, and the weight exactly.

    Args:
        balance: A balance that `check_balance` has seen.
        upstream: The step before.
        carried: The columns of `upstream` to hand on.
        label: The column of `upstream` with the classes.
        by: The columns of `upstream` that tell rows apart.
        part: The column of `upstream` with the part of the split that a row is in, if there is a split.
        dialect: The dialect compiled to.
    """
    in_part: list[exp.Expr] = []
    if balance.splits:
        assert part is not None
        named = [exp.Literal.string(s) for s in balance.splits]
        in_part.append(exp.Coalesce(this=exp.In(this=column(part), expressions=named), expressions=[exp.false()]))
    classes = exp.Select().from_(upstream).where(*in_part, not_null(column(label)), copy=False)
    classes = classes.select(
        exp.alias_(column(label), "_class"), exp.alias_(exp.Count(this=exp.Star()), "_rows"), copy=False
    )
    shares = exp.Select().from_("_classes").select(column("_class"), column("_rows"), copy=False)
    shares = shares.select(exp.alias_(_most(balance), "_most"), copy=False)
    fits = exp.LTE(this=column("_rows"), expression=column("_most"))
    # NUMBERS over the rows first: the other way round would be more than BIGINT holds
    each = exp.Paren(this=exp.IntDiv(this=exp.Literal.number(NUMBERS), expression=column("_rows")))
    number = hash_of([column(c) for c in by], "balance", balance.seed, dialect)
    below = exp.LT(this=number, expression=exp.Mul(this=each, expression=column("_most")))
    # a row without a label finds no class, so that neither is so of it
    whole = [*(exp.not_(t.copy()) for t in in_part), fits]
    weight = exp.Case(
        ifs=[exp.If(this=exp.or_(*whole, copy=True), true=_double(exp.Literal.number(1)))],
        default=exp.Div(this=_double(column("_rows")), expression=_double(column("_most"))),
    )
    same = exp.EQ(this=column(label), expression=column("_class"))
    select = exp.Select().from_(upstream).select(*map(column, carried), copy=False)
    select = select.select(exp.alias_(weight, WEIGHT), copy=False)
    select = select.join("_shares", on=exp.and_(*(t.copy() for t in in_part), same), join_type="LEFT", copy=False)
    select = select.where(exp.or_(*whole, below, copy=False), copy=False)
    if dialect == "spark":  # classes are few; to bring the rows of each together would make one task of the largest
        select.set("hint", exp.Hint(expressions=[exp.Anonymous(this="BROADCAST", expressions=[column("_shares")])]))
    return {"_classes": classes.group_by(column(label), copy=False), "_shares": shares, "_balanced": select}


def _ratio(balance: Balance) -> Fraction:
    ratio = number_of(balance.ratio, "ratio", "balance")
    if not 1 <= ratio <= 1_000_000 or 1000 % ratio.denominator:
        raise InvalidRequestError(
            f"ratio is {balance.ratio}",
            where="balance",
            fix="give a number from 1 to 1,000,000 with at most three decimals",
        )
    return ratio


def _most(balance: Balance) -> exp.Expr:
    """How many rows a class may keep."""
    ratio = _ratio(balance)
    smallest: exp.Expr = exp.Select().select(exp.Min(this=column("_rows"))).from_("_classes").subquery()
    if ratio == 1:
        return smallest
    most = exp.Mul(this=smallest, expression=exp.Literal.number(ratio.numerator))
    return exp.IntDiv(this=exp.Paren(this=most), expression=exp.Literal.number(ratio.denominator))


def _double(value: exp.Expr) -> exp.Expr:
    return exp.Cast(this=value, to=exp.DataType.build("double"))
