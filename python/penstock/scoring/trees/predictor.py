"""`compile_trees`: a model of LightGBM, XGBoost or scikit-learn as a `TreePredictor`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.scoring.trees.ensemble import Ensemble, NotATreeEnsemble
from penstock.scoring.trees.layout import lay_out
from penstock.scoring.trees.links import LINKS

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Bytes of ranks that are held at a time: they stay in the second-level cache.
RANK_BYTES = 1 << 19


class TreePredictor:
    """Scores rows with an ensemble on one thread, without Python's lock.

    Attributes:
        ensemble: The model.
        used: The indices of the features that any split uses, increasing. The other columns of a matrix matter only
            where the library refuses NaN or infinities.
        size: Bytes of memory that the compiled model holds.
    """

    def __init__(self, ensemble: Ensemble) -> None:
        import numpy as np

        self.ensemble = ensemble
        self._layout = lay_out(ensemble)
        self.used = tuple(int(each) for each in np.unique(ensemble.feature))
        self.size = self._layout.size + sum(
            int(each.nbytes) for each in vars(ensemble).values() if isinstance(each, np.ndarray)
        )

    def raw(self, matrix: Array) -> Array:
        """Score rows.

        Args:
            matrix: float64 [rows, features] in any order in memory; it may be read-only. A missing value is NaN, a
                category its code.

        Returns:
            float64 [rows, outputs]: probabilities by class for a classifier, values for a regressor.

        Raises:
            ValueError: when the matrix is of another shape or type, or holds NaN or infinities that the library
                refuses.
        """
        import numpy as np

        from penstock.scoring.trees.kernel import BLOCK, add_trees, encode

        ensemble, layout = self.ensemble, self._layout
        if matrix.dtype != np.float64 or matrix.ndim != 2 or matrix.shape[1] != ensemble.n_features:
            raise ValueError(
                f"a float64 matrix of {ensemble.n_features} columns is needed, got {matrix.dtype} {matrix.shape}"
            )
        self._refuse(matrix)
        n_blocks = -(-len(matrix) // BLOCK)
        n_columns = len(layout.columns)
        per_step = max(RANK_BYTES // (4 * BLOCK * max(n_columns, 1)), 1)
        sums = np.empty((n_blocks, len(ensemble.base), BLOCK), ensemble.base.dtype)
        sums[:] = ensemble.base[:, None]
        ranks = np.empty((min(per_step, n_blocks), n_columns * BLOCK), np.int32)
        for first in range(0, n_blocks, per_step):
            end = min(first + per_step, n_blocks)
            some = ranks[: end - first]
            rows = matrix[first * BLOCK : end * BLOCK]
            encode(rows, ensemble.narrow, layout.features, layout.cuts, layout.columns, layout.tables, some)
            add_trees(
                some,
                layout.trees,
                layout.node_column,
                layout.node_cut,
                layout.node_mask,
                layout.node_child,
                layout.values,
                sums[first:end],
            )
        by_output = np.ascontiguousarray(sums.transpose(1, 0, 2).reshape(len(ensemble.base), -1)[:, : len(matrix)])
        if ensemble.divisor != 1:
            by_output /= ensemble.divisor
        return LINKS[ensemble.link](by_output, ensemble.link_scale).astype(np.float64, copy=False)

    def _refuse(self, matrix: Array) -> None:
        import numpy as np

        ensemble = self.ensemble
        if not (ensemble.refuses_nan or ensemble.refuses_infinity):
            return
        if ensemble.refuses_nan and np.isnan(matrix).any():
            raise ValueError("the matrix contains NaN, and the model takes no missing values")
        if ensemble.refuses_infinity:
            with np.errstate(over="ignore"):
                every = len(ensemble.refuses_infinity) == ensemble.n_features
                asked = matrix if every else matrix[:, ensemble.refuses_infinity]
                rounded = asked.astype(np.float32) if ensemble.narrow else asked
            if np.isinf(rounded).any():
                raise ValueError("the matrix contains an infinity or a value too large for the model's type")


def compile_trees(model: Any) -> TreePredictor:
    """Compile a fitted model of a library.

    Args:
        model: A LightGBM Booster or estimator, an XGBoost Booster or estimator, or a scikit-learn tree, forest or
            gradient boosting estimator.

    Returns:
        A predictor whose `raw` equals the model's `predict_proba` for an estimator that is a classifier, and its
        `predict` otherwise, as float64.

    Raises:
        NotATreeEnsemble: when it is none of these, uses what cannot be represented, or is not built like those of the
            library's versions that are known.
        ImportError: when numba is not installed.
    """
    try:
        return TreePredictor(_read(model))
    except (AttributeError, IndexError, KeyError) as error:
        raise NotATreeEnsemble(f"{type(model).__qualname__} is not built as expected: {error!r}") from error


def _read(model: Any) -> Ensemble:
    # A class is known by its module, so that no library is imported that is not there. A subclass of somebody's own may
    # predict in a way of its own and is not taken.
    library = type(model).__module__.partition(".")[0]
    if library == "lightgbm":
        from penstock.scoring.trees.from_lightgbm import read_lightgbm

        return read_lightgbm(model)
    if library == "xgboost":
        from penstock.scoring.trees.from_xgboost import read_xgboost

        return read_xgboost(model)
    if library == "sklearn":
        from penstock.scoring.trees.from_sklearn import read_sklearn

        return read_sklearn(model)
    raise NotATreeEnsemble(f"{type(model).__module__}.{type(model).__qualname__} is of no library that is known")
