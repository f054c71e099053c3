"""What the benchmark of monitoring watches: a year of rows with many features, of which a tenth moves in summer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

START = datetime(2026, 1, 1, tzinfo=UTC)
_REFERENCE_DAYS = 30
_MOVES_ON = 200
_DAYS_A_GROUP = 50  # of rows in the file: engines read as many at once
_LEVELS = tuple(f"level {letter}" for letter in "abcdefgh")
_TEXT_EVERY, _MOVED_EVERY = 10, 10


@dataclass(frozen=True)
class Watched:
    """Two tables, `reference` of thirty days before the year, and `current` of the days of the year.

    Args:
        features: How many columns there are; a tenth of them are texts of eight levels.
        days: How many days `current` has.
        rows: A day.
    """

    features: int
    days: int
    rows: int

    @property
    def texts(self) -> list[str]:
        """The columns that are texts."""
        return [f"f{at}" for at in range(self.features) if at % _TEXT_EVERY == 0]

    @property
    def numbers(self) -> list[str]:
        """The columns that are numbers."""
        return [f"f{at}" for at in range(self.features) if at % _TEXT_EVERY]

    def files(self, folder: Path) -> dict[str, str]:
        """The Parquet file of each table, made where it is not there yet."""
        folder.mkdir(parents=True, exist_ok=True)
        found = {}
        for name, first, days in (("reference", -_REFERENCE_DAYS, _REFERENCE_DAYS), ("current", 0, self.days)):
            file = folder / f"{name}-{self.features}-{days}-{self.rows}.parquet"
            if not file.exists():
                unfinished = file.with_suffix(".part")
                with pq.ParquetWriter(unfinished, self._day(first).schema) as writer:
                    for start in range(first, first + days, _DAYS_A_GROUP):
                        some = range(start, min(start + _DAYS_A_GROUP, first + days))
                        writer.write_table(pa.concat_tables(map(self._day, some)).combine_chunks())
                unfinished.rename(file)
            found[name] = str(file)
        return found

    def _day(self, day: int) -> pa.Table:
        draw = np.random.default_rng([7, day + _REFERENCE_DAYS])
        columns: dict[str, pa.Array] = {
            "at": pa.array([START + timedelta(days=day, minutes=7)] * self.rows, pa.timestamp("us", tz="UTC"))
        }
        for at in range(self.features):
            moved = day >= _MOVES_ON and at // _TEXT_EVERY % _MOVED_EVERY == 0
            if at % _TEXT_EVERY:
                columns[f"f{at}"] = pa.array(draw.normal(at % 7 + 0.5 * moved, 1 + at % 3, self.rows))
            else:
                shares = np.arange(8, 0, -1) ** (1.0 + 0.5 * moved)
                columns[f"f{at}"] = pa.array(draw.choice(_LEVELS, self.rows, p=shares / shares.sum()), pa.string())
        return pa.table(columns)
