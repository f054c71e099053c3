"""scikit-learn's estimators and pipelines, and any with the same methods that was logged as one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidDefinitionError
from penstock.scoring.contract import Field
from penstock.scoring.flavours import columns, lightgbm, results, xgboost
from penstock.scoring.flavours.logged import Logged, Scoring
from penstock.scoring.flavours.steps import levels_within
from penstock.scoring.flavours.threads import use_one

if TYPE_CHECKING:
    import pyarrow as pa

# By the kind of a classifier's array of classes.
_LABEL_TYPES = {"i": "BIGINT", "u": "BIGINT", "b": "BOOLEAN", "f": "DOUBLE", "U": "STRING", "O": "STRING"}


def open_native(logged: Logged) -> Any:
    """The estimator, on one thread."""
    import mlflow

    native = mlflow.sklearn.load_model(str(logged.folder))
    use_one(native)
    return native


def scoring(native: Any, logged: Logged) -> Scoring:
    """What an estimator gives: label and probabilities for a classifier, label for what finds clusters or outliers,
    predictions for a regressor, and what the signature says for a transformer.

    Raises:
        InvalidDefinitionError: when a transformer or a regressor of several outputs was logged without a signature of
            its outputs.
    """
    library = type(native).__module__.partition(".")[0]
    if library == "lightgbm":
        return lightgbm.scoring(native, logged)
    if library == "xgboost":
        return xgboost.scoring(native, logged)
    prepare = _prepare(native, logged)
    if not hasattr(native, "predict"):
        made = _transformer(native, logged, prepare)
    elif hasattr(native, "classes_"):
        made = _classifier(native, logged, prepare)
    else:
        made = _other(native, logged, prepare)
    if logged.takes_tensors:
        return made
    known = getattr(native, "feature_names_in_", None)
    return replace(made, levels=levels_within(native, logged.names if known is None else list(map(str, known))))


def label_type(classes: Any) -> str:
    """The SQL type of a label, from the array of a classifier's classes."""
    import numpy as np

    array = np.asarray(classes)
    # Python's booleans and whole numbers may lie in an array of objects.
    if array.dtype.kind == "O" and not any(isinstance(each, str) for each in array):
        array = np.array(array.tolist())
    return _LABEL_TYPES[array.dtype.kind]


def _prepare(native: Any, logged: Logged) -> Callable[[pa.Table], Any]:
    """From a batch to what the estimator was fitted on: a frame, in the order that it knows, or an array."""
    if logged.takes_tensors:
        spec = logged.meta.get_input_schema().inputs[0]
        shape = tuple(spec.shape[1:])
        return lambda table: columns.tensor(table.column(0), logged.inputs[0], shape, spec.type)
    known = getattr(native, "feature_names_in_", None)
    if known is not None and sorted(map(str, known)) == sorted(logged.names):
        order = [str(each) for each in known]
        return lambda table: columns.frame(table.select(order))
    if known is None and hasattr(native, "n_features_in_") and columns.all_numbers(logged.inputs):
        # It was fitted on an array, and would warn of names.
        return lambda table: columns.frame(table).to_numpy()
    return columns.frame


def _classifier(native: Any, logged: Logged, prepare: Callable[[pa.Table], Any]) -> Scoring:
    if isinstance(native.classes_, list):
        names = _names_of_outputs(logged, len(native.classes_))
        kinds = [label_type(each) for each in native.classes_]
        fields = tuple(Field(name, kind) for name, kind in zip(names, kinds, strict=True))
        return Scoring(fields, lambda table, _: results.by_field(native.predict(prepare(table)), fields))
    label = Field("label", label_type(native.classes_))
    if not hasattr(native, "predict_proba"):
        return Scoring((label,), lambda table, _: {"label": native.predict(prepare(table))})
    return Scoring(
        (label,),
        lambda table, _: _label_and_probabilities(native, prepare(table)),
        classes=tuple(str(each) for each in native.classes_),
    )


def _label_and_probabilities(native: Any, given: Any) -> dict[str, Any]:
    """Both, with what lies before the last step of a pipeline run once."""
    import numpy as np
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
    from sklearn.pipeline import Pipeline

    last = native
    if type(native) is Pipeline and len(native.steps) > 1 and native.steps[-1][1] not in (None, "passthrough"):
        given = native[:-1].transform(given)
        last = native.steps[-1][1]
    probabilities = last.predict_proba(given)
    # Only theirs is by definition the likeliest class; others compare scores or have a threshold.
    if type(last) in (RandomForestClassifier, ExtraTreesClassifier):
        label = last.classes_.take(np.argmax(probabilities, axis=1), axis=0)
    else:
        label = last.predict(given)
    return {"label": label, results.PROBABILITIES: probabilities}


def _other(native: Any, logged: Logged, prepare: Callable[[pa.Table], Any]) -> Scoring:
    from sklearn.base import is_clusterer, is_outlier_detector

    if is_clusterer(native) or is_outlier_detector(native):
        fields: tuple[Field, ...] = (Field("label", "BIGINT"),)
    elif logged.declares_outputs:
        fields = tuple(Field(each.name, _as_double(each.type)) for each in logged.outputs())
    else:
        fields = (Field("prediction", "DOUBLE"),)
    return Scoring(fields, lambda table, _: results.by_field(native.predict(prepare(table)), fields))


def _as_double(declared: str) -> str:
    # A signature made from the target may say BIGINT of what a regressor gives with a fraction.
    return {"INT": "DOUBLE", "BIGINT": "DOUBLE", "BOOLEAN": "DOUBLE"}.get(declared, declared)


def _transformer(native: Any, logged: Logged, prepare: Callable[[pa.Table], Any]) -> Scoring:
    method = logged.meta.flavors.get("python_function", {}).get("predict_fn", "")
    if not hasattr(native, method):
        method = "transform"
    if not hasattr(native, method):
        raise InvalidDefinitionError(
            f"a {type(native).__name__} has neither predict nor transform",
            where=logged.source,
            fix="log the estimator that predicts, or name the method as pyfunc_predict_fn",
        )
    fields = logged.outputs()
    return Scoring(fields, lambda table, _: results.by_field(getattr(native, method)(prepare(table)), fields))


def _names_of_outputs(logged: Logged, count: int) -> list[str]:
    declared = [each.name for each in logged.outputs()] if logged.declares_outputs else []
    if len(declared) != count:
        raise InvalidDefinitionError(
            f"the model has {count} outputs, and its signature names {len(declared)}",
            where=logged.source,
            fix="log it with a signature whose outputs are a frame of named columns",
        )
    return declared
