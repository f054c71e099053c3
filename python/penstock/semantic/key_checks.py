"""SQL that finds where the rows contradict what the definitions say of keys: then joins would multiply rows."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from penstock.manifest.model import SemanticManifest, SemanticModel, TimeSpine
from penstock.semantic.catalog import validity
from penstock.semantic.context import relation_table
from penstock.semantic.expressions import user_expression
from penstock.semantic.knowledge import Versions, versions_of
from penstock.semantic.known import Known, known_of
from penstock.semantic.render import render
from penstock.semantic.request import Dialect
from penstock.semantic.stage import selected, subquery
from penstock.semantic.versions import known_time, known_versions, version_key

_KEY = "key"


def key_checks(manifest: SemanticManifest, dialect: Dialect) -> str:
    """One statement; each row is a place, what is wrong there, and for how many keys. No rows: all keys hold.

    Primary and unique entities have to be unique (in each partition, where the model has any), the rows of a natural
    one must not be valid at the same moment, and a time spine has one row a period. Where rows are versions of things,
    this is asked of the last known ones, and of versions that they can be told apart.

    Args:
        manifest: The project's definitions.
        dialect: `spark` or `duckdb`.
    """
    checks = [check for model in manifest.models.values() for check in _of_model(model)]
    checks += [
        _repeated(relation_table(s.relation), [exp.column(s.column)], *_of_spine(s)) for s in manifest.time_spines
    ]
    if not checks:
        nothing = {"place": exp.Literal.string(""), "problem": exp.Literal.string(""), "keys": exp.Literal.number(0)}
        return render(exp.Select().select(*(exp.alias_(e, n) for n, e in nothing.items())).where("FALSE"), dialect)
    query: exp.Query = checks[0]
    for check in checks[1:]:
        query = exp.union(query, check, distinct=False, copy=False)
    return render(query, dialect)


def _of_spine(spine: TimeSpine) -> tuple[str, str]:
    return f"time spine {spine.relation.alias}", f"several rows for one {spine.grain}"


def _of_model(model: SemanticModel) -> Iterator[exp.Select]:
    ends = validity(model)
    partitions = [_own(model, d.expr) for d in model.dimensions if d.is_partition]
    versions = versions_of(model)
    rows = relation_table(model.relation)
    if versions is not None:
        known = known_of(model, None, None)
        assert known is not None
        yield _tied(model, versions, known)
        rows = known_versions(model, exp.alias_(rows, model.name, table=True), known, None, None)
    for entity in model.entities:
        place, key = f"semantic model {model.name}, entity {entity.name}", _own(model, entity.expr)
        if entity.type in ("primary", "unique"):
            problem = f"several rows for one {entity.name}" + " in one partition" * bool(partitions)
            yield _repeated(rows, [key, *partitions], place, problem)
        elif entity.type == "natural" and ends is not None:
            yield _overlapping(model, rows, key, ends, place, f"rows of one {entity.name} are valid at the same moment")


def _tied(model: SemanticModel, versions: Versions, known: Known) -> exp.Select:
    told = [*version_key(model, versions, None), known_time(model, known, None, None)]
    tie_break = [] if versions.tie_break is None else [_own(model, versions.tie_break)]
    problem = "several versions of one thing are known at one time, and no tie_break tells them apart"
    place = f"semantic model {model.name}, version_of"
    return _repeated(relation_table(model.relation), [*told, *tie_break], place, problem, there=len(told))


def _own(model: SemanticModel, sql: str) -> exp.Expr:
    return user_expression(sql, where=f"semantic model {model.name}")


def _repeated(table: exp.Expr, key: list[exp.Expr], place: str, problem: str, *, there: int = 1) -> exp.Select:
    rows = exp.Select().from_(table.copy(), copy=False).where(*map(_there, key[:there]), copy=False)
    groups = selected(rows, {f"{_KEY}_{i}": k for i, k in enumerate(key)}, group_by=len(key))
    many = exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(1))
    return _counted(groups.having(many, copy=False), place, problem)


def _overlapping(
    model: SemanticModel, rows: exp.Expr, key: exp.Expr, ends: tuple[str, str], place: str, problem: str
) -> exp.Select:
    start, end = (_own(model, sql) for sql in ends)
    order = exp.Order(expressions=[exp.Ordered(this=start.copy())])
    later = exp.Window(this=exp.Lead(this=start.copy()), partition_by=[key.copy()], order=order)
    table = exp.Select().from_(rows.copy(), copy=False).where(_there(key), copy=False)
    versions = selected(table, {_KEY: key, "until": end, "next": later})
    until, following = exp.column("until", "versions"), exp.column("next", "versions")
    overlap = exp.or_(
        exp.GT(this=until, expression=following),
        exp.and_(exp.Is(this=until.copy(), expression=exp.Null()), _there(following)),
    )
    rows = exp.Select().from_(subquery(versions, "versions"), copy=False).where(overlap, copy=False)
    return _counted(selected(rows, {_KEY: exp.column(_KEY, "versions")}, distinct=True), place, problem)


def _counted(wrong: exp.Select, place: str, problem: str) -> exp.Select:
    number = exp.Count(this=exp.Star())
    columns = {"place": exp.Literal.string(place), "problem": exp.Literal.string(problem), "keys": number}
    some = exp.GT(this=number.copy(), expression=exp.Literal.number(0))
    return selected(exp.Select().from_(subquery(wrong, "wrong"), copy=False), columns).having(some, copy=False)


def _there(value: exp.Expr) -> exp.Expr:
    return exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))
