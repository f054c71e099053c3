"""How a request is answered, in words: its metrics, its keys, its joins and whether they multiply rows, its scans."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from penstock.manifest.model import SemanticManifest, Window
from penstock.semantic.catalog import Catalog, catalog_of
from penstock.semantic.compile import Built, build
from penstock.semantic.expressions import found_parts
from penstock.semantic.leaves import Leaf, Shift
from penstock.semantic.names import Item
from penstock.semantic.plan import QueryPlan
from penstock.semantic.render import render
from penstock.semantic.request import CompiledQuery, Dialect, MetricRequest

_TOTAL = ", of the whole"


@dataclass(frozen=True)
class Scan:
    """One reading of a table, and the filters on its rows as they are read."""

    table: str
    filters: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """What there is to say about an answer.

    Args:
        query: The compiled request.
        metrics: For each column how it is worked out, from named parts.
        parts: For each part which aggregate of which rows it is.
        keys: For each column where it comes from.
        joins: For each path of joins why it doesn't multiply rows.
        scans: Each table that is read, and the filters that reach it.
    """

    query: CompiledQuery
    metrics: dict[str, str]
    parts: dict[str, str]
    keys: dict[str, str]
    joins: dict[str, str]
    scans: tuple[Scan, ...]


def explain(manifest: SemanticManifest, request: MetricRequest, dialect: Dialect) -> Explanation:
    """Explain one request; errors are those of `compile_request`.

    Args:
        manifest: The project's definitions.
        request: What is asked for.
        dialect: `spark` or `duckdb`.
    """
    built = build(manifest, request, dialect)
    catalog = catalog_of(manifest)
    plans = [] if built.plan is None else [("", built.plan), *((_TOTAL, total) for total in built.plan.totals)]
    return Explanation(
        query=built.query,
        metrics={o.name: _formula(o.value, dialect) for _, plan in plans for o in plan.outputs},
        parts={f"{column}{of}": text for of, plan in plans for column, text in _parts(plan)},
        keys={k.column: _origin(catalog, built, k) for k in built.keys},
        joins={path: _verdict(manifest, path) for path in built.query.join_paths},
        scans=tuple(_scans(built.tree, dialect)),
    )


def _formula(value: exp.Expr, dialect: Dialect) -> str:
    def bare(node: exp.Expr) -> exp.Expr:
        parts = found_parts(node)
        return node if parts is None else parts[0]

    return render(exp.paren(value.copy()).transform(bare), dialect)[1:-1].strip()


def _parts(plan: QueryPlan) -> Iterator[tuple[str, str]]:
    seen = set()
    for branch in plan.branches:
        for column, leaf in branch.leaves:
            if column not in seen:
                seen.add(column)
                yield column, _leaf(leaf)


def _leaf(leaf: Leaf) -> str:
    spec = leaf.aggregation
    if leaf.conversion is not None:
        counted, within = leaf.conversion.aggregation, leaf.conversion.window
        before = f"at most {_length(within)} before it" if within else "before it"
        return (
            f"{counted.agg} of {counted.expr} over the rows of {counted.semantic_model}, each credited to the last row "
            f"of {spec.semantic_model} {before} of the same {leaf.conversion.entity}"
        )
    words = [f"{spec.agg} of {spec.expr} over the rows of {spec.semantic_model}"]
    if leaf.known is not None and leaf.known.versions is not None:
        words.append(f"of each {', '.join(leaf.known.versions.thing)} the version known last")
    if spec.time_dimension:
        words.append(f"by {spec.time_dimension}")
    if spec.non_additive:
        words.append(f"at the {spec.non_additive.choice} {spec.non_additive.dimension} only")
    if leaf.running and leaf.running.window:
        words.append(f"of the {_length(leaf.running.window)} that end with each moment")
    elif leaf.running:
        since = leaf.running.grain_to_date
        words.append(f"since the {since} began" if since else "since the first")
    words += [_shift(shift) for shift in leaf.shifts]
    filters = [c.filter.text.strip() for c in (*leaf.own, *leaf.extra, *(c for s in leaf.shifts for c in s.conditions))]
    if filters:
        words.append(f"where {' and '.join(dict.fromkeys(filters))}")
    if leaf.to_spine:
        words.append("a row for every period")
    if leaf.fill is not None:
        words.append(f"{leaf.fill} for NULL")
    return ", ".join(words)


def _shift(shift: Shift) -> str:
    return f"{_length(shift.window)} ago" if shift.window else f"at the start of the {shift.to_grain}"


def _length(window: Window) -> str:
    return f"{window.count} {window.grain}{'s' if window.count > 1 else ''}"


def _origin(catalog: Catalog, built: Built, item: Item) -> str:
    if item.kind == "metric_time":
        return "the time by which each metric is aggregated"
    if item.kind == "metric":
        return f"{item.element} of each {', '.join(item.links)}"
    for model in built.query.models:
        place = catalog.place(model, item.links, item.element)
        if place is not None:
            hops = "".join(f" -{h.entity}-> {h.model}" for h in place.hops)
            return f"{item.element} of {place.model}" + (f", reached by {model}{hops}" if hops else "")
    return item.element


def _verdict(manifest: SemanticManifest, path: str) -> str:
    """Why the last join of a path finds at most one row, or what is done where it doesn't."""
    *_, last = path.split(" -")
    entity_name, _, model_name = last.partition("-> ")
    model = manifest.models[model_name]
    kind = model.entity_by_name[entity_name].type
    if kind == "natural":
        ends = [d.name for d in model.dimensions if d.validity]
        return f"no fan-out: one row of {model_name} for a {entity_name} at a moment, by {' and '.join(ends)}"
    if kind == "foreign":
        return (
            f"fan-out made right: {model_name} has many rows for one {entity_name}, of which only the different values "
            "asked for are joined; a row counts once in each of its groups"
        )
    return f"no fan-out: {entity_name} is the {kind} entity of {model_name}, so at most one row"


def _scans(tree: exp.Expr, dialect: Dialect) -> Iterator[Scan]:
    for select in tree.find_all(exp.Select):
        source = select.args.get("from_")
        tables = [*(_tables(source.this) if source is not None else ()), *_joined(select)]
        where = select.args.get("where")
        test = where.this if where is not None else None
        tests = list(test.flatten()) if isinstance(test, exp.And) else [test] if test is not None else []
        for table in tables:
            mine = [t for t in tests if {c.table for c in t.find_all(exp.Column)} == {table.alias_or_name}]
            name = table.copy()
            name.set("alias", None)
            name.set("joins", None)
            yield Scan(render(name, dialect), tuple(render(t, dialect) for t in mine))


def _tables(source: exp.Expr) -> Iterator[exp.Table]:
    """The tables that stand in a FROM or a join themselves, within brackets too."""
    if isinstance(source, exp.Table):
        yield source
        yield from _joined(source)
    elif isinstance(source, exp.Subquery) and isinstance(source.this, exp.Table):
        yield from _tables(source.this)


def _joined(rows: exp.Expr) -> Iterator[exp.Table]:
    for join in rows.args.get("joins") or ():
        yield from _tables(join.this)
