"""What two versions of a linear model must have in common for the same SQL text to score both."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

Link = Literal["identity", "logistic", "softmax", "exp"]
# Levels of a number or a truth value are compared as DOUBLE, those of a text as text.
LevelKind = Literal["text", "number"]


@dataclass(frozen=True)
class NumberShape:
    """A numeric term without its coefficients.

    Attributes:
        input: The model's input.
        centered: Whether its center is subtracted row by row and not folded into the intercept.
        imputed: Whether a missing value has weights of its own; without them a missing value makes the score NULL.
    """

    input: str
    centered: bool
    imputed: bool


@dataclass(frozen=True)
class LevelShape:
    """A term of levels without its coefficients.

    Attributes:
        input: The model's input.
        kind: How levels are compared.
        strict: Whether a level that the model does not know is an error.
        missing: Whether a missing value makes the score NULL, weighs as an unknown level does, or has its own weights.
    """

    input: str
    kind: LevelKind
    strict: bool
    missing: Literal["null", "as unknown", "own"]


@dataclass(frozen=True)
class Shape:
    """All of a formula but its coefficients and its levels.

    Attributes:
        numbers: Its numeric terms, in the order of the model's inputs.
        levels: Its terms of levels, in the order of the model's inputs.
        outputs: The number of raw scores: one for a binary classifier.
        link: From raw scores to what the model gives.
    """

    numbers: tuple[NumberShape, ...]
    levels: tuple[LevelShape, ...]
    outputs: int
    link: Link

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits: equal for equal shapes, on every machine and day."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:12]

    @property
    def used(self) -> tuple[str, ...]:
        """The inputs that the score reads, each once."""
        return tuple(dict.fromkeys([*(e.input for e in self.numbers), *(e.input for e in self.levels)]))
