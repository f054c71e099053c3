"""The filters of leaves that are computed together: what is a WHERE for all, and what remains for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlglot import exp

from penstock.semantic.expressions import all_of, any_of, when


def split_filters(
    filters: Mapping[str, Iterable[exp.Expr]],
) -> tuple[list[exp.Expr], dict[str, exp.Expr | None]]:
    """A filter that all leaves share is a WHERE; what else a leaf has is a test of its rows, None where it has none.

    Where each leaf has a test, rows that none of them lets through are left out too, so that they make no group.
    """
    by_leaf = {column: {test: test for test in tests} for column, tests in filters.items()}
    shared = set.intersection(*(set(tests) for tests in by_leaf.values()))
    where = [test for test in next(iter(by_leaf.values())).values() if test in shared]
    own = {column: all_of(t for t in tests.values() if t not in shared) for column, tests in by_leaf.items()}
    if len(own) > 1 and all(test is not None for test in own.values()):
        either = any_of({test: None for test in own.values() if test is not None})
        assert either is not None
        where.append(either)
    return where, own


def some(test: exp.Expr) -> exp.Expr:
    """1 for a row that passes the test."""
    return when(test, exp.Literal.number(1))
