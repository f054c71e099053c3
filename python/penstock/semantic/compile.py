"""The compiler: a request over a manifest becomes SQL."""

from __future__ import annotations

from sqlglot import exp

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.manifest.model import SemanticManifest
from penstock.semantic.catalog import Catalog, catalog_of
from penstock.semantic.combine import combined
from penstock.semantic.conversion import conversion_stage
from penstock.semantic.distinct import anchor_for, distinct_values
from penstock.semantic.leaves import Leaves
from penstock.semantic.names import METRIC_TIME, Item, finest, is_standard
from penstock.semantic.over_time import over_time_stage
from penstock.semantic.plain import plain_stage
from penstock.semantic.plan import Branch, Output, QueryPlan, TimeRange, branches_of
from penstock.semantic.render import render
from penstock.semantic.request import CompiledQuery, Dialect, GroupBy, MetricName, MetricRequest, OrderBy, normalized
from penstock.semantic.resolve import (
    Condition,
    condition,
    default_grain,
    facts_of,
    item_of,
    split_name,
)
from penstock.semantic.scope import Context, Reads
from penstock.semantic.stage import Stage, selected, subquery
from penstock.semantic.time_range import widened
from penstock.semantic.to_spine import joined_to_spine


def compile_request(manifest: SemanticManifest, request: MetricRequest, dialect: Dialect) -> CompiledQuery:
    """Compile one request to one statement.

    Args:
        manifest: The project's definitions.
        request: What is asked for.
        dialect: `spark` or `duckdb`.

    Raises:
        UnknownNameError: The request, or a definition it uses, names a thing that is not there.
        InvalidRequestError: The request names real things in a way that has no answer.
        InvalidDefinitionError: A definition it uses contradicts itself.

    Example:
        >>> compile_request(manifest, MetricRequest(metrics=("bookings",), group_by=("metric_time",)), "duckdb").columns
        ... # doctest: +SKIP
        ('metric_time__day', 'bookings')
    """
    if dialect not in ("spark", "duckdb"):
        raise UnknownNameError.of("dialect", dialect, ("spark", "duckdb"), where="dialect")
    request = normalized(manifest, request)
    compiler = _Compiler(catalog_of(manifest), dialect)
    select, columns, keys = compiler.query(request)
    reads = compiler.reads
    return CompiledQuery(
        sql=render(select, dialect),
        columns=columns,
        models=tuple(reads.models),
        relations=tuple(reads.relations),
        node_ids=tuple(reads.nodes),
        join_paths=tuple(reads.paths),
        grain=_answer_grain(compiler.catalog, keys),
    )


def _answer_grain(catalog: Catalog, keys: tuple[Item, ...]) -> str | None:
    grains = [k.grain for k in keys if k.is_time and k.grain]
    return min(grains, key=lambda g: catalog.finest_of((g,)) != catalog.finest_of(tuple(grains))) if grains else None


class _Compiler:
    def __init__(self, catalog: Catalog, dialect: Dialect, reads: Reads | None = None) -> None:
        self.catalog = catalog
        self.dialect = dialect
        self.reads = reads if reads is not None else Reads()
        self.context = Context(catalog, self.reads, self._metric_rows)

    def query(self, request: MetricRequest) -> tuple[exp.Select, tuple[str, ...], tuple[Item, ...]]:
        """The select of a whole request, its output columns and its keys."""
        metrics = [m for m in request.metrics if isinstance(m, MetricName)]
        group_by = [g for g in request.group_by if isinstance(g, GroupBy)]
        order_by = [o for o in request.order_by if isinstance(o, OrderBy)]
        grain = default_grain(self.catalog, (m.name for m in self._known(metrics)))
        conditions = tuple(condition(text, grain, "where") for text in request.where)
        if metrics:
            facts = tuple(dict.fromkeys(f for m in metrics for f in facts_of(self.catalog, m.name)))
        else:
            anchor = anchor_for(self.catalog, self._paths(group_by, conditions), where="group_by")
            facts = (anchor,) if anchor is not None else ()
        keys = tuple(
            item_of(
                self.catalog,
                facts,
                tuple(g.name.split("__")),
                grain=g.grain,
                date_part=g.date_part,
                default_grain=grain,
                where="group_by",
            )
            for g in group_by
        )
        names = {k.column: g.alias or k.column for k, g in zip(keys, group_by, strict=True)}
        keys = tuple(dict.fromkeys(keys))
        columns = (*(names[k.column] for k in keys), *(m.alias or m.name for m in metrics))
        _check_unique(columns)
        time_range = self._time_range(request, keys, metrics)
        if metrics:
            plan = self._plan(metrics, keys, conditions, time_range)
            select = combined([self._stage(b, plan) for b in plan.branches], keys, plan.outputs, names, self.dialect)
        else:
            select = distinct_values(
                self.context, facts[0] if facts else None, keys, names, conditions, time_range,
                distinct=request.apply_group_by,
            )  # fmt: skip
        if request.min_max_only:
            select, columns = _range_of(select, columns[0])
        return self._ordered(select, order_by, request.limit, keys, names, metrics, facts, grain), columns, keys

    def _known(self, metrics: list[MetricName]) -> list[MetricName]:
        for metric in metrics:
            facts_of(self.catalog, metric.name)  # all parts are there, and none is made of itself
        return metrics

    def _plan(
        self,
        metrics: list[MetricName],
        keys: tuple[Item, ...],
        conditions: tuple[Condition, ...],
        time_range: TimeRange | None,
    ) -> QueryPlan:
        leaves = Leaves(self.catalog)
        outputs = tuple(Output(m.alias or m.name, leaves.metric(m.name, conditions)) for m in metrics)
        return QueryPlan(keys, branches_of(self.catalog, leaves, keys, time_range), outputs, time_range)

    def _stage(self, branch: Branch, plan: QueryPlan) -> Stage:
        shape = branch.shape
        if shape.conversion is not None:
            stage = conversion_stage(self.context, branch, plan.keys, plan.time_range)
        elif shape.running is not None or shape.shifts:
            stage = over_time_stage(self.context, branch, plan.keys, plan.time_range)
        else:
            stage = plain_stage(self.context, branch, plan.keys, plan.time_range)
        if shape.to_spine and shape.running is None:
            stage = joined_to_spine(self.context, stage, shape, plan.keys, plan.time_range)
        return stage

    def _paths(self, group_by: list[GroupBy], conditions: tuple[Condition, ...]) -> list[tuple[str, ...]]:
        """What has to be reached by a request without metrics; metric time is the spine's."""
        named = [split_name(self.catalog, tuple(g.name.split("__")), g.grain)[0] for g in group_by]
        for cond in conditions:
            for reference in cond.filter.references:
                if reference.kind == "metric":
                    named += [(name.split("__")[-1],) for name in reference.group_by]
                else:
                    named.append(split_name(self.catalog, reference.path, reference.grain)[0])
        return [path for path in dict.fromkeys(named) if path != (METRIC_TIME,)]

    def _time_range(
        self, request: MetricRequest, keys: tuple[Item, ...], metrics: list[MetricName]
    ) -> TimeRange | None:
        if request.time_constraint is None:
            return None
        # a custom grain has no ends that could be worked out here
        grains = [k.grain for k in keys if k.kind == "metric_time" and k.grain and is_standard(k.grain)]
        grain = finest(*grains) if grains else default_grain(self.catalog, (m.name for m in metrics))
        return widened(request.time_constraint, grain)

    def _metric_rows(self, name: str, group_by: tuple[str, ...]) -> tuple[exp.Select, str, tuple[str, ...]]:
        """A metric by entities, for a filter: its select, the value's column and the entities'."""
        request = MetricRequest(metrics=(MetricName(name),), group_by=tuple(GroupBy(g) for g in group_by))
        select, columns, _ = _Compiler(self.catalog, self.dialect, self.reads).query(request)
        return select, columns[-1], columns[:-1]

    def _ordered(
        self,
        select: exp.Select,
        order_by: list[OrderBy],
        limit: int | None,
        keys: tuple[Item, ...],
        names: dict[str, str],
        metrics: list[MetricName],
        facts: tuple[str, ...],
        grain: str,
    ) -> exp.Select:
        for order in order_by:
            column = next((m.alias or m.name for m in metrics if order.name in (m.name, m.alias)), None)
            if column is None and order.name in self.catalog.manifest.metrics:
                raise _not_in_answer(order.name, "metrics")
            if column is None:
                item = item_of(
                    self.catalog,
                    facts,
                    tuple(order.name.split("__")),
                    grain=order.grain,
                    date_part=order.date_part,
                    default_grain=grain,
                    where="order_by",
                )
                if item not in keys:
                    raise _not_in_answer(item.column, "group_by")
                column = names[item.column]
            select = select.order_by(exp.Ordered(this=exp.column(column), desc=order.descending), copy=False)
        return select if limit is None else select.limit(limit, copy=False)


def _not_in_answer(name: str, part: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"'{name}' is not in the answer, so it can't be ordered by it", where="order_by", fix=f"add it to {part}"
    )


def _check_unique(columns: tuple[str, ...]) -> None:
    twice = sorted({c for c in columns if columns.count(c) > 1})
    if twice:
        raise InvalidRequestError(
            f"two columns of the answer would be called '{twice[0]}'",
            where="the request",
            fix="give one of them an alias",
        )


def _range_of(select: exp.Select, column: str) -> tuple[exp.Select, tuple[str, str]]:
    least, most = f"{column}__min", f"{column}__max"
    rows = exp.Select().from_(subquery(select, "found"), copy=False)
    value = exp.column(column, "found")
    return selected(rows, {least: exp.Min(this=value), most: exp.Max(this=value.copy())}), (least, most)
