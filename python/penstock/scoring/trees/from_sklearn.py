"""scikit-learn's models.

Trees, forests and GradientBoosting round values to float32 and test value <= threshold in float64
(`sklearn/tree/_tree.pyx`); HistGradientBoosting tests float64 values, and categories by bitsets over the codes of an
encoder of its own (`sklearn/ensemble/_hist_gradient_boosting/_predictor.pyx`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from penstock.scoring.trees.ensemble import Ensemble, NotATreeEnsemble, Subset, Trees

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

TREES = ("DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor")
FORESTS = ("RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor")
BOOSTED = ("GradientBoostingClassifier", "GradientBoostingRegressor")
HISTOGRAM = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")

# The link of a loss of gradient boosting, by the name of its own link's class, and the scale that it applies.
REGRESSOR_LINKS = {"IdentityLink": ("identity", 1.0), "LogLink": ("numpy_exp", 1.0)}
CLASSIFIER_LINKS = {"LogitLink": ("numpy_sigmoid_both", 1.0), "HalfLogitLink": ("numpy_sigmoid_both", 2.0)}


def read_sklearn(model: Any) -> Ensemble:
    """A fitted tree, forest, GradientBoosting or HistGradientBoosting estimator.

    Raises:
        NotATreeEnsemble: for another estimator, several outputs, an initial estimator of the user's own, or categories
            that are not numbers.
    """
    name = type(model).__name__
    if name in TREES:
        return _of_trees(model, [model])
    if name in FORESTS:
        return _of_trees(model, model.estimators_)
    if name in BOOSTED:
        return _of_gradient_boosting(model)
    if name in HISTOGRAM:
        return _of_histogram(model)
    raise NotATreeEnsemble(f"scikit-learn's {name} is no tree, forest or gradient boosting")


def _add(trees: Trees, tree: Any, values: Array, output: int = 0) -> None:
    """Add one of scikit-learn's `Tree` objects with its leaves' values [nodes, width]."""
    # A leaf's children are -1; it tests nothing.
    trees.add_flat(
        tree.children_left == -1,
        tree.feature,
        tree.threshold,
        tree.missing_go_to_left != 0,
        tree.children_left,
        tree.children_right,
        values,
        output=output,
    )


def _of_trees(model: Any, estimators: list[Any]) -> Ensemble:
    import numpy as np

    if model.n_outputs_ != 1:
        raise NotATreeEnsemble("scikit-learn's model has several outputs")
    trees = Trees()
    for each in estimators:
        _add(trees, each.tree_, each.tree_.value[:, 0, :])
    width = trees.parts["leaves"][0].shape[1]
    return trees.ensemble(
        model.n_features_in_,
        np.zeros(width, np.float64),
        len(estimators),
        "identity",
        narrow=True,
        refuses_nan=not estimators[0].__sklearn_tags__().input_tags.allow_nan,
        refuses_infinity=tuple(range(model.n_features_in_)),
    )


def _of_gradient_boosting(model: Any) -> Ensemble:
    import numpy as np

    if type(model.init_).__name__ not in ("DummyClassifier", "DummyRegressor", "str"):
        raise NotATreeEnsemble(f"GradientBoosting starts from a {type(model.init_).__name__}")
    trees = Trees()
    for stage in model.estimators_:
        for output, each in enumerate(stage):
            # The library scales each leaf by the learning rate as it adds it.
            _add(trees, each.tree_, model.learning_rate * each.tree_.value[:, 0, :], output)
    # A dummy starts from the same sums for every row.
    base = model._raw_predict_init(np.zeros((1, model.n_features_in_), np.float32))[0]
    link, scale = _link(model, "numpy_softmax_rows")
    return trees.ensemble(
        model.n_features_in_,
        np.asarray(base, np.float64),
        1,
        link,
        link_scale=scale,
        narrow=True,
        refuses_nan=True,
        refuses_infinity=tuple(range(model.n_features_in_)),
    )


def _of_histogram(model: Any) -> Ensemble:
    import numpy as np

    features, categories = _columns_of_histogram(model)
    known, place = model._bin_mapper.make_known_categories_bitsets()
    trees = Trees()
    for stage in model._predictors:
        for output, each in enumerate(stage):
            nodes = each.nodes
            is_leaf = nodes["is_leaf"] != 0
            subsets = {}
            for node in np.flatnonzero(~is_leaf & (nodes["is_categorical"] != 0)):
                column = int(nodes["feature_idx"][node])
                subsets[int(node)] = _categories(
                    categories[column],
                    each.raw_left_cat_bitsets[nodes["bitset_idx"][node]],
                    known[place[column]],
                    missing_left=bool(nodes["missing_go_to_left"][node]),
                )
            trees.add_flat(
                is_leaf,
                features[nodes["feature_idx"]],
                nodes["num_threshold"],
                nodes["missing_go_to_left"] != 0,
                nodes["left"].astype(np.int64),
                nodes["right"].astype(np.int64),
                nodes["value"][:, None],
                output=output,
                subsets=subsets,
            )
    link, scale = _link(model, "numpy_softmax_classes")
    base = np.asarray(model._baseline_prediction, np.float64).ravel()
    # The encoder of the categories refuses infinities.
    encoded = tuple(int(each) for each in features[: len(categories)])
    return trees.ensemble(model.n_features_in_, base, 1, link, link_scale=scale, refuses_infinity=encoded)


def _link(model: Any, softmax: str) -> tuple[str, float]:
    own = type(model._loss.link).__name__
    if not hasattr(model, "classes_"):
        known = REGRESSOR_LINKS
    else:
        known = {**CLASSIFIER_LINKS, "MultinomialLogit": (softmax, 1.0)}
    if own not in known:
        raise NotATreeEnsemble(f"the link {own} of {type(model).__name__} is not known")
    return known[own]


def _columns_of_histogram(model: Any) -> tuple[Array, dict[int, Array]]:
    """The feature of each column that the trees see, and the categories of those that are categorical."""
    import numpy as np

    every = np.arange(model.n_features_in_)
    if model.is_categorical_ is None:
        return every, {}
    # The encoder puts categorical columns first.
    features = np.r_[every[model.is_categorical_], every[~model.is_categorical_]]
    categories = {}
    for column, found in enumerate(model._preprocessor.named_transformers_["encoder"].categories_):
        try:
            numbers = np.asarray(found, np.float64)
        except (TypeError, ValueError):
            raise NotATreeEnsemble("HistGradientBoosting's categories are not numbers") from None
        categories[column] = numbers[~np.isnan(numbers)]
    return features, categories


def _categories(categories: Array, left: Array, known: Array, *, missing_left: bool) -> Subset:
    """The values that go left: categories by the bitsets, any other value as if it were missing."""
    bounds: list[float] = []
    for code, category in enumerate(categories.tolist()):
        if missing_left != (_has(left, code) or (missing_left and not _has(known, code))):
            below = math.nextafter(category, -math.inf)
            if bounds and bounds[-1] == below:
                bounds[-1] = category
            else:
                bounds += [below, category]
    return Subset(tuple(bounds), starts_left=missing_left)


def _has(bitset: Array, code: int) -> bool:
    return bool(int(bitset[code // 32]) >> code % 32 & 1)
