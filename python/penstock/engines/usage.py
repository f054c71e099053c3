"""The Delta table of what scoring took, which the driver writes from time to time, beside the queries."""

from __future__ import annotations

import atexit
import logging
import threading
import uuid
from datetime import UTC, datetime
from functools import cache
from typing import Any

from penstock.engines.spark import running_session
from penstock.registry.alias_table import USAGE_COLUMNS, ensure_tables
from penstock.scoring.functions import USAGE
from penstock.scoring.usage import Counted, Counting, Figures, Use, take

# The bits of the sum of `RowsInPlans` that count errors; others tell calls apart.
ERROR_BITS = 40
ERRORS = (1 << ERROR_BITS) - 1
_SECONDS = 10.0  # between two looks at what is counted
_log = logging.getLogger(__name__)


class RowsInPlans:
    """What plans have scored without a worker; they add as they go, see `penstock.engines.counted`.

    Attributes:
        accumulator: Spark's, of which the count is that of the rows, and the sum that of the errors.
    """

    def __init__(self, accumulator: Any) -> None:
        self.accumulator = accumulator
        self._rows = self._errors = 0

    def new(self) -> Figures | None:
        """What came since this was asked last; None where nothing did."""
        # It is never set back: what a task sends meanwhile would be lost.
        rows, errors = self.accumulator.count(), self.accumulator.sum() & ERRORS
        before = self._rows, self._errors
        self._rows, self._errors = rows, errors
        return None if (rows, errors) == before else Figures(0, rows - before[0], errors - before[1])


class Ledger:
    """What this process has counted and not written yet.

    Attributes:
        counted: PySpark's accumulator, for workers.
    """

    def __init__(self) -> None:
        from pyspark import SparkContext
        from pyspark.accumulators import Accumulator

        # Not by a SparkContext: this outlives it.
        SparkContext._next_accum_id += 1
        self.counted: Any = Accumulator(SparkContext._next_accum_id - 1, {}, Counting())
        self._writing, self._planning = threading.Lock(), threading.Lock()
        self._unwritten: Counted = {}
        self._writer, self._batch = f"penstock-usage-{uuid.uuid4()}", 0
        self._in_plans: dict[tuple[str, Use], RowsInPlans] = {}

    def planned(self, use: Use) -> None:
        """Count a statement that calls a model."""
        self.counted.add({use: Figures(statements=1)})

    def in_plans(self, use: Use) -> Any:
        """Spark's accumulator for the rows of a version that plans score by themselves."""
        from pyspark import SparkContext

        context = SparkContext._active_spark_context
        key = context.applicationId, use
        with self._planning:
            if key not in self._in_plans:
                self._in_plans[key] = RowsInPlans(context._jsc.sc().longAccumulator())
            return self._in_plans[key].accumulator

    def write(self) -> None:
        """Append what is counted to the table, in one commit; nothing where there is nothing, or no Spark.

        A batch whose write fails is kept, and written as the same batch next time: Delta takes each batch of a writer
        once, so that a commit that was made although an error came back is not made again.
        """
        with self._writing:
            spark = running_session()
            if not self._unwritten:
                if spark is not None:
                    self._count_plans(spark.sparkContext.applicationId)
                self._unwritten, self._batch = take(self.counted.value), self._batch + 1
            if self._unwritten and spark is not None:
                append(spark, self._unwritten, writer=self._writer, batch=self._batch)
                self._unwritten = {}

    def write_quietly(self) -> None:
        """As `write`, for where an error must reach nobody: what could not be written stays for the next time."""
        try:
            self.write()
        except Exception as error:
            _log.debug("%s was not written: %s", USAGE, error)

    def _count_plans(self, application: str) -> None:
        for (held_by, use), rows in list(self._in_plans.items()):
            if held_by == application and (figures := rows.new()) is not None:
                self.counted.add({use: figures})

    def _write_for_ever(self) -> None:
        while True:
            threading.Event().wait(_SECONDS)
            self.write_quietly()


@cache
def ledger() -> Ledger:
    """The one of this process."""
    return Ledger()


@cache
def keep_writing() -> None:
    """Write what is counted every few seconds, and when this process ends."""
    threading.Thread(target=ledger()._write_for_ever, name="penstock-usage", daemon=True).start()
    atexit.register(ledger().write_quietly)


def append(spark: Any, counted: Counted, *, writer: str, batch: int) -> None:
    """Append figures to the table, unless this batch of the writer's is in it.

    Args:
        spark: A session.
        counted: The figures.
        writer: Names the writer, for Delta.
        batch: The number of the batch, greater than those before it.
    """
    session = spark.newSession()  # without the settings and the database of anybody
    if not session.catalog.tableExists(USAGE):
        ensure_tables(session)
    now = datetime.now(UTC)
    rows = session.createDataFrame([(now, *use, *figures) for use, figures in counted.items()], USAGE_COLUMNS)
    appended = rows.coalesce(1).write.format("delta").mode("append")
    appended.option("txnAppId", writer).option("txnVersion", batch).saveAsTable(USAGE)
