from __future__ import annotations

import pytest

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.scoring.predict import mentions_predict, parse_statement, rewrite_predict

INPUTS = {"delay": ("hour", "carrier"), "odd name": ("a",)}


def rewritten(sql: str) -> str:
    def inputs_of(model: str) -> tuple[str, ...]:
        if model not in INPUTS:
            raise UnknownNameError.of("model", model, INPUTS)
        return INPUTS[model]

    return rewrite_predict(parse_statement(sql), inputs_of).sql("spark")


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT predict('delay', 7, 'UA')", "SELECT ml.`delay`(7, 'UA')"),
        ("SELECT predict('delay', carrier => 'UA', hour => 7)", "SELECT ml.`delay`(carrier => 'UA', hour => 7)"),
        ("SELECT Predict('delay', *) FROM f", "SELECT ml.`delay`(`hour` => `hour`, `carrier` => `carrier`) FROM f"),
        (
            "SELECT predict('delay', f.*) FROM f",
            "SELECT ml.`delay`(`hour` => f.`hour`, `carrier` => f.`carrier`) FROM f",
        ),
        ("SELECT predict('odd name', x)", "SELECT ml.`odd name`(x)"),
        (
            "SELECT a FROM f WHERE predict('delay', 1, predict('odd name', 2)) > 0",
            "SELECT a FROM f WHERE ml.`delay`(1, ml.`odd name`(2)) > 0",
        ),
        ("SELECT 'predict(' AS predict", "SELECT 'predict(' AS predict"),
    ],
)
def test_rewrites_calls_and_nothing_else(sql: str, expected: str) -> None:
    assert rewritten(sql) == expected


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT predict(name, 1) FROM f", "needs the model's name as a text literal"),
        ("SELECT predict()", "needs the model's name as a text literal"),
        ("SELECT predict('delay', 1, 2, 3)", "was given 3 arguments and takes 2"),
        ("SELECT predict('delai', 1)", "did you mean: delay"),
        ("SELECT predict('delay', 1); DROP TABLE f", "one statement is needed"),
        ("SELECT predict('delay', 'oops)", "not Spark SQL"),
    ],
)
def test_refuses(sql: str, message: str) -> None:
    with pytest.raises((InvalidRequestError, UnknownNameError), match=message):
        rewritten(sql)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT predict('m', 1)", True),
        ("SELECT predict\n ('m', 1)", True),
        ("SELECT 1 -- predict('m')", False),
        ("SELECT `predict`('m')", False),
        ("SELECT 'predict('", False),
        ("SELECT 'open", False),
    ],
)
def test_mentions_predict_looks_at_words_only(sql: str, expected: bool) -> None:
    assert mentions_predict(sql) is expected
