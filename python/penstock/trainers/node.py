"""What a training node is asked for, however it is declared."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

CLASSIFIER, REGRESSOR = TASKS = ("classifier", "regressor")


@dataclass(frozen=True)
class TrainingNode:
    """What a training node declares.

    Attributes:
        model: The name under which versions are registered and SQL calls the model.
        task: `classifier` of two classes, or `regressor`.
        label: The column to predict; 0 or 1 for a classifier. Rows without it do not count.
        features: The input columns, in the order of the model's signature.
        time: The column that orders the rows; the newest part is held out.
        held_out: The share of rows, by time, that is held out.
        gap: How long before a border rows are left out, for their labels were not known there.
        baseline: A column by which the baseline groups the training labels to predict their mean; that of all if empty.
        description: What a score means, for people.
    """

    model: str
    task: str
    label: str
    features: tuple[str, ...]
    time: str
    held_out: float
    gap: timedelta
    baseline: str
    description: str

    @property
    def where(self) -> str:
        """The place for errors."""
        return f"training node {self.model}"
