"""dbt's Python function resources (`udfs/*.py`) as Spark UDFs."""

from __future__ import annotations

import hashlib
import json
import linecache
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_type_hints

from penstock.engines.spark import PythonFunction, promote
from penstock.errors import InvalidDefinitionError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PREFIX = "penstock_py_"

# What this process's Spark has of each function; its registry tells names only.
_promoted: dict[str, str] = {}


def promote_changed(spark: SparkSession, function: Mapping[str, Any]) -> None:
    """Promote one function node of dbt's manifest unless this Spark has it as it is.

    Raises:
        InvalidDefinitionError: as for `from_dbt`.
    """
    body = [function.get(part) for part in ("raw_code", "original_file_path", "config", "returns")]
    digest = hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()
    if _promoted.get(function["name"]) != digest:
        promote(spark, from_dbt(function))
        _promoted[function["name"]] = digest


def from_dbt(function: Mapping[str, Any]) -> PythonFunction:
    """The UDF of one function node of dbt's manifest.

    Its entry point (`main` unless `config.entry_point` names another) takes and returns pandas Series or Arrow arrays;
    the annotations say which. `returns.data_type` is its SQL type. SQL reaches it as `penstock_py_<name>`; the
    persistent function of its own name is made by dbt.

    Raises:
        InvalidDefinitionError: when the file does not run, has no entry point, or its annotations are of neither kind.
    """
    from pyspark.sql.functions import arrow_udf, pandas_udf

    where = function["original_file_path"]
    entry = (function.get("config") or {}).get("entry_point") or "main"
    # The raw text, because dbt renders Jinja in the compiled one; linecache gives readable tracebacks.
    code = function["raw_code"]
    linecache.cache[where] = (len(code), None, code.splitlines(keepends=True), where)
    # A module name that nothing can import makes cloudpickle ship the function by value.
    namespace: dict[str, Any] = {"__name__": f"dbt_function_{function['name']}"}
    try:
        exec(compile(code, where, "exec"), namespace)
        body = namespace[entry]
        hints = get_type_hints(body, namespace)
    except KeyError:
        raise InvalidDefinitionError(
            f"there is no function '{entry}'", where=where, fix="name it in entry_point"
        ) from None
    except Exception as error:
        raise InvalidDefinitionError(f"the file does not run: {error}", where=where) from error
    kinds = {hint.__module__.split(".")[0] for hint in hints.values()}
    if kinds not in ({"pandas"}, {"pyarrow"}):
        raise InvalidDefinitionError(
            f"'{entry}' must take and return pandas.Series or pyarrow.Array, and say so in its annotations",
            where=where,
            fix=f"def {entry}(x: pd.Series) -> pd.Series",
        )
    # PySpark reads the kind of a UDF from real type objects, not from postponed annotations.
    body.__annotations__ = hints
    make = pandas_udf if kinds == {"pandas"} else arrow_udf
    return PythonFunction(PREFIX + function["name"], make(body, function["returns"]["data_type"]))
