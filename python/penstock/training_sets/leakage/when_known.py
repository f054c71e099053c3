"""When the rows of a relation, and each of their columns, are known: all that the definitions say, put together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.errors import PenstockError
from penstock.semantic.catalog import catalog_of, validity
from penstock.semantic.context import Context, no_metric_rows, relation_key
from penstock.semantic.expressions import user_expression
from penstock.semantic.knowledge import Knowledge, knowledge_of
from penstock.semantic.leaves import Leaf, Leaves
from penstock.semantic.reads import Reads
from penstock.semantic.scope import Scope
from penstock.training_sets.knowledge import Clock

if TYPE_CHECKING:
    from penstock.manifest.model import SemanticManifest, SemanticModel
    from penstock.semantic.request import Dialect


@dataclass
class Known:
    """When one relation is known. A row is there from the first of its clocks on, and so is each column from its own.

    Args:
        timeless: Nothing of it becomes known later: `known_at: always`, or a time spine.
        there: Its rows were always known of, though not all that they say.
        rows: The clocks by which a row is known.
        default: The clocks of a column that no other entry names; none where that is not declared.
        columns: The clocks of columns by lower-case name, beside the default.
        kept: Columns, in lower case, that say which row it is: keys and partitions.
        ends: The clock of the end of a validity, by its column.
    """

    timeless: bool = False
    there: bool = False
    rows: list[Clock] = field(default_factory=list)
    default: list[Clock] = field(default_factory=list)
    columns: dict[str, list[Clock]] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)
    ends: dict[str, Clock] = field(default_factory=dict)

    def of_column(self, name: str) -> list[Clock]:
        """The clocks of a column; it is known from the first of them on, and never where there is none."""
        if name in self.ends:
            return [self.ends[name]]
        return [*self.default, *self.columns.get(name, ())]

    def is_declared(self) -> bool:
        """Whether anything is said of when its rows are known."""
        return self.timeless or self.there or bool(self.rows)


def known_relations(manifest: SemanticManifest, dialect: Dialect) -> dict[tuple[str, ...], Known]:
    """What is known when, by the key of each relation that a semantic model or a time spine describes.

    A row may become known bit by bit: a flight's departure before its arrival. Then metrics declare a `known_at` of
    their own, and the columns that they are made of are known with them.

    Args:
        manifest: The project's definitions.
        dialect: The dialect in which relations are compared.
    """
    found: dict[tuple[str, ...], Known] = {}
    for spine in manifest.time_spines:
        found[relation_key(spine.relation.name)] = Known(timeless=True)
    for model in manifest.models.values():
        known = found.setdefault(relation_key(model.relation.name), Known())
        _add_model(known, model)
    context = Context(catalog_of(manifest), dialect, Reads(), no_metric_rows)
    for name in manifest.metrics:
        leaves = Leaves(context.catalog)
        try:
            leaves.metric(name, ())
        except PenstockError:
            continue  # what is wrong with it is said when it is asked for
        for leaf in leaves.found:
            _add_leaf(found, leaf, context)
    return found


def _add_model(known: Known, model: SemanticModel) -> None:
    for entity in model.entities:
        known.kept |= _names(_own(model, entity.expr))
    for dimension in model.dimensions:
        if dimension.is_partition:
            known.kept |= _names(_own(model, dimension.expr))
    ends = validity(model)
    try:
        knowledge = knowledge_of(model)
    except PenstockError:
        return  # its metrics may say it for themselves
    if knowledge.always:
        known.timeless = True
        return
    time = model.time_dimension or next((d.name for d in model.dimensions if d.validity == "start"), None)
    axis = model.dimension_by_name.get(time) if time else None
    event = None if axis is None else _own(model, axis.expr)
    clock = _clock(knowledge, event)
    if clock is not None:
        known.rows.append(clock)
        known.default.append(clock)
        if ends is not None and isinstance(_own(model, ends[1]), exp.Column):
            until = _own(model, ends[1])
            known.ends[until.name.lower()] = Clock(until, delay=clock.delay)


def _add_leaf(found: dict[tuple[str, ...], Known], leaf: Leaf, context: Context) -> None:
    manifest = context.catalog.manifest
    model = manifest.models.get(leaf.aggregation.semantic_model)
    if model is None or leaf.aggregation.time_dimension is None:
        return
    known = found[relation_key(model.relation.name)]
    scope = Scope(context, model.name, leaf.aggregation.time_dimension)
    try:
        event = _bare(scope.time())
        knowledge = knowledge_of(model, manifest.metrics[leaf.metric])
        parts = [scope.value(leaf.aggregation.expr, f"metric {leaf.metric}")]
        parts += [scope.condition(c) for c in (*leaf.own, *leaf.extra)]
    except PenstockError:
        return
    # a row of timeless data counts from its event on, but what it says was known before
    clock = None if knowledge.always else _clock(knowledge, event)
    used = {c.name.lower() for p in parts for c in p.find_all(exp.Column) if c.table in ("", model.name)}
    if clock is None:
        known.kept |= used | _names(event)
        known.there = True
        return
    if clock not in known.rows:
        known.rows.append(clock)
    for name in used:
        clocks = known.columns.setdefault(name, [])
        if clock not in clocks:
            clocks.append(clock)


def _clock(knowledge: Knowledge, event: exp.Expr | None) -> Clock | None:
    if knowledge.known_at is not None:
        known_at = _bare(knowledge.known_at)
        return Clock(known_at if event is None else event, known_at)
    return None if event is None else Clock(event, delay=knowledge.delay)


def _own(model: SemanticModel, sql: str) -> exp.Expr:
    return user_expression(sql, where=f"semantic model {model.name}")


def _bare(tree: exp.Expr) -> exp.Expr:
    """The expression over the columns of one relation, which need no table before them."""
    tree = tree.copy()
    for column in [tree] if isinstance(tree, exp.Column) else list(tree.find_all(exp.Column)):
        column.set("table", None)
    return tree


def _names(tree: exp.Expr) -> set[str]:
    return {c.name.lower() for c in tree.find_all(exp.Column)}
