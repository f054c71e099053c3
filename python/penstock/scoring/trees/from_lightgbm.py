"""LightGBM's models.

Its meaning of a test is that of `Tree::NumericalDecision` and `Tree::CategoricalDecision` in LightGBM's tree.h, after
`Predictor` has taken values of at most 1e-35 (as float32) for zero.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from penstock.scoring.trees.ensemble import Ensemble, NotATreeEnsemble, Subset, Trees

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# kZeroThreshold: the double of the float 1e-35.
ZERO = 1.0000000180025095e-35
BELOW_ZERO = math.nextafter(-ZERO, -math.inf)
CATEGORICAL, DEFAULT_LEFT, MISSING_ZERO, MISSING_NAN = 1, 2, 4, 8

# The link of each objective; those of a list of classes are read apart.
LINKS = {
    "regression": "identity",
    "regression_l1": "identity",
    "huber": "identity",
    "fair": "identity",
    "quantile": "identity",
    "mape": "identity",
    "lambdarank": "identity",
    "rank_xendcg": "identity",
    "poisson": "c_exp",
    "gamma": "c_exp",
    "tweedie": "c_exp",
    "cross_entropy": "c_sigmoid",
    "binary": "c_sigmoid",
    "multiclassova": "c_sigmoid",
    "multiclass": "c_softmax",
    "custom": "identity",
}


def read_lightgbm(model: Any) -> Ensemble:
    """A Booster, or an estimator of `lightgbm.sklearn`, up to its best iteration.

    Raises:
        NotATreeEnsemble: for linear trees, an objective without a known link, or another object of LightGBM's.
    """
    name = type(model).__name__
    if name == "Booster":
        return _read(model, both=False)
    if name in ("LGBMClassifier", "LGBMRegressor", "LGBMRanker"):
        if model.get_params().get("pred_early_stop"):
            raise NotATreeEnsemble("LightGBM's estimator stops early in prediction")
        # Only a classifier of two classes turns one probability into two; with an objective of the user's own it gives
        # plain sums.
        booster = model.booster_
        return _read(
            booster, both=name == "LGBMClassifier" and not callable(model.objective_) and model.n_classes_ <= 2
        )
    raise NotATreeEnsemble(f"lightgbm's {name} is not a Booster or one of its estimators")


def _read(booster: Any, *, both: bool) -> Ensemble:
    import numpy as np

    head, *blocks = booster.model_to_string().split("\nTree=")
    told = _told(head)
    n_outputs = int(told["num_tree_per_iteration"])
    objective, _, rest = told.get("objective", "custom").partition(" ")
    options = dict(each.partition(":")[::2] for each in rest.split())
    if objective not in LINKS or "sqrt" in options:
        raise NotATreeEnsemble(f"the link of LightGBM's objective {told['objective']!r} is not known")
    trees = Trees()
    for number, block in enumerate(blocks):
        _add(trees, _told(block.partition("\n\n")[0]), number % n_outputs)
    link = LINKS[objective]
    if both:
        if link != "c_sigmoid":
            raise NotATreeEnsemble(f"a classifier of two classes with LightGBM's objective {objective!r}")
        link = "c_sigmoid_both"
    return trees.ensemble(
        int(told["max_feature_idx"]) + 1,
        np.zeros(n_outputs, np.float64),
        len(blocks) // n_outputs if "average_output" in told else 1,
        link,
        link_scale=float(options.get("sigmoid", "1")),
    )


def _told(text: str) -> dict[str, str]:
    """The lines `name=value` of a part of a model's text."""
    return {name: value for name, _, value in (line.partition("=") for line in text.splitlines())}


def _add(trees: Trees, told: dict[str, str], output: int) -> None:
    import numpy as np

    def numbers(name: str, kind: Any) -> Array:
        return np.array(told[name].split(), np.float64 if kind is float else np.int64)

    if told.get("is_linear", "0") != "0":
        raise NotATreeEnsemble("LightGBM's trees are linear")
    leaves = numbers("leaf_value", float)[:, None]
    if len(leaves) == 1:
        none = np.zeros(0, np.int64)
        trees.add(none, none, none, none, none, leaves, output=output)
        return
    kind = numbers("decision_type", int)
    threshold = numbers("threshold", float)
    bitset = threshold
    # A threshold within the zeros stands above or below all of them, since they are all one value.
    threshold = np.where((threshold >= 0) & (threshold < ZERO), ZERO, threshold)
    threshold = np.where((threshold < 0) & (threshold >= -ZERO), BELOW_ZERO, threshold)
    default_left = (kind & DEFAULT_LEFT) != 0
    categorical = (kind & CATEGORICAL) != 0
    missing_zero = (kind & (MISSING_ZERO | MISSING_NAN)) == MISSING_ZERO
    missing_nan = (kind & MISSING_NAN) != 0
    # Where nothing was missing in training, NaN is taken for zero; a category that is missing goes right.
    nan_left = np.where(missing_nan | missing_zero, default_left, threshold >= 0) & ~categorical
    subsets = {}
    if categorical.any():
        boundaries, words = numbers("cat_boundaries", int), numbers("cat_threshold", int)
        for node in np.flatnonzero(categorical):
            at = int(bitset[node])  # the number of its bitset stands in the place of its threshold
            subsets[int(node)] = _categories(words[boundaries[at] : boundaries[at + 1]])
    # Where zero is missing, it goes the default way, whatever side of the threshold it lies on.
    for node in np.flatnonzero(missing_zero & ~categorical & ((threshold >= 0) != default_left)):
        subsets[int(node)] = _but_zero(float(threshold[node]))
    trees.add(
        numbers("split_feature", int),
        threshold,
        nan_left,
        numbers("left_child", int),
        numbers("right_child", int),
        leaves,
        output=output,
        subsets=subsets,
    )


def _categories(words: Array) -> Subset:
    """The values whose whole part is a category in the bitset: [c, c + 1), and (-1, 1) for category 0."""
    members = [32 * w + bit for w, word in enumerate(words.tolist()) for bit in range(32) if word >> bit & 1]
    bounds: list[float] = []
    for category in members:
        low = -1.0 if category == 0 else math.nextafter(category, -math.inf)
        high = math.nextafter(category + 1, -math.inf)
        if bounds and bounds[-1] == low:
            bounds[-1] = high
        else:
            bounds += [low, high]
    return Subset(tuple(bounds), starts_left=False)


def _but_zero(threshold: float) -> Subset:
    """value <= threshold, but for zero, which goes to the other side."""
    bounds = {BELOW_ZERO, ZERO} ^ {threshold}
    return Subset(tuple(sorted(bounds)), starts_left=True)
