"""What runs in Spark's Python workers: a batch of rows in, each row's result out, no row lost or moved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidRequestError, PenstockError
from penstock.scoring import policies
from penstock.scoring.contract import Description, Input, Loaded
from penstock.scoring.failures import ModelDoesNotLoad, ModelFailed
from penstock.scoring.live import Live
from penstock.scoring.memory import Models
from penstock.scoring.returns import BASE, CONTRIBUTIONS, ERROR, SHADOW, VARIANT, VERSION, combined, part_values

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_LONGEST = 300  # of a row's error
# Is told of a version, as its text: rows, those of them that failed, and seconds of CPU time.
Count = Callable[[str, int, int, float], None]


@dataclass(frozen=True)
class Scoring:
    """What a call of a function asks of a worker.

    Attributes:
        function: Its name, for errors.
        model: The registered model's name, for errors.
        parts: What it returns.
        type: The Arrow type of the result.
        top: How many classes the part `top` lists.
        on_null: As declared.
        on_unknown: As declared.
        on_error: As declared.
        shadowed: Whether the arguments hold a second version.
        params: Whether the arguments hold params.
    """

    function: str
    model: str
    parts: tuple[str, ...]
    type: pa.DataType
    top: int = 3
    on_null: str = "model"
    on_unknown: str = "model"
    on_error: str = "fail"
    shadowed: bool = False
    params: bool = False


class RowsFail(PenstockError):
    """A row cannot be scored, and the function's policy is that the query fails then."""


def score(asked: Scoring, models: Models, *arguments: pa.Array, count: Count = lambda *_: None) -> pa.Array:
    """Score a batch.

    Args:
        asked: What the call asks.
        models: The versions in memory.
        arguments: `live` (the version of each row as text), the inputs as a struct; then the params as a struct and the
            shadow's `live`, if the call has them. A row whose struct is NULL is not scored.
        count: Told of each version that scored rows of the batch.

    Returns:
        An array as long as the batch, in the type of the call.

    Raises:
        RowsFail: when a row cannot be scored and `on_error` is `fail`.
        PenstockError: when there is no version under the alias, or it does not load.
    """
    import pyarrow.compute as pc

    live, features, *more = arguments
    params = more.pop(0) if asked.params else None
    present = pc.is_valid(features).to_numpy(zero_copy_only=False)
    values: dict[str, Any] = _versions(asked, live, present)
    outcome = _Outcome(asked, len(features))
    for text, rows in _groups(asked, live, present):
        with _telling(asked, text):
            _counted_rows(count, asked, models, text, rows, features, params, outcome)
    if asked.shadowed:
        shadow = _Outcome(_shadow_of(asked), len(features))
        for text, rows in _groups(asked, more.pop(0), present):
            with _telling(asked, text):
                _counted_rows(count, shadow.asked, models, text, rows, features, params, shadow)
        values[SHADOW] = shadow.result()
    return outcome.result(values)


@contextmanager
def _telling(asked: Scoring, text: str) -> Iterator[None]:
    """What a version's own code and files raise within says which version it is."""
    try:
        yield
    except (ModelDoesNotLoad, ModelFailed) as error:
        version = f"version {Live.parse(text).version} of model '{asked.model}'"
        what = error.what.replace("the model", version, 1)
        raise type(error)(what, where=error.where, near=error.near, fix=error.fix) from error


def _versions(asked: Scoring, live: pa.Array, present: np.ndarray[Any, Any]) -> dict[str, pa.Array]:
    """Which version and alias a row was given to, whatever came of it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = [part for part in (VERSION, VARIANT) if part in asked.parts]
    if not wanted:
        return {}
    codes = pc.dictionary_encode(live)
    each = [Live.parse(text) for text in codes.dictionary.to_pylist()]
    told = {
        VERSION: pa.array([one.version for one in each], pa.int32()),
        VARIANT: pa.array([one.alias for one in each], pa.string()),
    }
    at = pc.if_else(pa.array(present), codes.indices, pa.scalar(None, pa.int32()))
    return {part: told[part].take(at) for part in wanted}


def _shadow_of(asked: Scoring) -> Scoring:
    """The shadow gives the first part; a row that it cannot score is no error of the function."""
    position = asked.parts.index(SHADOW)
    kind = asked.type.field(position).type
    return Scoring(f"{asked.function}, shadow", asked.model, (asked.parts[0],), kind, asked.top, on_error="skip")


def _groups(asked: Scoring, live: pa.Array, present: np.ndarray[Any, Any]) -> list[tuple[str, np.ndarray[Any, Any]]]:
    """The rows to score, by version; nearly always all of them by one."""
    import numpy as np
    import pyarrow.compute as pc

    if live.null_count:
        raise InvalidRequestError(
            f"{asked.function} has no version under the alias that was asked for",
            where=asked.function,
            fix="train or promote one",
        )
    if not len(live):
        return []
    codes = pc.dictionary_encode(live)
    texts = codes.dictionary.to_pylist()
    if len(texts) == 1:
        return [(texts[0], np.flatnonzero(present))]
    which = codes.indices.to_numpy()
    return [(text, np.flatnonzero(present & (which == code))) for code, text in enumerate(texts)]


class _Outcome:
    """The results of a batch as they come together from versions and single rows."""

    def __init__(self, asked: Scoring, length: int) -> None:
        self.asked = asked
        self.length = length
        self.errors: dict[int, str] = {}
        self._pieces: list[tuple[np.ndarray[Any, Any], Mapping[str, pa.Array]]] = []

    def add(self, rows: np.ndarray[Any, Any], values: Mapping[str, pa.Array]) -> None:
        self._pieces.append((rows, values))

    def fail(self, row: int, reason: str) -> None:
        self.errors[int(row)] = " ".join(reason.split())[:_LONGEST]

    def result(self, more: Mapping[str, pa.Array] | None = None) -> pa.Array:
        import numpy as np
        import pyarrow as pa

        if self.errors and self.asked.on_error == "fail":
            row, reason = min(self.errors.items())
            raise RowsFail(
                f"{self.asked.function} cannot score {len(self.errors)} of {self.length} rows of a batch: {reason}",
                where=f"row {row + 1} of the batch",
                fix="mend the rows, or declare on_error: skip, and the part error beside the result",
            )
        known = dict(more or {})
        if ERROR in self.asked.parts:
            known[ERROR] = pa.array([self.errors.get(i) for i in range(self.length)], pa.string())
        whole = self._whole()
        if whole is not None:
            return combined(self.asked.parts, {**whole, **known}, self.asked.type)
        order = np.full(self.length, -1, dtype=np.int64)
        start = 0
        for rows, _ in self._pieces:
            order[rows] = np.arange(start, start + len(rows))
            start += len(rows)
        at = pa.array(order, mask=order < 0)
        for part in self.asked.parts:
            if part not in known:
                pieces = [values[part] for _, values in self._pieces]
                joined = pa.concat_arrays(pieces) if pieces else pa.nulls(0, _type_of(self.asked, part))
                known[part] = joined.take(at)
        return combined(self.asked.parts, known, self.asked.type)

    def _whole(self) -> Mapping[str, pa.Array] | None:
        if len(self._pieces) == 1 and len(self._pieces[0][0]) == self.length:
            return self._pieces[0][1]
        return None


def _type_of(asked: Scoring, part: str) -> pa.DataType:
    return asked.type if len(asked.parts) == 1 else asked.type.field(asked.parts.index(part)).type


def _counted_rows(
    count: Count, asked: Scoring, models: Models, text: str, rows: np.ndarray[Any, Any], *rest: Any
) -> None:
    outcome: _Outcome = rest[-1]
    began, failed = time.process_time(), len(outcome.errors)
    _score_rows(asked, models, text, rows, *rest)
    count(text, len(rows), len(outcome.errors) - failed, time.process_time() - began)


def _score_rows(
    asked: Scoring,
    models: Models,
    text: str,
    rows: np.ndarray[Any, Any],
    features: pa.StructArray,
    params: pa.StructArray | None,
    outcome: _Outcome,
) -> None:
    import pyarrow as pa

    if not len(rows):
        return
    live = Live.parse(text)
    loaded = models.get(live)
    given = features if len(rows) == len(features) else features.take(pa.array(rows))
    table, absent = _table(asked, loaded, given)
    inputs = [each for each in loaded.description.inputs if each.name not in absent]
    rows, table = _within_policies(asked, inputs, live, rows, table, outcome)
    for setting, chosen in _settings(loaded.description, params, rows):
        part = table if chosen is None else table.take(pa.array(chosen))
        _in_pieces(
            partial(_values, asked, loaded, live, setting), part, rows if chosen is None else rows[chosen], outcome
        )


def _table(asked: Scoring, loaded: Loaded, features: pa.StructArray) -> tuple[pa.Table, list[str]]:
    """One column an input, and the inputs that the call does not give: NULL, since the engine does not read them."""
    import pyarrow as pa

    from penstock.scoring.flavours.types import as_arrow

    inputs = loaded.description.inputs
    fields = {field.name.lower(): i for i, field in enumerate(features.type)}
    absent = [each.name for each in inputs if each.name.lower() not in fields]
    missing = [name for name in absent if name not in loaded.unused]
    if missing:
        raise InvalidRequestError(
            f"{asked.function} needs {', '.join(missing)}, which the call does not give",
            where=asked.function,
            fix="run the statement again: the version that is live changed while it was planned; or install what its "
            "engine needs where Spark's workers run",
        )
    columns = features.flatten()
    made = [
        pa.nulls(len(features), as_arrow(each.type)) if each.name in absent else columns[fields[each.name.lower()]]
        for each in inputs
    ]
    return pa.Table.from_arrays(made, names=[each.name for each in inputs]), absent


def _within_policies(
    asked: Scoring,
    inputs: Sequence[Input],
    live: Live,
    rows: np.ndarray[Any, Any],
    table: pa.Table,
    outcome: _Outcome,
) -> tuple[np.ndarray[Any, Any], pa.Table]:
    """The rows that no policy leaves out by these inputs; a NULL comes before an unknown level."""
    if asked.on_null != "model":
        rows, table = _without(policies.nulls(table, inputs), asked.on_null, rows, table, outcome)
    if asked.on_unknown != "model":
        found = policies.unknown_levels(table, inputs, where=f"{asked.function}, version {live.version}")
        rows, table = _without(found, asked.on_unknown, rows, table, outcome)
    return rows, table


def _without(
    found: Iterable[tuple[np.ndarray[Any, Any], str]],
    policy: str,
    rows: np.ndarray[Any, Any],
    table: pa.Table,
    outcome: _Outcome,
) -> tuple[np.ndarray[Any, Any], pa.Table]:
    import numpy as np
    import pyarrow as pa

    bad = np.zeros(len(rows), dtype=bool)
    for which, reason in found:
        bad |= which
        if policy == "error":
            for row in rows[which]:
                outcome.errors.setdefault(int(row), reason)
    if not bad.any():
        return rows, table
    good = np.flatnonzero(~bad)
    return rows[good], table.take(pa.array(good))


def _settings(
    description: Description, params: pa.StructArray | None, rows: np.ndarray[Any, Any]
) -> list[tuple[dict[str, Any], np.ndarray[Any, Any] | None]]:
    """The params of the call, which are the same for all rows but where somebody gives a column."""
    import numpy as np
    import pyarrow as pa

    usual = {each.name: each.default for each in description.params}
    if params is None or not usual:
        return [(usual, None)]
    told = params.take(pa.array(rows)).to_pylist()
    groups: dict[str, tuple[dict[str, Any], list[int]]] = {}
    for at, each in enumerate(told):
        given = {name: value for name, value in (each or {}).items() if name in usual}
        groups.setdefault(repr(given), ({**usual, **given}, []))[1].append(at)
    if len(groups) == 1:
        return [(next(iter(groups.values()))[0], None)]
    return [(setting, np.array(at)) for setting, at in groups.values()]


def _in_pieces(
    give: Callable[[pa.Table], tuple[Mapping[str, pa.Array], Sequence[tuple[int, str]]]],
    table: pa.Table,
    rows: np.ndarray[Any, Any],
    outcome: _Outcome,
) -> None:
    """Score rows together; where that fails and rows may fail, halve them until the rows that fail stand alone."""
    if not len(rows):
        return
    try:
        values, failed = give(table)
    except ModelFailed as error:
        if outcome.asked.on_error == "fail":
            raise
        if len(rows) == 1:
            outcome.fail(rows[0], error.what)
            return
        half = len(rows) // 2
        _in_pieces(give, table.slice(0, half), rows[:half], outcome)
        _in_pieces(give, table.slice(half), rows[half:], outcome)
        return
    for at, reason in failed:
        outcome.fail(rows[at], reason)
    outcome.add(rows, values)


def _values(
    asked: Scoring, loaded: Loaded, live: Live, params: Mapping[str, Any], table: pa.Table
) -> tuple[Mapping[str, pa.Array], Sequence[tuple[int, str]]]:
    """Each part of the rows, and the rows for which the model gave NaN."""
    import numpy as np
    import pyarrow as pa

    columns = dict(loaded.predict(table, params))
    values: dict[str, pa.Array] = {}
    nan = np.zeros(table.num_rows, dtype=bool)
    for column in columns.values():
        nan |= _is_nan(column)
    if not {BASE, CONTRIBUTIONS}.isdisjoint(asked.parts):
        if loaded.contributions is None:
            raise InvalidRequestError(
                "this version has no exact contributions",
                where=f"{asked.function}, version {live.version}",
                fix="leave contributions and base out of what the function returns",
            )
        columns[BASE], columns[CONTRIBUTIONS] = loaded.contributions(table)
    for part in asked.parts:
        if part not in (VERSION, VARIANT, ERROR, SHADOW):
            given = part_values(part, columns, loaded.description, asked.top)
            values[part] = given.take(pa.array(np.arange(len(nan)), mask=nan)) if nan.any() else given
    return values, [(int(row), "the model gave NaN") for row in np.flatnonzero(nan)]


def _is_nan(column: Any) -> np.ndarray[Any, Any]:
    """The rows without a number, where numbers with a fraction are given; an engine may write NULL for NaN."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(column, np.ndarray) and column.dtype.kind == "f":
        nan: np.ndarray[Any, Any] = np.isnan(column)
        return nan if nan.ndim == 1 else np.logical_or.reduce(nan, axis=1)
    if not isinstance(column, np.ndarray) and pa.types.is_floating(column.type):
        lacks: np.ndarray[Any, Any] = pc.is_null(column, nan_is_null=True).to_numpy(zero_copy_only=False)
        return lacks
    return np.zeros(len(column), dtype=bool)
