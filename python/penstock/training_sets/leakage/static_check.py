"""What can be seen of leakage in the text of a training set's SQL, before any row is read.

A finding is something that is never right in a training set, or hardly ever; what can't be told from the text is left
to the test that takes the future away. Nothing is run, and the SQL may be anybody's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sqlglot import exp

from penstock.semantic.context import relation_key
from penstock.semantic.render import render
from penstock.training_sets.leakage.joins_in_time import unbound_joins
from penstock.training_sets.leakage.no_leakage import parsed_query
from penstock.training_sets.leakage.when_known import known_relations
from penstock.training_sets.leakage.without_future import is_within
from penstock.training_sets.sql import known_dialect

if TYPE_CHECKING:
    from penstock.manifest.model import SemanticManifest
    from penstock.semantic.request import Dialect

Kind = Literal["clock", "chance", "order", "window", "join", "asof"]

_LONGEST = 120  # of the SQL that is shown
_CLOCKS = (
    exp.CurrentDate,
    exp.CurrentTimestamp,
    exp.CurrentTime,
    exp.CurrentDatetime,
    exp.Localtimestamp,
    exp.Localtime,
)
_CLOCK_NAMES = frozenset(
    "now getdate today sysdate systimestamp localtimestamp localtime current_datetime utc_timestamp".split()
)
_CHANCE = (exp.Rand, exp.Randn, exp.Uuid, exp.Shuffle)
_CHANCE_NAMES = frozenset("random rand randn uuid uniform monotonically_increasing_id gen_random_uuid newid".split())
_RANKS = (exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile)


@dataclass(frozen=True)
class Finding:
    """Something in the SQL that lets the future in, or gives other rows each time.

    Args:
        kind: `clock`, `chance` and `order` give other rows each time; `window` and `join` look past a row's time;
            `asof` is read by Spark as something else.
        place: The step it is in, and its SQL.
        what: What is wrong with it.
        fix: What to write instead.
    """

    kind: Kind
    place: str
    what: str
    fix: str


def check_sql(
    sql: str, manifest: SemanticManifest, *, spine: Sequence[str] = (), dialect: str = "spark"
) -> tuple[Finding, ...]:
    """Find what makes a training set leak or change.

    Args:
        sql: The SQL of a training set or a spine, one query.
        manifest: The project's definitions, which say of which relations rows become known with time.
        spine: What the rows of the set come from: names of common table expressions, aliases or relations. Their own
            SQL may look ahead, for a label is known later than its row.
        dialect: `spark` or `duckdb`.

    Raises:
        InvalidRequestError: It is not one query.

    Example:
        >>> from penstock.manifest.model import SemanticManifest
        >>> [f.kind for f in check_sql("SELECT id, LEAD(x) OVER (ORDER BY t) FROM s LIMIT 9", SemanticManifest({}, {}))]
        ['order', 'window']
    """
    target = known_dialect(dialect)
    tree = parsed_query(sql, target)
    wanted = {relation_key(name) for name in spine}
    found = [*_not_reproducible(tree, target)]
    for window in tree.find_all(exp.Window):
        if not is_within(window, wanted):
            found += _in_window(window, target)
    for join in unbound_joins(tree, known_relations(manifest, target), spine, target):
        found.append(Finding("join", _place(join.node, target), join.what, join.fix))
    return tuple(dict.fromkeys(found))


def as_rows(findings: Iterable[Finding], dialect: str) -> str:
    """SQL whose rows are the findings."""
    names = ("kind", "place", "what", "fix")
    rows = [exp.Select().select(*(exp.alias_(exp.Literal.string(getattr(f, n)), n) for n in names)) for f in findings]
    if not rows:
        nothing = exp.Select().select(*(exp.alias_(exp.Literal.string(""), n) for n in names))
        return render(nothing.where(exp.false(), copy=False), known_dialect(dialect))
    query: exp.Query = rows[0]
    for row in rows[1:]:
        query = exp.union(query, row, distinct=False, copy=False)
    return render(query, known_dialect(dialect))


def _not_reproducible(tree: exp.Expr, dialect: Dialect) -> Iterator[Finding]:
    for node in tree.walk():
        called = node.name.lower() if isinstance(node, (exp.Anonymous, exp.Column)) else ""
        if isinstance(node, exp.Column) and (node.table or node.this.args.get("quoted")):
            called = ""
        if isinstance(node, _CLOCKS) or called in _CLOCK_NAMES:
            fix = "take the time of the row, or a fixed date"
            yield Finding(
                "clock", _place(node, dialect), "it is another time at each build, and later than the rows", fix
            )
        elif isinstance(node, _CHANCE) or (isinstance(node, exp.Anonymous) and called in _CHANCE_NAMES):
            if not (isinstance(node, (exp.Rand, exp.Randn)) and node.this is not None):
                fix = "take a hash of the row's key"
                yield Finding("chance", _place(node, dialect), "it is another value at each build", fix)
        elif isinstance(node, exp.TableSample) and not node.args.get("seed"):
            fix = "take a hash of the row's key"
            yield Finding("chance", _place(node, dialect), "it takes other rows at each build", fix)
        elif isinstance(node, exp.Limit) and not _is_ordered(node.parent):
            fix = "add an ORDER BY that tells rows apart, or take a hash of the key"
            yield Finding("order", _place(node, dialect), "which rows are kept is a matter of luck", fix)
        elif isinstance(node, exp.Join) and "ASOF" in (node.method, node.kind, node.side) and dialect == "spark":
            what = "Spark reads ASOF as the name of the table before it, and joins every row of a key"
            yield Finding(
                "asof", _place(node, dialect), what, "use penstock.training_set, or intervals by LEAD of the time"
            )


def _is_ordered(query: exp.Expr | None) -> bool:
    return query is not None and bool(query.args.get("order"))


def _in_window(window: exp.Window, dialect: Dialect) -> Iterator[Finding]:
    function = window.this
    if isinstance(function, (exp.IgnoreNulls, exp.RespectNulls, exp.Filter)):
        function = function.this
    if function is None or isinstance(function, exp.Identifier):
        return  # the definition of a named window
    defined = _definition(window)
    order, frame = defined.args.get("order"), defined.args.get("spec")
    place = _place(window, dialect)
    if isinstance(function, _RANKS):
        if order is None:
            yield Finding("order", place, "rows are numbered in no order", "add an ORDER BY that tells rows apart")
        return
    if order is None:
        what = "it is over all rows of the partition, those after the row's time too"
        yield Finding("window", place, what, "order it by time, and end its frame before the row")
        return
    first = order.expressions[0]
    backwards = bool(first.args.get("desc"))
    if isinstance(function, (exp.Lead, exp.Lag)):
        ahead = isinstance(function, exp.Lead) != backwards
        # the next row's time ends this one's interval, and is compared with the time of a row
        if ahead and not _is_of(function.this, order):
            what = "it takes the value of a later row"
            yield Finding("window", place, what, "take that of an earlier one, or have it as a label in the spine")
        return
    if _looks_ahead(frame, backwards=backwards):
        what = "its frame holds rows after the row's time"
        yield Finding("window", place, what, "end the frame with the current row or before it, in the order of time")


def _definition(window: exp.Window) -> exp.Window:
    """The window itself, or the one that it names."""
    name = window.args.get("alias")
    select = window.find_ancestor(exp.Select)
    if name is not None and select is not None:
        for named in select.args.get("windows") or ():
            if named.name.lower() == name.name.lower():
                return named  # type: ignore[no-any-return]
    return window


def _looks_ahead(frame: exp.WindowSpec | None, *, backwards: bool) -> bool:
    if frame is None:
        return backwards  # from the first row in order, which is the latest
    start, end = (
        (str(frame.args.get(side) or ""), str(frame.args.get(f"{side}_side") or "")) for side in ("start", "end")
    )
    if backwards:
        return "PRECEDING" in start[1].upper()
    return "FOLLOWING" in end[1].upper() or "FOLLOWING" in start[1].upper()


def _is_of(value: exp.Expr, order: exp.Order) -> bool:
    columns = {(c.table, c.name.lower()) for o in order.expressions for c in o.find_all(exp.Column)}
    own = {(c.table, c.name.lower()) for c in value.find_all(exp.Column)}
    return bool(own) and own <= columns


def _place(node: exp.Expr, dialect: Dialect) -> str:
    text = node.sql(dialect=dialect, comments=False)
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    step = node.find_ancestor(exp.CTE)
    return f"{step.alias}: {shown}" if step is not None else shown
