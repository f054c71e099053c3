"""Score tiles: sums over the rows of a range of scores, from which performance over any window follows.

Tiles add up and subtract: those of a week are the sums of its days', those of all but one slice are the differences.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from penstock.dialects import Dialect
from penstock.errors import InvalidRequestError
from penstock.monitoring.performance.losses import LOSSES
from penstock.monitoring.performance.scores import Scores, as_given, check_keys, counted, own_names, row_losses
from penstock.monitoring.words import extended, formula, inside, totals

# Of row weight w, label y, score p, prediction h. 2 is a square, so that `w2y` is Σ w² y.
_SUMS: Mapping[str, str] = {
    "w": "w",
    "wy": "w * y",
    "w2": "w * w",
    "w2y": "w * w * y",
    "w2y2": "w * w * y * y",
    "h_w": "h * w",
    "h_wy": "h * w * y",
    "h_w2": "h * w * w",
    "h_w2y": "h * w * w * y",
    "h_w2y2": "h * w * w * y * y",
    "wp": "w * p",
    "w2p": "w * w * p",
    "w2p2": "w * w * p * p",
    "wp2": "w * p * p",
    "spiegelhalter": "w * (y - p) * (1e0 - 2e0 * p)",
    "spiegelhalter_var": "w * w * (1e0 - 2e0 * p) * (1e0 - 2e0 * p) * p * (1e0 - p)",
}
# Of a loss l, which is a if the row is positive and b if not: l = y a + (1 - y) b, with d = a - b.
_SUMS_OF_LOSS: Mapping[str, str] = {
    "wl": "w * {0}_l",
    "w2l": "w * w * {0}_l",
    "w2l2": "w * w * {0}_l * {0}_l",
    "w2l_var": "w * w * y * (1e0 - y) * {0}_d * {0}_d",
}

STATE = ("n", *_SUMS, *(f"{loss}_{name}" for loss in LOSSES for name in _SUMS_OF_LOSS))
"""The columns of a tile beside the keys, `label_is` and `bin`: `n` BIGINT counts its rows, the others are DOUBLE sums.

With row weight w, label y, score p and prediction h: `wy` is Σ w y, `w2y2` Σ w² y² and so on, `h_…` the same over the
rows predicted to be positive, `<loss>_wl` Σ w l. Without weights and with labels of 0 and 1, `wy` counts positives.
"""
_NAMES = frozenset({*STATE, "label_is", "bin"})


def score_tiles(scores: Scores, dialect: Dialect, *, bins: int = 1000) -> exp.Select:
    """The tiles of a relation: one row a key, kind of label and bin of scores, in one scan.

    Args:
        scores: The relation, with probabilities as scores.
        dialect: Whose SQL it is.
        bins: How many bins of one width the scores from 0 to 1 fall into; a score beyond is in the first or the last.

    Returns:
        A query of the keys, `label_is`, `bin` (BIGINT from 0) and `STATE`. Tiles of one key, kind and bin are added up
        column by column.

    Raises:
        UnknownNameError: The dialect is neither of the two.
        InvalidRequestError: A key has the name of a column of a tile, or there are no bins.

    Example:
        >>> score_tiles(Scores("scored", keys=("day",)), "spark", bins=100).named_selects[:4]
        ['day', 'label_is', 'bin', 'n']
    """
    check_keys(scores.keys, _NAMES)
    check_bins(bins)
    own = own_names(scores.keys)
    tiles = grouped(counted(scores, dialect), scores, binned(bins), "bin")
    return exp.select(*as_given(own), "label_is", "bin", *STATE).from_(inside(tiles), copy=False)


def check_bins(bins: int) -> None:
    """Refuse less than one bin.

    Raises:
        InvalidRequestError: There are none.
    """
    if bins < 1:
        raise InvalidRequestError(f"there are {bins} bins", where="bins", fix="give a number of 1 or more")


def binned(bins: int) -> exp.Expr:
    """The bin of the score `p`."""
    return formula("CAST(FLOOR(LEAST(GREATEST(p * :bins, 0e0), :last)) AS BIGINT)", bins=bins, last=bins - 1)


def grouped(rows: exp.Select, scores: Scores, place: exp.Expr, name: str) -> exp.Select:
    """Sums over `counted` rows by the keys (under names of ours), `label_is`, and a place of the score `p`."""
    losses = row_losses(scores.threshold)
    costs = {f"{loss}_{at}": cost for loss, pair in losses.items() for at, cost in zip("ab", pair, strict=True)}
    of_row = {f"{loss}_l": f"y * {loss}_a + (1e0 - y) * {loss}_b" for loss in losses}
    of_row |= {f"{loss}_d": f"{loss}_a - {loss}_b" for loss in losses}
    sums = {"n": "CAST(COUNT(*) AS BIGINT)", **{each: f"SUM({text})" for each, text in _SUMS.items()}}
    for loss in losses:
        sums |= {f"{loss}_{each}": f"SUM({text.format(loss)})" for each, text in _SUMS_OF_LOSS.items()}
    costed = extended(extended(rows, {name: place, **costs}), of_row)
    return totals(costed, [*own_names(scores.keys), "label_is", name], sums)
