"""XGBoost's boosters and its estimators."""

from __future__ import annotations

import json
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

    native = mlflow.xgboost.load_model(str(logged.folder))
    use_one(native)
    return native


def scoring(native: Any, logged: Logged) -> Scoring:
    """What a model gives: label and probabilities for a classifier; for all else `prediction`, as a vector where there
    are several numbers a row, or one field each if the signature names as many. A bare booster knows no labels: what it
    gives of two classes is P(second).

    Raises:
        InvalidDefinitionError: when the inputs are not the features of the model.
    """
    bare = not hasattr(native, "get_booster")
    booster = native if bare else native.get_booster()
    booster.set_param({"nthread": 1})
    learner = json.loads(booster.save_config())["learner"]
    targets = int(learner["learner_model_param"]["num_target"])
    classes = int(learner["learner_model_param"]["num_class"])
    objective = learner["objective"]["name"]
    features = _Features(booster, logged)
    explain = None
    # A raw margin a row, so one explanation of it.
    if targets == 1 and classes <= 1 and not logged.takes_tensors:
        last = _iterations(native)
        explain = _explainer(booster, features, last)
    if not bare and hasattr(native, "n_classes_") and targets == 1:
        return _classifier(native, features, explain)
    vector = targets > 1 or (classes > 1 and objective != "multi:softmax")
    fields = _outputs(logged, targets) if vector else (Field("prediction", "DOUBLE"),)

    def predict(table: pa.Table) -> Any:
        if bare:
            return booster.predict(features.dmatrix(table))
        return native.predict(features.batch(table), validate_features=False)

    return Scoring(
        fields, lambda table, _: results.by_field(predict(table), fields), contributions=explain, levels=features.levels
    )


def contributions(
    booster: Any, given: Any, order: list[int], iterations: tuple[int, int]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Base and contributions of a batch, whose sum is the raw margin in float32.

    Args:
        booster: A booster of one margin a row.
        given: A DMatrix.
        order: Of each input, the number of its feature.
        iterations: The range of iterations that score; (0, 0) is all.
    """
    both = booster.predict(given, pred_contribs=True, iteration_range=iterations).astype("float64")
    return both[:, -1], both[:, order]


def _explainer(booster: Any, features: _Features, iterations: tuple[int, int]) -> Contributions:
    order = [features.order.index(i) for i in range(len(features.order))]
    return lambda table: contributions(booster, features.dmatrix(table), order, iterations)


def _iterations(native: Any) -> tuple[int, int]:
    """Those that score: an estimator that stopped early leaves out the last ones, a bare booster does not."""
    if not hasattr(native, "get_booster") or native.booster == "gblinear":
        return 0, 0
    try:
        return 0, int(native.best_iteration) + 1
    except AttributeError:
        return 0, 0


def _classifier(native: Any, features: _Features, explain: Contributions | None) -> Scoring:
    import numpy as np

    known = native.classes_

    def classify(table: pa.Table) -> dict[str, Any]:
        probabilities = native.predict_proba(features.batch(table), validate_features=False)
        # The label as XGBoost has it: a tie of two classes is the first.
        second = probabilities[:, 1] > 0.5
        label = second.astype(int) if len(known) == 2 else np.argmax(probabilities, axis=1)
        return {"label": known[label], results.PROBABILITIES: probabilities}

    return Scoring(
        (Field("label", "BIGINT"),),
        lambda table, _: classify(table),
        classes=tuple(str(each) for each in known),
        contributions=explain,
        levels=features.levels,
    )


def _outputs(logged: Logged, targets: int) -> tuple[Field, ...]:
    declared = logged.outputs() if logged.declares_outputs else ()
    if targets > 1 and len(declared) == targets:
        return tuple(Field(each.name, "DOUBLE") for each in declared)
    return (Field("prediction", "ARRAY<FLOAT>"),)


class _Features:
    """From a batch to the features of a model: by name where both have the same names, else by position.

    Attributes:
        order: Of each feature, the number of its input.
        levels: The categories that it was trained on, by input.
    """

    def __init__(self, booster: Any, logged: Logged) -> None:
        self._names = booster.feature_names
        self._types = booster.feature_types
        self._logged = logged
        count = booster.num_features()
        self.order = list(range(count))
        self.levels: dict[str, list[Any]] = {}
        if logged.takes_tensors:
            self._check_tensor(count)
            return
        if len(logged.inputs) != count:
            raise _other_features(logged, f"{len(logged.inputs)} inputs", count)
        if self._names and sorted(self._names) == sorted(logged.names):
            self.order = [logged.names.index(each) for each in self._names]
        inputs = [logged.inputs[i] for i in self.order]
        # A model that was trained on numbers of categories has no values of them, and takes numbers.
        categories = [each.name for each, kind in zip(inputs, self._types or (), strict=False) if kind == "c"]
        self._categories = [] if not categories or booster.get_categories().empty() else categories
        if not columns.all_numbers([each for each in inputs if each.name not in self._categories]):
            raise InvalidDefinitionError(
                "the model takes an input that is no number and that was none of its categories in training",
                where=logged.source,
                fix="train on numbers, or on a frame whose text columns are of pandas' type category",
            )
        self._select = [each.name for each in inputs]
        if self._categories:
            known = booster.get_categories(export_to_arrow=True).to_arrow()
            self.levels = {
                each.name: levels.to_pylist()
                for each, (_, levels) in zip(inputs, known, strict=True)
                if levels is not None
            }

    def batch(self, table: pa.Table) -> Any:
        """The features as an array, or as a frame if some are categories, whose values XGBoost finds in the model."""
        if self._logged.takes_tensors:
            spec = self._logged.meta.get_input_schema().inputs[0]
            return columns.tensor(table.column(0), self._logged.inputs[0], tuple(spec.shape[1:]), spec.type)
        if self._categories:
            return columns.categories(table.select(self._select), self._categories).set_axis(self._names, axis=1)
        return columns.matrix(table.select(self._select))

    def dmatrix(self, table: pa.Table) -> Any:
        """The features as a bare booster takes them."""
        import xgboost

        batch = self.batch(table)
        if hasattr(batch, "columns"):
            return xgboost.DMatrix(batch, enable_categorical=True, nthread=1)
        return xgboost.DMatrix(batch, feature_names=self._names, feature_types=self._types, nthread=1)

    def _check_tensor(self, count: int) -> None:
        shape = tuple(self._logged.meta.get_input_schema().inputs[0].shape)
        if len(self._logged.inputs) > 1 or shape[1:] != (count,):
            raise _other_features(self._logged, f"a tensor of shape {shape}", count)


def _other_features(logged: Logged, given: str, count: int) -> InvalidDefinitionError:
    return InvalidDefinitionError(
        f"the signature has {given}; the model was trained on {count} features",
        where=logged.source,
        fix="log the model with a signature of the frame or array that it was trained on",
    )
