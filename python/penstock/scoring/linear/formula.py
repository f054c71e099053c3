"""A linear model as data: numeric terms, terms of levels, intercepts and a link."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from penstock.errors import PenstockError

Link = Literal["identity", "logistic", "softmax", "exp"]
# Levels of a number or a truth value are compared as DOUBLE, those of a text as text.
LevelKind = Literal["text", "number"]
Weights = tuple[float, ...]  # one an output

# Up to here, (x - center) / scale * w and x * (w / scale), the rest folded, agree within 1e-12 of a weight.
_FOLDS_UP_TO = 1e3


class NotLinear(PenstockError):
    """A model that no formula represents exactly; the message says which step of it and why."""


class UnknownLevel(PenstockError):
    """A row has a level that the model does not know, and the model refuses such rows."""


@dataclass(frozen=True)
class Numeric:
    """`(x - center) / scale * weights` for a number x.

    Attributes:
        input: The model's input.
        weights: One an output.
        center: In the input's unit: the mean, median or minimum that a scaler subtracts, else 0.
        scale: In the input's unit: what a scaler divides by, else 1.
        missing: What a NULL or NaN adds to each output instead: the imputer's fill, scaled and weighted, with the
            weights of its indicator. None: the model takes no missing value, and the score is NULL.
    """

    input: str
    weights: Weights
    center: float = 0.0
    scale: float = 1.0
    missing: Weights | None = None

    @property
    def centered(self) -> bool:
        """Whether folding the center into the intercept would cost digits."""
        return abs(self.center) > _FOLDS_UP_TO * abs(self.scale)


@dataclass(frozen=True)
class Levels:
    """One weight an output for each level of an input.

    Attributes:
        input: The model's input.
        kind: Whether levels are texts or numbers; truth values are the numbers 1 and 0.
        levels: The levels that the model knows, each once: texts or floats.
        weights: For each of `levels`, one weight an output.
        unknown: The weights of any other level; None: such a row is an error.
        missing: The weights of NULL and NaN; None: the score is NULL.
    """

    input: str
    kind: LevelKind
    levels: tuple[str | float, ...]
    weights: tuple[Weights, ...]
    unknown: Weights | None
    missing: Weights | None


@dataclass(frozen=True)
class Formula:
    """A linear model: link(intercepts + the sum of its terms).

    Attributes:
        inputs: All inputs of the model, in its order.
        numbers: At most one numeric term an input, in the order of the inputs; none without an effect.
        levels: At most one term of levels an input, likewise.
        intercepts: One an output.
        link: `identity` or `exp` for numbers, `logistic` for one raw score of two classes, `softmax` for one a class.
        classes: A classifier's classes as the estimator names them, in the order of its probabilities.
    """

    inputs: tuple[str, ...]
    numbers: tuple[Numeric, ...]
    levels: tuple[Levels, ...]
    intercepts: Weights
    link: Link
    classes: tuple[Any, ...] = ()

    @property
    def used(self) -> tuple[str, ...]:
        """The inputs with an effect, in the model's order; the others are not read, whatever is in them."""
        used = {*(each.input for each in self.numbers), *(each.input for each in self.levels)}
        return tuple(each for each in self.inputs if each in used)

    @property
    def refuses_missing(self) -> bool:
        """Whether a row that lacks some value has no score."""
        return None in (*(each.missing for each in self.numbers), *(each.missing for each in self.levels))

    def as_data(self) -> dict[str, Any]:
        """The formula as numbers, texts, lists and mappings, for JSON; in `levels`, a number is keyed by its text."""
        return {
            "link": self.link,
            "classes": json.dumps(list(self.classes)),
            "inputs": list(self.inputs),
            "intercepts": list(self.intercepts),
            "numbers": {
                each.input: {
                    "center": each.center,
                    "scale": each.scale,
                    "weights": list(each.weights),
                    "missing": _listed(each.missing),
                }
                for each in self.numbers
            },
            "levels": {
                each.input: {
                    "kind": each.kind,
                    "weights": {str(k): list(w) for k, w in zip(each.levels, each.weights, strict=True)},
                    "unknown": _listed(each.unknown),
                    "missing": _listed(each.missing),
                }
                for each in self.levels
            },
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `as_data`."""
        numbers = {
            name: Numeric(name, tuple(told["weights"]), told["center"], told["scale"], _tupled(told["missing"]))
            for name, told in data["numbers"].items()
        }
        levels = {name: _levels(name, told) for name, told in data["levels"].items()}
        inputs = tuple(data["inputs"])
        return cls(
            inputs,
            tuple(numbers[name] for name in inputs if name in numbers),
            tuple(levels[name] for name in inputs if name in levels),
            tuple(data["intercepts"]),
            data["link"],
            tuple(json.loads(data["classes"])),
        )


def _levels(name: str, told: Mapping[str, Any]) -> Levels:
    weights = told["weights"]
    keys: tuple[str | float, ...] = tuple(weights) if told["kind"] == "text" else tuple(map(float, weights))
    each = tuple(tuple(w) for w in weights.values())
    return Levels(name, told["kind"], keys, each, _tupled(told["unknown"]), _tupled(told["missing"]))


def _listed(weights: Weights | None) -> list[float] | None:
    return None if weights is None else list(weights)


def _tupled(weights: list[float] | None) -> Weights | None:
    return None if weights is None else tuple(weights)
