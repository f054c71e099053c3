"""Fitted OLS, WLS, GLS, GLM and Logit results of statsmodels as a formula."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from penstock.scoring.linear.columns import Column, Raw, formula
from penstock.scoring.linear.formula import Formula, Link, NotLinear

_IDENTITY = frozenset({"OLS", "WLS", "GLS"})
_LINKS: dict[str, Link] = {"Identity": "identity", "Log": "exp", "Logit": "logistic"}


def from_statsmodels(results: Any, inputs: Sequence[str] | None = None) -> Formula:
    """Read fitted results.

    Args:
        results: What `fit` gave, of a model made from arrays or frames; its column of ones is the intercept.
        inputs: The names of the model's inputs: with that of the column of ones, as statsmodels takes them, where it is
            an input like any other; or without it. Left out, those of the frame without it.

    Returns:
        The formula of `results.predict`, with classes 0 and 1 for a logit link.

    Raises:
        NotLinear: when the model was made from a formula text, or has another link, an offset or an exposure.
    """
    model: Any = getattr(results, "model", None)
    if not type(model).__module__.startswith("statsmodels."):
        raise NotLinear(f"{type(results).__name__} is no fitted result of statsmodels")
    if getattr(model, "formula", None) is not None:
        raise NotLinear("the model was made from a formula text, whose terms may transform inputs")
    name = type(model).__name__
    if getattr(model, "offset", None) is not None or getattr(model, "exposure", None) is not None:
        raise NotLinear("the model has an offset or an exposure for each row")
    if name in _IDENTITY:
        link: Link | None = "identity"
    else:
        link = (
            "logistic" if name == "Logit" else _LINKS.get(type(model.family.link).__name__) if name == "GLM" else None
        )
    if link is None:
        raise NotLinear(f"{name} is no linear model whose link a formula has")
    if inputs is None and not hasattr(model.data.orig_exog, "columns"):
        raise NotLinear("the model was made from arrays, without names of columns", fix="give `inputs`")
    weights = [float(each) for each in results.params]
    regressors = [str(each) for each in model.exog_names]
    whole = inputs is not None and len(inputs) == len(weights)
    constant = None if whole else model.data.const_idx
    intercept = 0.0
    if constant is not None:
        intercept = weights.pop(constant) * float(model.exog[0, constant])
        regressors.pop(constant)
    names = regressors if inputs is None else list(inputs)
    # As statsmodels' flavour has it: by name where both have the same, else by position.
    columns: list[Column] = [Raw(each) for each in (regressors if sorted(regressors) == sorted(names) else names)]
    return formula(names, columns, [weights], [intercept], link, [0, 1] if link == "logistic" else [])
