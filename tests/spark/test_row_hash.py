"""The hash by which an incremental model knows that a row's inputs changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from penstock.scoring.contract import Description, Field, Input
from penstock.scoring.declared import parse_function
from penstock.scoring.incremental import Scorer, row_hash

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SCORER = Scorer(
    parse_function({"name": "checked", "returns": ["prediction", "version"]}, model="hashed"),
    Description((), (Field("prediction", "DOUBLE"),)),
    version=1,
)
# Types of inputs, and values of them that a model may tell apart.
DIFFERENT = [
    (("DOUBLE", "DOUBLE"), ("NULL", "1D"), ("1D", "NULL")),
    (("DOUBLE",), ("NULL",), ("0D",)),
    (("DOUBLE",), ("0.1D",), ("0.10000000000000002D",)),
    (("STRING",), ("NULL",), ("''",)),
    (("STRING", "STRING"), ("'ab'", "'c'"), ("'a'", "'bc'")),
    (("ARRAY<FLOAT>",), ("array(NULL, 1F)",), ("array(1F, NULL)",)),
    (("ARRAY<FLOAT>", "ARRAY<FLOAT>"), ("array(1F)", "array(2F, 3F)"), ("array(1F, 2F)", "array(3F)")),
    (("ARRAY<STRING>",), ("array('a,b')",), ("array('a', 'b')",)),
    (("MAP<STRING, DOUBLE>",), ("map('a', 1D)",), ("map('b', 1D)",)),
    (("STRUCT<a: DOUBLE, b: DOUBLE>",), ("struct(1D, NULL)",), ("struct(NULL, 1D)",)),
    (
        ("TIMESTAMP",),
        ("timestamp'2026-01-01 00:00:00.000001'",),
        ("timestamp'2026-01-01 00:00:00.000002'",),
    ),
    (
        ("ARRAY<TIMESTAMP>",),
        ("array(timestamp'2026-01-01 00:00:00.000001')",),
        ("array(timestamp'2026-01-01 00:00:00.000002')",),
    ),
    (("BINARY",), ("X'00'",), ("X'0000'",)),
]
# The same input, written otherwise.
EQUAL = [
    (("DOUBLE",), ("1",), ("1D",)),
    (("BIGINT",), ("7Y",), ("7L",)),
    (("DOUBLE",), ("double('NaN')",), ("-double('NaN')",)),
]


def hashed(spark: SparkSession, pairs: list[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]]) -> list[bool]:
    """Of each pair, whether its two rows have one hash; a row has the same one each time."""
    queries = []
    for types, *rows in pairs:
        names = [f"i{at}" for at, _ in enumerate(types)]
        inputs = tuple(Input(name, kind, required=False) for name, kind in zip(names, types, strict=True))
        scorer = replace(SCORER, description=replace(SCORER.description, inputs=inputs))
        for values in (*rows, rows[0]):
            row = ", ".join(f"{value} AS {name}" for value, name in zip(values, names, strict=True))
            queries.append(f"(SELECT {row_hash(scorer, names)} FROM (SELECT {row}))")
    [found] = spark.sql(f"SELECT array({', '.join(queries)}) AS h").collect()
    triples = [found.h[at : at + 3] for at in range(0, len(found.h), 3)]
    assert all(first == again for first, _, again in triples)
    return [first == second for first, second, _ in triples]


def test_other_inputs_have_another_hash(spark: SparkSession) -> None:
    alike = hashed(spark, DIFFERENT)
    assert [pair for pair, same in zip(DIFFERENT, alike, strict=True) if same] == []


def test_one_value_in_two_types_has_one_hash(spark: SparkSession) -> None:
    alike = hashed(spark, EQUAL)
    assert [pair for pair, same in zip(EQUAL, alike, strict=True) if not same] == []


def test_a_missing_optional_input_is_null_and_case_counts_not(spark: SparkSession) -> None:
    inputs = (Input("a", "DOUBLE", required=True), Input("b", "STRING", required=False))
    scorer = replace(SCORER, description=replace(SCORER.description, inputs=inputs))
    without, with_null = row_hash(scorer, ["A"]), row_hash(scorer, ["a", "b"])
    [[one, other]] = spark.sql(f"SELECT {without}, {with_null} FROM VALUES (1.5D, NULL) AS t (a, b)").collect()
    assert one == other
