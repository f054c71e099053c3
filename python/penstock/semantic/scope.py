"""The rows of one fact: its table, the joins that its expressions turn out to need, and these expressions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from penstock.errors import InvalidDefinitionError, InvalidRequestError
from penstock.manifest.model import SemanticModel
from penstock.semantic.catalog import Hop, Place, validity
from penstock.semantic.context import Context
from penstock.semantic.expressions import (
    all_of,
    extracted,
    is_strict,
    truncated,
    user_expression,
    when,
)
from penstock.semantic.known import Known
from penstock.semantic.names import Item, is_standard
from penstock.semantic.resolve import Condition, reference_item
from penstock.semantic.stage import selected, subquery
from penstock.semantic.templates import Reference
from penstock.semantic.versions import known_versions

_MARK = "row__found"


@dataclass
class _Join:
    """A joined table; with `columns`, a select of its rows, of whose columns the different values are joined.

    `behind` is the alias of another joined table, where nothing else is needed to join this one to it.
    """

    alias: str
    on: exp.Expr
    source: exp.Expr
    kind: str = "LEFT"
    columns: dict[str, exp.Expr] | None = None
    behind: str | None = None

    def table(self) -> exp.Expr:
        if self.columns is None:
            return self.source
        assert isinstance(self.source, exp.Select)
        return subquery(selected(self.source, self.columns, distinct=True), self.alias)


class Scope:
    """Expressions over the rows of a fact; asking for one adds the joins that it needs.

    Args:
        context: What the compilation shares.
        model: The fact.
        time_dimension: The dimension that `metric_time` is, where the rows have one.
        outer: Whether rows of joined models without a fact are kept too.
        known: Which of the fact's rows count, where a metric says so.
    """

    def __init__(
        self,
        context: Context,
        model: str,
        time_dimension: str | None,
        *,
        outer: bool = False,
        known: Known | None = None,
    ) -> None:
        self.context = context
        self._kind = "FULL" if outer else "LEFT"
        self.catalog = context.catalog
        self.model = self.catalog.manifest.model(model)
        self.alias = self.model.name
        self.time_dimension = time_dimension
        self._known = known
        self._joins: dict[object, _Join] = {}
        self._paths: dict[tuple[tuple[Hop, ...], tuple[Hop, ...]], str] = {}  # (hops, end of the path) -> alias
        self._values: dict[object, str] = {}  # the value column of each joined metric
        self._taken = {self.alias}
        self._marked: set[str] = set()  # the aliases whose rows say that they are there
        context.reads.model(self.model)

    def rows(self, crossed: exp.Expr | None = None) -> exp.Select:
        """The fact and its joins, nothing selected yet. To be called once all expressions are made.

        Args:
            crossed: A table with each of whose rows the fact's are paired, before all joins.
        """
        select = exp.Select().from_(self._marked_rows(self.alias, self._own_rows()), copy=False)
        if crossed is not None:
            select = select.join(crossed, join_type="CROSS", copy=False)
        for join in self._joins.values():
            if join.behind is None:
                select.append("joins", self._joined(join))
        return select

    def _own_rows(self) -> exp.Expr:
        if self._known is None or self._known.versions is None:
            return self.context.rows(self.model, self.alias)
        table = self.context.table(self.model.relation, self.alias)
        return known_versions(self.model, table, self._known, self.time_dimension, self.context.dialect)

    def _joined(self, join: _Join) -> exp.Join:
        """The join, those behind it within its own brackets: the rows of dimensions meet before those of the fact."""
        table = self._marked_rows(join.alias, join.table())
        behind = [self._joined(j) for j in self._joins.values() if j.behind == join.alias]
        if behind:
            table.set("joins", behind)
            table = exp.Subquery(this=table)
        # the node itself: `select.join` would parse the words of the join's type each time
        return exp.Join(this=table, on=join.on.copy(), side=join.kind)

    def value(self, expr: str, where: str) -> exp.Expr:
        """A definition's expression over the fact's own columns."""
        return user_expression(expr, where=where, table=self.alias)

    def time(self) -> exp.Expr:
        """The moment of a row, as its column has it."""
        dimension = self.model.dimension_by_name.get(self.time_dimension or "")
        if dimension is None:
            raise InvalidDefinitionError(
                f"the semantic model '{self.model.name}' has no time to aggregate by",
                where=f"semantic model {self.model.name}",
                fix="give it `defaults: {agg_time_dimension: ...}`",
            )
        return self.value(dimension.expr, f"dimension {self.model.name}.{dimension.name}")

    def time_grain(self) -> str:
        """The grain that the row's moment is declared to have."""
        dimension = self.model.dimension_by_name.get(self.time_dimension or "")
        return (dimension.grain or "day") if dimension is not None else "day"

    def item(self, item: Item) -> exp.Expr:
        """The item's value for a row."""
        if item.kind == "metric_time":
            return self.of_time(self.time(), item, self.time_grain())
        if item.kind == "metric":
            return self.metric(Reference("metric", item.element, group_by=item.links), "group_by")
        place = self.catalog.place(self.model.name, item.links, item.element)
        assert place is not None, f"{item} was resolved for another fact"
        if place.many:
            return self._one_of_many(item, place)
        alias = self._reach(place.hops)
        model = self.catalog.manifest.model(place.model)
        return self._element(item, model, alias, place.hops)

    def _element(self, item: Item, model: SemanticModel, alias: str, hops: tuple[Hop, ...] | None = None) -> exp.Expr:
        where = f"{model.name}.{item.element}"
        if item.kind == "entity":
            value = user_expression(model.entity_by_name[item.element].expr, where=f"entity {where}", table=alias)
        else:
            expr = model.dimension_by_name[item.element].expr
            value = user_expression(expr, where=f"dimension {where}", table=alias)
        if hops is not None:
            value = self._if_joined(value, alias, hops)
        if item.kind != "time":
            return value
        return self.of_time(value, item, model.dimension_by_name[item.element].grain or "day")

    def _if_joined(self, value: exp.Expr, alias: str, hops: tuple[Hop, ...]) -> exp.Expr:
        """The value, NULL where the join over these hops found no row, whatever the expression makes of NULL."""
        outer = self._kind == "FULL"
        if (not hops and not outer) or is_strict(value):
            return value
        key = None
        if not outer:  # else rows without a key are there too
            expr = self._at(hops).entity_by_name[hops[-1].entity].expr
            key = user_expression(expr, where=f"entity {hops[-1].model}.{hops[-1].entity}", table=alias)
        if key is None or not is_strict(key):
            self._marked.add(alias)
            key = exp.column(_MARK, alias)
        return when(exp.Not(this=exp.Is(this=key, expression=exp.Null())), value)

    def _marked_rows(self, alias: str, table: exp.Expr) -> exp.Expr:
        """The table, with a column that tells where it has a row if one is needed."""
        if alias not in self._marked:
            return table
        columns = (exp.Column(this=exp.Star(), table=exp.to_identifier(alias)), exp.alias_(exp.true(), _MARK))
        return subquery(exp.Select().from_(table, copy=False).select(*columns, copy=False), alias)

    def _one_of_many(self, item: Item, place: Place) -> exp.Expr:
        """A value of a model with many rows for one of these: its different values are joined, each once for a row.

        All that is asked for of one such model stands in one join, so that a row counts once in each of its groups.
        """
        if item.is_time and item.grain is not None and not is_standard(item.grain):
            raise InvalidRequestError(
                f"'{item.column}' has many values for one row of '{self.model.name}', not had by a custom grain",
                where="group_by",
                fix="group by a standard grain",
            )
        *before, hop = place.hops
        key = ("many", place.hops)
        if key not in self._joins:
            left, left_model = self._reach(tuple(before)), self._at(tuple(before))
            model = self.catalog.manifest.model(hop.model)
            alias, entity = self._free(f"{model.name}_by_{hop.entity}"), left_model.entity_by_name[hop.entity]
            inner = user_expression(
                model.entity_by_name[hop.entity].expr, where=f"entity {hop.entity}", table=model.name
            )
            mine = user_expression(entity.expr, where=f"entity {left_model.name}.{entity.name}", table=left)
            mine = self._if_joined(mine, left, tuple(before))
            on = exp.EQ(this=mine, expression=exp.column(hop.entity, alias))
            table = exp.Select().from_(self.context.rows(model, model.name), copy=False)
            self._joins[key] = _Join(alias, on, table, columns={hop.entity: inner})
            self.context.reads.model(model)
            shown = "".join(f" -{h.entity}-> {h.model}" for h in place.hops)
            self.context.reads.paths[f"{self.model.name}{shown}"] = None
        join = self._joins[key]
        assert join.columns is not None
        join.columns[item.column] = self._element(item, self.catalog.manifest.model(hop.model), hop.model)
        return exp.column(item.column, join.alias)

    def of_time(self, moment: exp.Expr, item: Item, grain: str) -> exp.Expr:
        """A moment by the item's grain or date part; a custom grain is looked up in its time spine."""
        if item.date_part:
            return extracted(item.date_part, moment)
        wanted = item.grain or grain
        if is_standard(wanted):
            return truncated(wanted, moment)
        spine, column = self.catalog.custom_grains[wanted]
        key = ("spine", wanted, item.base)
        if key not in self._joins:
            alias = self._free(f"{item.base.column}__{spine.grain}_spine")
            on = exp.EQ(this=truncated(spine.grain, moment), expression=exp.column(spine.column, alias))
            self._joins[key] = _Join(alias, on, self.context.table(spine.relation, alias))
            self.context.reads.spine(spine)
        return exp.column(column, self._joins[key].alias)

    def condition(self, condition: Condition, time: Callable[[Item], exp.Expr | None] | None = None) -> exp.Expr:
        """A filter over the rows.

        Args:
            condition: The filter.
            time: Gives the items that are not those of the row (a moved time); None for all others.
        """
        where = f"{condition.where}: {condition.filter.text}"

        def column(reference: Reference) -> exp.Expr:
            if reference.kind == "metric":
                return self.metric(reference, where)
            item = reference_item(self.catalog, (self.model.name,), reference, condition.default_grain, where)
            moved = time(item) if time is not None else None
            return self.item(item) if moved is None else moved

        return condition.bind(column)

    def metric(self, reference: Reference, where: str) -> exp.Expr:
        """The value of a metric for the row's entity: the metric by that entity, joined."""
        if not reference.group_by:
            raise InvalidRequestError("a metric in a filter needs `group_by=[...]`", where=where)
        key = ("metric", reference.name, reference.group_by)
        if key not in self._joins:
            rows, value, names = self.context.metric_rows(reference.name, reference.group_by)
            parts = []
            alias = self._free(f"{reference.name}_by_{names[-1].split('__')[-1]}")
            for name, column in zip(reference.group_by, names, strict=True):
                entity = name.split("__")[-1]
                item = self.catalog.resolve((self.model.name,), (entity,))
                if item is None:
                    raise InvalidRequestError(
                        f"the rows of '{self.model.name}' have no entity '{entity}' to compare {reference.name} for",
                        where=where,
                    )
                parts.append(exp.EQ(this=self.item(item), expression=exp.column(column, alias)))
            on = all_of(parts)
            assert on is not None
            self._joins[key] = _Join(alias, on, exp.alias_(rows.subquery(copy=False), alias, table=True), self._kind)
            self._values[key] = value
        return exp.column(self._values[key], self._joins[key].alias)

    def _reach(self, hops: tuple[Hop, ...]) -> str:
        """The alias of the model behind the hops, joined if it isn't yet.

        Each model at the end of a longer path has a path of its own: where a key on the way is not as unique as it is
        declared, two ends reached over one join would be paired row by row, which is not how MetricFlow pairs them.
        """
        return self._join_path(hops, hops) if hops else self.alias

    def _join_path(self, hops: tuple[Hop, ...], end: tuple[Hop, ...]) -> str:
        if not hops:
            return self.alias
        key = (hops, end)
        if key in self._paths:
            return self._paths[key]
        shared = self._shared(hops, end)
        if shared is not None:
            self._paths[key] = shared
            return shared
        left = self._join_path(hops[:-1], end)
        model = self.catalog.manifest.model(hops[-1].model)
        path = "__".join((model.name, *(h.entity for h in hops)))
        alias = self._free(model.name, path) if hops == end else self._free(model.name, f"{path}__to_{end[-1].model}")
        on = self._on(left, hops, end, alias)
        self._paths[key] = alias
        behind = left if self._may_be_behind(left, on, alias) else None
        self._joins[key] = _Join(alias, on, self.context.rows(model, alias), self._kind, behind=behind)
        self.context.reads.model(model)
        shown = "".join(f" -{h.entity}-> {h.model}" for h in hops)
        self.context.reads.paths[f"{self.model.name}{shown}"] = None
        return alias

    def _may_be_behind(self, left: str, on: exp.Expr, alias: str) -> bool:
        """Whether a table is joined within the brackets of the one before it.

        The rows are the same. DuckDB does not change the order of outer joins: a dimension's rows are fewer than the
        fact's. Spark does not know how large such a join is, and would not broadcast it.
        """
        if self.context.dialect != "duckdb" or left == self.alias or self._kind != "LEFT":
            return False
        return {column.table for column in on.find_all(exp.Column)} <= {left, alias}

    def _shared(self, hops: tuple[Hop, ...], end: tuple[Hop, ...]) -> str | None:
        """A model in the middle of one longer path and asked for itself is joined once for both."""
        users = [other for known, other in self._paths if known == hops]
        if hops == end:
            return self._paths[(hops, users[0])] if users else None
        return self._paths[(hops, hops)] if users == [hops] else None

    def _on(self, left: str, hops: tuple[Hop, ...], end: tuple[Hop, ...], alias: str) -> exp.Expr:
        left_model = self._at(hops[:-1])
        hop, model = hops[-1], self._at(hops)
        here, there = left_model.entity_by_name[hop.entity], model.entity_by_name[hop.entity]
        mine = user_expression(here.expr, where=f"entity {left_model.name}.{here.name}", table=left)
        theirs = user_expression(there.expr, where=f"entity {model.name}.{there.name}", table=alias)
        parts: list[exp.Expr] = [exp.EQ(this=self._if_joined(mine, left, hops[:-1]), expression=theirs)]
        parts += self._partitions(hops, end, alias)
        ends = validity(model)
        if ends is not None:
            parts += self._valid(ends, model, alias)
        on = all_of(parts)
        assert on is not None
        return on

    def _at(self, hops: tuple[Hop, ...]) -> SemanticModel:
        return self.catalog.manifest.model(hops[-1].model) if hops else self.model

    def _partitions(self, hops: tuple[Hop, ...], end: tuple[Hop, ...], alias: str) -> list[exp.Expr]:
        """Tables that are partitioned alike are joined partition by partition, each to the nearest one before it."""
        found: list[exp.Expr] = []
        model = self._at(hops)
        for dimension in model.dimensions:
            before = (hops[:i] for i in range(len(hops) - 1, -1, -1))
            near = next((b for b in before if _partition(self._at(b), dimension.name)), None)
            if not dimension.is_partition or near is None:
                continue
            other = self._at(near).dimension_by_name[dimension.name]
            where = f"dimension {self._at(near).name}.{dimension.name}"
            mine = user_expression(other.expr, where=where, table=self._join_path(near, end))
            theirs = user_expression(dimension.expr, where=f"dimension {model.name}.{dimension.name}", table=alias)
            if dimension.grain and other.grain:
                mine, theirs = truncated(other.grain, mine), truncated(dimension.grain, theirs)
            found.append(exp.EQ(this=mine, expression=theirs))
        return found

    def _valid(self, ends: tuple[str, str], model: SemanticModel, alias: str) -> list[exp.Expr]:
        """The row that was valid at the fact's moment; an open end is NULL."""
        start, end = (user_expression(e, where=f"semantic model {model.name}, validity", table=alias) for e in ends)
        moment = truncated(self.time_grain(), self.time())
        open_end = exp.or_(exp.LT(this=moment.copy(), expression=end), exp.Is(this=end.copy(), expression=exp.Null()))
        return [exp.GTE(this=moment, expression=start), exp.paren(open_end)]

    def _free(self, *names: str) -> str:
        for name in names:
            if name not in self._taken:
                self._taken.add(name)
                return name
        count = 2
        while f"{names[-1]}_{count}" in self._taken:
            count += 1
        name = f"{names[-1]}_{count}"
        self._taken.add(name)
        return name


def _partition(model: SemanticModel, name: str) -> bool:
    dimension = model.dimension_by_name.get(name)
    return dimension is not None and dimension.is_partition
