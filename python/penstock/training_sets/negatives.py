"""Rows of what did not happen: for each row of the spine, the same row with other keys of one entity.

The candidates of a row are the keys that had appeared by its time. They are numbered in the order of appearing, so a
row's candidates are the first of all, and later ones change nothing for it. A row draws numbers by hash; numbers drawn
twice, and keys that the row's other entities had been met with by then, are dropped. A row that is left with too few
takes its keys from all its candidates, in the order of their hash. So each gets as many as it should, or all there are,
and each of its possible keys with the same chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.algebra.lifetimes import Ties
from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.training_sets.arguments import name_of, text_of, whole_number
from penstock.training_sets.hashing import hash_of
from penstock.training_sets.keys import Key, columns_of
from penstock.training_sets.sql import column, kinds, microseconds, not_null, source_of, user_column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from penstock.semantic.request import Dialect

LABEL = "_label"
_WHERE = "negatives"
_DAY = 86_400_000_000
_ALWAYS = -(2**62)  # before all times
_PAIR, _NEGATIVE = "_positive", "_negative"


@dataclass(frozen=True)
class Candidates:
    """The keys that may be drawn.

    Args:
        relation: A table's name or a query.
        column: Its column with the keys; that of the spine when None.
        since: Its column with the time from which a key may be drawn; always when None.
    """

    relation: str
    column: str | None = None
    since: str | None = None


@dataclass(frozen=True)
class Negatives:
    """Rows of what did not happen, beside a spine of what did.

    Args:
        entity: The entity of the spine whose key is another in them.
        per_row: How many for each row of the spine.
        label: The name of a new column: 1 in rows of the spine, 0 in those that were drawn.
        seed: Another seed draws others.
        candidates: The keys that may be drawn; those of the spine, each after its first row, when None.
    """

    entity: str
    per_row: int
    label: str
    seed: int = 0
    candidates: Candidates | None = None


def check_negatives(negatives: Negatives, entities: Mapping[str, Key]) -> None:
    """Refuse negatives without an answer.

    Raises:
        InvalidRequestError: They have none.
        UnknownNameError: Their entity is none of the spine's.
    """
    entity = text_of(negatives.entity, "entity", _WHERE)
    if entity not in entities:
        raise UnknownNameError.of(
            "entity", entity, entities, where=_WHERE, fix="give its column in the spine's entities"
        )
    if len(entities) == 1:
        raise InvalidRequestError(
            f"every {entity} of the spine has happened, for it has no other entity",
            where=_WHERE,
            fix="give the spine the entity that did or did not meet with it, such as a user",
        )
    column = entities[entity]
    if not isinstance(column, str):
        raise InvalidRequestError(
            f"the key of '{entity}' has several columns, of which no other key can be drawn",
            where=_WHERE,
            fix="draw another entity, or give the spine one column that stands for the key",
        )
    twin = next((e for e, k in entities.items() if e != entity and _lower(column) & _lower(k)), None)
    if twin is not None:
        raise InvalidRequestError(
            f"the keys of '{entity}' and '{twin}' are in one column, so one can't be another alone", where=_WHERE
        )
    whole_number(negatives.per_row, "per_row", _WHERE, least=1, most=1000)
    whole_number(negatives.seed, "seed", _WHERE)
    name_of(negatives.label, _WHERE)
    if negatives.candidates is not None:
        for argument in ("relation", "column", "since"):
            value = getattr(negatives.candidates, argument)
            if argument == "relation" or value is not None:
                text_of(value, argument, f"{_WHERE}, candidates")


def _lower(key: Key) -> set[str]:
    return {c.lower() for c in columns_of([key])}


@dataclass(frozen=True)
class Drawing:
    """The steps that draw.

    Args:
        negatives: What `check_negatives` has seen.
        given: The step with all rows of the spine.
        rows: The step with those rows of the spine for which keys are drawn.
        key: The column of both with the entity's keys.
        own_column: The spine's column behind it.
        others: Their columns with the keys of the other entities.
        inclusive: A key that appears at the very time of a row is among its candidates.
        dialect: The dialect compiled to.
    """

    negatives: Negatives
    given: str
    rows: str
    key: str
    own_column: str
    others: Sequence[str]
    inclusive: bool
    dialect: Dialect

    def steps(self, carried: Sequence[str]) -> dict[str, exp.Query]:
        """The steps; the last has the columns `carried` of `rows`, and `LABEL`."""
        return {
            "_met": self._met(),
            "_candidates": self._candidates(),
            "_pool": self._pool(),
            "_pool_days": self._days(),
            "_counted": self._counted(),
            "_numbered": self._numbered(),
            "_asking": self._asking(),
            "_drawn": self._chosen(self._draws(), complete=True),
            "_short": self._short(),
            "_filled": self._chosen(self._all_of_short(), complete=False),
            "_negatives": exp.union("SELECT * FROM _drawn", "SELECT * FROM _filled", distinct=False),
            "_labelled": self._labelled(carried),
        }

    @property
    def _pair(self) -> list[str]:
        """What rows are told apart by: equal ones get equal negatives."""
        return [*self.others, _PAIR, "_time"]

    def _met(self) -> exp.Select:
        """Which keys have been met with, and since when."""
        met = exp.Select().from_(self.given).select(*map(column, self.others), copy=False)
        met = met.select(exp.alias_(column(self.key), _NEGATIVE), copy=False)
        met = met.select(exp.alias_(exp.Min(this=column("_time")), "_since"), copy=False)
        keys = [*map(column, self.others), column(self.key)]
        return met.where(*map(not_null, keys), not_null(column("_time")), copy=False).group_by(*keys, copy=False)

    def _candidates(self) -> exp.Select:
        wanted = self.negatives.candidates
        if wanted is None:
            keys: exp.Expr = column(_NEGATIVE)
            since: exp.Expr = column("_since")
            select = exp.Select().from_("_met")
        else:
            source = source_of(wanted.relation, "_source", self.dialect, what="the set of candidates")
            select = exp.Select().from_(source, copy=False)
            keys = user_column(wanted.column or self.own_column, "_source")
            since = exp.Literal.number(_ALWAYS)
            if wanted.since is not None:
                since = microseconds(user_column(wanted.since, "_source"), self.dialect)
        since = exp.Cast(this=exp.Min(this=since), to=exp.DataType.build("bigint"))
        select = select.select(exp.alias_(keys.copy(), _NEGATIVE), exp.alias_(since, "_since"), copy=False)
        return select.where(not_null(keys), copy=False).group_by(keys.copy(), copy=False)

    def _pool(self) -> exp.Query:
        """Rows and candidates on one line of time, cut into days so that many can count at once."""
        ties = Ties(self.inclusive)
        keys = [*map(column, self.others), column(self.key)]
        asked = exp.Select().from_(self.rows).select(*map(column, self.others), copy=False)
        asked = asked.select(exp.alias_(column(self.key), _PAIR), column("_time"), copy=False)
        asked = asked.select(exp.alias_(exp.Null(), _NEGATIVE), *_place(column("_time"), ties.asked), copy=False)
        asked = asked.where(*map(not_null, keys), not_null(column("_time")), copy=False).distinct(copy=False)
        known = exp.Select().from_("_candidates")
        known = known.select(*(exp.alias_(exp.Null(), c) for c in (*self.others, _PAIR)), copy=False)
        known = known.select(exp.alias_(column("_since"), "_time"), column(_NEGATIVE), copy=False)
        known = known.select(*_place(column("_since"), ties.enters), copy=False)
        return exp.union(asked, known.where(not_null(column("_since")), copy=False), distinct=False, copy=False)

    def _days(self) -> exp.Select:
        """How many candidates there were before each day."""
        count = exp.alias_(exp.Count(this=column(_NEGATIVE)), "_count")
        days = exp.Select().from_("_pool").select(column("_day"), count, copy=False)
        days = days.group_by(column("_day"), copy=False)
        before = exp.Window(
            this=exp.Sum(this=column("_count")),
            order=exp.Order(expressions=[exp.Ordered(this=column("_day"), nulls_first=True)]),
            spec=exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="1", end_side="PRECEDING"),
            over="OVER",
        )
        so_far = exp.Select().from_(exp.alias_(exp.Subquery(this=days), "_days", table=True), copy=False)
        total = exp.Cast(
            this=exp.Coalesce(this=before, expressions=[exp.Literal.number(0)]), to=exp.DataType.build("bigint")
        )
        return so_far.select(column("_day"), exp.alias_(total, "_before"), copy=False)

    def _counted(self) -> exp.Select:
        """How many candidates there were at each row's time, and at each candidate's own coming."""
        order = [exp.Ordered(this=column(c, "_pool"), nulls_first=True) for c in ("_time", "_rank", _NEGATIVE)]
        within = exp.Window(
            this=exp.Count(this=column(_NEGATIVE)),
            partition_by=[column("_day", "_pool")],
            order=exp.Order(expressions=order),
            spec=exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW"),
            over="OVER",
        )
        count = exp.Add(this=column("_before"), expression=within)
        counted = exp.Select().from_("_pool").select(*map(column, self._pair), column(_NEGATIVE), copy=False)
        on = exp.EQ(this=column("_day", "_pool"), expression=column("_day", "_pool_days"))
        return counted.select(exp.alias_(count, "_count"), copy=False).join("_pool_days", on=on, copy=False)

    def _numbered(self) -> exp.Select:
        number = exp.Sub(this=column("_count"), expression=exp.Literal.number(1))
        numbered = exp.Select().from_("_counted").select(column(_NEGATIVE), exp.alias_(number, "_number"), copy=False)
        return numbered.where(not_null(column(_NEGATIVE)), copy=False)

    def _asking(self) -> exp.Select:
        asking = exp.Select().from_("_counted").select(*map(column, self._pair), column("_count"), copy=False)
        keys = [column(c) for c in (*self.others, _PAIR)]
        number = hash_of(keys, "negatives", self.negatives.seed, self.dialect, numbers=[column("_time")])
        asking = asking.select(exp.alias_(number, "_seed"), copy=False)
        some = exp.GT(this=column("_count"), expression=exp.Literal.number(0))
        return asking.where(exp.Is(this=column(_NEGATIVE), expression=exp.Null()), some, copy=False)

    def _draws(self) -> exp.Select:
        """Numbers drawn by hash, each where it is drawn first."""
        drawn = exp.Mod(this=self._hash("draw", "_kind"), expression=column("_count"))
        draws = exp.Select().from_("_asking").select(*map(column, self._pair), copy=False)
        draws = draws.select(exp.alias_(drawn, "_number"), column("_kind"), copy=False)
        draws.append("joins", kinds(2 * self.negatives.per_row + 6))
        firsts = exp.Select().from_(exp.alias_(exp.Subquery(this=draws), "_draws", table=True), copy=False)
        firsts = firsts.select(*map(column, self._pair), column("_number"), copy=False)
        firsts = firsts.select(exp.alias_(exp.Min(this=column("_kind")), "_order"), copy=False)
        return firsts.group_by(*map(column, self._pair), column("_number"), copy=False)

    def _all_of_short(self) -> exp.Select:
        """All numbers of the rows that were left with too few, in the order of their hash."""
        last = exp.Sub(this=column("_count"), expression=exp.Literal.number(1))
        numbers = exp.Explode(this=exp.GenerateSeries(start=exp.Literal.number(0), end=last))
        every = exp.Select().from_("_short").select(*map(column, self._pair), column("_seed"), copy=False)
        every = every.select(exp.alias_(numbers, "_number"), copy=False)
        ordered = exp.Select().from_(exp.alias_(exp.Subquery(this=every), "_every", table=True), copy=False)
        ordered = ordered.select(*map(column, self._pair), column("_number"), copy=False)
        return ordered.select(exp.alias_(self._hash("order", "_number"), "_order"), copy=False)

    def _hash(self, purpose: str, number: str) -> exp.Expr:
        return hash_of([], purpose, self.negatives.seed, self.dialect, numbers=[column("_seed"), column(number)])

    def _chosen(self, draws: exp.Select, *, complete: bool) -> exp.Select:
        """The first of the draws that are no pair that had been met; where `complete`, of rows with enough of them."""
        pair = [column(c, "_draws") for c in self._pair]
        ordered = [exp.Ordered(this=column(c, "_draws"), nulls_first=True) for c in ("_order", "_number")]
        nth = exp.Window(this=exp.RowNumber(), partition_by=pair, order=exp.Order(expressions=ordered), over="OVER")
        found = exp.Window(this=exp.Count(this=exp.Star()), partition_by=[p.copy() for p in pair], over="OVER")
        possible = exp.Select().from_(exp.alias_(exp.Subquery(this=draws), "_draws", table=True), copy=False)
        possible = possible.select(*(p.copy() for p in pair), column(_NEGATIVE, "_numbered"), copy=False)
        possible = possible.select(exp.alias_(nth, "_nth"), exp.alias_(found, "_found"), copy=False)
        drawn = exp.EQ(this=column("_number", "_draws"), expression=column("_number", "_numbered"))
        possible = possible.join("_numbered", on=drawn, copy=False)
        met = [
            *(exp.EQ(this=column(c, "_draws"), expression=column(c, "_met")) for c in self.others),
            exp.EQ(this=column(_NEGATIVE, "_numbered"), expression=column(_NEGATIVE, "_met")),
            exp.LTE(this=column("_since", "_met"), expression=column("_time", "_draws")),
        ]
        possible = possible.join("_met", on=exp.and_(*met, copy=False), join_type="LEFT", copy=False)
        possible = possible.where(exp.Is(this=column("_since", "_met"), expression=exp.Null()), copy=False)
        chosen = exp.Select().from_(exp.alias_(exp.Subquery(this=possible), "_possible", table=True), copy=False)
        chosen = chosen.select(*map(column, self._pair), column(_NEGATIVE), column("_nth"), copy=False)
        wanted = exp.Literal.number(self.negatives.per_row)
        chosen = chosen.where(exp.LTE(this=column("_nth"), expression=wanted), copy=False)
        if not complete:
            return chosen
        return chosen.where(exp.GTE(this=column("_found"), expression=wanted.copy()), copy=False)

    def _short(self) -> exp.Select:
        asked = (*self._pair, "_count", "_seed")
        short = exp.Select().from_("_asking").select(*(column(c, "_asking") for c in asked), copy=False)
        first = exp.EQ(this=column("_nth", "_drawn"), expression=exp.Literal.number(1))
        same = [exp.EQ(this=column(c, "_asking"), expression=column(c, "_drawn")) for c in self._pair]
        short = short.join("_drawn", on=exp.and_(*same, first, copy=False), join_type="LEFT", copy=False)
        return short.where(exp.Is(this=column("_nth", "_drawn"), expression=exp.Null()), copy=False)

    def _labelled(self, carried: Sequence[str]) -> exp.Query:
        positives = exp.Select().from_(self.rows).select(*map(column, carried), copy=False)
        positives = positives.select(exp.alias_(exp.Literal.number(1), LABEL), copy=False)
        values = [
            exp.alias_(column(_NEGATIVE, "_negatives"), c) if c == self.key else column(c, self.rows) for c in carried
        ]
        drawn = exp.Select().from_(self.rows).select(*values, copy=False)
        drawn = drawn.select(exp.alias_(exp.Literal.number(0), LABEL), copy=False)
        own = {_PAIR: self.key}
        same = [exp.EQ(this=column(own.get(c, c), self.rows), expression=column(c, "_negatives")) for c in self._pair]
        drawn = drawn.join("_negatives", on=exp.and_(*same, copy=False), copy=False)
        return exp.union(positives, drawn, distinct=False, copy=False)


def _place(time: exp.Expr, rank: int) -> list[exp.Expr]:
    day = exp.IntDiv(this=time, expression=exp.Literal.number(_DAY))
    return [exp.alias_(exp.Literal.number(rank), "_rank"), exp.alias_(day, "_day")]
