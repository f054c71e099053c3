"""A fitted encoder of scikit-learn as tables, got by asking the encoder itself about every level."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from penstock.scoring.linear.columns import Column, Raw, Table, level
from penstock.scoring.linear.formula import NotLinear

if TYPE_CHECKING:
    import numpy as np

    Matrix = np.ndarray[Any, Any]

_NEVER_SEEN = "a level that no training has seen \x00"


def encoded(encoder: Any, columns: Sequence[Column]) -> list[Column]:
    """The columns behind a fitted OneHotEncoder, OrdinalEncoder or TargetEncoder.

    Raises:
        NotLinear: when a column has gone through a scaler or encoder before, or a category is none that SQL has.
    """
    made: list[Column] = []
    start = 0
    for at, column in enumerate(columns):
        where = f"{type(encoder).__name__} of input '{column.input}'"
        if not isinstance(column, Raw):
            raise NotLinear("an encoder comes after a scaler or an encoder", where=where)
        end = start + width(encoder, at)
        made += _tables(encoder, at, column, slice(start, end), where)
        start = end
    return made


def width(encoder: Any, at: int) -> int:
    """How many columns a fitted encoder makes of the one at this place."""
    if hasattr(encoder, "_n_features_outs"):  # one-hot: dropped and infrequent categories have no column
        return int(encoder._n_features_outs[at])
    if hasattr(encoder, "encodings_"):  # of targets: one column, or one a class
        return len(encoder.encodings_) // len(encoder.categories_)
    return 1


def _tables(encoder: Any, at: int, column: Raw, within: slice, where: str) -> list[Table]:
    categories = list(encoder.categories_[at])
    lacking = [each for each in categories if _lacks(each)]
    if len(lacking) > 1:
        raise NotLinear("None and NaN are two categories, and SQL has one NULL", where=where)
    known = [each for each in categories if not _lacks(each)]
    keys = [level(each, where) for each in known]
    if len(set(map(type, keys))) > 1:
        raise NotLinear("its levels are texts and numbers", where=where)
    text = not keys or isinstance(keys[0], str)
    rows = _asked(encoder, at, known, within) if known else ()
    assert rows is not None  # an encoder takes its own categories
    unknown = _asked(encoder, at, [_NEVER_SEEN if text else max(map(float, keys)) + 1.0], within)
    fill = column.fill if column.fill is not None else lacking[0] if lacking else None if text else math.nan
    missing = _asked(encoder, at, [fill], within)
    return [
        Table(
            column.input,
            "text" if text else "number",
            {key: float(row[k]) for key, row in zip(keys, rows, strict=True)},
            None if unknown is None or math.isnan(unknown[0, k]) else float(unknown[0, k]),
            math.nan if missing is None else float(missing[0, k]),
        )
        for k in range(within.stop - within.start)
    ]


def _asked(encoder: Any, at: int, values: list[Any], within: slice) -> Matrix | None:
    """What the encoder makes of rows with these values at one place; None where it refuses one."""
    import pandas as pd

    # integer names are no feature names to scikit-learn
    names = getattr(encoder, "feature_names_in_", range(len(encoder.categories_)))
    taken = {name: [each[0]] * len(values) for name, each in zip(names, encoder.categories_, strict=True)}
    taken[names[at]] = values
    frame = pd.DataFrame({name: pd.Series(each, dtype=_dtype(each[0])) for name, each in taken.items()})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of unknown categories, which we ask about on purpose
        try:
            got = encoder.transform(frame)
        except ValueError:
            return None
    dense: Matrix = (got.toarray() if hasattr(got, "toarray") else pd.DataFrame(got).to_numpy())[:, within]
    return dense


def _dtype(value: Any) -> Any:
    return object if value is None or isinstance(value, str) else None


def _lacks(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
