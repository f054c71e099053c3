"""The columns between the steps of a fitted scikit-learn pipeline: from which input each comes, and known levels.

Steps are told by the exact class: a subclass may do anything. scikit-learn itself is not imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.scoring.linear.encoders import width

_ENCODERS = frozenset({"OneHotEncoder", "OrdinalEncoder", "TargetEncoder"})
_SCALERS = frozenset({"StandardScaler", "RobustScaler", "MaxAbsScaler", "MinMaxScaler"})
_WITHIN = ("best_estimator_", "regressor_")  # of a search, and of a regressor whose target is transformed


@dataclass(frozen=True)
class Column:
    """A column between two steps.

    Attributes:
        input: The one input that it comes from; empty where that is not certain.
        raw: Whether it holds the input's own values; NULL may be replaced.
    """

    input: str = ""
    raw: bool = False


@dataclass
class Traced:
    """What was found on the way.

    Attributes:
        columns: What the last step takes; too few, or without an input, where that is not certain.
        levels: For each input that an encoder takes as it is, what each such encoder knows.
        opaque: The inputs that went into a step which is not known here.
    """

    columns: list[Column]
    levels: dict[str, list[Sequence[Any]]] = field(default_factory=dict)
    opaque: set[str] = field(default_factory=set)


def trace(steps: Sequence[Any], names: Sequence[str]) -> Traced:
    """Follow inputs through fitted transformers.

    Args:
        steps: The transformers, one after another.
        names: The inputs, in the order in which the first step takes them.
    """
    found = Traced([Column(each, raw=True) for each in names])
    for step in steps:
        found.columns = _through(step, found.columns, found)
    return found


def levels_within(model: Any, names: Sequence[str]) -> dict[str, list[Any]]:
    """The levels that all encoders of an input know, by input, in a fitted estimator or pipeline.

    Args:
        model: The estimator.
        names: The inputs, in the order in which it takes them.
    """
    found = Traced([Column(each, raw=True) for each in names])
    try:
        _to_end(model, found)
    except (AttributeError, IndexError, KeyError):  # not built as known versions of scikit-learn build it
        return {}
    made = {}
    for name, (first, *others) in found.levels.items():
        sets = [set(each) for each in others]
        made[name] = [level for level in first if all(level in each for each in sets)]
    return made


def _to_end(model: Any, found: Traced) -> None:
    inner = next((each for name in _WITHIN if (each := getattr(model, name, None)) is not None), None)
    if _class_of(model) == "Pipeline":
        *before, (_, last) = model.steps
        for _, step in before:
            found.columns = _through(step, found.columns, found)
        _to_end(last, found)
    elif inner is not None:
        _to_end(inner, found)
    else:
        # HistGradientBoosting has an encoder of its own, within.
        _through(getattr(model, "_preprocessor", None) or model, found.columns, found)


def _class_of(step: Any) -> str:
    """The name of a class of scikit-learn itself, else nothing."""
    return type(step).__name__ if type(step).__module__.startswith("sklearn.") else ""


def _through(step: Any, columns: list[Column], found: Traced) -> list[Column]:
    """The columns behind a fitted transformer."""
    name = _class_of(step)
    if step is None or step == "passthrough" or (name == "FunctionTransformer" and step.func is None):
        return columns
    if isinstance(step, str) or not columns:  # "drop"
        return []
    if name == "Pipeline":
        for _, inner in step.steps:
            columns = _through(inner, columns, found)
        return columns
    if name == "ColumnTransformer":
        return _side_by_side(step, columns, found)
    if name == "FeatureUnion":
        return [made for _, inner in step.transformer_list for made in _through(inner, columns, found)]
    if name in _ENCODERS and len(step.categories_) == len(columns):
        return _encoded(step, columns, found)
    if name == "SimpleImputer" and len(step.statistics_) == len(columns):
        return _imputed(step, columns)
    if name in _SCALERS:
        return [Column(each.input) for each in columns]
    if type(step).__module__.startswith("sklearn.feature_selection.") and hasattr(step, "get_support"):
        return [columns[at] for at in step.get_support(indices=True) if at < len(columns)]
    return _opaque(columns, found)


def _opaque(columns: list[Column], found: Traced, many: int = 0) -> list[Column]:
    """Columns of which nothing is known; none where even their number is not."""
    found.opaque |= {each.input for each in columns if each.input}
    return [Column()] * many


def _side_by_side(step: Any, columns: list[Column], found: Traced) -> list[Column]:
    made: list[Column] = []
    for name, inner, _ in step.transformers_:
        if isinstance(inner, str) and inner == "drop":
            continue
        # scikit-learn has resolved names, slices, masks and callables to places when it was fitted
        places = step._transformer_to_input_indices[name]
        given = [columns[at] if at < len(columns) else Column() for at in places]
        own = step.output_indices_[name]
        behind = _through(inner, given, found)
        made += behind if len(behind) == own.stop - own.start else _opaque(given, found, own.stop - own.start)
    return made


def _encoded(encoder: Any, columns: list[Column], found: Traced) -> list[Column]:
    made: list[Column] = []
    for at, column in enumerate(columns):
        if column.raw:
            found.levels.setdefault(column.input, []).append(encoder.categories_[at])
        made += [Column(column.input)] * width(encoder, at)
    return made


def _imputed(imputer: Any, columns: list[Column]) -> list[Column]:
    usual = imputer.missing_values is None or imputer.missing_values != imputer.missing_values
    # Without one value in training there is nothing to fill with, and the imputer drops the column.
    kept = [
        Column(each.input, raw=each.raw and usual)
        for each, fill in zip(columns, imputer.statistics_.tolist(), strict=True)
        if fill == fill  # noqa: PLR0124
    ]
    flags = imputer.indicator_.features_ if imputer.indicator_ is not None else ()
    return kept + [Column(columns[at].input) for at in flags]
