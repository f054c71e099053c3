"""LightGBM's boosters and its estimators."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidDefinitionError
from penstock.scoring.contract import Contributions, Field
from penstock.scoring.flavours import columns, results
from penstock.scoring.flavours.logged import Logged, Scoring
from penstock.scoring.flavours.threads import use_one

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


def open_native(logged: Logged) -> Any:
    """The booster or the estimator, on one thread."""
    import mlflow

    native = mlflow.lightgbm.load_model(str(logged.folder))
    use_one(native)
    return native


def scoring(native: Any, logged: Logged) -> Scoring:
    """What a model gives: label and probabilities for a classifier; for all else `prediction`, as a vector where there
    are several numbers a row. A bare booster knows no labels: what it gives of two classes is P(second).

    Raises:
        InvalidDefinitionError: when the inputs are not the features of the model.
    """
    from penstock.scoring.flavours.sklearn import label_type

    booster = native if hasattr(native, "num_model_per_iteration") else native.booster_
    prepare = _prepare(booster, logged)
    levels = _levels(booster, logged)
    several = booster.num_model_per_iteration() > 1

    def raw(table: pa.Table) -> Any:
        return booster.predict(prepare(table), num_threads=1)

    # What an objective of the user's own gives are no probabilities: the estimator passes it on as it is.
    if native is booster or not hasattr(native, "classes_") or callable(native.objective_):
        fields = (Field("prediction", "ARRAY<DOUBLE>" if several else "DOUBLE"),)
        return Scoring(
            fields,
            lambda table, _: {"prediction": raw(table)},
            contributions=_explainer(booster, logged, prepare),
            levels=levels,
        )
    known = native.classes_

    def classify(table: pa.Table) -> dict[str, Any]:
        import numpy as np

        given = raw(table)
        probabilities = given if several else np.column_stack((1.0 - given, given))
        return {"label": known[np.argmax(probabilities, axis=1)], results.PROBABILITIES: probabilities}

    return Scoring(
        (Field("label", label_type(known)),),
        lambda table, _: classify(table),
        classes=tuple(str(each) for each in known),
        contributions=_explainer(booster, logged, prepare),
        levels=levels,
    )


def contributions(booster: Any, given: Any, order: list[int]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Base and contributions of a batch, whose sum is the raw score.

    Args:
        booster: A booster of one model an iteration.
        given: What it predicts from.
        order: Of each input, the number of its feature.
    """
    both = booster.predict(given, pred_contrib=True, num_threads=1)
    return both[:, -1], both[:, order]


def _explainer(booster: Any, logged: Logged, prepare: Callable[[pa.Table], Any]) -> Contributions | None:
    # LightGBM has none for trees with linear leaves; and a random forest's score is a mean, its contributions a sum.
    text = booster.model_to_string(num_iteration=1)
    if re.search(r"^(is_linear=1|average_output)$", text, re.MULTILINE):
        return None
    if booster.num_model_per_iteration() > 1 or logged.takes_tensors:
        return None
    features = _order(booster, logged)
    order = [features.index(i) for i in range(len(features))]
    return lambda table: contributions(booster, prepare(table), order)


def _prepare(booster: Any, logged: Logged) -> Callable[[pa.Table], Any]:
    count = booster.num_feature()
    if logged.takes_tensors:
        spec = logged.meta.get_input_schema().inputs[0]
        if len(logged.inputs) > 1 or tuple(spec.shape[1:]) != (count,):
            raise _other_features(logged, f"a tensor of shape {tuple(spec.shape)}", count)
        return lambda table: columns.tensor(table.column(0), logged.inputs[0], (count,), spec.type)
    if len(logged.inputs) != count:
        raise _other_features(logged, f"{len(logged.inputs)} inputs", count)
    order = [logged.names[i] for i in _order(booster, logged)]
    named = [order[i] for i in _categorical(booster)] if booster.pandas_categorical else []
    if len(named) != len(booster.pandas_categorical or ()) or not columns.all_numbers(
        [each for each in logged.inputs if each.name not in named]
    ):
        raise InvalidDefinitionError(
            "the model takes an input that is no number and that was none of its categories in training",
            where=logged.source,
            fix="train on numbers, or on a frame whose text columns are of pandas' type category",
        )
    if named:
        # LightGBM has the values of the categories in the model.
        return lambda table: columns.categories(table.select(order), named)
    return lambda table: columns.matrix(table.select(order))


def _levels(booster: Any, logged: Logged) -> dict[str, list[Any]]:
    """The categories of pandas that it was trained on, by input."""
    if not booster.pandas_categorical:
        return {}
    order = [logged.names[i] for i in _order(booster, logged)]
    return dict(zip([order[i] for i in _categorical(booster)], booster.pandas_categorical, strict=True))


def _categorical(booster: Any) -> list[int]:
    """The numbers of the features that are categories; numbers may be, and come as they are."""
    found = re.search(r"^\[categorical_feature: (.*)\]$", booster.model_to_string(num_iteration=1), re.MULTILINE)
    return [int(each) for each in found[1].split(",") if each] if found else []


def _order(booster: Any, logged: Logged) -> list[int]:
    """The number of the input that is each feature, by name where both have the same names, else by position."""
    # LightGBM keeps no blank in a name.
    inputs = [name.replace(" ", "_") for name in logged.names]
    features = booster.feature_name()
    same = sorted(inputs) == sorted(features) and len(set(inputs)) == len(inputs)
    return [inputs.index(each) for each in features] if same else list(range(len(inputs)))


def _other_features(logged: Logged, given: str, count: int) -> InvalidDefinitionError:
    return InvalidDefinitionError(
        f"the signature has {given}; the model was trained on {count} features",
        where=logged.source,
        fix="log the model with a signature of the frame or array that it was trained on",
    )
