"""Rows on which two scorers of one ensemble differ if any of their tests differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.scoring.trees.ensemble import Ensemble

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Times that the values of a feature are spread over rows, each time beside other values of the other features: a test
# is seen only in rows that reach its node.
ROUNDS = 4
MOST_ROWS = 20_000


def split_probes(ensemble: Ensemble, width: int, *, seed: int = 0, infinities: bool = False) -> Array:
    """Rows that hold, for every test of every tree, its threshold and the values right beside it.

    A feature's values are the thresholds and bounds of all its tests; for each the float64 and float32 numbers next to
    it; zero and numbers that LightGBM takes for zero; negative and unknown categories; and NaN. One row holds a value
    of every feature, each time in another random order, so that the rows are a few times as many as the values of the
    feature with most of them. Where that is more than `MOST_ROWS`, values are drawn at random for that many rows.

    Args:
        ensemble: The model.
        width: Columns of the matrix: the features of the model.
        seed: Of the random orders.
        infinities: Whether infinities are among the values; they never are where the model refuses them, nor is NaN.

    Returns:
        float64 [rows, width].
    """
    import numpy as np

    random = np.random.default_rng(seed)
    values = {int(feature): _values(ensemble, int(feature), infinities) for feature in np.unique(ensemble.feature)}
    longest = max((len(each) for each in values.values()), default=MOST_ROWS // 100)
    n_rows = min(ROUNDS * longest, MOST_ROWS)
    matrix = np.empty((n_rows, width), np.float64)
    for feature in range(width):
        matrix[:, feature] = _spread(values.get(feature, _common(ensemble, feature, infinities)), n_rows, random)
    return matrix


def _values(ensemble: Ensemble, feature: int, infinities: bool) -> Array:
    import numpy as np

    nodes = ensemble.feature == feature
    subset = ensemble.subset[nodes]
    bounds = [ensemble.subsets[each].bounds for each in np.unique(subset[subset >= 0])]
    at = np.unique(np.concatenate([ensemble.threshold[nodes][subset < 0], *bounds]).astype(np.float64))
    with np.errstate(over="ignore"):
        rounded = at.astype(np.float32)
        near = [np.nextafter(rounded, np.float32(end)).astype(np.float64) for end in (-np.inf, np.inf)]
        near += [np.nextafter(at, end) for end in (-np.inf, np.inf)]
    unknown = [] if not bounds else [np.floor(at[-1]) + 2, np.floor(at[-1]) + 40, -3.0]
    found = np.concatenate([at, rounded.astype(np.float64), *near, unknown])
    largest = float(np.finfo(np.float32).max) if feature in ensemble.refuses_infinity and ensemble.narrow else np.inf
    found = found[np.abs(found) < largest]
    return np.concatenate([np.unique(found), _common(ensemble, feature, infinities)])


def _common(ensemble: Ensemble, feature: int, infinities: bool) -> Array:
    """Values that are worth a try on any feature."""
    import numpy as np

    values = [0.0, -0.0, 1e-35, -1e-35, 2e-35, -2e-35, -0.5, 0.5, 1e30, -1e30]
    if infinities and feature not in ensemble.refuses_infinity:
        values += [np.inf, -np.inf]
    if not ensemble.refuses_nan:
        values += [np.nan, np.nan]
    return np.array(values)


def _spread(values: Array, n_rows: int, random: Any) -> Array:
    """`n_rows` of the values, every one as often as another up to one time, in a random order."""
    import numpy as np

    times = -(-n_rows // len(values))
    return np.concatenate([random.permutation(values) for _ in range(times)])[:n_rows]
