"""The edge: a tree becomes the text of one dialect."""

from __future__ import annotations

from sqlglot import exp

from penstock.semantic.request import Dialect

# words that one of the two dialects won't take as the name of a table or column
_RESERVED = frozenset(
    """all analyse analyze and anti any array as asc asof asymmetric at authorization between binary both by case cast
    check collate collation column concurrently constraint create cross current_catalog current_date current_role
    current_time current_timestamp current_user default deferrable desc describe distinct do else end escape except
    exists false fetch filter for foreign freeze from full function generated glob grant group having ilike in
    initially inner intersect into is isnull join lambda lateral leading left like limit localtime localtimestamp
    map minus natural not notnull null offset on only or order outer over overlaps pivot pivot_longer pivot_wider
    placing positional primary qualify references returning right select semi session_user show similar some struct
    summarize symmetric table tablesample then time timestamp to trailing true try_cast union unique unknown unpack
    unpivot user using variadic verbose when where window with""".split()
)
_ISO_DAY = "PENSTOCK_ISO_DAY_OF_WEEK"


def render(tree: exp.Expr, dialect: Dialect, *, pretty: bool = True) -> str:
    """The tree as SQL text, laid out to be read where it is `pretty`, else on one line."""
    tree = tree.copy().transform(_SPARK if dialect == "spark" else _DUCKDB, copy=False)
    return tree.sql(dialect=dialect, pretty=pretty, comments=False, copy=False)


def _spark(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.WithinGroup) and isinstance(node.this, (exp.PercentileCont, exp.PercentileDisc)):
        # sqlglot would write PERCENTILE_APPROX, which is another number
        name = "PERCENTILE_CONT" if isinstance(node.this, exp.PercentileCont) else "PERCENTILE_DISC"
        node.set("this", exp.Anonymous(this=name, expressions=[node.this.this]))
        for ordered in node.find_all(exp.Ordered):
            ordered.set("nulls_first", True)  # Spark's own order, so that it isn't spelled out
    elif isinstance(node, exp.Anonymous) and node.name == _ISO_DAY:
        return exp.Extract(this=exp.var("DAYOFWEEK_ISO"), expression=node.expressions[0])
    elif isinstance(node, exp.TryCast):
        node.set("safe", True)  # written as TRY_CAST: what can't be cast is NULL in every mode
    elif isinstance(node, exp.DataType) and node.this == exp.DataType.Type.TIMESTAMP:
        node.set("this", exp.DataType.Type.TIMESTAMPTZ)  # what sqlglot calls Spark's TIMESTAMP
    return _identifier(node)


def _duckdb(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Anonymous) and node.name == _ISO_DAY:
        return exp.Extract(this=exp.var("ISODOW"), expression=node.expressions[0])
    if isinstance(node, exp.DataType) and node.this in (
        exp.DataType.Type.TIMESTAMPTZ,
        exp.DataType.Type.TIMESTAMPLTZ,
    ):
        node.set("this", exp.DataType.Type.TIMESTAMP)
    return _identifier(node)


def _identifier(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Identifier) and not node.args.get("quoted") and node.name.lower() in _RESERVED:
        node.set("quoted", True)  # sqlglot itself quotes what is no plain word
    return node


_SPARK, _DUCKDB = _spark, _duckdb
