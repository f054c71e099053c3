"""By which shape of SQL a total is computed: of those that give its very value, the one that costs least.

The cost is how many rows are sorted for each row of the fact. Whoever knows more of the data than that may ask for
another shape, `… by rows`: it is taken if it gives the same value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.training_sets.kinds import is_narrow, kind_of

if TYPE_CHECKING:
    from sqlglot import exp

    from penstock.algebra.aggregates import Aggregate
    from penstock.semantic.request import Dialect
    from penstock.training_sets.knowledge import Clock

Shape = Literal["lifetimes", "differences", "running", "rows", "latest", "attribute"]

# A row that enters and leaves is two events. What is joined to each instant grows with what its window holds.
COST: Mapping[Shape, float] = {"running": 1, "differences": 1, "lifetimes": 2, "rows": math.inf}


@dataclass(frozen=True)
class Choice:
    """The shape of a total, and what was decided between.

    Args:
        shape: The one that is taken.
        others: The others that give the very value.
        refused: Why others do not.
    """

    shape: Shape
    others: tuple[Shape, ...] = ()
    refused: Mapping[Shape, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """In words.

        Example:
            >>> print(Choice("lifetimes", ("rows",), {"differences": "its sums may overflow"}))
            cost 2; rows cost what each window holds; not differences: its sums may overflow
        """
        said = [_in_words(self.shape)]
        said += [f"{other} {_in_words(other)}" for other in self.others]
        return "; ".join([*said, *(f"not {other}: {why}" for other, why in self.refused.items())])


def shape_of(text: str | None, where: str) -> Shape | None:
    """The shape of a total that is asked for; None for none.

    Raises:
        UnknownNameError: There is no such.
    """
    if text is None:
        return None
    for shape in COST:
        if text.lower() == shape:
            return shape
    raise UnknownNameError.of("shape", text, COST, where=where)


def choose(found: Mapping[Shape, str | None], asked: Shape | None, *, where: str) -> Choice:
    """The shape that costs least, or the one that is asked for.

    Args:
        found: The shapes there are, as `shapes_of` gives them.
        asked: The shape that is asked for.
        where: Where, for errors.

    Raises:
        InvalidRequestError: The shape that is asked for does not give the value.
    """
    exact = [shape for shape, why_not in found.items() if why_not is None]
    refused = {shape: why_not for shape, why_not in found.items() if why_not is not None}
    if asked is not None and asked not in exact:
        raise InvalidRequestError(
            f"it can't be computed by {asked}: {refused.get(asked, 'it has no such shape')}",
            where=where,
            fix=f"leave it out, or ask for one of {', '.join(exact)}",
        )
    cheapest = min(exact, key=lambda s: COST[s])
    shape = cheapest if asked is None else asked
    return Choice(shape, tuple(s for s in exact if s != shape), refused)


def shapes_of(
    law: Aggregate,
    value: exp.Expr,
    clock: Clock,
    types: Mapping[str, str],
    *,
    windowed: bool,
    dialect: Dialect,
    where: str,
) -> dict[Shape, str | None]:
    """The shapes of an aggregate of rows, each with why it does not give the very value; None where it does.

    Args:
        law: The aggregate.
        value: What it is taken of, over the columns of the fact.
        clock: The times of the fact's rows.
        types: The types of its columns, as far as they are known.
        windowed: Whether it is over a window; else over all that came before.
        dialect: The dialect compiled to.
        where: Where, for errors.

    Raises:
        InvalidRequestError: There is none.
    """
    if law.by_key:
        return {"lifetimes": None, "rows": None}
    if not windowed and not law.parts:
        raise InvalidRequestError(
            f"a {law.name} to date needs all rows of the past for each row of the spine",
            where=where,
            fix="ask for it over a length of time",
        )
    if not windowed and clock.superseded is None:
        return {"running": None, "rows": None}
    lasting = _not_taken_back(law, value, types)
    if not windowed:
        return {"lifetimes": lasting, "rows": None}
    # the total of all that ever was is greater than a window's; DuckDB's sums have 128 bits
    fits = dialect == "duckdb" or law.name == "count" or is_narrow(value, types)
    apart = (
        lasting
        or (None if clock.lag is not None else "its rows are not all known so long after their event")
        or (None if fits else "a total of 64 bits over all that ever was may overflow")
    )
    return {"differences": apart, "lifetimes": lasting, "rows": None}


def _not_taken_back(law: Aggregate, value: exp.Expr, types: Mapping[str, str]) -> str | None:
    """Why rows that have ceased to count can't be taken back from a state; None where they can."""
    if law.law != "group" or not law.retractable:
        return f"a {law.name} can't be taken back"
    kind = kind_of(value, types)
    if kind is None:
        return "the type of its value is not known"
    return None if kind in law.exact else "doubles can't be taken back exactly"


def _in_words(shape: Shape) -> str:
    return "cost what each window holds" if COST[shape] == math.inf else f"cost {COST[shape]}"
