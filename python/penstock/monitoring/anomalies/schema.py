"""Which columns of a table have come, gone or got another type."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.errors import ParseError

from penstock.monitoring.words import named


@dataclass(frozen=True)
class Changed:
    """A column that is not as it was.

    Attributes:
        column: Its name.
        was: Its type; None of one that has come.
        now: Its type; None of one that has gone.
    """

    column: str
    was: str | None
    now: str | None

    @property
    def told(self) -> str:
        """The same in words."""
        if self.was is None:
            return f"new column, {self.now}"
        return f"gone, was {self.was}" if self.now is None else f"{self.now}, was {self.was}"


def changes(
    was: Mapping[str, str],
    now: Mapping[str, str],
    *,
    declared: Mapping[str, str | None],
    expected: Collection[str] = (),
) -> list[Changed]:
    """The columns that are not as they were, and that nobody has said to be otherwise.

    A new column is declared where the YAML lists it, one of another type where the YAML lists it with that type; one
    that is gone, or any other, where it is among the expected. Upper and lower case are one.

    Args:
        was: The types of the columns before, by name.
        now: The types now.
        declared: The columns that the YAML lists, with their types as far as it has them.
        expected: Columns whose change is meant.
    """
    old, new = _folded(was), _folded(now)
    listed = {name.lower(): None if kind is None else _plain(kind) for name, kind in declared.items()}
    meant = {name.lower() for name in expected}
    found = []
    for name in (*new, *(each for each in old if each not in new)):
        before, after = (None if side is None else side[1] for side in (old.get(name), new.get(name)))
        is_declared = name in listed and (before is None or listed[name] == after) and after is not None
        if before != after and name not in meant and not is_declared:
            shown = (new.get(name) or old[name])[0]
            found.append(Changed(shown, before, after))
    return found


def _folded(types: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    return {name.lower(): (name, _plain(kind)) for name, kind in types.items()}


def _plain(kind: str) -> str:
    """A type as `DESCRIBE` writes it: what dbt's YAML calls `integer` is `int` there."""
    try:
        return exp.DataType.build(kind, dialect="spark").sql("spark").lower()
    except (ParseError, ValueError):  # a type that sqlglot does not know yet
        return kind.lower().replace(" ", "")


def changed_sql(found: Collection[Changed]) -> exp.Query:
    """The changes as rows: `column_name` and `told`; a query of no rows where there are none."""
    rows: list[exp.Query] = [
        exp.select(*named({"column_name": exp.Literal.string(each.column), "told": exp.Literal.string(each.told)}))
        for each in found
    ]
    if not rows:
        return exp.select("CAST(NULL AS TEXT) AS column_name", "CAST(NULL AS TEXT) AS told").where(exp.false())
    query = rows[0]
    for row in rows[1:]:
        query = exp.union(query, row, distinct=False)
    return query
