"""Results of statsmodels: linear, generalised and discrete models, from arrays or from formulas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidDefinitionError
from penstock.scoring.contract import Field
from penstock.scoring.flavours import columns, results
from penstock.scoring.flavours.logged import Logged, Scoring

if TYPE_CHECKING:
    import pyarrow as pa


def open_native(logged: Logged) -> Any:
    """The results of a fit."""
    import mlflow

    return mlflow.statsmodels.load_model(str(logged.folder))


def scoring(native: Any, logged: Logged) -> Scoring:
    """What `predict` gives of a frame: the mean or the probability, or one number a class for a model of several.

    Raises:
        InvalidDefinitionError: for a model of a time series, or inputs that are not the regressors of the fit.
    """
    from statsmodels.tsa.base.tsa_model import TimeSeriesModel

    if isinstance(native.model, TimeSeriesModel):
        raise InvalidDefinitionError(
            "a model of a time series predicts times after its own data, not rows",
            where=logged.source,
            fix="write its forecast to a table, and join that",
        )
    order = _order(native, logged)
    fields = _fields(logged)

    def predict(table: pa.Table, _: Mapping[str, Any]) -> Mapping[str, Any]:
        return results.by_field(native.predict(columns.frame(table.select(order))), fields)

    return Scoring(fields, predict, levels=_levels(native, logged))


def _levels(native: Any, logged: Logged) -> dict[str, Any]:
    """The levels of a formula's terms that are an input as it is, or `C(input)`."""
    factors = getattr(getattr(native.model.data, "model_spec", None), "factor_infos", {})
    terms = {factor.name(): info.categories for factor, info in factors.items() if info.type == "categorical"}
    return {name: terms[term] for name in logged.names for term in (name, f"C({name})") if term in terms}


def _order(native: Any, logged: Logged) -> list[str]:
    names = list(logged.names)
    # A formula finds its columns by name; statsmodels takes others by position.
    if hasattr(native.model, "formula"):
        return names
    regressors = [str(each) for each in native.model.exog_names]
    if sorted(regressors) == sorted(names):
        return regressors
    if len(regressors) != len(names):
        raise InvalidDefinitionError(
            f"the model was fitted on {', '.join(regressors)}; its signature has {', '.join(names)}",
            where=logged.source,
            fix="log it with a signature of the frame that it was fitted on, the constant included, or fit a formula",
        )
    return names


def _fields(logged: Logged) -> tuple[Field, ...]:
    return logged.outputs() if logged.declares_outputs else (Field("prediction", "DOUBLE"),)
