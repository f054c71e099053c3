"""How many rows an operator of an optimised plan gives, from what Delta knows of its files; nothing runs.

This is internal API of Spark 4.2 and Delta 4.4, kept to this file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

EXACT, AT_MOST, UNKNOWN = "exact", "at most", "unknown"

# Operators that give a row for each row they get, those that may give fewer, and joins that keep rows of the left.
_SAME = {
    "Project", "Sort", "Window", "ArrowEvalPython", "BatchEvalPython", "Repartition", "RepartitionByExpression",
    "RebalancePartitions", "SubqueryAlias",
}  # fmt: skip
_FEWER = {"Filter", "Sample", "Deduplicate", "LocalLimit", "WindowGroupLimit", "Distinct"}
_OF_THE_LEFT = {"LeftSemi", "LeftAnti"}


@dataclass(frozen=True)
class Rows:
    """A number of rows.

    Attributes:
        count: None where it is unknown.
        bound: `EXACT`, `AT_MOST` or `UNKNOWN`.
    """

    count: int | None
    bound: str

    def at_most(self) -> Rows:
        """That or fewer."""
        return self if self.count is None else replace(self, bound=AT_MOST)


_UNKNOWN = Rows(None, UNKNOWN)


def kind_of_plan(plan: Any) -> str:
    """The class of an operator."""
    return str(plan.getClass().getSimpleName()).removesuffix("$")


def items(sequence: Any) -> Iterator[Any]:
    """What is in a sequence of Scala's."""
    for at in range(sequence.length()):
        yield sequence.apply(at)


def rows_of(plan: Any) -> Rows:
    """How many rows an operator gives.

    Args:
        plan: A logical plan of Spark, optimised.
    """
    kind = kind_of_plan(plan)
    if kind == "LogicalRelation":
        return _scanned(plan)
    if kind == "Filter" and _takes_whole_files(plan):
        return rows_of(plan.child())
    children = [rows_of(child) for child in items(plan.children())]
    if kind in _SAME:
        return children[0]
    if kind in _FEWER or (kind == "Join" and str(plan.joinType().toString()) in _OF_THE_LEFT):
        return children[0].at_most()
    if kind == "Union":
        return _sum(children)
    if kind == "Aggregate":
        return children[0].at_most() if plan.groupingExpressions().nonEmpty() else Rows(1, EXACT)
    if kind == "GlobalLimit":
        return _limited(children[0], plan.maxRows())
    if kind in ("LocalRelation", "OneRowRelation", "Range"):
        return Rows(_number(plan.maxRows()), EXACT)
    return _UNKNOWN


def _sum(parts: list[Rows]) -> Rows:
    counts = [each.count for each in parts if each.count is not None]
    if len(counts) < len(parts):
        return _UNKNOWN
    return Rows(sum(counts), EXACT if all(each.bound == EXACT for each in parts) else AT_MOST)


def _limited(rows: Rows, limit: Any) -> Rows:
    most = _number(limit)
    if most is None:
        return rows.at_most()
    if rows.count is None:
        return Rows(most, AT_MOST)
    return replace(rows, count=min(most, rows.count))


def _scanned(relation: Any) -> Rows:
    """All rows of the files that a scan of a Delta table reads, after those that its statistics rule out."""
    scan = _delta_scan(relation)
    if scan is None:
        return _UNKNOWN
    count = _number(scan.scanned().logicalRows())
    if count is None and scan.dataFilters().isEmpty():
        count = _in_partitions(scan)
    return _UNKNOWN if count is None else Rows(count, EXACT)


def _in_partitions(scan: Any) -> int | None:
    """Where partitions alone choose the files, Delta does not look at their numbers of rows by itself."""
    files = scan.scannedSnapshot().filesWithStatsForScan(scan.partitionFilters().toSeq())
    told = files.selectExpr(
        _strings(
            "COALESCE(SUM(stats.numRecords - COALESCE(deletionVector.cardinality, 0)), 0) AS rows",
            "COUNT(*) = COUNT(stats.numRecords) AS known",
        )
    ).head()
    return int(told.getLong(0)) if told.getBoolean(1) else None


def _takes_whole_files(filter_: Any) -> bool:
    """Whether a filter over a scan names partitions alone."""
    if kind_of_plan(filter_.child()) != "LogicalRelation":
        return False
    scan = _delta_scan(filter_.child())
    return scan is not None and int(scan.partitionFilters().size()) == _conjuncts(filter_.condition())


def _conjuncts(condition: Any) -> int:
    if condition.getClass().getSimpleName() != "And":
        return 1
    return _conjuncts(condition.left()) + _conjuncts(condition.right())


def _delta_scan(relation: Any) -> Any | None:
    of_files = kind_of_plan(relation.relation()) == "HadoopFsRelation"
    location = relation.relation().location() if of_files else None
    prepared = location is not None and kind_of_plan(location) == "PreparedDeltaFileIndex"
    return location.preparedScan() if prepared and location is not None else None


def _number(option: Any) -> int | None:
    return int(option.get()) if option.isDefined() else None


def _strings(*texts: str) -> Any:
    from pyspark import SparkContext

    gateway: Any = SparkContext._gateway
    array = gateway.new_array(gateway.jvm.java.lang.String, len(texts))
    for at, text in enumerate(texts):
        array[at] = text
    return array
