"""From sums of trees to what a library's predict gives, by the library's own formula and functions.

Each link takes the sums, [outputs, rows] without gaps in the precision of the ensemble, which it may overwrite, and
the scale, and gives outputs as [rows, outputs]. Those that start with `c_` take exponentials from the C library, as
LightGBM and XGBoost do; `numpy_` are scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def _identity(sums: Array, scale: float) -> Array:
    return sums.T


def _c_exp(sums: Array, scale: float) -> Array:
    from penstock.scoring.trees.kernel import exponentials

    exponentials(sums.reshape(-1))
    return sums.T


def _c_sigmoid(sums: Array, scale: float) -> Array:
    import numpy as np

    from penstock.scoring.trees.kernel import exponentials

    exponents = -scale * sums
    if sums.dtype == np.float32:
        # XGBoost bounds the exponent, since a float32 exponential overflows early.
        np.minimum(exponents, np.float32(88.7), out=exponents)
    exponentials(exponents.reshape(-1))
    one: Array = np.ones(1, sums.dtype)
    return (one / (one + exponents)).T


def _c_softmax(sums: Array, scale: float) -> Array:
    import numpy as np

    from penstock.scoring.trees.kernel import exponentials

    sums -= sums.max(axis=0)
    exponentials(sums.reshape(-1))
    total = np.zeros(sums.shape[1], np.float64)
    for each in sums:  # one after the other: the order of the sum is the libraries'
        total += each
    probabilities: Array = sums / total.astype(sums.dtype)
    return probabilities.T


def _with_complement(link: Callable[[Array, float], Array]) -> Callable[[Array, float], Array]:
    """P(first class) and P(second class), where the link gives the second's."""

    def both(sums: Array, scale: float) -> Array:
        import numpy as np

        second = link(sums, scale)
        return np.hstack([second.dtype.type(1) - second, second])

    return both


def _numpy_exp(sums: Array, scale: float) -> Array:
    import numpy as np

    return np.exp(sums).T


def _numpy_sigmoid(sums: Array, scale: float) -> Array:
    from scipy.special import expit  # type: ignore[import-untyped]

    return expit(scale * sums).T  # type: ignore[no-any-return]


def _numpy_softmax(rows: Array) -> Array:
    import numpy as np

    rows -= rows.max(axis=1)[:, None]
    np.exp(rows, out=rows)
    rows /= rows.sum(axis=1)[:, None]
    return rows


LINKS: dict[str, Callable[[Array, float], Array]] = {
    "identity": _identity,
    "c_exp": _c_exp,
    "c_sigmoid": _c_sigmoid,
    "c_sigmoid_both": _with_complement(_c_sigmoid),
    "c_softmax": _c_softmax,
    "numpy_exp": _numpy_exp,
    "numpy_sigmoid_both": _with_complement(_numpy_sigmoid),
    # numpy's sum along a row depends on how the rows lie in memory: by rows in GradientBoosting, by classes in
    # HistGradientBoosting.
    "numpy_softmax_rows": lambda sums, scale: _numpy_softmax(sums.T.copy(order="C")),
    "numpy_softmax_classes": lambda sums, scale: _numpy_softmax(sums.T),
}
