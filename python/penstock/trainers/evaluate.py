"""How good a model is on rows that it did not see, beside a baseline."""

from __future__ import annotations

from typing import Any

from penstock.trainers.node import CLASSIFIER, REGRESSOR

# The first of each is what a search looks for unless it is said; whether more is better.
METRICS = {
    CLASSIFIER: {"log_loss": False, "auc": True, "brier": False},
    REGRESSOR: {"rmse": False, "mae": False},
}
_SHOWN = {CLASSIFIER: ("auc", "log_loss"), REGRESSOR: ("mae", "rmse")}


def measured(metric: str, labels: Any, given: Any) -> float:
    """One metric, by scikit-learn's definition.

    Args:
        metric: A name of `METRICS`.
        labels: What came true, a row.
        given: P(1) a row, or the predicted number.

    Example:
        >>> round(measured("rmse", [1.0, 2.0], [1.0, 4.0]), 4)
        1.4142
    """
    from sklearn import metrics

    if metric == "log_loss":
        return float(metrics.log_loss(labels, given, labels=[0, 1]))
    functions = {
        "auc": metrics.roc_auc_score,
        "brier": metrics.brier_score_loss,
        "mae": metrics.mean_absolute_error,
        "rmse": metrics.root_mean_squared_error,
    }
    return float(functions[metric](labels, given))


def predicted(task: str, estimator: Any, rows: Any) -> Any:
    """What a fitted estimator gives for rows: P(1), or a number."""
    return estimator.predict_proba(rows)[:, 1] if task == CLASSIFIER else estimator.predict(rows)


def score_names(task: str) -> tuple[str, ...]:
    """The names of `scores`, in their order."""
    return tuple(name for metric in _SHOWN[task] for name in (metric, f"baseline_{metric}"))


def scores(task: str, labels: Any, given: Any, baseline: Any) -> dict[str, float]:
    """How good a model and its baseline are on the same rows: AUC and log loss, or mean absolute and squared error.

    Args:
        task: `classifier` or `regressor`.
        labels: What came true, a row.
        given: P(1) a row, or the predicted number.
        baseline: The baseline's.
    """
    of = {"": given, "baseline_": baseline}
    return {f"{who}{metric}": measured(metric, labels, of[who]) for metric in _SHOWN[task] for who in of}
