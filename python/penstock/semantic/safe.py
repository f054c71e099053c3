"""Pass: what an engine or mode would fail on is NULL everywhere: a division or remainder by zero."""

from __future__ import annotations

from sqlglot import exp

_DIVISIONS = (exp.Div, exp.Mod, exp.IntDiv)


def safe_divisions(tree: exp.Expr) -> exp.Expr:
    """Make every division by zero NULL, which without this only some engines and modes say.

    Args:
        tree: An expression of a user; it is changed in place.

    Example:
        >>> safe_divisions(exp.maybe_parse("a / b + c % d + e / 2")).sql()
        'a / NULLIF(b, 0) + c % NULLIF(d, 0) + e / 2'
    """
    for division in list(tree.find_all(*_DIVISIONS)):
        if isinstance(division, exp.Div):
            division.set("safe", False)
            division.set("typed", False)
        by = division.expression
        bare = by.unnest()
        if not isinstance(bare, exp.Nullif) and not (isinstance(bare, exp.Literal) and float(bare.name or 0) != 0):
            division.set("expression", exp.Nullif(this=by.copy(), expression=exp.Literal.number(0)))
    return tree
