"""A version of a model, registered for SQL: its files beside the tables, their digest, and what it takes and gives."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.registry import mlflow_store
from penstock.registry.environment import environment_for
from penstock.registry.model_files import store_files
from penstock.registry.requirements import Difference, differences
from penstock.scoring.contract import Description
from penstock.scoring.declared import ISOLATED, LOCAL
from penstock.scoring.failures import ModelDoesNotLoad
from penstock.scoring.faster import LINEAR, formula_of
from penstock.scoring.isolated.process import engine_of_environment, environment_of_engine, load_isolated
from penstock.scoring.linear.formula import Formula
from penstock.scoring.live import Held, Live, digest_of

_log = logging.getLogger(__name__)

REGISTRIES = "PENSTOCK_REGISTRIES"
_APART = "To score it with its own, declare environment: isolated in a function of it, or promote it with that"


@dataclass(frozen=True)
class Version:
    """A registered version.

    Attributes:
        model: The registered name.
        version: Its number.
        source: The folder of its files, as a URI.
        digest: Of its files.
        run_id: The run of MLflow that made it, if one is known.
        description: What it takes and gives.
        words: What a score means, for people.
        engine: What scores it: its library, what was proven equal to it and costs less, or an environment of its own.
        proof: The evidence for that, of each engine.
        used: The inputs that the engine reads, in order.
        formula: The linear formula, where that is what scores it.
        differences: What the session that registered it had not as it requires it, in words.
    """

    model: str
    version: int
    source: str
    digest: str
    run_id: str | None
    description: Description
    words: str
    engine: str
    proof: tuple[Mapping[str, Any], ...]
    used: tuple[str, ...]
    formula: Formula | None = None
    differences: tuple[str, ...] = ()

    @property
    def isolated(self) -> bool:
        """Whether it is scored in an environment of its own."""
        return environment_of_engine(self.engine) is not None

    def held(self, alias: str) -> Held:
        """The version as an alias of the model has it."""
        live = Live(alias, self.version, self.engine, self.digest, self.source)
        return Held(live, self.description, self.used, self.formula)


def registered(spark: Any, model: str, version: int, *, environment: str = LOCAL) -> Version:
    """Bring a version of MLflow's registry beside the tables, and describe it; nothing is live by that.

    What the version requires and this session has otherwise is logged as a warning.

    Args:
        spark: A session that can write to the lakehouse.
        model: The registered name.
        version: Its number.
        environment: `isolated` for an environment of its own, which is made now; `local` for this session's libraries.

    Raises:
        UnknownNameError: when there is no such model or version.
        InvalidRequestError: when the registry is not one that may be loaded from.
        PenstockError: when the files do not load, or SQL cannot call such a model.
    """
    import mlflow

    if environment not in (LOCAL, ISOLATED):
        raise UnknownNameError.of("environment", environment, (LOCAL, ISOLATED), where=f"model {model}")
    store = mlflow_store.client()
    _allowed(mlflow.get_registry_uri())
    try:
        found = store.get_model_version(model, str(version))
        logged = store.get_model_version_download_uri(model, str(version))
    except mlflow.exceptions.MlflowException:
        raise _unknown(store, model, version) from None
    with tempfile.TemporaryDirectory() as folder:
        local = Path(mlflow.artifacts.download_artifacts(logged, dst_path=folder if "://" in logged else None))
        differing = differences(local)
        if environment == ISOLATED:
            scored = _isolated(local)
        else:
            scored = _local(local, f"version {version} of model '{model}'", differing)
        digest = digest_of(local)
        words = mlflow_store.description_of(str(local))
        source = store_files(spark, model, version, local)
    return Version(
        model=model,
        version=version,
        source=source,
        digest=digest,
        run_id=found.run_id,
        words=words,
        differences=tuple(map(str, differing)),
        **scored,
    )


def _isolated(folder: Path) -> dict[str, Any]:
    environment = environment_for(folder)
    loaded = load_isolated(environment, folder)
    return {
        "description": loaded.description,
        "engine": engine_of_environment(environment),
        "proof": (),
        "used": loaded.used,
    }


def _local(folder: Path, who: str, differing: tuple[Difference, ...]) -> dict[str, Any]:
    from penstock.scoring.flavours.load import load
    from penstock.scoring.proof import choose

    told = "; ".join(map(str, differing))
    if differing:
        _log.warning("%s requires other libraries than this session has: %s. %s", who, told, _APART)
    try:
        loaded = load(str(folder))
    except ModelDoesNotLoad as error:
        if not differing:
            raise
        raise ModelDoesNotLoad(f"{error.what}; it requires {told}", where=error.where, fix=_APART) from error
    choice = choose(loaded)
    return {
        "description": loaded.description,
        "engine": choice.engine,
        "proof": tuple(choice.as_json()),
        "used": choice.used,
        "formula": formula_of(loaded) if choice.engine == LINEAR else None,
    }


def check_version(model: str, version: int) -> None:
    """Look a version up in MLflow's registry.

    Raises:
        UnknownNameError: when there is no such model or version.
    """
    import mlflow

    store = mlflow_store.client()
    try:
        store.get_model_version(model, str(version))
    except mlflow.exceptions.MlflowException:
        raise _unknown(store, model, version) from None


def version_of_alias(model: str, alias: str) -> int | None:
    """The version that MLflow's alias points to; None when there is none."""
    import mlflow

    try:
        return int(mlflow_store.client().get_model_version_by_alias(model, alias).version)
    except mlflow.exceptions.MlflowException:
        return None


def _allowed(registry: str) -> None:
    """A model is code that runs where the data is, so it comes only from registries that somebody has chosen."""
    chosen = [each.strip() for each in os.environ.get(REGISTRIES, "").split(",") if each.strip()]
    if chosen and registry not in chosen:
        raise InvalidRequestError(
            f"models are not loaded from the registry {registry}",
            where=REGISTRIES,
            near=chosen,
            fix=f"add it to {REGISTRIES}, if its models may run here",
        )


def _unknown(store: Any, model: str, version: int) -> UnknownNameError:
    names = [each.name for each in store.search_registered_models()]
    if model not in names:
        return UnknownNameError.of("model", model, names, where="MLflow's registry")
    versions = sorted(int(v.version) for v in store.search_model_versions(f"name = '{model}'"))
    return UnknownNameError(
        f"model '{model}' has no version {version}",
        where="MLflow's registry",
        near=[str(each) for each in versions[-5:]],
    )
