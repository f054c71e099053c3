"""MLflow's types as SQL's, and SQL's as Arrow's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from penstock.errors import InvalidDefinitionError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_OF_MLFLOW = {
    "boolean": "BOOLEAN", "integer": "INT", "long": "BIGINT", "float": "FLOAT", "double": "DOUBLE", "string": "STRING",
    "binary": "BINARY", "datetime": "TIMESTAMP",
}  # fmt: skip

# NumPy's kinds and widths in bytes; a wider type where SQL has none of the same width. SQL has no unsigned BIGINT: a
# number above 2^63 fails in the worker rather than wraps around.
_OF_NUMPY = {
    "b1": "BOOLEAN", "i1": "INT", "i2": "INT", "i4": "INT", "i8": "BIGINT", "u1": "INT", "u2": "INT", "u4": "BIGINT",
    "u8": "BIGINT", "f2": "FLOAT", "f4": "FLOAT", "f8": "DOUBLE",
}  # fmt: skip
_OF_NUMPY_KIND = {"U": "STRING", "S": "BINARY", "M": "TIMESTAMP", "O": "STRING"}

NUMBERS = frozenset({"INT", "BIGINT", "FLOAT", "DOUBLE"})


def of_mlflow(kind: Any, *, where: str) -> str:
    """The SQL type of a column's type in an MLflow signature.

    Args:
        kind: A `DataType`, `Array`, `Object`, `Map` or `SparkMLVector` of `mlflow.types`.
        where: What the type belongs to, for the error.

    Raises:
        InvalidDefinitionError: when SQL has no such type: MLflow's Any.
    """
    from mlflow.types import DataType
    from mlflow.types.schema import Array, Map, Object, SparkMLVector

    if isinstance(kind, DataType):
        return _OF_MLFLOW[kind.name]
    if isinstance(kind, SparkMLVector):
        return "ARRAY<DOUBLE>"
    if isinstance(kind, Array):
        return f"ARRAY<{of_mlflow(kind.dtype, where=where)}>"
    if isinstance(kind, Map):
        return f"MAP<STRING, {of_mlflow(kind.value_type, where=where)}>"
    if isinstance(kind, Object):
        fields = [f"{_quoted(each.name)}: {of_mlflow(each.dtype, where=where)}" for each in kind.properties]
        return f"STRUCT<{', '.join(fields)}>"
    raise InvalidDefinitionError(
        f"the signature has the type {kind!r}, which SQL has not",
        where=where,
        fix=f"log the model with a signature of {', '.join(_OF_MLFLOW)}, arrays, objects and maps of them",
    )


def of_numpy(dtype: np.dtype[Any], *, where: str) -> str:
    """The SQL type that holds each value of a NumPy type.

    Raises:
        InvalidDefinitionError: when SQL has no such type, as for complex numbers.
    """
    found = _OF_NUMPY.get(f"{dtype.kind}{dtype.itemsize}") or _OF_NUMPY_KIND.get(dtype.kind)
    if found is None:
        raise InvalidDefinitionError(
            f"the signature has the type {dtype}, which SQL has not",
            where=where,
            fix="log the model with a signature of booleans, numbers, text or timestamps",
        )
    return found


def as_arrow(sql: str) -> pa.DataType:
    """Arrow's type of a SQL type in Spark's words.

    Example:
        >>> as_arrow("ARRAY<FLOAT>")
        ListType(list<element: float>)
    """
    return _as_arrow(exp.DataType.build(sql, dialect="spark"))


def element_of(sql: str) -> str:
    """The type of the elements of an ARRAY type; empty for any other.

    Example:
        >>> element_of("ARRAY<FLOAT>"), element_of("FLOAT")
        ('FLOAT', '')
    """
    return sql[len("ARRAY<") : -1] if sql.startswith("ARRAY<") else ""


def _as_arrow(kind: exp.DataType) -> pa.DataType:
    import pyarrow as pa

    word = kind.this.name
    if word == "ARRAY":
        return pa.list_(pa.field("element", _as_arrow(kind.expressions[0])))
    if word == "MAP":
        return pa.map_(*(_as_arrow(each) for each in kind.expressions))
    if word == "STRUCT":
        return pa.struct([(each.this.name, _as_arrow(each.args["kind"])) for each in kind.expressions])
    return {
        "BOOLEAN": pa.bool_(), "INT": pa.int32(), "BIGINT": pa.int64(), "FLOAT": pa.float32(), "DOUBLE": pa.float64(),
        "TEXT": pa.string(), "VARCHAR": pa.string(), "BINARY": pa.binary(), "VARBINARY": pa.binary(),
        "TIMESTAMP": pa.timestamp("us", "UTC"), "TIMESTAMPTZ": pa.timestamp("us", "UTC"),
        "TIMESTAMPLTZ": pa.timestamp("us", "UTC"),
    }[word]  # fmt: skip


def _quoted(name: str) -> str:
    return exp.to_identifier(name, quoted=True).sql("spark")
