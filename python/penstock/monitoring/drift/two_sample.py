"""Whether two samples are of one distribution, by a classifier that tries to tell them apart.

Tests of one column at a time miss a change that no column shows by itself, such as another correlation. A classifier
that is better than chance on rows that it was not fitted to shows that there is one (Lopez-Paz and Oquab, "Revisiting
classifier two-sample tests", ICLR 2017, arXiv 1610.06545).

Each half of the rows is scored by a classifier fitted to the other. In either half the area under the ROC curve has
Mann and Whitney's distribution if nothing changed; but the two are far from independent, and rows pooled over folds
have up to twice the variance, so that their usual p-value is too small. The mean of the two z has a variance of 1 at
most, however they depend on each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal, get_args

from sqlglot import exp

from penstock.dialects import Dialect
from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.words import column, known_dialect, source
from penstock.training_sets.hashing import hash_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Numbers = np.ndarray[Any, Any]

Classifier = Literal["trees", "linear"]
MOST_ROWS = 20_000
"""How many rows a side may have: they come to this process."""
_LEAST_ROWS = 40
_LEVELS, _LEVEL_ROWS = 200, 5  # of a text, the most frequent ones, that have as many rows; the trees take 255


@dataclass(frozen=True)
class TwoSample:
    """What a classifier found.

    Attributes:
        auc: How often it gives a row of now the higher score than one of the reference: 0.5 where nothing tells them
            apart. The mean of both halves, each scored by what was fitted to the other.
        z: How many standard errors that is above 0.5, the mean of both halves.
        p: How likely it is, at most, if both samples are of one distribution.
        reference_rows: How many rows the reference has.
        current_rows: How many there are now.
    """

    auc: float
    z: float
    p: float
    reference_rows: int
    current_rows: int


def sampled(
    relation: str | exp.Query, key: Sequence[str], dialect: Dialect, *, rows: int = MOST_ROWS, seed: int = 0
) -> exp.Select:
    """A sample of rows by the hash of their key: the same rows each time, and in any order.

    Args:
        relation: A query, or the name of a table as the dialect writes it.
        key: The columns that tell rows apart, whole numbers or texts.
        dialect: Whose SQL it is.
        rows: How many, at most.
        seed: Which.

    Raises:
        UnknownNameError: The dialect is neither of the two.
        InvalidRequestError: It is no number of rows, or there is no key.
    """
    known_dialect(dialect)
    if not 1 <= rows <= MOST_ROWS or not key:
        what = f"{rows} rows" if key else "a sample without a key"
        raise InvalidRequestError(what, where="sampled", fix=f"a key, and from 1 to {MOST_ROWS:,} rows")
    number = hash_of([column(name) for name in key], "two samples", seed, dialect)
    return exp.select("*").from_(source(relation, dialect)).order_by(number).limit(rows)


def two_sample(
    reference: pd.DataFrame, current: pd.DataFrame, *, classifier: Classifier = "trees", seed: int = 0
) -> TwoSample:
    """The classifier two-sample test.

    Args:
        reference: The rows of then; columns are numbers, booleans, texts, or lists of numbers of one length.
        current: The rows of now, with the same columns.
        classifier: `trees`, boosted, which see all kinds of changes; or `linear`, a logistic regression on normal
            scores, which sees those of places, and needs fewer rows for them.
        seed: Of the halves.

    Raises:
        UnknownNameError: There is no such classifier, or a column is on one side only.
        InvalidRequestError: There are too few rows or too many, no column, or a column of another kind.

    Example:
        >>> import numpy as np, pandas as pd
        >>> draw = np.random.default_rng(0)
        >>> then, now = (pd.DataFrame({"x": draw.normal(mean, 1, 400)}) for mean in (0, 0.5))
        >>> two_sample(then, now, classifier="linear").p < 0.001
        True
    """
    import numpy as np
    import pandas as pd

    if classifier not in get_args(Classifier):
        raise UnknownNameError.of("classifier", classifier, get_args(Classifier))
    for side, frame in (("reference", reference), ("current", current)):
        if not _LEAST_ROWS <= len(frame) <= MOST_ROWS:
            fix = f"from {_LEAST_ROWS} to {MOST_ROWS:,} rows a side, such as `sampled` takes"
            raise InvalidRequestError(f"the {side} has {len(frame):,} rows", where=side, fix=fix)
    for name in {*map(str, reference.columns)} ^ {*map(str, current.columns)}:
        raise UnknownNameError.of("column", name, {*reference.columns} & {*current.columns}, where="one of the sides")
    rows = _inputs(pd.concat([reference, current[reference.columns]], ignore_index=True))
    is_now = np.repeat([False, True], [len(reference), len(current)])
    halves = _halves(is_now, np.random.default_rng(seed))
    found = []
    for half in halves:
        model = _model(classifier).fit(rows[~half], is_now[~half])
        found.append(_area(model.predict_proba(rows[half])[:, 1], is_now[half]))
    auc, z = (float(np.mean(each)) for each in zip(*found, strict=True))
    return TwoSample(auc, z, 1 - NormalDist().cdf(z), len(reference), len(current))


def _halves(is_now: Numbers, draw: Any) -> tuple[Numbers, Numbers]:
    """Which rows are in the one and in the other half; each side is in both."""
    import numpy as np

    half = np.zeros(len(is_now), dtype=bool)
    for side in (False, True):
        places = draw.permutation(np.flatnonzero(is_now == side))
        half[places[: len(places) // 2]] = True
    return half, ~half


def _area(score: Numbers, is_now: Numbers) -> tuple[float, float]:
    """The area under the curve, and how many standard errors it is above ½; equal scores count half."""
    import numpy as np
    import pandas as pd

    n, m = int((~is_now).sum()), int(is_now.sum())
    ranks = pd.Series(score).rank().to_numpy()
    auc = (float(ranks[is_now].sum()) - m * (m + 1) / 2) / (n * m)
    _, ties = np.unique(score, return_counts=True)
    total = n + m
    variance = (total + 1 - float((ties.astype(float) ** 3 - ties).sum()) / (total * (total - 1))) / (12 * n * m)
    return auc, (auc - 0.5) / np.sqrt(variance) if variance > 0 else 0.0


def _model(classifier: Classifier) -> Any:
    if classifier == "trees":
        from sklearn.ensemble import HistGradientBoostingClassifier

        return HistGradientBoostingClassifier(
            max_iter=60, max_leaf_nodes=15, early_stopping=False, random_state=0, categorical_features="from_dtype"
        )
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, QuantileTransformer

    columns = make_column_transformer(
        (
            QuantileTransformer(n_quantiles=_LEAST_ROWS // 2, output_distribution="normal"),
            make_column_selector(dtype_include="number"),
        ),
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_include="category")),
    )
    return make_pipeline(columns, LogisticRegression(max_iter=500))


def _inputs(rows: pd.DataFrame) -> pd.DataFrame:
    """Each column as numbers or categories, lists as many columns."""
    import numpy as np
    import pandas as pd

    taken: dict[str, Any] = {}
    for name, values in rows.items():
        if pd.api.types.is_bool_dtype(values) or pd.api.types.is_numeric_dtype(values):
            numbers = values.astype("float64").to_numpy(dtype=float, na_value=np.nan)
            taken[str(name)] = numbers
            continue
        known = values.dropna()
        if len(known) and all(isinstance(each, list | tuple | np.ndarray) for each in known):
            taken |= _places(str(name), values, known)
        elif all(isinstance(each, str | bool | np.bool_) for each in known):
            texts = values.map(str, na_action="ignore")
            # Chosen by what both sides have together, whatever the order of their rows: it must not tell them apart.
            counts = sorted(texts.value_counts().items(), key=lambda each: (-each[1], each[0]))
            kept = [level for level, count in counts[:_LEVELS] if count >= _LEVEL_ROWS]
            # Numbers of levels: 0 of no text, and -1 of all that are too rare to have one.
            codes = pd.Categorical(texts, categories=kept).codes.astype(int) + 1
            taken[str(name)] = pd.Categorical(np.where(texts.notna() & (codes == 0), -1, codes))
        else:
            raise InvalidRequestError(
                f"column '{name}' is neither numbers, booleans, texts nor lists of numbers",
                where="two_sample",
                fix="leave it out, or make a number of it: of a time, what passed since another",
            )
    if not taken:
        raise InvalidRequestError("there is no column", where="two_sample", fix="give one at least")
    finite = {name: _finite(values) for name, values in taken.items() if isinstance(values, np.ndarray)}
    return pd.DataFrame(taken | finite)


def _finite(values: Numbers) -> Numbers:
    """Missing numbers as one below all others, which a half may have none of; infinite ones as the greatest."""
    import numpy as np

    values = np.clip(values, -1e300, 1e300)
    known = values[~np.isnan(values)]
    below = known.min() - max(1.0, abs(known.min())) if len(known) else 0.0
    return np.where(np.isnan(values), below, values)


def _places(name: str, values: Any, known: Any) -> dict[str, Any]:
    """A column for each place of lists."""
    import numpy as np

    lengths = {len(each) for each in known}
    if len(lengths) > 1:
        raise InvalidRequestError(
            f"lists of column '{name}' are of {len(lengths)} lengths", where="two_sample", fix="leave the others out"
        )
    table = np.full((len(values), lengths.pop()), np.nan)
    table[values.notna().to_numpy()] = np.array([list(each) for each in known], dtype=float)
    return {f"{name}_{at}": table[:, at] for at in range(table.shape[1])}
