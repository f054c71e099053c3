"""Performance by slices: each value of each column beside all rows, and how sure it is that the rest differs."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from penstock.dialects import Dialect, call
from penstock.errors import InvalidRequestError
from penstock.monitoring.discovery import adjusted
from penstock.monitoring.performance.answers import told
from penstock.monitoring.performance.losses import LOSSES
from penstock.monitoring.performance.metrics import CALIBRATION_BINS, check_calibration_bins, from_tiles
from penstock.monitoring.performance.regression import NUMBER_METRICS, NUMBER_STATE, number_sums
from penstock.monitoring.performance.score_tiles import STATE, binned, grouped
from penstock.monitoring.performance.scores import Scores, as_given, check_keys, counted, own_names
from penstock.monitoring.tails import norm_sf
from penstock.monitoring.words import (
    column,
    extended,
    formula,
    inside,
    known_dialect,
    named,
    source,
    totals,
    window,
)

LESS_IS_BETTER = frozenset({*LOSSES, "ece", "rmse"})
"""The metrics of which the best slice has the least; of the others it has the most."""
ALL = "all"
_SLICE, _VALUE = "__slice", "__slice_value"
_ANSWER = (
    "slice", "slice_value", "metric", "value", "standard_error", "low", "high", "rows", "binned_error", "rest",
    "rest_rows", "gap", "gap_to_best", "judged", "z", "p", "p_adjusted",
)  # fmt: skip


def slices(
    scores: Scores,
    columns: Sequence[str],
    dialect: Dialect,
    *,
    min_rows: int = 100,
    numbers: bool = False,
    bins: int = 1000,
    confidence: float = 0.95,
) -> exp.Select:
    """The metrics of each value of each column beside those of all rows and of the rest: one row a slice and metric.

    The rest of a slice is all rows less the slice's, by the difference of their tiles: the rows are read once. A slice
    and its rest have no row in common, so that their difference has the sum of their variances; of a share of outcomes
    it is the pooled share's, as usual for two samples. With slices by the dozen some differ by chance: `p_adjusted` is
    Benjamini and Hochberg's over the slices of a key and metric.

    Args:
        scores: The rows.
        columns: The columns of slices, each value of which is one; NULL is one, too.
        dialect: Whose SQL it is.
        min_rows: A slice of fewer rows, or whose rest has fewer, is shown and not judged.
        numbers: Whether scores are predicted numbers, with the metrics of `number_performance`, and not probabilities.
        bins: The bins of the tiles, as in `performance_of_tiles`: `auc` is within `binned_error`.
        confidence: Of the intervals.

    Returns:
        A query of the keys; `slice`, the name of the column or `all`; `slice_value` as text; `metric`; the columns of
        `performance`; `rest` and `rest_rows`, NULL of `all`; `gap`, value - rest; `gap_to_best`, the best value of the
        judged slices of that column - value, or the negative where less is better, so that it is 0 or above of judged
        ones; `judged`, BOOLEAN; `z` of the gap, its two-sided `p` and `p_adjusted`, NULL where not judged or without
        standard errors.

    Raises:
        UnknownNameError: The dialect is neither of the two.
        InvalidRequestError: A key or column is named twice or has the name of a column of the answer, there are no
            columns, or the bins or the confidence are none.

    Example:
        >>> slices(Scores("scored"), ["carrier"], "spark").named_selects[:3]
        ['slice', 'slice_value', 'metric']
    """
    known_dialect(dialect)
    check_calibration_bins(bins)
    check_keys(scores.keys, frozenset(_ANSWER))
    if not columns:
        raise InvalidRequestError("there are no columns of slices", where="columns", fix="name at least one")
    check_keys(columns, frozenset({ALL}))
    sliced = scores.over(_sliced(scores, columns, dialect), keys=(*scores.keys, _SLICE, _VALUE))
    rows = counted(sliced, dialect)
    own = own_names(sliced.keys)
    *keys, slice_, value = own
    if numbers:
        tiles, state, place = number_sums(rows, [*own, "label_is"]), NUMBER_STATE, []
    else:
        tiles, state, place = grouped(rows, sliced, binned(bins), "place"), STATE, ["place"]
    both = _both_sides(tiles, keys, (slice_, value), ["label_is", *place], state, dialect)
    sides = [*own, "side"]
    if numbers:
        answer = told(both, NUMBER_METRICS, confidence=confidence)
        answer = extended(answer, {"rows": "n", "binned_error": "0e0 * n"})
    else:
        cell = formula("CAST(FLOOR(place / :wide) AS BIGINT)", wide=bins // CALIBRATION_BINS)
        answer = from_tiles(extended(both, {"cell": cell}), sides, confidence=confidence)
    compared = _compared(totals(answer, [*own, "metric"], _BESIDE), keys, slice_, min_rows, dialect)
    again = adjusted(compared, dialect, p="p", by=[*keys, "metric"])
    named_again = [*as_given({key: own[key] for key in keys}), *named({"slice": slice_, "slice_value": value})]
    return exp.select(*named_again, *_ANSWER[2:]).from_(inside(again), copy=False)


def _sliced(scores: Scores, columns: Sequence[str], dialect: Dialect) -> exp.Select:
    """Each row once for all and once for each column, with its value of that."""
    names = exp.values([(ALL,), *((name,) for name in columns)], alias="slices", columns=[_SLICE])
    values = exp.Case(
        this=column(_SLICE),
        ifs=[exp.If(this=exp.Literal.string(name), true=exp.cast(column(name), "text")) for name in columns],
    )
    given = exp.select("*", exp.alias_(values, _VALUE)).from_(source(scores.relation, dialect), copy=False)
    return given.join(names, join_type="cross", copy=False)


def _both_sides(
    tiles: exp.Select,
    keys: Sequence[str],
    slice_: tuple[str, str],
    place: Sequence[str],
    state: Sequence[str],
    dialect: Dialect,
) -> exp.Select:
    """The tiles of each slice and of its rest: a tile of all rows goes to all rests, one of a slice from its own.

    They are sent to where they belong in one pass, for Spark would read the rows again for each use of the tiles.
    """
    name, value = (exp.column(each) for each in slice_)
    is_all = exp.EQ(this=name, expression=exp.Literal.string(ALL))
    to = "STRUCT(:name AS slice, :value AS slice_value, '{}' AS side, {} AS factor)"
    own, rest, less = (
        formula(to.format(side, factor), name=name, value=value)
        for side, factor in (("own", 1), ("rest", 1), ("rest", -1))
    )
    listed = formula("CASE WHEN NOT :is_all THEN :rest END", is_all=is_all, rest=rest)
    if dialect == "spark":
        distinct, concat, explode = call("COLLECT_SET", listed), "CONCAT", "EXPLODE"
    else:
        distinct, concat, explode = call("LIST", exp.Distinct(expressions=[listed])), "LIST_CONCAT", "UNNEST"
    rests = exp.Window(this=distinct, partition_by=[exp.column(key) for key in keys])
    own_list, less_list = exp.Array(expressions=[own]), exp.Array(expressions=[less])
    others = formula("CASE WHEN :is_all THEN :rests ELSE :less END", is_all=is_all, rests=rests, less=less_list)
    sent = extended(
        extended(tiles, {"targets": call(concat, own_list, others)}), {"target": call(explode, exp.column("targets"))}
    )
    of_target = {slice_[0]: "target.slice", slice_[1]: "target.slice_value", "side": "target.side"}
    signed = {each: f"target.factor * {each}" for each in state}
    placed = exp.select(*keys, *place, *named({**of_target, **signed})).from_(inside(sent), copy=False)
    placed = placed.where("NOT target IS NULL", copy=False)
    sums = {each: f"SUM({each})" for each in state} | {"n": "CAST(SUM(n) AS BIGINT)"}
    # A tile of a rest without rows has but the rounding of its sums.
    return totals(placed, [*keys, *slice_, "side", *place], sums).having("SUM(n) > 0", copy=False)


_PARTS = ("value", "standard_error", "low", "high", "rows", "binned_error", "share")
_BESIDE = {
    **{name: f"MAX(CASE WHEN side = 'own' THEN {name} END)" for name in _PARTS},
    "rest": "MAX(CASE WHEN side = 'rest' THEN value END)",
    "rest_error": "MAX(CASE WHEN side = 'rest' THEN standard_error END)",
    "rest_share": "MAX(CASE WHEN side = 'rest' THEN share END)",
    "rest_rows": "MAX(CASE WHEN side = 'rest' THEN rows END)",
}
_LESS = ", ".join(f"'{name}'" for name in sorted(LESS_IS_BETTER))
_GAP_VARIANCE = """
CASE WHEN pooled IS NULL THEN standard_error * standard_error + rest_error * rest_error
     ELSE GREATEST(pooled * (1e0 - pooled), 0e0) * (1e0 / NULLIF(share, 0e0) + 1e0 / NULLIF(rest_share, 0e0)) END
"""


def _compared(beside: exp.Select, keys: Sequence[str], slice_: str, min_rows: int, dialect: Dialect) -> exp.Select:
    """Slices with what they are compared with, and how sure it is that they differ."""
    enough = "COALESCE(rows >= :least AND rest_rows >= :least AND NOT value IS NULL, FALSE)"
    judged = extended(
        beside,
        {
            "gap": "value - rest",
            "judged": formula(enough, least=exp.Literal.number(min_rows)),
            "pooled": "(share * value + rest_share * rest) / NULLIF(share + rest_share, 0e0)",
            "goodness": f"CASE WHEN metric IN ({_LESS}) THEN -value ELSE value END",
        },
    )
    best = window("MAX(CASE WHEN judged THEN goodness END)", [*keys, slice_, "metric"])
    tested = extended(
        judged, {"z": f"CASE WHEN judged THEN gap / NULLIF(SQRT({_GAP_VARIANCE}), 0e0) END", "best": best}
    )
    sized = extended(tested, {"gap_to_best": "best - goodness", "z_size": "ABS(z)"})
    tail = norm_sf(exp.column("z_size"), dialect)
    return extended(sized, {"p": formula("CASE WHEN NOT z IS NULL THEN LEAST(1e0, 2e0 * :tail) END", tail=tail)})
