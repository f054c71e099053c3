"""How good a model is on rows that it did not see, beside a baseline."""

from __future__ import annotations

from typing import Any


def classification_scores(labels: Any, probabilities: Any, baseline: Any) -> dict[str, float]:
    """AUC and log loss of a binary classifier and of a baseline on the same rows (scikit-learn's definitions).

    Args:
        labels: 0 or 1 a row.
        probabilities: The model's P(1) a row.
        baseline: The baseline's P(1) a row.
    """
    from sklearn.metrics import log_loss, roc_auc_score

    return {
        "auc": float(roc_auc_score(labels, probabilities)),
        "log_loss": float(log_loss(labels, probabilities)),
        "baseline_auc": float(roc_auc_score(labels, baseline)),
        "baseline_log_loss": float(log_loss(labels, baseline)),
    }
