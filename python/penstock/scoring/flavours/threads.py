"""One thread a model: Spark's tasks fill the cores already.

What OpenMP and BLAS start inside scikit-learn obeys OMP_NUM_THREADS, which Spark sets for its Python workers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_NAMES = ("n_jobs", "num_threads", "nthread")


def use_one(model: Any) -> None:
    """Set the number of threads to 1 on an estimator of scikit-learn's kind and on each in it, fitted or not."""
    seen: set[int] = set()
    # A model of a project's own may hold estimators, and be none.
    left = [model, *getattr(model, "__dict__", {}).values()]
    while left:
        each = left.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if hasattr(each, "get_params") and hasattr(each, "__dict__"):
            for name in _NAMES:
                if name in vars(each):
                    setattr(each, name, 1)
            if "_Booster" in vars(each) and hasattr(each._Booster, "set_param"):  # XGBoost's, once fitted
                each._Booster.set_param({"nthread": 1})
            left.extend(vars(each).values())
        else:
            left.extend(_members(each))


def _members(value: Any) -> Iterable[Any]:
    import numpy as np

    if isinstance(value, dict):
        return value.values()
    if isinstance(value, (list, tuple)):
        return value
    return value.ravel() if isinstance(value, np.ndarray) and value.dtype == object else ()
