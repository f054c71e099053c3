"""What may be asked of the metrics, and the answer of the compiler."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.manifest.model import SavedQuery, SemanticManifest
from penstock.semantic.calculations import Calculation, parse_metric
from penstock.semantic.checked import checked
from penstock.semantic.templates import parse_reference

Dialect = Literal["spark", "duckdb"]


@dataclass(frozen=True)
class MetricName:
    """A metric to return, under its own name or an alias, and maybe looked at in another way.

    Args:
        name: Its name.
        alias: The name of its column.
        calculation: `Over`, `Ago`, `Change` or `Share` of `penstock.semantic.calculations`.
    """

    name: str
    alias: str | None = None
    calculation: Calculation | None = None

    @property
    def column(self) -> str:
        """The name of its column."""
        if self.alias or self.calculation is None:
            return self.alias or self.name
        return f"{self.name}__{self.calculation.suffix}"


@dataclass(frozen=True)
class GroupBy:
    """What to group by.

    Args:
        name: The dunder name of a dimension, entity or time; with `of`, the name of a metric.
        grain: The grain of a time.
        date_part: A part of a time (`dow`, `month`, …) in place of a grain.
        alias: The name of its column.
        of: Entities: rows are grouped by the value that the metric has for theirs.
    """

    name: str
    grain: str | None = None
    date_part: str | None = None
    alias: str | None = None
    of: tuple[str, ...] = ()


@dataclass(frozen=True)
class OrderBy:
    """A metric or a group-by item to order by; it has to be in the request."""

    name: str
    grain: str | None = None
    date_part: str | None = None
    descending: bool = False


@dataclass(frozen=True)
class MetricRequest:
    """One question.

    Args:
        metrics: Names, maybe with a way to look at them and an alias: 'revenue', 'revenue over 7 days as weekly'.
        group_by: Dunder names ('listing__country', 'metric_time__month'), calls (`Dimension('listing__country')`,
            `Metric('bookings', group_by=['listing'])`) or `GroupBy`.
        where: Filter templates; rows have to satisfy all.
        order_by: Names ('-' first for descending), calls or `OrderBy`.
        limit: The most rows to return.
        subtotals: Sets of group-by items to keep: each adds the rows over all values of the others, () the total over
            everything. A boolean column `…__is_total` beside each item that is left out tells these rows.
        known_at: ISO text of a moment: only what was known before it counts, as the metrics' `meta` declares.
        time_constraint: First and last moment of metric time, ISO text, both inclusive; widened to whole periods.
        saved_query: A saved query to start from; what the request says besides is added to it.
        min_max_only: Return only the least and the greatest value of the one group-by item.
        apply_group_by: False: without metrics, don't remove duplicates.
    """

    metrics: tuple[str | MetricName, ...] = ()
    group_by: tuple[str | GroupBy, ...] = ()
    where: tuple[str, ...] = ()
    order_by: tuple[str | OrderBy, ...] = ()
    limit: int | None = None
    subtotals: tuple[tuple[str | GroupBy, ...], ...] = ()
    known_at: str | None = None
    time_constraint: tuple[str, str] | None = None
    saved_query: str | None = None
    min_max_only: bool = False
    apply_group_by: bool = True


@dataclass(frozen=True)
class CompiledQuery:
    """SQL, and all that it reads.

    Args:
        sql: The statement in the dialect asked for.
        columns: The output columns, group-by items first.
        models: Semantic models read, joined ones too.
        relations: Tables and views read, time spines too, as SQL text.
        node_ids: dbt's unique ids of these relations, where known.
        join_paths: For each joined alias, how it is reached from which fact ("bookings -listing-> listings").
        grain: The grain of time of the answer, None where it is not grouped by time.
    """

    sql: str
    columns: tuple[str, ...]
    models: tuple[str, ...]
    relations: tuple[str, ...]
    node_ids: tuple[str, ...]
    join_paths: tuple[str, ...]
    grain: str | None


def normalized(manifest: SemanticManifest, request: MetricRequest) -> MetricRequest:
    """The request with its saved query put in, and every part in its typed form.

    Raises:
        UnknownNameError: There is no such saved query.
        InvalidRequestError: A part contradicts another, or is no name.
    """
    request = checked(request)
    if request.saved_query is not None:
        name = request.saved_query.lower()
        if name not in manifest.saved_queries:
            raise UnknownNameError.of("saved query", name, manifest.saved_queries, where="saved_query")
        request = _with_saved(request, manifest.saved_queries[name])
    metrics = tuple(MetricName(*parse_metric(m)) if isinstance(m, str) else m for m in request.metrics)
    group_by = tuple(as_group_by(g, "group_by") for g in request.group_by)
    if request.subtotals and not metrics:
        raise InvalidRequestError("there is nothing to total without metrics", where="subtotals")
    if request.known_at is not None and not metrics:
        raise InvalidRequestError("only rows of metrics are known at a time", where="known_at", fix="ask for a metric")
    if not metrics and not group_by:
        raise InvalidRequestError(
            "nothing is asked for", where="the request", fix="name at least one metric or one item to group by"
        )
    if request.min_max_only and (metrics or len(group_by) != 1):
        raise InvalidRequestError(
            "min_max_only asks for the range of one group-by item: it takes exactly one, and no metrics",
            where="min_max_only",
        )
    return replace(
        request,
        metrics=metrics,
        group_by=group_by,
        order_by=tuple(_order_by(o) for o in request.order_by),
        saved_query=None,
    )


def _with_saved(request: MetricRequest, saved: SavedQuery) -> MetricRequest:
    if request.metrics or request.group_by:
        raise InvalidRequestError(
            f"the saved query '{saved.name}' names its own metrics and group-by items",
            where="saved_query",
            fix="leave out metrics and group_by, or the saved query",
        )
    return replace(
        request,
        metrics=saved.metrics,
        group_by=saved.group_by,
        where=(*saved.where, *request.where),
        order_by=request.order_by or saved.order_by,
        limit=saved.limit if request.limit is None else request.limit,
    )


def as_group_by(given: str | GroupBy, where: str) -> GroupBy:
    """An item to group by in its typed form.

    Raises:
        InvalidRequestError: It is no name.
    """
    if isinstance(given, GroupBy):
        return replace(given, name=given.name.lower())
    found = parse_reference(given, where=where)
    if found.kind == "metric":
        if not found.group_by:
            raise InvalidRequestError(
                f"the metric '{found.name}' is not grouped by; its value for an entity may be",
                where=where,
                fix=f"put it into metrics, or write Metric('{found.name}', group_by=['entity'])",
            )
        return GroupBy(name=found.name, of=found.group_by)
    return GroupBy(name="__".join(found.path), grain=found.grain, date_part=found.date_part)


def _order_by(given: str | OrderBy) -> OrderBy:
    if isinstance(given, OrderBy):
        return replace(given, name=given.name.lower())
    text, descending = (given[1:], True) if given.startswith("-") else (given, False)
    found = parse_reference(text, where="order_by")
    return OrderBy(
        name="__".join((*found.group_by, *found.path)),
        grain=found.grain,
        date_part=found.date_part,
        descending=descending or bool(found.descending),
    )
