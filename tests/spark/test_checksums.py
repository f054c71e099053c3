"""Checksums of rows, and the comparison of tables whose doubles were added in another order."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

import pytest

from penstock.engines.reproduce import checksum_of, difference

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SCHEMA = "id int, name string, at timestamp, worth decimal(9,2), x double, tags array<string>, bag map<string,int>"
ROWS: list[tuple[Any, ...]] = [
    (1, "a", None, None, 1.5, ["p", None], {"k": 1}),
    (2, None, None, None, math.nan, [None, "p"], {"k": None}),
    (None, "a", None, None, -math.inf, [], {}),
    (3, "b", None, None, 0.0, None, None),
    (3, "b", None, None, 0.0, None, None),
    (4, "", None, None, None, ["p"], {"a": 1, "b": 2}),
]


def frame(spark: SparkSession, rows: list[tuple[Any, ...]], schema: str = SCHEMA, partitions: int = 1) -> DataFrame:
    return spark.createDataFrame(rows, schema).repartition(partitions)


def test_neither_order_nor_partitions_count(spark: SparkSession) -> None:
    shuffled = random.Random(1).sample(ROWS, len(ROWS))
    assert checksum_of(frame(spark, ROWS)) == checksum_of(frame(spark, shuffled, partitions=5))
    assert checksum_of(frame(spark, ROWS))[0] == 6


@pytest.mark.parametrize(
    "rows",
    [
        ROWS[:-1],
        [*ROWS, ROWS[0]],
        [*ROWS[:3], ROWS[5], *ROWS[5:]],
        [*ROWS, ROWS[3], ROWS[3]],  # two more of the same leave an exclusive or as it was
        [(1, None, None, None, 1.5, ["p", None], {"k": 1}), *ROWS[1:]],
        [(1, "a", None, None, math.nextafter(1.5, 2), ["p", None], {"k": 1}), *ROWS[1:]],
        [(1, "a", None, None, 1.5, [None, "p"], {"k": 1}), *ROWS[1:]],
        [(1, "a", None, None, 1.5, ["p", None], {"k": None}), *ROWS[1:]],
        [*ROWS[:-1], (4, None, None, None, None, ["p"], {"a": 1, "b": 2})],
        [],
    ],
)
def test_other_rows_have_another_checksum(spark: SparkSession, rows: list[tuple[Any, ...]]) -> None:
    assert checksum_of(frame(spark, rows)) != checksum_of(frame(spark, ROWS))


def test_a_value_in_the_next_column_is_another_row(spark: SparkSession) -> None:
    left, right = (frame(spark, [row], "a int, b int") for row in ((1, None), (None, 1)))
    assert checksum_of(left) != checksum_of(right)


def test_names_and_types_of_columns_count(spark: SparkSession) -> None:
    sums = {checksum_of(frame(spark, [(1,)], schema)) for schema in ("a int", "a bigint", "b int")}
    assert len(sums) == 3


def test_zeros_and_nans_are_the_same(spark: SparkSession) -> None:
    assert checksum_of(frame(spark, [(0.0,), (math.nan,)], "x double")) == checksum_of(
        frame(spark, [(-0.0,), (-math.nan,)], "x double")
    )


@pytest.mark.parametrize("seed", range(3))
def test_sums_in_another_order_make_the_same_set(spark: SparkSession, seed: int) -> None:
    chance = random.Random(seed)
    values = [[chance.gauss(0, 10**i) for i in range(-3, 4)] for _ in range(200)]
    left = [(chance.randrange(9), sum(part), math.fsum(part[:3])) for part in values]
    right = [(left[i][0], sum(reversed(part)), sum(part[:3])) for i, part in enumerate(values)]
    chance.shuffle(right)
    found = difference(*(frame(spark, rows, "id int, x double, y double", 3) for rows in (left, right)))
    assert found.is_none
    assert found.last_digits["x"] > 0


@pytest.mark.parametrize(
    ("changed", "rows", "values"),
    [
        ({"x": 1.0 + 1e-7}, 0, {"x": 1}),
        ({"x": None}, 0, {"x": 1}),
        ({"x": math.nan}, 0, {"x": 1}),
        ({"x": math.inf}, 0, {"x": 1}),
        ({"id": 8}, 1, {}),
        ({"name": None}, 1, {}),
    ],
)
def test_what_is_more_than_that_is_told(
    spark: SparkSession, changed: dict[str, Any], rows: int, values: dict[str, int]
) -> None:
    left = [{"id": i, "name": "n", "x": float(i), "y": 2.0} for i in range(5)]
    right = [left[0], {**left[1], **changed}, *left[2:]]
    schema = "id int, name string, x double, y double"
    made = [frame(spark, [tuple(row.values()) for row in side], schema) for side in (left, right)]
    found = difference(*made)
    assert dict(found.values) == values
    assert found.rows == (2 * rows if rows else 0)


def test_rows_that_are_equal_but_for_doubles_are_matched_in_their_order(spark: SparkSession) -> None:
    left = [(1, 1.0), (1, 2.0), (1, 3.0)]
    right = [(1, 3.0 + 1e-15), (1, 1.0), (1, 2.0 - 1e-15)]
    assert difference(*(frame(spark, rows, "id int, x double") for rows in (left, right))).is_none
    assert not difference(*(frame(spark, rows, "id int, x double") for rows in (left, right[:2]))).is_none
    assert not difference(*(frame(spark, rows, "id int, x double") for rows in (left, [*right, (1, 1.0)]))).is_none
