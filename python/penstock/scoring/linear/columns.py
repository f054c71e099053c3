"""The columns between the steps of a pipeline, each as a function of one input, and their sum as a formula.

A missing value (NULL, NaN) on its way through the steps is NaN here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.scoring.linear.formula import Formula, LevelKind, Levels, Link, NotLinear, Numeric, Weights

Level = str | float
_LARGEST_EXACT = 2**53  # beyond it, not every whole number is a DOUBLE


@dataclass(frozen=True)
class Raw:
    """An input as it is, with NULL replaced by `fill` where that is not None."""

    input: str
    fill: Any = None


@dataclass(frozen=True)
class Affine:
    """(x - center) / scale of a number x, and `missing` of a missing one."""

    input: str
    center: float
    scale: float
    missing: float


@dataclass(frozen=True)
class Table:
    """A number for each level; `unknown` None: any other level is an error."""

    input: str
    kind: LevelKind
    values: Mapping[Level, float]
    unknown: float | None
    missing: float


Column = Raw | Affine | Table


def level(value: Any, where: str) -> Level:
    """A level of an encoder as a formula has it: a text, or a float for a number or a truth value.

    Raises:
        NotLinear: when it is neither, or a whole number that is no float.
    """
    if isinstance(value, str):
        return str(value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise NotLinear(f"a level is of type {type(value).__name__}", where=where) from None
    if abs(number) > _LARGEST_EXACT:
        raise NotLinear(f"the level {value} is beyond the whole numbers that DOUBLE holds exactly", where=where)
    return number + 0.0  # SQL takes -0.0 and 0.0 for equal


def number(column: Column) -> Affine | Table:
    """The column as a number."""
    if not isinstance(column, Raw):
        return column
    if isinstance(column.fill, str):
        raise NotLinear(f"a text is weighed as a number: input '{column.input}'", fix="encode it in the pipeline")
    return Affine(column.input, 0.0, 1.0, math.nan if column.fill is None else float(column.fill))


def scaled(column: Column, center: float, scale: float) -> Column:
    """(column - center) / scale."""
    if center == 0.0 and scale == 1.0:
        return column
    numeric = number(column)
    missing = (numeric.missing - center) / scale
    if isinstance(numeric, Affine):
        return Affine(numeric.input, numeric.center + center * numeric.scale, numeric.scale * scale, missing)
    values = {key: (value - center) / scale for key, value in numeric.values.items()}
    unknown = None if numeric.unknown is None else (numeric.unknown - center) / scale
    return Table(numeric.input, numeric.kind, values, unknown, missing)


def filled(column: Column, fill: Any) -> Column:
    """The column with its missing values replaced."""
    if isinstance(column, Raw):
        return column if column.fill is not None else Raw(column.input, fill)
    missing = _or_fill(column.missing, fill)
    if isinstance(column, Affine):
        return Affine(column.input, column.center, column.scale, missing)
    values = {key: _or_fill(value, fill) for key, value in column.values.items()}
    unknown = None if column.unknown is None else _or_fill(column.unknown, fill)
    return Table(column.input, column.kind, values, unknown, missing)


def indicator(column: Column) -> Table:
    """1 where the column is missing, else 0.

    Raises:
        NotLinear: when it is missing for some level, which no pipeline of ours has made.
    """
    if isinstance(column, Table):
        raise NotLinear("an indicator of missing codes", where=f"input '{column.input}'")
    lacks = column.fill is None if isinstance(column, Raw) else math.isnan(column.missing)
    return Table(column.input, "text", {}, 0.0, 1.0 if lacks else 0.0)


def _or_fill(value: float, fill: Any) -> float:
    return float(fill) if math.isnan(value) else value


@dataclass
class _Sum:
    """The sum of an input's columns, each with its weights; lists are one an output."""

    affine: list[tuple[Affine, Weights]] = field(default_factory=list)
    tables: list[tuple[Table, Weights]] = field(default_factory=list)


def formula(
    inputs: Sequence[str],
    columns: Sequence[Column],
    coefficients: Sequence[Sequence[float]],
    intercepts: Sequence[float],
    link: Link,
    classes: Sequence[Any] = (),
) -> Formula:
    """The formula of a linear model over the columns.

    Args:
        inputs: All inputs of the model, in its order.
        columns: What its last step takes.
        coefficients: For each output, one number a column.
        intercepts: One an output.
        link: From raw scores to what the model gives.
        classes: A classifier's classes.

    Raises:
        NotLinear: when the coefficients are not finite or as many as the columns, or one input has levels of texts and
            of numbers.
    """
    if any(len(row) != len(columns) for row in coefficients):
        raise NotLinear(f"the model has {len(coefficients[0])} coefficients for {len(columns)} columns")
    if not all(math.isfinite(v) for row in (*coefficients, intercepts) for v in row):
        raise NotLinear("a coefficient is infinite or NaN", fix="look into the training: it has diverged")
    sums = {name: _Sum() for name in inputs}
    for at, column in enumerate(columns):
        weights = tuple(float(row[at]) for row in coefficients)
        numeric = number(column)
        if isinstance(numeric, Affine):
            sums[numeric.input].affine.append((numeric, weights))
        elif any(weights):
            sums[numeric.input].tables.append((numeric, weights))
    offsets = [[float(v)] for v in intercepts]
    numbers, levels = [], []
    for name, total in sums.items():
        flags = [pair for pair in total.tables if not pair[0].values]
        if total.affine:
            made = _number(name, total.affine, flags, offsets)
            numbers += [made] if any(made.weights) or any(made.missing or ()) else []
        named = [pair for pair in total.tables if pair[0].values or not total.affine]
        if named:
            table = _table(name, named)
            effects = (*table.weights, table.unknown or (), table.missing or ())
            levels += [table] if any(any(w) for w in effects) else []
    summed = tuple(math.fsum(each) for each in offsets)
    return Formula(tuple(inputs), tuple(numbers), tuple(levels), summed, link, tuple(classes))


def _number(
    name: str, parts: list[tuple[Affine, Weights]], flags: list[tuple[Table, Weights]], offsets: list[list[float]]
) -> Numeric:
    """The parts as one term with the first one's center and scale; constants go to the offsets."""
    # without a weight but with an indicator, it stays a number: SQL looks for NaN only there
    parts = [(part, w) for part, w in parts if any(w)] or parts[:1]
    first = parts[0][0]
    weights, missing = [], []
    for k, offset in enumerate(offsets):
        weights.append(math.fsum(w[k] * (first.scale / part.scale) for part, w in parts))
        # each part is (x - first.center) / part.scale and a constant, which a missing value does not add
        constants = [w[k] * ((first.center - part.center) / part.scale) for part, w in parts[1:]]
        constants += [w[k] * (flag.unknown or 0.0) for flag, w in flags]
        offset.extend(constants)
        of_missing = [w[k] * part.missing for part, w in parts if w[k]] + [w[k] * flag.missing for flag, w in flags]
        missing.append(math.fsum(of_missing) - math.fsum(constants))
    imputed = not any(math.isnan(part.missing) for part, w in parts if any(w))
    return Numeric(name, tuple(weights), first.center, first.scale, tuple(missing) if imputed else None)


def _table(name: str, parts: list[tuple[Table, Weights]]) -> Levels:
    kinds = {table.kind for table, _ in parts if table.values}
    if len(kinds) > 1:
        raise NotLinear("one encoder takes it for texts and another for numbers", where=f"input '{name}'")
    outputs = range(len(parts[0][1]))

    def total(values: list[float | None]) -> Weights | None:
        """The weighted sum; None where a part has none."""
        if any(value is None or math.isnan(value) for value in values):
            return None
        return tuple(math.fsum(v * w[k] for v, (_, w) in zip(values, parts, strict=True) if v) for k in outputs)

    known = dict.fromkeys(key for table, _ in parts for key in table.values)
    sums = {key: total([table.values.get(key, table.unknown) for table, _ in parts]) for key in known}
    # a level that one part refuses is unknown to all
    kept = {key: weights for key, weights in sums.items() if weights is not None}
    unknown = total([table.unknown for table, _ in parts])
    if len(kept) < len(sums) and unknown is not None:
        raise NotLinear("some levels have no number, and others unknown in training have", where=f"input '{name}'")
    return Levels(
        name,
        kinds.pop() if kinds else "text",
        tuple(kept),
        tuple(kept.values()),
        unknown,
        total([table.missing for table, _ in parts]),
    )
