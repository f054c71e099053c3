"""The Python bodies that run models inside Spark: one a result type, shared by all models of that type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.scoring.native import load_predictor

if TYPE_CHECKING:
    import pyarrow as pa

SCORE_DOUBLE = "penstock_score_double"


def score_double(source: pa.Array, features: pa.StructArray) -> pa.Array:
    """Score a batch: `source` names the logged model of each row, `features` holds its inputs by name.

    A row whose `features` is NULL is not scored and yields NULL. Extra fields are ignored.

    Raises:
        ValueError: when `source` is NULL (the alias points to no version) or an input is missing.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if source.null_count:
        raise ValueError("this model has no version under the alias that was asked for: train or promote one")
    result = np.full(len(source), np.nan)
    present = pc.is_valid(features)
    for uri in pc.unique(source):
        rows = np.flatnonzero(pc.and_(pc.equal(source, uri), present).to_numpy(zero_copy_only=False))
        if len(rows):
            result[rows] = _predict(uri.as_py(), features.take(pa.array(rows)))
    return pa.array(result, mask=pc.invert(present).to_numpy(zero_copy_only=False))


def _predict(source: str, features: pa.StructArray) -> Any:
    import pyarrow as pa

    names, predictor = load_predictor(source)
    fields = {field.name: i for i, field in enumerate(features.type)}
    missing = [name for name in names if name not in fields]
    if missing:
        raise ValueError(f"the model needs {', '.join(missing)}, which the call does not give")
    columns = features.flatten()
    table = pa.Table.from_arrays([columns[fields[name]] for name in names], names=list(names))
    return predictor(table.to_pandas())


def dispatchers() -> dict[str, Any]:
    """The functions to promote, by name, as PySpark UDFs."""
    import pyarrow as pa
    from pyspark.sql.functions import arrow_udf

    # PySpark reads the kind of a UDF from real type objects, so the annotations are resolved here.
    score_double.__annotations__ = dict.fromkeys(("source", "features", "return"), pa.Array)
    return {SCORE_DOUBLE: arrow_udf(score_double, "double")}
