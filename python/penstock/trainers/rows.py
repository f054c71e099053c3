"""The rows of a training set in this process, and on which side of which border in time each is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidDefinitionError
from penstock.trainers.node import CLASSIFIER, TrainingNode

if TYPE_CHECKING:
    import pandas as pd

_WHOLE = ("tinyint", "smallint", "int", "bigint")
_NUMBER = (*_WHOLE, "float", "double", "decimal")


@dataclass(frozen=True)
class Sides:
    """Rows on both sides of a border.

    Attributes:
        before: Those that are fitted on: before the border, by the gap at least.
        after: Those that tell how good it is.
        border: The time of the first row after it.
    """

    before: pd.DataFrame
    after: pd.DataFrame
    border: Any


def in_memory(training_set: Any, node: TrainingNode) -> pd.DataFrame:
    """The rows with a label as pandas, ordered; numbers of any type become floats so that each may be missing.

    Args:
        training_set: A Spark DataFrame.
        node: Which columns count.

    Raises:
        InvalidDefinitionError: when a column has a type that is none for its place, or as for `ordered`.
    """
    from pyspark.sql import functions as f

    types = {name: _kind(kind) for name, kind in training_set.dtypes}
    check_types(node, types)
    features = [f.col(c) if types[c] == "string" else f.col(c).cast("double").alias(c) for c in node.features]
    by = [f.col(node.baseline)] if node.baseline and node.baseline not in node.features else []
    time = f.col(node.time).cast("timestamp").alias(node.time) if types[node.time] == "date" else f.col(node.time)
    label = f.col(node.label).cast("double").alias(node.label)
    labelled = training_set.where(f.col(node.label).isNotNull()).select(*features, *by, label, time)
    frame: pd.DataFrame = labelled.toArrow().to_pandas()
    if frame.empty:
        what = "no row has a label" if training_set.limit(1).count() else "the training set is empty"
        raise InvalidDefinitionError(what, where=node.where)
    return ordered(frame, node)


def ordered(frame: pd.DataFrame, node: TrainingNode) -> pd.DataFrame:
    """The rows by time, ties by their content, the label too: the same rows always give the same model and scores.

    Args:
        frame: The columns of a node; labels are floats.
        node: Which columns count.

    Raises:
        InvalidDefinitionError: when a row has no time, or a label is none for the task.
    """
    if frame[node.time].isna().any():
        count = int(frame[node.time].isna().sum())
        raise InvalidDefinitionError(f"{count} rows have no {node.time}", where=node.where, fix="leave them out")
    labels = frame[node.label]
    wrong = ~labels.isin((0.0, 1.0)) if node.task == CLASSIFIER else ~labels.abs().lt(float("inf"))
    if wrong.any():
        kind = "neither 0 nor 1" if node.task == CLASSIFIER else "no number"
        what = f"{int(wrong.sum())} rows have a label that is {kind}, as {labels[wrong].iloc[0]:g}"
        fix = "task: regressor, if it is a quantity" if node.task == CLASSIFIER else "make it NULL"
        raise InvalidDefinitionError(what, where=f"{node.where}, {node.label}", fix=fix)
    if node.task == CLASSIFIER:
        frame = frame.assign(**{node.label: labels.astype(int)})
    return frame.sort_values([node.time, *node.features, node.label], ignore_index=True)


def held_out(frame: pd.DataFrame, node: TrainingNode) -> Sides:
    """The newest rows apart from the others; rows of one moment stay on one side.

    Args:
        frame: As `in_memory` gives it.
        node: Which share is held out, and the gap before it.

    Raises:
        InvalidDefinitionError: when nothing is left to fit on.
    """
    border = frame[node.time].iloc[int(len(frame) * (1 - node.held_out))]
    return _sides(frame, border, None, node)


def folds(frame: pd.DataFrame, node: TrainingNode, count: int) -> list[Sides]:
    """Rows in parts, one after the other in time: each fold is judged on a part, and fitted on those before it.

    Without ties in time and without a gap they are those of scikit-learn's `TimeSeriesSplit`.

    Args:
        frame: Ordered by time.
        node: Its time, and the gap before each border.
        count: How many folds; there is one part more.

    Raises:
        InvalidDefinitionError: when a fold has nothing to be fitted or judged on.
    """
    size = len(frame) // (count + 1)
    places = [len(frame) - (count - each) * size for each in range(count)]
    borders = [frame[node.time].iloc[place] for place in places] if size else []
    if len(set(borders)) < count:
        what = f"the rows before the border have too few moments for {count} folds"
        raise InvalidDefinitionError(what, where=node.where, fix="split: {folds: fewer}")
    ends: Sequence[Any] = [*borders[1:], None]
    return [_sides(frame, border, end, node) for border, end in zip(borders, ends, strict=True)]


def _sides(frame: pd.DataFrame, border: Any, end: Any, node: TrainingNode) -> Sides:
    time = frame[node.time]
    before = frame[time < border - node.gap if node.gap > timedelta(0) else time < border]
    after = frame[time >= border] if end is None else frame[(time >= border) & (time < end)]
    if before.empty:
        raise InvalidDefinitionError(
            f"no row is left to fit on before {border}",
            where=node.where,
            fix="hold out less, or shorten the gap",
        )
    if node.task == CLASSIFIER and before[node.label].nunique() < 2:
        what = f"all rows before {border} have the label {before[node.label].iloc[0]}"
        raise InvalidDefinitionError(what, where=node.where, fix="more rows, or fewer folds")
    return Sides(before, after, border)


def check_types(node: TrainingNode, types: Mapping[str, str]) -> None:
    """Refuse columns whose type is none for their place.

    Args:
        node: Which columns count.
        types: Of each column, in Spark's words, without parameters.

    Raises:
        InvalidDefinitionError: A column is of such a type.
    """
    taken = {
        **dict.fromkeys(node.features, ("string", "boolean", *_NUMBER)),
        node.label: (*_NUMBER, "boolean"),
        node.time: ("timestamp", "timestamp_ntz", "date"),
    }
    for name, kinds in taken.items():
        if types[name] not in kinds:
            place = {node.label: "label", node.time: "time"}.get(name, "feature")
            fix = f"a {place} is {' or '.join(each.upper() for each in kinds)}"
            fix += ": cast it, or leave it out" if place == "feature" else ": cast it"
            what = f"column '{name}' is of type {types[name].upper()}"
            raise InvalidDefinitionError(what, where=node.where, fix=fix)


def is_whole(kind: str) -> bool:
    """Whether a Spark type is one of whole numbers or of yes and no."""
    return _kind(kind) in ("boolean", *_WHOLE)


def _kind(kind: str) -> str:
    return kind.partition("(")[0].partition("<")[0]
