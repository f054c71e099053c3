"""XGBoost's models.

XGBoost rounds values to float32, tests value < threshold, sends the categories of a set right, and adds float32 numbers
to the base score tree by tree (`src/predictor/cpu_predictor.cc`, `src/common/categorical.h`).
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from penstock.scoring.trees.ensemble import Ensemble, NotATreeEnsemble, Subset, Trees

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# The link of each objective, and the function from the base score, which is kept as an outcome, to a sum.
OBJECTIVES = {
    "reg:squarederror": ("identity", "identity"),
    "reg:absoluteerror": ("identity", "identity"),
    "reg:quantileerror": ("identity", "identity"),
    "reg:pseudohubererror": ("identity", "identity"),
    "reg:squaredlogerror": ("identity", "identity"),
    "rank:pairwise": ("identity", "identity"),
    "rank:ndcg": ("identity", "identity"),
    "rank:map": ("identity", "identity"),
    "reg:logistic": ("c_sigmoid", "logit"),
    "binary:logistic": ("c_sigmoid", "logit"),
    "count:poisson": ("c_exp", "log"),
    "reg:gamma": ("c_exp", "log"),
    "reg:tweedie": ("c_exp", "log"),
    "multi:softprob": ("c_softmax", "identity"),
}


def read_xgboost(model: Any) -> Ensemble:
    """A Booster with all its trees, or an estimator of `xgboost.sklearn` up to its best iteration.

    Raises:
        NotATreeEnsemble: for another booster than gbtree, vector leaves, an objective without a known link, a missing
            value other than NaN, or another object of XGBoost's.
    """
    import numpy as np

    name = type(model).__name__
    if name == "Booster":
        return _read(model, both=False, refuses_infinity=True)
    if name not in ("XGBClassifier", "XGBRFClassifier", "XGBRegressor", "XGBRFRegressor", "XGBRanker"):
        raise NotATreeEnsemble(f"xgboost's {name} is not a Booster or one of its estimators")
    if not np.isnan(model.missing):
        raise NotATreeEnsemble(f"XGBoost's missing value is {model.missing}, not NaN")
    booster = model.get_booster()
    # The estimator predicts in place, which takes infinities, and from its best iteration alone.
    end = model._get_iteration_range(None)[1]
    if end:
        booster = booster[:end]
    return _read(booster, both=name in ("XGBClassifier", "XGBRFClassifier"), refuses_infinity=False)


def _read(booster: Any, *, both: bool, refuses_infinity: bool) -> Ensemble:

    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    kind = learner["gradient_booster"]["name"]
    if kind != "gbtree":
        raise NotATreeEnsemble(f"XGBoost's booster is {kind}, not gbtree")
    objective = learner["objective"]["name"]
    if objective not in OBJECTIVES:
        raise NotATreeEnsemble(f"the link of XGBoost's objective {objective!r} is not known")
    link, kept_as = OBJECTIVES[objective]
    told = learner["learner_model_param"]
    if int(told.get("num_target", "1")) > 1:
        raise NotATreeEnsemble("XGBoost's model has several targets")
    n_outputs = max(int(told["num_class"]), 1)
    model = learner["gradient_booster"]["model"]
    trees = Trees()
    for tree, output in zip(model["trees"], model["tree_info"], strict=True):
        _add(trees, tree, output)
    if both and link == "c_sigmoid":
        link = "c_sigmoid_both"
    elif both and link != "c_softmax":
        raise NotATreeEnsemble(f"a classifier with XGBoost's objective {objective!r} gives no probabilities")
    return trees.ensemble(
        int(told["num_feature"]),
        _margins(json.loads(told["base_score"]), n_outputs, kept_as),
        1,
        link,
        narrow=True,
        refuses_infinity=tuple(range(int(told["num_feature"]))) if refuses_infinity else (),
    )


def _margins(base_score: float | list[float], n_outputs: int, kept_as: str) -> Array:
    """Where the sums start: float32 [outputs]. Since XGBoost 3.1 it keeps a list, of one number or one a class."""
    import numpy as np

    from penstock.scoring.trees.kernel import logarithms

    base = np.atleast_1d(np.asarray(base_score, np.float32))
    base = np.broadcast_to(base, (n_outputs,)).copy()
    one = np.float32(1)
    if kept_as == "logit":
        base = one / base - one
    if kept_as != "identity":
        logarithms(base)
    return -base if kept_as == "logit" else base


def _add(trees: Trees, tree: dict[str, Any], output: int) -> None:
    import numpy as np

    if int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise NotATreeEnsemble("XGBoost's leaves are vectors")
    left = np.asarray(tree["left_children"], np.int64)
    condition = np.asarray(tree["split_conditions"], np.float32)
    subsets = {}
    for node, start, size in zip(
        tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True
    ):
        subsets[node] = _but_categories(tree["categories"][start : start + size])
    trees.add_flat(
        left == -1,
        np.asarray(tree["split_indices"], np.int64),
        # value < threshold, for float32 values.
        np.nextafter(condition, np.float32(-np.inf)).astype(np.float64),
        np.asarray(tree["default_left"], np.int64) != 0,
        left,
        np.asarray(tree["right_children"], np.int64),
        condition[:, None],
        output=output,
        subsets=subsets,
    )


def _but_categories(categories: list[int]) -> Subset:
    """All values but those whose whole part is one of the categories; values below zero are no category."""
    bounds: list[float] = []
    for category in sorted(categories):
        low, high = (math.nextafter(each, -math.inf) for each in (category, category + 1))
        if bounds and bounds[-1] == low:
            bounds[-1] = high
        else:
            bounds += [low, high]
    return Subset(tuple(bounds), starts_left=True)
