"""Which rows are fitted on, and which tell how good it is: scikit-learn's split in time is the oracle."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import nodes
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import TimeSeriesSplit

from penstock.errors import InvalidDefinitionError
from penstock.trainers.node import REGRESSOR
from penstock.trainers.rows import check_types, folds, held_out, ordered


@pytest.mark.parametrize(("n", "count"), [(90, 2), (101, 3), (57, 4)])
def test_folds_are_those_of_scikit_learn_where_no_two_rows_are_of_one_time(n: int, count: int) -> None:
    frame = nodes.rows(n)
    found = folds(frame, nodes.node(), count)
    wanted = list(TimeSeriesSplit(count).split(frame))
    assert [(list(each.before.index), list(each.after.index)) for each in found] == [
        (list(before), list(after)) for before, after in wanted
    ]


@settings(max_examples=50, deadline=None)
@given(n=st.integers(40, 120), ties=st.integers(1, 7), hours=st.integers(0, 5), count=st.integers(1, 3))
def test_no_row_before_a_border_is_within_the_gap_nor_any_moment_on_both_sides(
    n: int, ties: int, hours: int, count: int
) -> None:
    frame, node = nodes.rows(n, ties=ties), nodes.node(gap=timedelta(hours=hours), task=REGRESSOR)
    try:
        found = [*folds(frame, node, count), held_out(frame, node)]
    except InvalidDefinitionError:
        return  # too few moments
    for each in found:
        assert each.after["at"].min() == each.border
        assert each.before["at"].max() < each.border - node.gap if hours else each.before["at"].max() < each.border
    judged = [place for each in found[:-1] for place in each.after.index]
    assert len(judged) == len(set(judged)), "a row is judged by one fold"
    assert judged == list(range(judged[0], n)), "and none after the first border is left out"
    assert all(a.border < b.border for a, b in pairwise(found[:-1]))


def test_the_newest_share_is_held_out() -> None:
    sides = held_out(nodes.rows(100), nodes.node(held_out=0.25))
    assert (len(sides.before), len(sides.after)) == (75, 25)
    with_ties = held_out(nodes.rows(100, ties=8), nodes.node(held_out=0.25))
    assert (len(with_ties.before), len(with_ties.after)) == (72, 28), (
        "of eight rows of one moment the border is the first"
    )


def test_what_leaves_nothing_is_refused() -> None:
    frame = nodes.rows(50)
    with pytest.raises(InvalidDefinitionError, match="no row is left to fit on before 2026-01-02 16:00"):
        held_out(frame, nodes.node(gap=timedelta(days=9)))
    with pytest.raises(InvalidDefinitionError, match="no row is left"):
        held_out(nodes.rows(50, ties=50), nodes.node())
    with pytest.raises(InvalidDefinitionError, match="too few moments for 3 folds"):
        folds(nodes.rows(50, ties=25), nodes.node(), 3)
    with pytest.raises(InvalidDefinitionError, match="too few moments for 60 folds"):
        folds(frame, nodes.node(), 60)
    with pytest.raises(InvalidDefinitionError, match="have the label 1"):
        held_out(frame.assign(y=1), nodes.node())


def test_rows_are_ordered_by_content_where_time_is_equal() -> None:
    frame = nodes.rows(60, ties=6).assign(y=lambda f: f.y.astype(float))
    mixed = frame.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(ordered(mixed, nodes.node()), ordered(frame, nodes.node()))
    assert ordered(frame, nodes.node())["y"].dtype == int


@pytest.mark.parametrize(
    ("task", "value", "said"),
    [
        ("classifier", 2.0, "1 rows have a label that is neither 0 nor 1, as 2"),
        ("classifier", np.nan, "neither 0 nor 1, as nan"),
        ("regressor", np.nan, "1 rows have a label that is no number, as nan"),
        ("regressor", np.inf, "no number, as inf"),
    ],
)
def test_a_label_that_is_none_is_refused(task: str, value: float, said: str) -> None:
    frame = nodes.rows(30).assign(y=lambda f: f.y.astype(float))
    frame.loc[7, "y"] = value
    with pytest.raises(InvalidDefinitionError, match=said):
        ordered(frame, nodes.node(task=task))


def test_a_row_without_a_time_is_refused() -> None:
    frame = nodes.rows(30).assign(y=1.0)
    frame.loc[3, "at"] = pd.NaT
    with pytest.raises(InvalidDefinitionError, match="1 rows have no at"):
        ordered(frame, nodes.node())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"x": "timestamp"}, "column 'x' is of type TIMESTAMP\n.*\n  fix: a feature is STRING or BOOLEAN or"),
        ({"kind": "array"}, "column 'kind' is of type ARRAY"),
        ({"y": "string"}, "column 'y' is of type STRING\n.*\n  fix: a label is TINYINT"),
        ({"at": "bigint"}, "column 'at' is of type BIGINT\n.*\n  fix: a time is TIMESTAMP"),
    ],
)
def test_a_column_of_a_type_for_another_place_is_refused(changed: dict[str, Any], said: str) -> None:
    types = {"x": "double", "kind": "string", "y": "int", "at": "timestamp"}
    check_types(nodes.node(), types)
    with pytest.raises(InvalidDefinitionError, match=said):
        check_types(nodes.node(), types | changed)
