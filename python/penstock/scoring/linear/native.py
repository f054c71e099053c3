"""A linear model over Arrow columns with numpy: one multiplication a number, one lookup a level."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.scoring.contract import Contributions, Description, Predictor
from penstock.scoring.linear.formula import Formula, LevelKind, Levels, Numeric, UnknownLevel
from penstock.scoring.linear.sql import unknown_level

if TYPE_CHECKING:
    import pyarrow as pa

Matrix = np.ndarray[Any, Any]


def predictor(formula: Formula, description: Description) -> Predictor:
    """The formula as a `Predictor` of the model that `description` describes.

    A row that lacks a value which the model needs gives NULL, and NaN for each probability. Calling it raises
    `UnknownLevel` when a row has a level that the model refuses.
    """
    names = [each.name for each in description.fields]

    def predict(table: pa.Table, params: Mapping[str, Any]) -> dict[str, Any]:
        del params  # a linear model has none
        raw = raw_scores(formula, table)
        if description.classes:
            return {names[0]: _labels(formula, raw), "probabilities": _probabilities(formula, raw)}
        if formula.link == "logistic":  # a model that names no classes gives P(second)
            values = _probabilities(formula, raw)[:, 1:]
        else:
            with np.errstate(over="ignore"):  # infinity, as with the library
                values = np.exp(raw) if formula.link == "exp" else raw
        if len(names) == len(formula.intercepts):
            return {name: _nullable(values[:, k]) for k, name in enumerate(names)}
        return {names[0]: values}

    return predict


def raw_scores(formula: Formula, table: pa.Table) -> Matrix:
    """The scores before the link: a float64 matrix of a row a row and a column an output; NaN where a value lacks.

    Raises:
        UnknownLevel: when a row has a level that the model refuses.
    """
    raw: Matrix = np.tile(np.asarray(formula.intercepts), (table.num_rows, 1))
    for _, added in _terms(formula, table):
        raw += added
    return raw


def contributions(formula: Formula, table: pa.Table, output: int = 0) -> tuple[float, Matrix]:
    """What each input adds to a row's raw score, on the link's scale: exact, since the model is a sum.

    The contribution of an input is its term minus its term at the baseline. At the baseline, a number is the center of
    its scaler (the mean, the median or the minimum; 0 without one), where its term is 0; a level adds nothing.

    Args:
        formula: The model.
        table: One column an input.
        output: Which raw score.

    Returns:
        The raw score at the baseline, and a float64 matrix of a row a row and a column for each of `formula.used`.
        The first plus the sum of a row of the second is the row's raw score.

    Raises:
        UnknownLevel: when a row has a level that the model refuses.
    """
    places = {name: at for at, name in enumerate(formula.used)}
    made: Matrix = np.zeros((table.num_rows, len(places)))
    for name, added in _terms(formula, table):
        made[:, places[name]] += added[:, output]
    return formula.intercepts[output], made


def explainer(formula: Formula) -> Contributions | None:
    """The formula's `contributions` as `Loaded` has them; None where a row has several raw scores."""
    if len(formula.intercepts) > 1:
        return None
    places = [formula.inputs.index(each) for each in formula.used]

    def explain(table: pa.Table) -> tuple[Matrix, Matrix]:
        base, of_used = contributions(formula, table)
        made: Matrix = np.zeros((table.num_rows, len(formula.inputs)))
        made[:, places] = of_used
        return np.full(table.num_rows, base), made

    return explain


def _terms(formula: Formula, table: pa.Table) -> Iterator[tuple[str, Matrix]]:
    """What each term adds, a column an output, with its input; NaN where the value lacks and the model needs it."""
    for number in formula.numbers:
        yield number.input, _number(number, table.column(number.input))
    for level in formula.levels:
        yield level.input, _level(level, table.column(level.input))


def _number(term: Numeric, column: pa.ChunkedArray) -> Matrix:
    values = _floats(column)
    made: Matrix = np.multiply.outer((values - term.center) / term.scale, np.asarray(term.weights))
    if term.missing is not None:
        made[np.isnan(values)] = term.missing
    return made


def _level(term: Levels, column: pa.ChunkedArray) -> Matrix:
    places = places_of_levels(column, term.kind, term.levels)
    if term.unknown is None and bool(np.any(places == len(term.levels))):
        raise UnknownLevel(
            unknown_level(term.input), fix="score rows with known levels, or let the encoder ignore others"
        )
    none = (np.nan,) * len(term.weights[0] if term.weights else term.missing or ())
    rows = (*term.weights, term.unknown or none, none if term.missing is None else term.missing)
    made: Matrix = np.asarray(rows)[places]
    return made


def places_of_levels(column: pa.ChunkedArray, kind: LevelKind, levels: Sequence[str | float]) -> Matrix:
    """The place of each row's level among the levels; behind the last, that of an unknown and of a missing level."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind == "text":
        lacks = column.is_null().to_numpy()
        found = _indexed(column, pa.array(levels, pa.string()))
    else:
        values = _floats(column) + 0.0  # -0.0 is equal to 0.0, and Arrow's index tells them apart
        lacks = np.isnan(values)
        found = pc.index_in(pa.array(values), pa.array(levels, pa.float64()))
    places: Matrix = np.where(lacks, len(levels) + 1, found.fill_null(len(levels)).to_numpy())
    return places


def _indexed(column: pa.ChunkedArray, levels: pa.Array) -> pa.Array:
    """The place of each text among the levels, NULL for none; of a dictionary, only its entries are looked up."""
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = column.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):  # of no chunks, or too large for one
        whole = pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], column.type)
    if pa.types.is_dictionary(whole.type):
        return _indexed(pa.chunked_array([whole.dictionary]), levels).take(whole.indices)
    if whole.type == pa.null():
        return pa.nulls(len(whole), pa.int32())
    return pc.index_in(whole, levels.cast(whole.type))


def _floats(column: pa.ChunkedArray) -> Matrix:
    """The column as float64, NaN for NULL."""
    import pyarrow as pa

    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    floats: Matrix = column.cast(pa.float64()).to_numpy()
    return floats


def _labels(formula: Formula, raw: Matrix) -> pa.Array:
    """The class of the highest score; NULL where the scores are NaN. Scores tell classes of equal probability apart."""
    import pyarrow as pa

    places = (raw[:, 0] > 0).astype(np.int64) if formula.link == "logistic" else raw.argmax(axis=1)
    return pa.array(formula.classes).take(pa.array(places, mask=np.isnan(raw).any(axis=1)))


def _probabilities(formula: Formula, raw: Matrix) -> Matrix:
    """A column a class."""
    with np.errstate(over="ignore"):  # 1 / infinity is the right probability
        if formula.link == "logistic":
            return np.column_stack([1.0 / (1.0 + np.exp(raw[:, 0])), 1.0 / (1.0 + np.exp(-raw[:, 0]))])
    odds = np.exp(raw - raw.max(axis=1, keepdims=True))
    probabilities: Matrix = odds / odds.sum(axis=1, keepdims=True)
    return probabilities


def _nullable(values: Matrix) -> pa.Array:
    """NULL instead of NaN."""
    import pyarrow as pa

    return pa.array(values, from_pandas=True)
