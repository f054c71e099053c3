"""A definition's SQL that is one word: a column, unless the word means something to the language."""

from __future__ import annotations

import pytest
from sqlglot import exp
from sqlglot.dialects.spark import Spark

from penstock.errors import PenstockError
from penstock.manifest.model import Relation
from penstock.semantic.context import relation_table
from penstock.semantic.expressions import user_expression
from penstock.semantic.templates import parse_expression

WORDS = {
    *Spark.Tokenizer.KEYWORDS,
    *Spark.Parser.FUNCTIONS,
    *Spark.Parser.FUNCTION_PARSERS,
    *Spark.Parser.NO_PAREN_FUNCTION_PARSERS,
    *(kind.name for kind in exp.DataType.Type),
    *(kind.__name__.upper() for kind in vars(exp).values() if isinstance(kind, type)),
    "amount",
    "_x1",
    "Größe",
    "x y",
    "1",
    "007",
    "1_000",
    "٣",
    "x.y",
}


@pytest.mark.parametrize("case", [str.upper, str.lower])
def test_every_word_is_read_as_the_parser_reads_it(case: type[str]) -> None:
    differ = {
        word: found for word in map(case, WORDS) if (found := (_said(word), _parsed(word))) and found[0] != found[1]
    }
    assert not differ


@pytest.mark.parametrize("name", ["t", "lake.t", "spark_catalog.lake.t", "lake.order", "`a b`.t", '"lake"."T"'])
def test_a_relation_is_read_as_the_parser_reads_it(name: str) -> None:
    dialect = "duckdb" if '"' in name else "spark"
    expected = exp.to_table(name, dialect=dialect)
    assert relation_table(Relation(name, "t", "lake")) == expected
    assert relation_table(Relation(name, "t", "lake")).sql(dialect) == expected.sql(dialect)


def _said(word: str) -> str:
    try:
        return user_expression(word, where="here").sql("spark")
    except PenstockError as refused:
        return str(refused)


def _parsed(word: str) -> str:
    try:
        return parse_expression(word, where="here").sql("spark")
    except PenstockError as refused:
        return str(refused)
