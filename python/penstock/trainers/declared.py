"""A declared training, run on a session: the estimator by its name, its parameters as given or as a search finds."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from penstock.errors import UnknownNameError
from penstock.trainers.declaration import Training, parse_training
from penstock.trainers.estimators import TRAINERS, estimator, library_of
from penstock.trainers.evaluate import METRICS, measured, predicted
from penstock.trainers.fitting import Fitting
from penstock.trainers.node import CLASSIFIER, REGRESSOR, TrainingNode
from penstock.trainers.rows import folds, is_whole
from penstock.trainers.search import Search, Trials, search
from penstock.trainers.train import known_columns, train_node

_log = logging.getLogger(__name__)


def trained_view(
    spark: Any, declared: Any, *, model: str, where: str, description: str, rows: str, table: str, view: str
) -> None:
    """Train as a node declares, and make a view of the version that the node's table lacks: of one row, or none.

    Each session of this Spark sees the view, as `global_temp.…`.

    Args:
        spark: A session.
        declared: The mapping in YAML.
        model: The node's name.
        where: The node's file, for errors.
        description: What a score means.
        rows: The training set's table, as SQL text.
        table: The node's own, which may not be there yet.
        view: The view's name.
    """
    training = parse_training(declared, model=model, where=where)
    version = train_declared(spark.table(rows), training, description=description)
    if spark.catalog.tableExists(table.replace("`", "")):
        version = version.join(spark.table(table).select("version"), "version", "left_anti").select(*version.columns)
    version.createOrReplaceGlobalTempView(view)


def train_declared(training_set: Any, training: Training, *, description: str = "") -> Any:
    """Train as it is declared; see `train`.

    Args:
        training_set: A Spark DataFrame over one Delta table.
        training: The declaration.
        description: What a score means, for people who call the model in SQL.

    Returns:
        A Spark DataFrame with one row: the version, with its evidence.

    Raises:
        UnknownNameError: when a named column is not in the training set, or the task has no such metric.
        EnvironmentProblem: when a library is not installed.
        PenstockError: as for `train_node`.
    """
    where = f"training node {training.model}"
    named = (*training.features, *training.leave_out, *([training.baseline] if training.baseline else []))
    known_columns(training_set, (training.label, training.time, *named), where=where)
    apart = {training.label, training.time, *training.leave_out}
    task = _task(training, dict(training_set.dtypes)[training.label])
    node = TrainingNode(
        model=training.model,
        task=task,
        label=training.label,
        features=training.features or tuple(c for c in training_set.columns if c not in apart),
        time=training.time,
        held_out=training.held_out,
        gap=training.gap,
        baseline=training.baseline,
        description=description,
    )
    asked = _asked(training, task, where)
    libraries = [library_of(training.trainer, task)]
    if asked is not None:
        from importlib import metadata

        libraries.append(f"optuna=={metadata.version('optuna')}")
    code = "\0".join((training.as_text(), *libraries))
    return train_node(training_set, node, lambda fitting: _made(training, asked, fitting), code=code)


def _task(training: Training, label: str) -> str:
    """A number of any type may be predicted, so it is the type that says what is meant, and not the values."""
    tasks = TRAINERS[training.trainer].classes
    if training.task or len(tasks) == 1:
        return training.task or next(iter(tasks))
    return CLASSIFIER if is_whole(label) else REGRESSOR


def _asked(training: Training, task: str, where: str) -> Search | None:
    declared = training.search
    if declared is None:
        return None
    metric = declared.metric or next(iter(METRICS[task]))
    if metric not in METRICS[task]:
        raise UnknownNameError.of("metric", metric, METRICS[task], where=f"{where}, search", fix=f"it is a {task}")
    return Search(declared.space, declared.trials, metric, METRICS[task][metric], declared.seed)


def _made(training: Training, asked: Search | None, fitting: Fitting) -> Any:
    import mlflow

    params = dict(training.params)
    if asked is not None:
        params |= _found(training, asked, fitting)
    mlflow.log_params(
        {"trainer": training.trainer, **{f"{training.trainer}.{name}": value for name, value in params.items()}}
    )
    return _estimator(training, fitting, params)


def _found(training: Training, asked: Search, fitting: Fitting) -> Mapping[str, Any]:
    import mlflow

    node, inputs = fitting.node, list(fitting.node.features)
    parts = folds(fitting.rows, node, training.folds)

    def score(params: Mapping[str, Any]) -> float:
        values = []
        for part in parts:
            fitted = _estimator(training, fitting, {**training.params, **params})
            fitted.fit(part.before[inputs], part.before[node.label])
            given = predicted(node.task, fitted, part.after[inputs])
            values.append(measured(asked.metric, part.after[node.label], given))
        return sum(values) / len(values)

    trials = Trials(fitting.run, asked.metric)
    found = search(asked, score, trials, lambda text: _log.info("%s: %s", node.model, text))
    mlflow.log_metric(f"search_{asked.metric}", found.value)
    return found.params


def _estimator(training: Training, fitting: Fitting, params: Mapping[str, Any]) -> Any:
    return estimator(training.trainer, fitting.node.task, fitting.numbers, fitting.texts, params, training.seed)
