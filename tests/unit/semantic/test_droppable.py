"""Joins that Spark can leave out: each statement as it is and as it becomes."""

from __future__ import annotations

import pytest
import sqlglot

from penstock.semantic.droppable import droppable_joins

GROUPED = "(SELECT k, ANY_VALUE(a) AS a FROM t GROUP BY k) AS t"


@pytest.mark.parametrize(
    ("select", "joined"),
    [
        ("SELECT f.x, t.a FROM f LEFT JOIN t AS t ON f.k = t.k", GROUPED),
        ("SELECT f.x, t.a FROM f LEFT JOIN t AS t ON t.K = f.k + 1", GROUPED.replace("k", "K")),
        ("SELECT f.x FROM f LEFT JOIN t AS t ON f.k = t.k", "(SELECT k FROM t GROUP BY k) AS t"),
        (
            "SELECT f.x, t.a FROM f LEFT JOIN t AS t ON f.k = t.k AND f.day = t.day",
            "(SELECT k, day, ANY_VALUE(a) AS a FROM t GROUP BY k, day) AS t",
        ),
        # what another join and an expression use is kept
        ("SELECT UPPER(t.a) AS u FROM f LEFT JOIN t AS t ON f.k = t.k LEFT JOIN u AS u ON t.a = u.k", GROUPED),
        # these don't say that one row is joined, or not by columns alone
        ("SELECT t.a FROM f LEFT JOIN t AS t ON f.k = t.k AND f.at >= t.since", "t AS t"),
        ("SELECT t.a FROM f LEFT JOIN t AS t ON f.k = LOWER(t.k)", "t AS t"),
        ("SELECT t.a FROM f LEFT JOIN t AS t ON f.k = t.k OR f.l = t.l", "t AS t"),
        ("SELECT t.a FROM f JOIN t AS t ON f.k = t.k", "t AS t"),
        # `info` is a column of t, and not seen to be
        ("SELECT t.a, info.city FROM f LEFT JOIN t AS t ON f.k = t.k", "t AS t"),
    ],
)
def test_a_table_joined_by_key_is_grouped_by_it(select: str, joined: str) -> None:
    tree = sqlglot.parse_one(select, read="spark")
    assert isinstance(tree, sqlglot.exp.Select)
    assert droppable_joins(tree).args["joins"][0].this.sql("spark") == joined
