"""The compiler: a request over a manifest becomes SQL."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.manifest.model import SemanticManifest
from penstock.semantic.calculations import Share
from penstock.semantic.catalog import Catalog, catalog_of
from penstock.semantic.combine import combined
from penstock.semantic.context import Context
from penstock.semantic.conversion import conversion_stage
from penstock.semantic.distinct import anchor_for, distinct_values
from penstock.semantic.names import METRIC_TIME, Item, finest, is_standard
from penstock.semantic.over_time import over_time_stage
from penstock.semantic.plain import plain_stage
from penstock.semantic.plan import Branch, QueryPlan, TimeRange, plan_of
from penstock.semantic.reads import Reads
from penstock.semantic.render import render
from penstock.semantic.request import (
    CompiledQuery,
    Dialect,
    GroupBy,
    MetricName,
    MetricRequest,
    OrderBy,
    as_group_by,
    normalized,
)
from penstock.semantic.resolve import (
    Condition,
    condition,
    default_grain,
    facts_of,
    item_of,
    split_name,
    value_item,
)
from penstock.semantic.stage import Stage, selected, subquery
from penstock.semantic.subtotals import Sets, by_sets, marked, marker
from penstock.semantic.time_range import moment_of, widened
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

    docs/metrics.md has an example.
    """
    return build(manifest, request, dialect).query


@dataclass(frozen=True)
class Built:
    """A compiled request with what it was made of: its tree, its keys and the plan of its metrics."""

    query: CompiledQuery
    tree: exp.Select
    keys: tuple[Item, ...]
    plan: QueryPlan | None


def build(manifest: SemanticManifest, request: MetricRequest, dialect: Dialect) -> Built:
    """Compile a request and keep what it was made of; arguments and errors as for `compile_request`."""
    if dialect not in ("spark", "duckdb"):
        raise UnknownNameError.of("dialect", dialect, ("spark", "duckdb"), where="dialect")
    request = normalized(manifest, request)
    compiler = _Compiler(catalog_of(manifest), dialect)
    try:
        tree, columns, keys = compiler.query(request)
        sql = render(tree, dialect)
    except RecursionError as bad:
        raise InvalidRequestError(
            "its metrics or filters are nested too deeply to be compiled", where="the request"
        ) from bad
    reads = compiler.reads
    query = CompiledQuery(
        sql=sql,
        columns=columns,
        models=tuple(reads.models),
        relations=tuple(reads.relations),
        node_ids=tuple(reads.nodes),
        join_paths=tuple(reads.paths),
        grain=_answer_grain(compiler.catalog, keys),
    )
    return Built(query, tree, keys, compiler.plan)


def context_of(manifest: SemanticManifest) -> Context:
    """What expressions over a manifest's facts need, with nothing read yet."""
    return _Compiler(catalog_of(manifest), "spark").context


def _answer_grain(catalog: Catalog, keys: tuple[Item, ...]) -> str | None:
    grains = [k.grain for k in keys if k.is_time and k.grain]
    return min(grains, key=lambda g: catalog.finest_of((g,)) != catalog.finest_of(tuple(grains))) if grains else None


class _Compiler:
    def __init__(self, catalog: Catalog, dialect: Dialect, reads: Reads | None = None) -> None:
        self.catalog = catalog
        self.dialect = dialect
        self.reads = reads if reads is not None else Reads()
        self.context = Context(catalog, dialect, self.reads, self._metric_rows)
        self.plan: QueryPlan | None = None

    def query(self, request: MetricRequest) -> tuple[exp.Select, tuple[str, ...], tuple[Item, ...]]:
        """The select of a whole request, its output columns and its keys."""
        if request.known_at is not None:
            self.context.known_at = moment_of(request.known_at, where="known_at")
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
        keys = tuple(self._item(g, facts, grain, "group_by") for g in group_by)
        names = _names(keys, group_by)
        keys = tuple(dict.fromkeys(keys))
        sets = self._sets(request, keys, facts, grain)
        markers = {marker(k.column): marker(names[k.column]) for k in marked(keys, sets)}
        columns = (*(names[k.column] for k in keys), *markers.values(), *(m.column for m in metrics))
        _check_unique(columns)
        time_range = self._time_range(request, keys, metrics)
        if metrics:
            shared = self._shared(metrics, keys, facts, grain)
            plan = plan_of(self.catalog, metrics, keys, conditions, time_range, shared, sets, self.context.known_at)
            self.plan = plan
            select = self._select(plan, names | markers)
        else:
            select = distinct_values(
                self.context, facts[0] if facts else None, keys, names, conditions, time_range,
                distinct=request.apply_group_by,
            )  # fmt: skip
        if request.min_max_only:
            select, columns = _range_of(select, columns[0])
        select = self._ordered(select, order_by, request.limit, columns, keys, names, metrics, facts, grain)
        return select, columns, keys

    def _item(self, given: GroupBy | OrderBy, facts: tuple[str, ...], grain: str, where: str) -> Item:
        if isinstance(given, GroupBy) and given.of:
            return value_item(self.catalog, facts, given.name, given.of, where=where)
        return item_of(
            self.catalog,
            facts,
            tuple(given.name.split("__")),
            grain=given.grain,
            date_part=given.date_part,
            default_grain=grain,
            where=where,
        )

    def _known(self, metrics: list[MetricName]) -> list[MetricName]:
        for metric in metrics:
            facts_of(self.catalog, metric.name)  # all parts are there, and none is made of itself
        return metrics

    def _shared(
        self, metrics: list[MetricName], keys: tuple[Item, ...], facts: tuple[str, ...], grain: str
    ) -> dict[Share, tuple[Item, ...]]:
        """The keys within which shares are asked for."""
        found: dict[Share, tuple[Item, ...]] = {}
        for metric in metrics:
            share = metric.calculation
            if not isinstance(share, Share) or share in found:
                continue
            where = f"metrics: {metric.column}"
            items = [self._item(GroupBy(name), facts, grain, where) for name in share.within]
            for item in items:
                if item not in keys:
                    raise InvalidRequestError(
                        f"a share within '{item.column}' needs groups by it", where=where, fix="add it to group_by"
                    )
            found[share] = tuple(items)
        return found

    def _sets(self, request: MetricRequest, keys: tuple[Item, ...], facts: tuple[str, ...], grain: str) -> Sets:
        """The keys, and the smaller sets of them by which subtotals are asked for; none where none are."""
        found = [keys]
        for names in request.subtotals:
            items = [self._item(as_group_by(name, "subtotals"), facts, grain, "subtotals") for name in names]
            for item in items:
                if item not in keys:
                    raise InvalidRequestError(
                        f"a subtotal can't keep '{item.column}', which is not grouped by",
                        where="subtotals",
                        fix="add it to group_by",
                    )
            found.append(tuple(k for k in keys if k in items))
        sets = tuple(dict.fromkeys(found))
        return sets if len(sets) > 1 else ()

    def _select(self, plan: QueryPlan, names: dict[str, str]) -> exp.Select:
        stages = [self._stage(branch, plan) for branch in plan.branches]
        totals = []
        for total in plan.totals:
            columns = {k.column: k.column for k in total.keys}
            totals.append((columns, self._select(total, columns)))
        return combined(stages, names, plan.outputs, self.dialect, totals)

    def _stage(self, branch: Branch, plan: QueryPlan) -> Stage:
        shape = branch.shape
        keys = branch.sets[0] if len(branch.sets) == 1 else plan.keys
        if shape.conversion is not None:
            stage = conversion_stage(self.context, branch, keys, plan.time_range)
        elif shape.running is not None or shape.shifts:
            stage = over_time_stage(self.context, branch, keys, plan.time_range)
        else:
            stage = plain_stage(self.context, branch, keys, plan.time_range)
        if shape.to_spine and shape.running is None:
            stage = joined_to_spine(self.context, stage, shape, keys, plan.time_range)
        return by_sets(stage, plan.keys, branch.sets, plan.sets) if branch.sets else stage

    def _paths(self, group_by: list[GroupBy], conditions: tuple[Condition, ...]) -> list[tuple[str, ...]]:
        """What has to be reached by a request without metrics; metric time is the spine's."""
        named = [split_name(self.catalog, tuple(g.name.split("__")), g.grain)[0] for g in group_by if not g.of]
        named += [(name.split("__")[-1],) for g in group_by for name in g.of]
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
        inner = _Compiler(self.catalog, self.dialect, self.reads)
        inner.context.known_at = self.context.known_at
        select, columns, _ = inner.query(request)
        return select, columns[-1], columns[:-1]

    def _ordered(
        self,
        select: exp.Select,
        order_by: list[OrderBy],
        limit: int | None,
        columns: tuple[str, ...],
        keys: tuple[Item, ...],
        names: dict[str, str],
        metrics: list[MetricName],
        facts: tuple[str, ...],
        grain: str,
    ) -> exp.Select:
        shown = {column.lower(): column for column in columns}
        for order in order_by:
            column = None if order.grain or order.date_part else shown.get(order.name)
            if column is None:
                column = next((m.column for m in metrics if m.calculation is None and order.name == m.name), None)
            if column is None and order.name in self.catalog.manifest.metrics:
                raise _not_in_answer(order.name, "metrics")
            if column is None:
                item = self._item(order, facts, grain, "order_by")
                if item not in keys:
                    raise _not_in_answer(item.column, "group_by")
                column = names[item.column]
            if marker(column) in columns:  # a subtotal comes after what it totals, and a NULL key among that
                select = select.order_by(exp.Ordered(this=exp.column(marker(column))), copy=False)
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


def _names(keys: tuple[Item, ...], group_by: list[GroupBy]) -> dict[str, str]:
    """The output name of each key by its column; the same item may be named twice, but not be called two things."""
    names: dict[str, str] = {}
    for key, given in zip(keys, group_by, strict=True):
        name = given.alias or key.column
        if names.setdefault(key.column, name) != name:
            raise InvalidRequestError(
                f"'{key.column}' is asked for as '{names[key.column]}' and as '{name}'",
                where="group_by",
                fix="ask for it once",
            )
    return names


def _range_of(select: exp.Select, column: str) -> tuple[exp.Select, tuple[str, str]]:
    least, most = f"{column}__min", f"{column}__max"
    rows = exp.Select().from_(subquery(select, "found"), copy=False)
    value = exp.column(column, "found")
    return selected(rows, {least: exp.Min(this=value), most: exp.Max(this=value.copy())}), (least, most)
