"""Metrics of a classifier from sums over its rows, each with its variance.

Over the columns of a relation of one row a key: those of a tile, summed, and those that the area under the curve needs
(`performance._areas`). `value` is the metric itself. Two variances are told apart:

- `sampled`: of the metric as an estimate for the population that the rows come from. By the delta method it is the sum
  of the squares of what each row adds to the metric (its influence), times n / (n - 1) of its rows; with weights n is
  Kish's effective number, (Σ w)² / Σ w² (Survey Sampling, 1965). For a mean this is s² / n, and for the area under the
  curve of rows without weights DeLong's variance (Biometrics 44, 1988).
- `given`: of the metric that will be realised on these very rows, where y is a calibrated probability: each label
  varies by y (1 - y) on its own, times the square of the metric's derivative by y.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from penstock.monitoring.performance.losses import LOSSES


@dataclass(frozen=True)
class Metric:
    """The formulas of a metric.

    Attributes:
        value: The metric; NULL where it has none.
        sampled: The variance of a sample, but for the factor n / (n - 1); None where the literature has no simple one.
        given: The variance given the rows and their probabilities.
        size: The effective number of rows that it is of: all, the positive ones, those predicted to be positive.
        proportion: Whether it is a share of its rows, whose interval is Wilson's.
        sized: Whether `sampled` has the factor already.
        least: What it cannot be below.
        most: What it cannot be above.
    """

    value: str
    sampled: str | None = None
    given: str | None = None
    size: str = "w * w / NULLIF(w2, 0e0)"
    proportion: bool = False
    sized: bool = False
    least: float | None = 0.0
    most: float | None = 1.0


_PREDICTED = "h_w * h_w / NULLIF(h_w2, 0e0)"
_POSITIVE = "wy * wy / NULLIF(w2y2, 0e0)"
_OTHER = "(w - wy) * (w - wy) / NULLIF(w2 - 2e0 * w2y + w2y2, 0e0)"
# How far labels vary, of all rows and of those predicted to be positive; 0 where they are 1 and 0.
_VAR, _H_VAR = "(w2y - w2y2)", "(h_w2y - h_w2y2)"


def _spread(square: str, plain: str, weight: str, by: str) -> str:
    """The variance of a mean: the sum of w² (x - value)², by Σ w² x², Σ w² x and Σ w², over (Σ w)²."""
    return f"({square} - 2e0 * value * {plain} + value * value * {weight}) / NULLIF({by} * {by}, 0e0)"


def _of_loss(name: str) -> Metric:
    return Metric(
        f"{name}_wl / NULLIF(w, 0e0)",
        _spread(f"{name}_w2l2", f"{name}_w2l", "w2", "w"),
        f"{name}_w2l_var / NULLIF(w * w, 0e0)",
        proportion=name == "zero_one",
        most=1.0 if name == "zero_one" else None,
    )


METRICS: Mapping[str, Metric] = {
    "positives": Metric(
        "wy / NULLIF(w, 0e0)",
        _spread("w2y2", "w2y", "w2", "w"),
        f"{_VAR} / NULLIF(w * w, 0e0)",
        proportion=True,
    ),
    "mean_score": Metric("wp / NULLIF(w, 0e0)", _spread("w2p2", "w2p", "w2", "w"), least=None, most=None),
    "accuracy": Metric(
        "1e0 - zero_one_wl / NULLIF(w, 0e0)",
        # A row is right where it does not cost 1.
        _spread("(w2 - 2e0 * zero_one_w2l + zero_one_w2l2)", "(w2 - zero_one_w2l)", "w2", "w"),
        f"{_VAR} / NULLIF(w * w, 0e0)",
        proportion=True,
    ),
    "precision": Metric(
        "h_wy / NULLIF(h_w, 0e0)",
        _spread("h_w2y2", "h_w2y", "h_w2", "h_w"),
        f"{_H_VAR} / NULLIF(h_w * h_w, 0e0)",
        size=_PREDICTED,
        proportion=True,
    ),
    "recall": Metric(
        "h_wy / NULLIF(wy, 0e0)",
        "((1e0 - value) * (1e0 - value) * h_w2y2 + value * value * (w2y2 - h_w2y2)) / NULLIF(wy * wy, 0e0)",
        f"((1e0 - value) * (1e0 - value) * {_H_VAR} + value * value * ({_VAR} - {_H_VAR})) / NULLIF(wy * wy, 0e0)",
        size=_POSITIVE,
        proportion=True,
    ),
    "f1": Metric(
        "2e0 * h_wy / NULLIF(h_w + wy, 0e0)",
        """
        ((2e0 - value) * (2e0 - value) * h_w2y2 - 2e0 * value * (2e0 - value) * h_w2y + value * value * h_w2
         + value * value * (w2y2 - h_w2y2)) / NULLIF((h_w + wy) * (h_w + wy), 0e0)
        """,
        f"""
        ((2e0 - value) * (2e0 - value) * {_H_VAR} + value * value * ({_VAR} - {_H_VAR}))
        / NULLIF((h_w + wy) * (h_w + wy), 0e0)
        """,
    ),
    "auc": Metric(
        "area",
        # DeLong's two parts have a factor each, of the positives and of the others.
        f"""
        area_1 / NULLIF(wy * wy, 0e0) * {_POSITIVE} / NULLIF({_POSITIVE} - 1e0, 0e0)
        + area_0 / NULLIF((w - wy) * (w - wy), 0e0) * {_OTHER} / NULLIF({_OTHER} - 1e0, 0e0)
        + 2e0 * area_cross / NULLIF(wy * (w - wy), 0e0)
        """,
        """
        area_var_1 / NULLIF(wy * wy, 0e0) - 2e0 * area_cross / NULLIF(wy * (w - wy), 0e0)
        + area_var_0 / NULLIF((w - wy) * (w - wy), 0e0)
        """,
        sized=True,
    ),
    "ece": Metric("miscalibrated / NULLIF(w, 0e0)"),
    **{name: _of_loss(name) for name in LOSSES},
}
"""The metrics by name."""
