"""Features that tell the label by themselves: too good to be known beforehand.

A number is judged by how well it sorts the rows by the label; a text by how well the label's share of each of its
values in one half of the rows sorts the other half; that a number is missing is judged, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.semantic.expressions import double
from penstock.semantic.render import render
from penstock.semantic.stage import subquery
from penstock.training_sets.sql import column, kinds, known_dialect, not_null, type_of, user_column

if TYPE_CHECKING:
    from penstock.semantic.request import Dialect

_AREA, _MISSING, _CORRELATION = "area under the curve", "area of being missing", "correlation"
_WHERE = "penstock.no_telltale_feature"


def telltale_features(
    relation: str,
    columns: Mapping[str, str],
    *,
    label: str,
    leave_out: Sequence[str] = (),
    threshold: float = 0.95,
    dialect: str = "spark",
) -> str:
    """SQL whose rows are the features that tell the label: which, by what measure, how well, over how many rows.

    The measures are the area under the ROC curve, or what it is when the order is turned round, where the label has two
    values, and the size of Pearson's correlation where it is a number.

    Args:
        relation: The table of the training set.
        columns: The types of its columns; times and nested ones are no features.
        label: The column of the label.
        leave_out: Columns that are no features.
        threshold: From which measure on a feature is told.
        dialect: `spark` or `duckdb`.

    Raises:
        UnknownNameError: The label, or what is left out, is no column.
        InvalidRequestError: The threshold says nothing, or no feature is left.
    """
    target = known_dialect(dialect)
    names = {name.lower(): name for name in columns}
    for name in (label, *leave_out):
        if name.lower() not in names:
            raise UnknownNameError.of("column", name, columns, where=_WHERE)
    if not 0.5 < threshold <= 1:
        raise InvalidRequestError(
            f"the threshold is {threshold}", where=_WHERE, fix="give one above 0.5, which is chance, and up to 1"
        )
    out = {name.lower() for name in (label, *leave_out)}
    kind = {name: type_of(text, target).this for name, text in columns.items()}
    features = [n for n in columns if n.lower() not in out]
    numbers = [n for n in features if kind[n] in _NUMBERS]
    texts = [n for n in features if kind[n] in exp.DataType.TEXT_TYPES]
    if not numbers and not texts:
        raise InvalidRequestError("no column is left that is a number or a text", where=_WHERE)
    own = names[label.lower()]
    screen = _Screen(relation, own, kind[own] in _NUMBERS, tuple(columns), numbers, texts, threshold, target)
    return render(screen.select(), target)


_NUMBERS = exp.DataType.NUMERIC_TYPES | {exp.DataType.Type.BOOLEAN}


@dataclass(frozen=True)
class _Screen:
    """The screening of one table.

    Its steps: the two values of the label; the rows with what they say; each value of each feature with its numbers of
    rows of either label; from those the curves; and what needs no curve, in one aggregation over all columns.
    """

    relation: str
    label: str
    numeric_label: bool
    columns: tuple[str, ...]
    numbers: Sequence[str]
    texts: Sequence[str]
    threshold: float
    dialect: Dialect

    def select(self) -> exp.Select:
        """All steps and the features that are told."""
        told = exp.Select().from_(subquery(self._measures(), "_measures"), copy=False)
        told = told.select(*map(column, ("feature", "measure", "strength", "rows")), copy=False)
        enough = exp.GTE(this=column("strength"), expression=exp.Literal.number(self.threshold))
        # Spark takes NaN for the greatest of all numbers
        told = told.where(enough, exp.Not(this=exp.IsNan(this=column("strength"))), copy=False)
        for name, step in (
            ("_labels", self._labels()),
            ("_rows", self._rows()),
            ("_values", self._values()),
            ("_scored", self._scored()),
            ("_curves", self._curves()),
            ("_whole", self._whole()),
        ):
            told = told.with_(name, step, copy=False)
        return told

    def _labels(self) -> exp.Select:
        ends = {"_low": exp.Min(this=user_column(self.label)), "_high": exp.Max(this=user_column(self.label))}
        select = exp.Select().from_(exp.to_table(self.relation, dialect=self.dialect))
        return select.select(*(exp.alias_(e, n) for n, e in ends.items()), copy=False)

    def _rows(self) -> exp.Select:
        """The rows with a label: is it the high one, the low one; and a half by chance, the same one each time."""
        row = exp.func("CONCAT_WS", exp.Literal.string("|"), *(_text(user_column(n, "_set")) for n in self.columns))
        first = exp.Substring(this=exp.MD5(this=row), start=exp.Literal.number(1), length=exp.Literal.number(1))
        upper = exp.GTE(this=first, expression=exp.Literal.string("8"))
        label = user_column(self.label, "_set")
        table = exp.to_table(self.relation, dialect=self.dialect)
        select = (
            exp.Select().from_(exp.alias_(table, "_set", table=True)).join("_labels", join_type="CROSS", copy=False)
        )
        select = select.select(
            exp.alias_(_one_if(exp.EQ(this=label.copy(), expression=column("_high"))), "_is_high"),
            exp.alias_(_one_if(exp.EQ(this=label.copy(), expression=column("_low"))), "_is_low"),
            exp.alias_(_one_if(upper), "_half"),
            exp.alias_(double(label) if self.numeric_label else exp.Null(), "_label"),
            *(exp.alias_(self._number(n), f"_in_{i}") for i, n in enumerate(self.numbers)),
            *(exp.alias_(user_column(n, "_set"), f"_in_{len(self.numbers) + i}") for i, n in enumerate(self.texts)),
            copy=False,
        )
        return select.where(not_null(label), copy=False)

    def _number(self, name: str) -> exp.Expr:
        own = user_column(name, "_set")
        return exp.cast(own, exp.DataType.Type.DOUBLE)

    def _values(self) -> exp.Select:
        """Each value of each feature, texts by halves, with its rows of the high label, the low one, and neither."""
        count = len(self.numbers)
        select = exp.Select().from_("_rows")
        select.append("joins", kinds(count + len(self.texts)))
        kind = column("_kind")
        is_text = exp.GTE(this=kind.copy(), expression=exp.Literal.number(count))
        numbers = [_nth(i, column(f"_in_{i}")) for i in range(count)]
        texts = [_nth(i, column(f"_in_{i}")) for i in range(count, count + len(self.texts))]
        half = exp.Case(ifs=[exp.If(this=is_text.copy(), true=column("_half"))], default=exp.Literal.number(0))
        cells = select.select(
            column("_kind"),
            exp.alias_(exp.Case(this=kind.copy(), ifs=numbers) if numbers else _no("DOUBLE"), "_number"),
            exp.alias_(exp.Case(this=kind.copy(), ifs=texts) if texts else _no("TEXT"), "_text"),
            exp.alias_(half, "_part"),
            column("_is_high"),
            column("_is_low"),
            copy=False,
        )
        groups = exp.Select().from_(subquery(cells, "_cells"), copy=False)
        of = ("_kind", "_number", "_text", "_part")
        groups = groups.select(*map(column, of), copy=False)
        groups = groups.select(
            exp.alias_(exp.Sum(this=column("_is_high")), "_high"),
            exp.alias_(exp.Sum(this=column("_is_low")), "_low"),
            exp.alias_(exp.Count(this=exp.Star()), "_count"),
            copy=False,
        )
        # a missing number has no place in an order; a missing text is a value as any other
        there = exp.or_(is_text.copy(), not_null(column("_number")), copy=False)
        return groups.where(there, copy=False).group_by(*map(column, of), copy=False)

    def _scored(self) -> exp.Select:
        """By what each value is put in order: numbers by themselves, texts by what the other half of the rows says."""
        count = exp.Literal.number(len(self.numbers))
        level, kind = ("_kind", "_text"), ("_kind",)
        high, rows = (exp.Sub(this=_over(n, level), expression=column(n)) for n in ("_high", "_count"))
        unseen = exp.EQ(this=rows.copy(), expression=exp.Literal.number(0))
        everywhere = _share(_over("_high", kind), _over("_count", kind))
        text = exp.Case(ifs=[exp.If(this=exp.paren(unseen), true=everywhere)], default=_share(high, rows))
        is_number = exp.LT(this=column("_kind"), expression=count)
        score = exp.Case(ifs=[exp.If(this=is_number, true=column("_number"))], default=text)
        names = ("_kind", "_part", "_high", "_low", "_count")
        return exp.Select().from_("_values").select(*map(column, names), exp.alias_(score, "_score"), copy=False)

    def _curves(self) -> exp.Select:
        """The area under each curve: of all pairs of a high and a low row, those in order; ties are half in order."""
        names = ("_kind", "_part", "_score")
        scores = exp.Select().from_("_scored").select(*map(column, names), copy=False)
        sums = [exp.alias_(exp.Sum(this=column(n)), n) for n in ("_high", "_low", "_count")]
        scores = scores.select(*sums, copy=False).group_by(*map(column, names), copy=False)
        frame = exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW")
        below = exp.Window(
            this=exp.Sum(this=column("_low")),
            partition_by=[column("_kind"), column("_part")],
            order=exp.Order(expressions=[exp.Ordered(this=column("_score"), nulls_first=True)]),
            spec=frame,
        )
        ranked = exp.Select().from_(subquery(scores, "_scores"), copy=False)
        ranked = ranked.select(*map(column, ("_kind", "_part", "_high", "_low", "_count")), copy=False)
        ranked = ranked.select(exp.alias_(below, "_below"), copy=False)
        half = exp.Div(this=double(column("_low")), expression=exp.Literal.number(2))
        in_order = exp.Mul(
            this=double(column("_high")), expression=exp.paren(exp.Sub(this=column("_below"), expression=half))
        )
        pairs = exp.Mul(this=double(exp.Sum(this=column("_high"))), expression=double(exp.Sum(this=column("_low"))))
        both = exp.Add(this=exp.Sum(this=column("_high")), expression=exp.Sum(this=column("_low")))
        others = exp.Sub(this=exp.Sum(this=column("_count")), expression=exp.paren(both))
        curves = exp.Select().from_(subquery(ranked, "_ranked"), copy=False).select(column("_kind"), copy=False)
        curves = curves.select(
            exp.alias_(_share(exp.Sum(this=in_order), pairs), "_area"),
            exp.alias_(exp.Sum(this=column("_count")), "_count"),
            exp.alias_(others, "_others"),
            copy=False,
        )
        return curves.group_by(column("_kind"), column("_part"), copy=False)

    def _whole(self) -> exp.Select:
        """What one aggregation over the rows tells of all numbers: correlations, and where they are missing."""
        select = (
            exp.Select()
            .from_("_rows")
            .select(
                exp.alias_(exp.Sum(this=column("_is_high")), "_high"),
                exp.alias_(exp.Sum(this=column("_is_low")), "_low"),
                exp.alias_(exp.Count(this=exp.Star()), "_count"),
            )
        )
        for i in range(len(self.numbers)):
            missing = exp.Is(this=column(f"_in_{i}"), expression=exp.Null())
            correlation = exp.Corr(this=column(f"_in_{i}"), expression=column("_label"))
            for name, side in (("_high", "_is_high"), ("_low", "_is_low")):
                counted = exp.Case(ifs=[exp.If(this=missing.copy(), true=column(side))], default=exp.Literal.number(0))
                select = select.select(exp.alias_(exp.Sum(this=counted), f"{name}_{i}"), copy=False)
            value = correlation if self.numeric_label else _no("DOUBLE")
            select = select.select(exp.alias_(value, f"_corr_{i}"), copy=False)
            select = select.select(exp.alias_(exp.Count(this=column(f"_in_{i}")), f"_there_{i}"), copy=False)
        return select

    def _measures(self) -> exp.Query:
        """A line for each feature and measure."""
        names = [_nth(i, exp.Literal.string(n)) for i, n in enumerate((*self.numbers, *self.texts))]
        feature = exp.Case(this=column("_kind"), ifs=names)
        area = exp.Avg(this=column("_area"))
        curves = (
            exp.Select()
            .from_("_curves")
            .select(
                exp.alias_(feature, "feature"),
                exp.alias_(exp.Literal.string(_AREA), "measure"),
                exp.alias_(_either_way(area), "strength"),
                exp.alias_(exp.Sum(this=column("_count")), "rows"),
            )
        )
        two = exp.EQ(this=exp.Sum(this=column("_others")), expression=exp.Literal.number(0))
        found: exp.Query = curves.group_by(column("_kind"), copy=False).having(two, copy=False)
        if not self.numbers:
            return found
        count = range(len(self.numbers))
        missing = [_nth(i, _either_way(_missing_area(column(f"_high_{i}"), column(f"_low_{i}")))) for i in count]
        only_two = exp.EQ(this=exp.Add(this=column("_high"), expression=column("_low")), expression=column("_count"))
        found = exp.union(found, self._unpivoted(_MISSING, missing, None).where(only_two, copy=False), distinct=False)
        if self.numeric_label:
            correlations = [_nth(i, exp.Abs(this=column(f"_corr_{i}"))) for i in count]
            there = [_nth(i, column(f"_there_{i}")) for i in count]
            found = exp.union(found, self._unpivoted(_CORRELATION, correlations, there), distinct=False, copy=False)
        return found

    def _unpivoted(self, measure: str, values: list[exp.If], rows: list[exp.If] | None) -> exp.Select:
        select = exp.Select().from_("_whole")
        select.append("joins", kinds(len(self.numbers)))
        names = [_nth(i, exp.Literal.string(n)) for i, n in enumerate(self.numbers)]
        return select.select(
            exp.alias_(exp.Case(this=column("_kind"), ifs=names), "feature"),
            exp.alias_(exp.Literal.string(measure), "measure"),
            exp.alias_(exp.Case(this=column("_kind"), ifs=values), "strength"),
            exp.alias_(exp.Case(this=column("_kind"), ifs=rows) if rows else column("_count"), "rows"),
            copy=False,
        )


def _nth(number: int, value: exp.Expr) -> exp.If:
    return exp.If(this=exp.Literal.number(number), true=value)


def _one_if(test: exp.Expr) -> exp.Expr:
    return exp.Case(ifs=[exp.If(this=test, true=exp.Literal.number(1))], default=exp.Literal.number(0))


def _no(kind: str) -> exp.Expr:
    return exp.cast(exp.Null(), exp.DataType.Type[kind])


def _text(value: exp.Expr) -> exp.Expr:
    return exp.Coalesce(this=exp.cast(value, exp.DataType.Type.TEXT), expressions=[exp.Literal.string("")])


def _share(part: exp.Expr, whole: exp.Expr) -> exp.Expr:
    some = exp.Nullif(this=exp.paren(double(whole)), expression=exp.Literal.number(0))
    return exp.Div(this=double(part), expression=some)


def _over(name: str, by: Sequence[str]) -> exp.Expr:
    return exp.Window(this=exp.Sum(this=column(name)), partition_by=[column(b) for b in by])


def _either_way(area: exp.Expr) -> exp.Expr:
    """The area, or that of the opposite order: a feature that is low where the label is high tells it as well."""
    other = exp.Sub(this=exp.Literal.number(1), expression=exp.paren(area))
    return exp.Greatest(this=area, expressions=[other])


def _missing_area(high: exp.Expr, low: exp.Expr) -> exp.Expr:
    """The area of a feature of two values, from the shares of rows of either label that lack it."""
    gap = exp.Sub(this=_share(high, column("_high")), expression=_share(low, column("_low")))
    half = exp.Div(this=exp.paren(gap), expression=exp.Literal.number(2))
    return exp.Add(this=exp.Literal.number("0.5"), expression=half)
