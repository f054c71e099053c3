"""The levels that models have seen in training: by input, from each library, and against them the rows of a batch."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.models import infer_signature
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

from penstock.errors import InvalidRequestError
from penstock.scoring.contract import Description, Field, Input
from penstock.scoring.flavours import levels
from penstock.scoring.flavours.levels import with_levels
from penstock.scoring.flavours.load import load
from penstock.scoring.flavours.steps import levels_within
from penstock.scoring.policies import unknown_levels

RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "port": RANDOM.choice(["ams", "fra"], 120),
        "kind": RANDOM.choice(["x", "y", "z"], 120),
        "zone": RANDOM.choice([1.0, 2.5, np.nan], 120),
        "a": RANDOM.normal(size=120),
    }
)
TARGET = FRAME.a * 2 + (FRAME.kind == "x")
NAMES = list(FRAME.columns)
PORTS, KINDS, ZONES = ("ams", "fra"), ("x", "y", "z"), (1.0, 2.5)


def described(model: Any, frame: pd.DataFrame = FRAME) -> dict[str, Any]:
    """The levels of a fitted estimator, by input, as a description has them."""
    known = levels_within(model, list(frame.columns))
    types = {"O": "STRING", "f": "DOUBLE", "i": "BIGINT"}
    inputs = [Input(name, types[frame[name].dtype.kind], required=False) for name in frame.columns]
    return {each.name: each.levels for each in with_levels(inputs, known) if each.levels}


def transformed(*steps: tuple[str, Any, list[str]], rest: str = "drop") -> ColumnTransformer:
    return ColumnTransformer(list(steps), remainder=rest)


ENCODE = OneHotEncoder(handle_unknown="ignore")
FILLED = make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), OneHotEncoder(handle_unknown="ignore"))
BOTH = transformed(("k", ENCODE, ["kind"]), ("p", FILLED, ["port"]))
SEVERAL: dict[str, tuple[Any, dict[str, Any]]] = {
    "one encoder, its columns turned": (transformed(("k", ENCODE, ["kind", "port"])), {"kind": KINDS, "port": PORTS}),
    "an encoder behind an imputer": (BOTH, {"kind": KINDS, "port": PORTS}),
    "numbers": (
        transformed(("z", OrdinalEncoder(encoded_missing_value=-1), ["zone"]), ("k", TargetEncoder(), ["kind"])),
        {"zone": ZONES, "kind": KINDS},
    ),
    "infrequent ones were seen": (transformed(("k", OneHotEncoder(max_categories=2), ["kind"])), {"kind": KINDS}),
    "two encoders know less together": (
        transformed(
            ("k", ENCODE, ["kind"]),
            ("o", OneHotEncoder(categories=[["y", "x"]], handle_unknown="ignore"), ["kind"]),
        ),
        {"kind": ("x", "y")},
    ),
    "an encoder behind a column transformer": (
        make_pipeline(
            transformed(("s", StandardScaler(), ["a"]), ("n", "passthrough", ["kind"])),
            transformed(("k", ENCODE, [1]), ("a", "passthrough", [0])),
        ),
        {"kind": KINDS},
    ),
    "side by side": (
        FeatureUnion([("k", transformed(("k", ENCODE, ["kind"]))), ("a", transformed(("a", "passthrough", ["a"])))]),
        {"kind": KINDS},
    ),
    "a text that was changed before": (
        transformed(("u", make_pipeline(FunctionTransformer(lambda f: f.map(str.upper)), ENCODE), ["kind"])),
        {},
    ),
    "a text that is missing": (
        transformed(
            ("u", make_pipeline(SimpleImputer(missing_values="x", strategy="most_frequent"), ENCODE), ["kind"])
        ),
        {},
    ),
    "a step that is not known": (
        transformed(("p", PCA(1), ["a"]), ("k", ENCODE, ["kind"]), ("l", PCA(1), ["a"])),
        {"kind": KINDS},
    ),
    "nothing to encode": (transformed(("a", StandardScaler(), ["a"])), {}),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_encoders_of_scikit_learn(name: str) -> None:
    before, expected = SEVERAL[name]
    model = make_pipeline(before, Ridge()).fit(FRAME, TARGET)
    assert {key: tuple(sorted(found)) for key, found in described(model).items()} == expected


def test_estimators_around_and_within() -> None:
    search = GridSearchCV(make_pipeline(BOTH, Ridge()), {"ridge__alpha": [1.0, 2.0]}, cv=2).fit(FRAME, TARGET)
    assert described(search) == {"kind": KINDS, "port": PORTS}
    turned = TransformedTargetRegressor(make_pipeline(BOTH, Ridge())).fit(FRAME, TARGET)
    assert described(turned) == {"kind": KINDS, "port": PORTS}
    inputs = FRAME[["a", "kind"]]
    boosted = HistGradientBoostingRegressor(max_iter=2, categorical_features=["kind"]).fit(inputs, TARGET)
    assert described(boosted, inputs) == {"kind": KINDS}
    assert described(LinearRegression().fit(FRAME[["a"]], TARGET), FRAME[["a"]]) == {}


def logged(folder: Path, flavour: Any, native: Any, inputs: pd.DataFrame, **more: Any) -> tuple[Input, ...]:
    signature = infer_signature(inputs, TARGET)
    flavour.save_model(native, str(folder), signature=signature, pip_requirements=["mlflow"], **more)
    return load(str(folder)).description.inputs


def test_scikit_learns_inputs_have_their_levels_whatever_their_order(tmp_path: Path) -> None:
    model = make_pipeline(BOTH, Ridge()).fit(FRAME, TARGET)
    turned = FRAME[NAMES[::-1]]
    inputs = logged(tmp_path / "m", mlflow.sklearn, model, turned, serialization_format="cloudpickle")
    assert {each.name: each.levels for each in inputs} == {"a": (), "zone": (), "kind": KINDS, "port": PORTS}


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_categories_of_pandas(library: str, tmp_path: Path) -> None:
    import lightgbm
    import xgboost

    number = pd.Series(RANDOM.choice([3, 7, 40], 120))
    inputs = pd.DataFrame({"a": FRAME.a, "kind": FRAME.kind.astype("category"), "n": number.astype("category")})
    model: Any = (
        lightgbm.LGBMRegressor(n_estimators=2, verbose=-1)
        if library == "lightgbm"
        else xgboost.XGBRegressor(n_estimators=2, enable_categorical=True)
    )
    model.fit(inputs, TARGET)
    found = logged(tmp_path / "m", getattr(mlflow, library), model, inputs.assign(kind=FRAME.kind, n=number))
    assert {each.name: each.levels for each in found} == {"a": (), "kind": KINDS, "n": (3, 7, 40)}


def test_terms_of_a_formula(tmp_path: Path) -> None:
    import statsmodels.formula.api as smf

    number = RANDOM.choice([3, 7, 40], 120)
    rows = FRAME.assign(y=TARGET, n=number).drop(columns="zone")
    model = smf.ols("y ~ a + kind + C(n) + C(port, Treatment('fra'))", rows).fit()
    found = logged(tmp_path / "m", mlflow.statsmodels, model, rows.drop(columns="y"))
    assert {each.name: each.levels for each in found} == {"a": (), "kind": KINDS, "n": (3, 7, 40), "port": ()}


@pytest.mark.parametrize(
    ("kind", "known", "expected"),
    [
        ("STRING", ["a", None, "b", float("nan"), pd.NA, "a"], ("a", "b")),
        ("STRING", ["a", 1], ()),
        ("DOUBLE", [1, -0.0, 2.5, float("nan")], (1.0, 0.0, 2.5)),
        ("BIGINT", [1.0, 2.5, np.float64(3.0), 2**80], (1, 3)),
        ("BIGINT", [1.0, float("inf")], ()),
        ("DOUBLE", ["1"], ()),
        ("BOOLEAN", [True, False], ()),
    ],
)
def test_levels_are_of_their_inputs_type(kind: str, known: list[Any], expected: tuple[Any, ...]) -> None:
    (made,) = with_levels([Input("i", kind, required=False)], {"i": known})
    assert made.levels == expected
    assert [type(each) for each in made.levels] == [type(each) for each in expected]


def test_there_is_a_bound() -> None:
    inputs = [Input("i", "BIGINT", required=False)]
    assert len(with_levels(inputs, {"i": range(levels.MOST)})[0].levels) == levels.MOST
    assert with_levels(inputs, {"i": range(levels.MOST + 1)})[0].levels == ()


def test_json_keeps_them_and_older_json_has_none() -> None:
    inputs = (Input("i", "BIGINT", required=True, levels=(1, 2)), Input("t", "STRING", required=True, levels=("ü",)))
    whole = Description(inputs, (Field("prediction", "DOUBLE"),))
    told = json.loads(json.dumps(whole.as_json()))
    assert Description.from_json(told) == whole
    for each in told["inputs"]:
        del each["levels"]
    assert [each.levels for each in Description.from_json(told).inputs] == [(), ()]


VALUES: dict[str, tuple[Any, pa.DataType]] = {
    "STRING": (st.text("aü ", max_size=2), pa.string()),
    "BIGINT": (st.integers(-(2**63), 2**63 - 1) | st.integers(0, 4), pa.int64()),
    "INT": (st.integers(0, 6), pa.int32()),
    "DOUBLE": (st.floats() | st.sampled_from([0.0, -0.0, 1.0]), pa.float64()),
    "FLOAT": (st.floats(width=32) | st.sampled_from([0.0, -0.0, 1.0]), pa.float32()),
}


@given(st.data(), st.sampled_from(sorted(VALUES)))
def test_unknown_levels_are_those_that_python_does_not_find(data: Any, kind: str) -> None:
    values, arrow = VALUES[kind]
    finite = values.filter(lambda v: not isinstance(v, float) or math.isfinite(v))
    known = data.draw(st.lists(finite, min_size=1, max_size=5, unique=True))
    column = data.draw(st.lists(st.none() | values | st.sampled_from(known)))
    (each,) = with_levels([Input("i", kind, required=False)], {"i": known})
    table = pa.table({"i": pa.chunked_array([pa.array(column[:2], arrow), pa.array(column[2:], arrow)])})
    found = list(unknown_levels(table, [each], where="f"))
    mask = found[0][0].tolist() if found else [False] * len(column)
    assert mask == [v is not None and v == v and v not in known for v in column]  # noqa: PLR0124
    assert [reason for _, reason in found] == ["input 'i' has a level that the model does not know"] * any(mask)


def test_a_version_that_says_no_levels_is_told() -> None:
    with pytest.raises(InvalidRequestError, match="says of no input which levels it knows"):
        list(unknown_levels(pa.table({"i": ["a"]}), [Input("i", "STRING", required=False)], where="f"))
