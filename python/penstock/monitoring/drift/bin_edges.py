"""The bins of features, chosen once from a baseline, so that counts of any time can be added up and compared.

A number has quantiles of the baseline for edges. A value that is as frequent as a whole bin gets a bin of its own, and
so does each value of a column that has few of them; beside it lies a bin of what is between it and the next, so that
nothing is counted as a value that it is not. A text has its most frequent values, and a bin of all others.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from sqlglot import exp

from penstock.dialects import Dialect
from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.drift.explode import NUMBER, TEXT, Kind, exploded, finite, integer
from penstock.monitoring.words import column, formula, known_dialect, source

OTHER = 0  # the bin of all texts that have none of their own
MISSING, NOT_A_NUMBER, INFINITE = -1, -2, -3
# In the order of the parts below: bins of every feature, then those of a value of the baseline.
_SPECIAL = (MISSING, NOT_A_NUMBER, INFINITE)
_MISSING, _NOT_A_NUMBER, _INFINITE, _BELOW, _VALUE, _AFTER = range(6)
_MOST = 1_000  # bins a feature: a number's are searched, and a text's are written down

EDGE_COLUMNS = (
    "edges_id", "feature", "kind", "bin", "low", "high", "after", "level", "position", "width", "centre",
    "baseline", "baseline_version",
)  # fmt: skip
"""The columns of a table of edges."""


@dataclass(frozen=True)
class Baseline:
    """What bins are chosen from, and how many.

    Attributes:
        relation: A query, or the name of a table as the dialect writes it.
        features: The columns, each with its kind: `number` or `text`, which a boolean is, too.
        name: What the relation is called in the table of edges.
        version: Its Delta version, if it has one.
        bins: How many bins of about equally many rows a number gets.
        values: A number with so many different values at most gets a bin for each.
        levels: How many of its most frequent values a text gets bins for.
    """

    relation: str | exp.Query
    features: Mapping[str, Kind]
    name: str
    version: int | None = None
    bins: int = 20
    values: int = 100
    levels: int = 50

    def __post_init__(self) -> None:
        for argument, least, most in (("bins", 1, _MOST), ("values", 0, _MOST // 2), ("levels", 0, _MOST)):
            if not least <= getattr(self, argument) <= most:
                raise InvalidRequestError(
                    f"{argument} is {getattr(self, argument)}", where="edges", fix=f"from {least} to {most}"
                )
        if not self.features:
            raise InvalidRequestError("there is no feature", where="edges", fix="name a column at least")
        for kind in self.features.values():
            if kind not in (NUMBER, TEXT):
                raise UnknownNameError.of("kind of feature", kind, (NUMBER, TEXT), where="edges")

    @property
    def asked(self) -> str:
        """Tells what edges are chosen by from other choices, but for the rows."""
        told = {**asdict(replace(self, relation="")), "version": None, "features": dict(self.features)}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def edges_id(self) -> str:
        """Tells these edges from others: by what they are chosen, and of which version of the baseline."""
        return self.asked if self.version is None else f"{self.asked}-{self.version}"


def edges(baseline: Baseline, dialect: Dialect) -> exp.Select:
    """The query of one row a bin: all features in one scan of the baseline, and a sort of their different values.

    - `bin`: 0, 1, … in order; below 0 those of every feature: -1 of NULL, of a number also -2 of NaN and -3 of infinite
      ones. Of a text, 0 is the bin of all others.
    - `low`, `high`: the edges of a number; the lower one belongs to the bin unless `after`, the upper one does not,
      but for the greatest value of the baseline. Equal for a bin of one value, NULL where a bin is open to a side.
    - `level`: the value of a text.
    - `position`, `width`: as `Histograms` takes them.
    - `centre`: the mean of the feature's finite numbers, from which moments are taken; 0 where there are none.

    Args:
        baseline: The relation and its features.
        dialect: Whose SQL it is.

    Returns:
        A query of `EDGE_COLUMNS`.

    Raises:
        UnknownNameError: The dialect is neither of the two.

    Example:
        >>> import duckdb, sqlglot
        >>> rows = sqlglot.parse_one("SELECT * FROM (VALUES (1), (1), (2), (NULL)) AS t (size)")
        >>> query = edges(Baseline(rows, {"size": "number"}, "sizes"), "duckdb").sql("duckdb")
        >>> duckdb.sql(f"SELECT bin, low, high, position, width FROM ({query}) WHERE bin > 0 ORDER BY bin").fetchall()
        [(1, 1.0, 1.0, 1.0, 0.0), (2, 1.0, 2.0, 1.5, 1.0), (3, 2.0, 2.0, 2.0, 0.0), (4, 2.0, None, 2.05, None)]
    """
    known_dialect(dialect)
    bare = formula("ROW_NUMBER() OVER (PARTITION BY place, part > 2 ORDER BY turn, part) - 1")
    special = exp.Case(
        this=exp.column("part"),
        ifs=[exp.If(this=integer(part), true=integer(code)) for part, code in enumerate(_SPECIAL)],
        default=bare,
    )
    columns = {
        "edges_id": exp.Literal.string(baseline.edges_id),
        "feature": exp.column("feature"),
        "kind": exp.column("kind"),
        "bin": exp.cast(special, "int"),
        "low": exp.column("low"),
        "high": exp.column("high"),
        "after": formula("part = :part AND kind = 'number' AND (atom OR last)", part=integer(_AFTER)),
        "level": formula("CASE WHEN part = :part THEN s END", part=integer(_VALUE)),
        "position": _position(baseline.bins),
        "width": formula("high - low"),
        "centre": exp.column("centre"),
        "baseline": exp.Literal.string(baseline.name),
        "baseline_version": exp.cast(exp.null() if baseline.version is None else integer(baseline.version), "bigint"),
    }
    return (
        exp.select(*(exp.alias_(value, name) for name, value in columns.items()))
        .with_("counted", _counted(baseline, dialect))
        .with_("ordered", _ordered())
        .with_("chosen", _chosen(baseline))
        .with_("features", _features(baseline, dialect))
        .with_("parts", _parts(dialect))
        .with_("placed", _placed())
        .from_("placed")
    )


def _counted(baseline: Baseline, dialect: Dialect) -> exp.Select:
    """How often each feature has each value; as a number `x` or as a text `s`."""

    def cell(name: str, kind: Kind) -> exp.Expr:
        parts = {
            "x": exp.cast(column(name) if kind == NUMBER else exp.null(), "double"),
            "s": exp.cast(column(name) if kind == TEXT else exp.null(), "text"),
        }
        named = [exp.PropertyEQ(this=exp.to_identifier(part), expression=value) for part, value in parts.items()]
        return exp.Struct(expressions=named)

    cells = exploded([cell(*each) for each in baseline.features.items()], "place", "cell", dialect)
    given = exp.select(*cells).from_(source(baseline.relation, dialect))
    x, s = exp.column("x", "cell"), exp.column("s", "cell")
    return (
        exp.select("place", exp.alias_(x, "x"), exp.alias_(s, "s"), exp.alias_(formula("COUNT(*)"), "n"))
        .from_(given.subquery("cells"))
        .where(exp.or_(finite(x), exp.not_(exp.Is(this=s, expression=exp.null()))))
        .group_by("place", x, s)
    )


def _ordered() -> exp.Select:
    """Beside each value its turn among those of its feature, and what is true of all of them."""
    return exp.select(
        "*",
        # Of a text x is NULL and of a number s is; the most frequent texts come first.
        _named("ROW_NUMBER() OVER (PARTITION BY place ORDER BY x, CASE WHEN x IS NULL THEN -n END, s)", "turn"),
        _named("SUM(n) OVER (PARTITION BY place ORDER BY x, CASE WHEN x IS NULL THEN -n END, s)", "up_to"),
        _named("SUM(n) OVER (PARTITION BY place)", "total"),
        _named("COUNT(*) OVER (PARTITION BY place)", "different"),
        _named("MIN(x) OVER (PARTITION BY place)", "least"),
        _named("MAX(x) OVER (PARTITION BY place)", "most"),
        _named("SUM(x * n) OVER (PARTITION BY place) / SUM(n) OVER (PARTITION BY place)", "centre"),
    ).from_("counted")


def _chosen(baseline: Baseline) -> exp.Select:
    """The values that edges are at, and the texts that have bins."""
    every = {
        "bins": integer(baseline.bins),
        "few": integer(baseline.values),
        "top": integer(baseline.levels),
    }
    # How many bins' worth of rows there are up to a value, and before it, in units of the total.
    crossed = formula(
        "up_to * :bins - (up_to * :bins) % total > (up_to - n) * :bins - ((up_to - n) * :bins) % total", **every
    )
    number = formula("turn = 1 OR different <= :few OR :crossed", crossed=crossed, **every)
    return (
        exp.select(
            "*",
            exp.alias_(formula("different <= :few OR n * :bins >= total", **every), "atom"),
            _named("x = most", "last"),
            _named("LEAD(x) OVER (PARTITION BY place ORDER BY turn)", "next"),
        )
        .from_("ordered")
        .where(formula("CASE WHEN x IS NULL THEN turn <= :top ELSE :number END", number=number, **every))
    )


def _features(baseline: Baseline, dialect: Dialect) -> exp.Select:
    told = [f"{kind} {name}" for name, kind in baseline.features.items()]
    given = exp.select(*exploded([exp.Literal.string(each) for each in told], "place", "told", dialect))
    kind = formula("CASE WHEN told LIKE 'number %' THEN 'number' ELSE 'text' END")
    name = formula("SUBSTRING(told, LENGTH(:kind) + 2)", kind=kind)
    return exp.select("place", exp.alias_(name, "feature"), exp.alias_(kind, "kind")).from_(given.subquery("told"))


def _parts(dialect: Dialect) -> exp.Select:
    """Each chosen value, or a feature without any, once for each bin that it begins."""
    numbers = [integer(part) for part in range(_AFTER + 1)]
    own = ("x", "s", "turn", "least", "most", "next")
    given = (
        exp.select(
            *(exp.column(name, "features") for name in ("place", "feature", "kind")),
            *(exp.column(name, "chosen") for name in own),
            _named("COALESCE(chosen.atom, FALSE)", "atom"),
            _named("COALESCE(chosen.last, FALSE)", "last"),
            _named("COALESCE(chosen.turn, 1) = 1", "first"),
            # Without a finite mean, too: of no number, and of such large ones that their sum is none.
            exp.alias_(
                formula(
                    "CASE WHEN kind = 'number' THEN CASE WHEN :finite THEN chosen.centre ELSE 0e0 END END",
                    finite=finite(exp.column("centre", "chosen")),
                ),
                "centre",
            ),
            *exploded(numbers, "part", "same", dialect),
        )
        .from_("features")
        .join("chosen", on="features.place = chosen.place", join_type="left")
    )
    wanted = {
        _MISSING: "first",
        _NOT_A_NUMBER: "first AND kind = 'number'",
        _INFINITE: "first AND kind = 'number'",
        _BELOW: "first",
        _VALUE: "(atom AND kind = 'number') OR NOT s IS NULL",
        _AFTER: "NOT x IS NULL",
    }
    ifs = [exp.If(this=integer(part), true=formula(text)) for part, text in wanted.items()]
    return exp.select("*").from_(given.subquery("given")).where(exp.Case(this=exp.column("part"), ifs=ifs))


def _placed() -> exp.Select:
    """The edges of each bin of a number."""
    parts = {"after": integer(_AFTER), "below": integer(_BELOW), "own": integer(_VALUE)}
    low = formula("CASE WHEN part IN (:own, :after) THEN x END", **parts)
    high = formula("CASE part WHEN :below THEN x WHEN :own THEN x WHEN :after THEN next END", **parts)
    return exp.select("*", exp.alias_(low, "low"), exp.alias_(high, "high")).from_("parts")


def _position(bins: int) -> exp.Expr:
    """The middle of a bin; of one open to a side a place that no other bin of the feature has."""
    step = formula(
        """CASE WHEN least = most THEN GREATEST(1e0, ABS(x))
                ELSE GREATEST(most / :bins - least / :bins, ABS(x) * 1e-9) END""",
        bins=float(bins),
    )
    # Of no bin of a number are both edges open, but that of a feature without any.
    return formula(
        """
        CASE WHEN part < :below OR kind <> 'number' THEN NULL
             WHEN x IS NULL THEN 0e0
             WHEN low IS NULL THEN GREATEST(x - :step, -:greatest)
             WHEN high IS NULL THEN LEAST(x + :step, :greatest)
             ELSE low / 2e0 + high / 2e0 END
        """,
        below=integer(_BELOW), step=step, greatest=sys.float_info.max,
    )  # fmt: skip


def _named(text: str, name: str) -> exp.Expr:
    return exp.alias_(formula(text), name)
