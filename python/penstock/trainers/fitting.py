"""What an estimator is made for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.trainers.node import TrainingNode

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Fitting:
    """The rows that a version is fitted on, and the run that it is logged to.

    Attributes:
        node: What is asked for.
        rows: Ordered by time; what is held out is not among them.
        numbers: The features that are numbers.
        texts: The features that are texts.
        run: MLflow's active run.
    """

    node: TrainingNode
    rows: pd.DataFrame
    numbers: list[str]
    texts: list[str]
    run: Any
