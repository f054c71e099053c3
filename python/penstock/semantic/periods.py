"""Pass: comparisons of a period with a moment as comparisons of the column that the period is made of.

Engines skip files and blocks by a bare column, which they can't by what is worked out of it:
`DATE_TRUNC('MONTH', at) <= '2024-02-01'` is `at < '2024-03-01'`.
"""

from __future__ import annotations

import datetime as dt
import re

from sqlglot import exp

from penstock.semantic.calendar import next_period, start_of_period, text_of
from penstock.semantic.expressions import timestamp

# where clocks are turned back an hour comes twice, and a moment written down is the first of the two
_GRAINS = ("day", "week", "month", "quarter", "year")
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?")
_MIRRORED: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.GT: exp.LT,
    exp.GTE: exp.LTE,
    exp.LT: exp.GT,
    exp.LTE: exp.GTE,
    exp.EQ: exp.EQ,
}


def compared_by_column(test: exp.Expr) -> exp.Expr:
    """The condition, with the same result for every row; it is changed in place.

    Example:
        >>> import sqlglot
        >>> compared_by_column(sqlglot.parse_one("DATE_TRUNC('month', t.at) > '2024-02-01'", read="spark")).sql("spark")
        "t.at >= CAST('2024-03-01' AS TIMESTAMP)"
    """
    return test.transform(_compared, copy=False)


def written_moment(value: exp.Expr) -> dt.datetime | None:
    """The moment that a literal, or a cast of one, is; None for all else."""
    to = value.args["to"].this if isinstance(value, exp.Cast) else None
    text = value.this if isinstance(value, exp.Cast) else value
    if not isinstance(text, exp.Literal) or not text.is_string or not _ISO.fullmatch(text.name):
        return None
    kinds = exp.DataType.Type
    if to not in (None, kinds.DATE, kinds.TIMESTAMP, kinds.TIMESTAMPTZ, kinds.TIMESTAMPNTZ):
        return None
    try:
        moment = dt.datetime.fromisoformat(text.name)
    except ValueError:
        return None  # no day of a calendar
    return None if to == kinds.DATE and moment.time() != dt.time() else moment


def _compared(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Between):
        return _within(node.this, exp.GTE, node.args["low"], exp.LTE, node.args["high"]) or node
    kind = type(node)
    if kind not in _MIRRORED:
        return node
    left, right = node.args["this"], node.args["expression"]
    if isinstance(right, exp.TimestampTrunc):
        left, right, kind = right, left, _MIRRORED[kind]
    if kind is exp.EQ:
        begins = _starts(left, right)
        return (_within(left, exp.GTE, right, exp.LTE, right) if begins else None) or node
    return _side(left, kind, right) or node


def _within(
    period: exp.Expr, above: type[exp.Expr], low: exp.Expr, below: type[exp.Expr], high: exp.Expr
) -> exp.Expr | None:
    tests = _side(period, above, low), _side(period, below, high)
    return None if None in tests else exp.Paren(this=exp.and_(*tests, copy=False))


def _side(period: exp.Expr, kind: type[exp.Expr], moment: exp.Expr) -> exp.Expr | None:
    """One comparison over the column; None where it is not one of a period with a moment that is written down."""
    grain, then = _grain(period), written_moment(moment)
    if grain is None or then is None:
        return None
    start = start_of_period(then, grain)
    try:
        # a period begins before a moment within it: such a one is compared as the next period's start is
        end = start if start == then and kind in (exp.GTE, exp.LT) else next_period(start, grain)
    except (OverflowError, ValueError):
        return None  # after the last year
    after = kind in (exp.GTE, exp.GT)
    return (exp.GTE if after else exp.LT)(this=period.this.copy(), expression=timestamp(text_of(end)))


def _starts(period: exp.Expr, moment: exp.Expr) -> bool:
    grain, then = _grain(period), written_moment(moment)
    return grain is not None and then is not None and start_of_period(then, grain) == then


def _grain(period: exp.Expr) -> str | None:
    if not isinstance(period, exp.TimestampTrunc) or period.args.get("zone") is not None:
        return None
    grain = period.args["unit"].name.lower()
    return grain if grain in _GRAINS else None
