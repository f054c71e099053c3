"""One training node: from a training-set table to a registered version with its evidence."""

from __future__ import annotations

import hashlib
import inspect
import logging
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidDefinitionError, UnknownNameError
from penstock.registry import mlflow_store
from penstock.registry.promote import live_version, promote, publish
from penstock.trainers.evaluate import predicted, scores
from penstock.trainers.fitting import Fitting
from penstock.trainers.inputs import TableVersion, content_checksum, read_from
from penstock.trainers.node import CLASSIFIER, TrainingNode
from penstock.trainers.rows import held_out as held_apart
from penstock.trainers.rows import in_memory
from penstock.trainers.version import log_version, record_of

if TYPE_CHECKING:
    import pandas as pd

    from penstock.trainers.rows import Sides

_log = logging.getLogger(__name__)


def train(
    training_set: Any,
    build: Callable[[Sequence[str], Sequence[str]], Any],
    *,
    model: str,
    label: str,
    time: str,
    baseline: str,
    description: str = "",
    leave_out: Sequence[str] = (),
    held_out: float = 0.2,
) -> Any:
    """Fit a binary classifier on a training-set table, log it, register it if it is new, and let a first one go live.

    Nothing is fitted when a version was registered from the same rows, the same code and the same libraries.

    Args:
        training_set: A Spark DataFrame over one Delta table.
        build: Makes the unfitted scikit-learn estimator from the names of the numeric and of the text features.
        model: The name to register.
        label: The column to predict, 0 or 1; rows without it do not count.
        time: The column that orders the rows; the newest are held out.
        baseline: The column whose groups' label share is the baseline.
        description: What a score means, for people who call the model in SQL.
        leave_out: Columns that are no features (keys, times, other labels).
        held_out: The share of rows that is held out.

    Returns:
        A Spark DataFrame with one row: the version that fits the training set and the code, with its evidence.

    Raises:
        UnknownNameError: when a named column is not in the training set.
        InvalidDefinitionError: when the training set is not one Delta table, or has no rows to fit on.
    """
    known_columns(training_set, (label, time, baseline, *leave_out), where=f"training node {model}")
    node = TrainingNode(
        model=model,
        task=CLASSIFIER,
        label=label,
        features=tuple(c for c in training_set.columns if c not in {label, time, *leave_out}),
        time=time,
        held_out=held_out,
        gap=timedelta(0),
        baseline=baseline,
        description=description,
    )
    return train_node(
        training_set, node, lambda fitting: build(fitting.numbers, fitting.texts), code=inspect.getsource(build)
    )


def train_node(training_set: Any, node: TrainingNode, make: Callable[[Fitting], Any], *, code: str) -> Any:
    """The one path of all training nodes; see `train`.

    Args:
        training_set: A Spark DataFrame over one Delta table.
        node: What is asked for.
        make: Makes the unfitted estimator, within the MLflow run.
        code: All else that the version is made of, as text that compares.

    Returns:
        A Spark DataFrame with one row: the version, with its evidence.

    Raises:
        InvalidDefinitionError: when the training set is not one Delta table, or has no rows to fit on.
    """
    tables = read_from(training_set)
    if len(tables) != 1:
        raise InvalidDefinitionError(
            f"a training node reads one Delta table, this one reads {[t.table for t in tables]}",
            where=node.where,
            fix="materialize the training set as a table and pass its ref",
        )
    spark, model = training_set.sparkSession, node.model
    fingerprint = _fingerprint(node, code, content_checksum(training_set))
    version = mlflow_store.find_version(model, fingerprint)
    if version is not None:
        _log.info("%s: version %s was made from these rows by this code, nothing is fitted", model, version.version)
    else:
        version = _fit(node, training_set, make, tables[0], fingerprint)
    if live_version(spark, model) is None:
        promote(spark, model, int(version.version), expected=None, reason="first version")
    else:
        publish(spark, model)
    return record_of(spark, version, node.task)


def known_columns(training_set: Any, columns: Sequence[str], *, where: str) -> None:
    """Refuse names that are no columns.

    Raises:
        UnknownNameError: The training set has no such column.
    """
    for column in columns:
        if column not in training_set.columns:
            raise UnknownNameError.of("column", column, training_set.columns, where=where)


def _fit(node: TrainingNode, training_set: Any, make: Any, table: TableVersion, fingerprint: str) -> Any:
    _log.info("%s: reading version %s of %s", node.model, table.version, table.table)
    frame = in_memory(training_set, node)
    sides = held_apart(frame, node)
    inputs = list(node.features)
    texts = [c for c in inputs if frame[c].dtype == object]
    with mlflow_store.run_of(node.model, fingerprint) as run:
        numbers = [c for c in inputs if c not in texts]
        estimator = make(Fitting(node, sides.before, numbers, texts, run))
        _log.info("%s: fitting on %s rows, %s features", node.model, f"{len(sides.before):,}", len(inputs))
        estimator.fit(sides.before[inputs], sides.before[node.label])
        _log.info("%s: scoring the %s rows that were held out", node.model, f"{len(sides.after):,}")
        given = predicted(node.task, estimator, sides.after[inputs])
        found = scores(node.task, sides.after[node.label], given, _baseline(node, sides))
        told = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
        _log.info("%s: logging to MLflow (%s)", node.model, told)
        return log_version(node, training_set, table, fingerprint, estimator, sides, found)


def _baseline(node: TrainingNode, sides: Sides) -> pd.Series[float]:
    import pandas as pd

    mean = sides.before[node.label].mean()
    if not node.baseline:
        return pd.Series(mean, index=sides.after.index)
    share = sides.before.groupby(node.baseline)[node.label].mean()
    return sides.after[node.baseline].map(share).fillna(mean)


def _fingerprint(node: TrainingNode, code: str, content: str) -> str:
    import sklearn

    own = [p.read_text() for p in sorted(Path(__file__).parent.glob("*.py"))]
    parts = (repr(node), content, sklearn.__version__, f"{sys.version_info[:2]}", code, *own)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
