"""What an estimator needs to be loaded again: found in its pickle, pinned as it is installed."""

from __future__ import annotations

from importlib import metadata

from lightgbm import LGBMClassifier
from packaging.requirements import Requirement
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from penstock.trainers.requirements import requirements_of


def test_each_package_is_pinned_as_it_is_installed() -> None:
    found = [Requirement(line) for line in requirements_of(make_pipeline(LinearRegression()))]
    names = {each.name for each in found}
    assert {"mlflow", "cloudpickle", "pandas", "numpy", "scikit-learn", "scipy"} <= names
    assert not {"lightgbm", "pyarrow", "pytest"} & names
    for each in found:
        assert str(each.specifier) == f"=={metadata.version(each.name)}"


def test_what_stands_within_is_found_and_so_is_what_a_function_of_the_users_takes() -> None:
    import pyarrow.compute as pc

    def doubled(values):  # type: ignore[no-untyped-def]
        return pc.multiply(values, 2)

    names = {Requirement(line).name for line in requirements_of(make_pipeline(FunctionTransformer(doubled)))}
    assert "pyarrow" in names and "lightgbm" not in names
    assert "lightgbm" in {Requirement(line).name for line in requirements_of(make_pipeline(LGBMClassifier()))}
