"""What comes out of a pipeline's transformers without the library: the very numbers that scikit-learn makes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pipelines import TEXTS, arrow, rows
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from penstock.scoring.contract import Description, Field, Input
from penstock.scoring.linear.columns import Raw
from penstock.scoring.linear.formula import NotLinear
from penstock.scoring.linear.from_sklearn import columns_behind
from penstock.scoring.linear.matrix import matrix_of

NUMBERS = ["small", "count", "zone"]
ONE_HOT = OneHotEncoder(handle_unknown="ignore")
CODES = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)


def described(kind: str = "DOUBLE") -> Description:
    inputs = [*(Input(each, kind, False) for each in NUMBERS), *(Input(each, "STRING", False) for each in TEXTS)]
    return Description(tuple(inputs), (Field("prediction", "DOUBLE"),))


def transformer(numbers: Any, zone: Any, texts: Any) -> ColumnTransformer:
    return ColumnTransformer([("t", texts, TEXTS), ("n", numbers, NUMBERS[:2]), ("z", zone, ["zone"])])


def columns(step: Any) -> list[Any]:
    return columns_behind([step], [Raw(each) for each in [*NUMBERS, *TEXTS]])


@pytest.mark.parametrize("numbers", ["passthrough", SimpleImputer()])
@pytest.mark.parametrize("zone", ["passthrough", ONE_HOT, CODES, "drop"])
@pytest.mark.parametrize(
    "texts", [ONE_HOT, CODES, OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=0.2)]
)
def test_each_number_is_the_librarys(numbers: Any, zone: Any, texts: Any) -> None:
    rng = np.random.default_rng(7)
    known = rows(rng, 200)[[*NUMBERS, *TEXTS]]
    step = transformer(numbers, zone, texts).fit(known)
    frame = rows(rng, 300, unseen=True)[[*NUMBERS, *TEXTS]]
    whole = columns(step)
    made = matrix_of(whole, range(len(whole)), described())(arrow(frame))
    expected = step.transform(frame)
    expected = np.asarray(expected.toarray() if hasattr(expected, "toarray") else expected, dtype=np.float64)
    np.testing.assert_array_equal(made, expected)
    used = range(0, len(whole), 3)
    some = matrix_of(whole, used, described())(arrow(frame))
    np.testing.assert_array_equal(some[:, used], expected[:, used])
    assert not np.delete(some, used, axis=1).any()


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (transformer(StandardScaler(), "drop", CODES), "DOUBLE"),
        (transformer("passthrough", "drop", OneHotEncoder()), "DOUBLE"),
        (transformer("passthrough", "passthrough", "passthrough"), "DOUBLE"),
        (transformer(SimpleImputer(), "drop", CODES), "FLOAT"),
        (transformer(SimpleImputer(add_indicator=True), "drop", CODES), "DOUBLE"),
        (make_pipeline(transformer("passthrough", "drop", CODES), StandardScaler()), "DOUBLE"),
    ],
)
def test_what_might_round_or_refuse_otherwise_is_left_to_the_library(step: Any, kind: str) -> None:
    known = rows(np.random.default_rng(7), 200)[[*NUMBERS, *TEXTS]]
    with pytest.raises(NotLinear):
        matrix_of(whole := columns(step.fit(known)), range(len(whole)), described(kind))


def test_a_batch_of_no_rows() -> None:
    known = rows(np.random.default_rng(7), 50)[[*NUMBERS, *TEXTS]]
    step = transformer("passthrough", CODES, CODES).fit(known)
    made = matrix_of(columns(step), range(5), described())(arrow(pd.DataFrame(known[:0])))
    assert made.shape == (0, 5)


def test_two_encoders_of_one_input_keep_their_own_levels() -> None:
    known = rows(np.random.default_rng(7), 200)[[*NUMBERS, *TEXTS]]
    kinds = [["AA", "B6"], ["AA", "DL", "B6"]]
    encoders = [
        (str(at), OneHotEncoder(categories=[each], handle_unknown="ignore"), ["carrier"])
        for at, each in enumerate(kinds)
    ]
    step = ColumnTransformer(encoders).fit(known)
    made = matrix_of(columns(step), range(5), described())(arrow(known))
    np.testing.assert_array_equal(made, np.asarray(step.transform(known).toarray()))
