"""Labels and readings of things, generated: as many rows a thing as wanted, even or skewed, no two at one time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks import manifests
from penstock.manifest.load import load_manifest
from penstock.training_sets import Spine, TrainingSetRequest, compile_training_set

FEATURES = ("f1", "f2", "f3", "f4")
WINDOW_COLUMNS = ("id", "thing", "asked_at", "total", "number")
_SPAN = 90 * 24 * 3600 * 1_000_000  # microseconds that the readings lie in
_ASKED = _SPAN // 5  # the first label comes so much later, so that windows up to that length are full
_TYPES = {"id": "bigint", "thing": "bigint", "happened_at": "timestamp"} | dict.fromkeys(FEATURES, "int")


@dataclass(frozen=True)
class Data:
    """Labels, and readings of things in one table or several.

    Args:
        readings: The rows of one table of readings.
        labels: The rows of the spine.
        things: The keys.
        skewed: One thing has a tenth of all rows, and some of the others have many times more than most.
        tables: How many tables of readings there are.
    """

    readings: int
    labels: int
    things: int
    skewed: bool = False
    tables: int = 1

    @property
    def names(self) -> list[str]:
        """The tables of readings."""
        return [f"readings_{i}" for i in range(1, self.tables + 1)]

    def files(self, folder: Path) -> dict[str, str]:
        """The Parquet file of each table, made where it is not there yet."""
        folder.mkdir(parents=True, exist_ok=True)
        found = {}
        for number, name in enumerate(["labels", *self.names]):
            count = self.readings if number else self.labels
            file = folder / f"{name}-{count}-{self.things}{'-skewed' if self.skewed else ''}.parquet"
            if not file.exists():
                unfinished = file.with_suffix(".part")
                rows = self._readings(number) if number else self._labels()
                duckdb.execute(f"COPY ({rows}) TO '{unfinished}' (FORMAT parquet)")
                unfinished.rename(file)
            found[name] = str(file)
        return found

    def _readings(self, seed: int) -> str:
        """In the order of time, as rows are appended; at even microseconds, and labels at odd ones."""
        features = ", ".join(f"(hash(i, {seed}, '{f}') % 1000000)::INTEGER AS {f}" for f in FEATURES)
        at = f"i::HUGEINT * {_SPAN // 2} // {self.readings} * 2"
        rows = f"FROM range({self.readings}) AS r(i)"
        return f"SELECT i AS id, {self._thing(seed)} AS thing, {_instant(at)} AS happened_at, {features} {rows}"

    def _labels(self) -> str:
        at = f"{_ASKED} + i::HUGEINT * {(_SPAN - _ASKED) // 2} // {self.labels} * 2 + 1"
        return (
            f"SELECT i AS id, {self._thing(0)} AS thing, {_instant(at)} AS asked_at FROM range({self.labels}) AS r(i)"
        )

    def _thing(self, seed: int) -> str:
        chance = f"(hash(i, {seed}, 'thing') % 1000000 / 1e6)"
        if not self.skewed:
            return f"floor({chance} * {self.things})::BIGINT"
        return f"CASE WHEN i % 10 = 0 THEN -1 ELSE floor({chance} ** 3 * {self.things})::BIGINT END"


def newest(data: Data, dialect: str) -> str:
    """Our SQL for the newest values of all columns of all tables."""
    return _ours(data, [f"thing.{t}.{f} as {_named(t, f)}" for t in data.names for f in FEATURES], dialect)


def newest_columns(data: Data) -> list[str]:
    """The columns of such a training set, the instant as a number."""
    return ["id", "thing", "asked_at", *(_named(t, f) for t in data.names for f in FEATURES)]


def window(data: Data, seconds: int, dialect: str) -> str:
    """Our SQL for a sum and a count over the seconds before each label."""
    spans = [f"thing.total over {seconds} seconds as total", f"thing.number over {seconds} seconds as number"]
    return _ours(data, spans, dialect)


def window_of(data: Data, rows: int) -> int:
    """The seconds in which a thing has so many readings, on average."""
    seconds = _SPAN * rows * data.things // data.readings // 1_000_000
    if seconds * 1_000_000 > _ASKED:
        raise ValueError(f"windows of {rows} rows are longer than what lies before the first label")
    return seconds


def range_frame(data: Data, seconds: int) -> str:
    """The same by hand, on either engine: a RANGE frame over the union of labels and readings."""
    return f"""
        WITH mixed AS (
            SELECT id, thing, asked_at AS moment, CAST(NULL AS INT) AS f2, 1 AS asked FROM labels
            UNION ALL SELECT NULL, thing, happened_at, f2, 0 FROM readings_1
        ), summed AS (
            SELECT *, SUM(f2) OVER span AS total, COUNT(f2) OVER span AS number FROM mixed
            WINDOW span AS (
                PARTITION BY thing ORDER BY moment RANGE BETWEEN INTERVAL '{seconds}' SECOND PRECEDING AND CURRENT ROW)
        )
        SELECT id, thing, moment AS asked_at, total, number FROM summed WHERE asked = 1"""


def scan(data: Data) -> str:
    """All that any of them has to read of the readings."""
    return " UNION ALL ".join(f"SELECT * FROM {name}" for name in data.names)


def asof_join(data: Data) -> str:
    """The newest values by DuckDB's own join, by hand."""
    columns = ", ".join(f"r.{f} AS {_named('readings_1', f)}" for f in FEATURES)
    return f"""SELECT l.id, l.thing, l.asked_at, {columns} FROM labels AS l
        ASOF LEFT JOIN readings_1 AS r ON l.thing = r.thing AND l.asked_at >= r.happened_at"""


def _named(table: str, feature: str) -> str:
    return f"{table}__{feature}"  # as Feast calls them


def _instant(microseconds: str) -> str:
    return f"make_timestamp(epoch_us(TIMESTAMP '2026-01-01') + ({microseconds})::BIGINT)"


def _ours(data: Data, features: list[str], dialect: str) -> str:
    spine = Spine("labels", at="asked_at", entities={"thing": "thing"}, columns=("id", "thing", "asked_at"))
    request = TrainingSetRequest(spine, tuple(features), types=dict.fromkeys(data.names, _TYPES))
    return compile_training_set(load_manifest(_manifest(data)), request, dialect).sql


def _manifest(data: Data) -> manifests.Part:
    """One semantic model for each table; a reading is known at once."""
    models = []
    for name in data.names:
        table = {"alias": name, "schema_name": "", "database": None, "relation_name": name}
        keys = [manifests.entity(f"{name}_id", "primary", "id"), manifests.entity("thing", "foreign", "thing")]
        made = manifests.model(table, keys, [manifests.time("happened_at")], "happened_at")
        models.append(made | {"config": {"meta": {"penstock": {"delay": "0 seconds"}}}})
    metrics = [manifests.simple(*m, "f2") for m in (("total", "readings_1", "sum"), ("number", "readings_1", "count"))]
    return manifests.manifest(models, metrics, manifests.relation("main", "days"))
