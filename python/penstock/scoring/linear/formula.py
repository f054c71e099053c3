"""A linear model as data: numeric terms, terms of levels, intercepts and a link."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from penstock.errors import InvalidDefinitionError, PenstockError
from penstock.scoring.linear.shape import LevelKind, LevelShape, Link, NumberShape, Shape
from penstock.scoring.linear.slots import lookup_values, lookups, slot_values

if TYPE_CHECKING:
    import pyarrow as pa

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

    @property
    def shape(self) -> LevelShape:
        """The term without its coefficients."""
        own: Literal["as unknown", "own"] = "as unknown" if self.missing == self.unknown else "own"
        return LevelShape(self.input, self.kind, self.unknown is None, "null" if self.missing is None else own)


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
        used = set(self.shape.used)
        return tuple(each for each in self.inputs if each in used)

    @property
    def shape(self) -> Shape:
        """What SQL text for this formula depends on."""
        return Shape(
            tuple(NumberShape(each.input, each.centered, each.missing is not None) for each in self.numbers),
            tuple(each.shape for each in self.levels),
            len(self.intercepts),
            self.link,
        )

    def as_data(self) -> dict[str, Any]:
        """The formula as numbers, texts, lists and mappings, for JSON, Arrow (`arrow_type`) or a row of Delta.

        `slots`, `texts` and `codes` say the same again, as SQL reads it. In `levels`, a number is keyed by its text.
        """
        return {
            "shape": self.shape.hash,
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
            "slots": list(slot_values(self).values()),
            "texts": [lookup_values(self, *each) for each in lookups(self.shape, "text")],
            "codes": [lookup_values(self, *each) for each in lookups(self.shape, "number")],
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `as_data`; mappings may also be lists of pairs, as Arrow gives them.

        Raises:
            InvalidDefinitionError: when the data's shape is not the one that it says.
        """
        inputs = tuple(data["inputs"])
        numbers = {
            name: Numeric(name, tuple(told["weights"]), told["center"], told["scale"], _tupled(told["missing"]))
            for name, told in dict(data["numbers"]).items()
        }
        levels = {name: _levels(name, told) for name, told in dict(data["levels"]).items()}
        made = cls(
            inputs,
            tuple(numbers[name] for name in inputs if name in numbers),
            tuple(levels[name] for name in inputs if name in levels),
            tuple(data["intercepts"]),
            data["link"],
            tuple(json.loads(data["classes"])),
        )
        if made.shape.hash != data["shape"]:
            raise InvalidDefinitionError(
                f"coefficients say that their shape is {data['shape']}, and are of shape {made.shape.hash}",
                fix="register the version anew",
            )
        return made


def arrow_type() -> pa.StructType:
    """The Arrow type of `Formula.as_data`."""
    import pyarrow as pa

    weights = pa.list_(pa.float64())
    number = [("center", pa.float64()), ("scale", pa.float64()), ("weights", weights), ("missing", weights)]
    level = [
        ("kind", pa.string()),
        ("weights", pa.map_(pa.string(), weights)),
        ("unknown", weights),
        ("missing", weights),
    ]
    return pa.struct(
        [
            ("shape", pa.string()),
            ("link", pa.string()),
            ("classes", pa.string()),
            ("inputs", pa.list_(pa.string())),
            ("intercepts", weights),
            ("numbers", pa.map_(pa.string(), pa.struct(number))),
            ("levels", pa.map_(pa.string(), pa.struct(level))),
            ("slots", weights),
            ("texts", pa.list_(pa.map_(pa.string(), pa.float64()))),
            ("codes", pa.list_(pa.map_(pa.float64(), pa.float64()))),
        ]
    )


def _levels(name: str, told: Mapping[str, Any]) -> Levels:
    weights = dict(told["weights"])
    keys: tuple[str | float, ...] = tuple(weights) if told["kind"] == "text" else tuple(map(float, weights))
    each = tuple(tuple(w) for w in weights.values())
    return Levels(name, told["kind"], keys, each, _tupled(told["unknown"]), _tupled(told["missing"]))


def _listed(weights: Weights | None) -> list[float] | None:
    return None if weights is None else list(weights)


def _tupled(weights: list[float] | None) -> Weights | None:
    return None if weights is None else tuple(weights)
