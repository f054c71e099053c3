"""The proof that an engine gives what a version's library gives, and what each costs: the cheapest is chosen.

The rows of the proof hold missing values and levels that the model has not seen; for an ensemble of trees, each
threshold of each split and both of its float32 neighbours, too. An engine gets NULL in the inputs that it does not
read, and the library their values.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from penstock.scoring.contract import Description, Input, Loaded
from penstock.scoring.faster import LIBRARY, candidates, order_of
from penstock.scoring.flavours.types import NUMBERS, as_arrow
from penstock.scoring.spark_ml.opened import SPARK_ML, Opened

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_TOLERANCE = 1e-9  # relative, and absolute near 0
_ROWS = 2_000
_TIMED_ROWS, _TURNS = 10_000, 3
_UNSEEN = "no such level"


@dataclass(frozen=True)
class Evidence:
    """What was found of an engine.

    Attributes:
        engine: Its name.
        equal: Whether each row had the library's values, within 1e-9.
        rows: How many rows were compared.
        difference: The greatest difference, relative to values above 1; None where it is not equal.
        microseconds: CPU time a row, in batches of 10,000; None where it is not equal.
    """

    engine: str
    equal: bool
    rows: int
    difference: float | None
    microseconds: float | None


@dataclass(frozen=True)
class Choice:
    """The engine that scores a version, the inputs that it reads, and the evidence of all engines that there were."""

    engine: str
    used: tuple[str, ...]
    evidence: tuple[Evidence, ...]

    def as_json(self) -> list[dict[str, Any]]:
        """The evidence, for a JSON text."""
        return [asdict(each) for each in self.evidence]


def choose(loaded: Loaded, engines: Mapping[str, Loaded] | None = None) -> Choice:
    """Compare each engine with the library, and choose the cheapest one that is equal.

    Args:
        loaded: The version, scored by its library.
        engines: Those to try; all that can be made of the version when None.
    """
    if isinstance(loaded.native, Opened):
        # What scores are the pipeline's own expressions: there is nothing to compare.
        return Choice(SPARK_ML, loaded.used, ())
    provable = all(each.type in {*NUMBERS, "STRING"} for each in loaded.description.inputs)
    others = (candidates(loaded) if engines is None else engines) if provable else {}
    if not others:
        return Choice(LIBRARY, loaded.used, ())
    from threadpoolctl import threadpool_limits

    # As in Spark's workers, where OpenMP has one thread a task; more would count the time in which they wait.
    with threadpool_limits(1):
        return _cheapest(loaded, others)


def _cheapest(loaded: Loaded, others: Mapping[str, Loaded]) -> Choice:
    tables = list(_tables(loaded))
    timed = _timed_table(loaded)
    if any(_outcome(loaded, usual, _defaults(loaded)) is None for usual in (timed, tables[0][1])):
        return Choice(LIBRARY, loaded.used, ())  # of rows that the library refuses, no engine can be proven equal
    evidence = [Evidence(LIBRARY, True, 0, 0.0, _cost(loaded, timed))]
    for name, engine in others.items():
        rows, difference = _difference(loaded, engine, tables)
        equal = bool(difference <= _TOLERANCE)
        cost = _cost(engine, timed) if equal else None
        evidence.append(Evidence(name, equal, rows, float(difference) if equal else None, cost))
    best = min(evidence, key=lambda each: float("inf") if each.microseconds is None else each.microseconds)
    return Choice(best.engine, others.get(best.engine, loaded).used, tuple(evidence))


def _difference(loaded: Loaded, engine: Loaded, tables: list[tuple[str, pa.Table]]) -> tuple[int, float]:
    """Rows compared, and the greatest difference; infinite where only one of the two gives a value.

    Rows that the library refuses for an input which the engine does not read are no difference.
    """
    rows, worst, defaults = 0, 0.0, _defaults(loaded)
    for odd, table in tables:
        expected = _outcome(loaded, table, defaults)
        if odd in engine.unused and (expected is None or any(_missing(values) for values in expected.values())):
            continue
        given = _outcome(engine, _without(table, engine.unused), defaults)
        rows += table.num_rows
        if expected is None or given is None:
            # What the library refuses, an engine refuses too, or has no value for.
            nothing = given is not None and all(_missing(values) for values in given.values())
            if (given is None and expected is None) or (expected is None and nothing):
                continue
            return rows, float("inf")
        if given.keys() != expected.keys():
            return rows, float("inf")
        worst = max([worst, *(_apart(given[name], expected[name]) for name in expected)])
    return rows, worst


def _defaults(loaded: Loaded) -> dict[str, Any]:
    return {each.name: each.default for each in loaded.description.params}


def _without(table: pa.Table, unused: Iterable[str]) -> pa.Table:
    """The rows as a call gives them that leaves some inputs out."""
    import pyarrow as pa

    for name in unused:
        at = table.column_names.index(name)
        table = table.set_column(at, name, pa.nulls(len(table), table.schema.field(at).type))
    return table


def _outcome(engine: Loaded, table: pa.Table, params: Mapping[str, Any]) -> Mapping[str, Any] | None:
    try:
        return engine.predict(table, params)
    except Exception:  # the library refuses the rows; an engine may do so in words of its own
        return None


def _missing(values: Any) -> bool:
    import numpy as np
    import pyarrow as pa

    if isinstance(values, pa.Array | pa.ChunkedArray):
        return bool(values.null_count)
    array = np.asarray(values)
    return bool(array.dtype.kind == "O" or (array.dtype.kind == "f" and np.isnan(array).any()))


def _apart(given: Any, expected: Any) -> float:
    import numpy as np

    one, other = (_plain(values) for values in (given, expected))
    if one.shape != other.shape:
        return float("inf")
    if one.dtype.kind in "OUSb" or other.dtype.kind in "OUSb":
        return 0.0 if np.array_equal(one.astype(str), other.astype(str)) else float("inf")
    one, other = one.astype(np.float64), other.astype(np.float64)
    if (np.isnan(one) != np.isnan(other)).any():
        return float("inf")
    with np.errstate(invalid="ignore"):
        apart = np.abs(one - other) / np.maximum(np.abs(other), 1.0)
    apart = np.where((one == other) | np.isnan(other), 0.0, apart)
    worst: float = apart.max(initial=0.0)
    return worst


def _plain(values: Any) -> np.ndarray[Any, Any]:
    import numpy as np

    plain: np.ndarray[Any, Any] = (
        values if isinstance(values, np.ndarray) else np.asarray(values.to_numpy(zero_copy_only=False))
    )
    return plain


def _cost(engine: Loaded, table: pa.Table) -> float:
    defaults = _defaults(engine)
    engine.predict(table, defaults)  # kernels are compiled, caches filled
    taken = []
    for _ in range(_TURNS):
        before = time.process_time()
        engine.predict(table, defaults)
        taken.append(time.process_time() - before)
    middle: float = sorted(taken)[_TURNS // 2]
    return round(middle * 1e6 / int(table.num_rows), 3)


def _tables(loaded: Loaded) -> Iterator[tuple[str, pa.Table]]:
    """Rows that tell engines apart: usual ones, missing values, unseen levels, and a tree's thresholds.

    What a library may refuse stands in a table of its own, alone in its column, whose name comes with the table.
    """
    import numpy as np

    random = np.random.default_rng(0)
    yield "", _random_table(loaded.description, random, _ROWS)
    for each in loaded.description.inputs:
        yield each.name, _random_table(loaded.description, random, 50, missing=each.name)
        if each.levels or each.type == "STRING":
            yield each.name, _random_table(loaded.description, random, 50, unseen=each.name)
    yield from (("", table) for table in _at_thresholds(loaded))


def _timed_table(loaded: Loaded) -> pa.Table:
    import numpy as np

    return _random_table(loaded.description, np.random.default_rng(1), _TIMED_ROWS)


def _random_table(
    description: Description, random: np.random.Generator, rows: int, *, missing: str = "", unseen: str = ""
) -> pa.Table:
    import pyarrow as pa

    made = {}
    for each in description.inputs:
        kind = as_arrow(each.type)
        if each.name == missing:
            made[each.name] = pa.nulls(rows, kind)
        elif each.name == unseen:
            made[each.name] = pa.repeat(_unseen(each), rows).cast(kind)
        elif each.levels:
            made[each.name] = each.arrow_levels.take(pa.array(random.integers(0, len(each.levels), rows))).cast(
                kind, safe=False
            )
        elif each.type == "STRING":
            made[each.name] = pa.repeat(_UNSEEN, rows)
        else:
            # Small and large, whole and fractional, and many equal ones.
            values = random.normal(size=rows) * 10.0 ** random.integers(-1, 4, rows)
            made[each.name] = pa.array(values.round(random.integers(0, 3))).cast(kind, safe=False)
    return pa.table(made)


def _unseen(each: Input) -> Any:
    """A level that the model does not know."""
    known = set(each.levels)
    return _UNSEEN if each.type == "STRING" else next(number for number in count() if number not in known)


def _at_thresholds(loaded: Loaded) -> Iterator[pa.Table]:
    """Each split's threshold and its neighbours, for a bare ensemble of numbers."""
    import pyarrow as pa

    from penstock.scoring.trees.ensemble import NotATreeEnsemble
    from penstock.scoring.trees.predictor import compile_trees
    from penstock.scoring.trees.probes import split_probes

    types = {each.name: each.type for each in loaded.description.inputs}
    if hasattr(loaded.native, "steps") or not set(types.values()) <= {"DOUBLE", "FLOAT"}:
        return
    try:
        ensemble = compile_trees(loaded.native).ensemble
    except (NotATreeEnsemble, ImportError):
        return
    order = order_of(loaded)
    probes = split_probes(ensemble, len(order))
    table = pa.table({n: pa.array(probes[:, i], as_arrow(types[n]), from_pandas=True) for i, n in enumerate(order)})
    yield table.select(list(types))
