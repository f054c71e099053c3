"""The UDF that runs a function's models inside Spark: one for each way in which functions ask."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse
from urllib.request import url2pathname

from penstock.scoring.contract import Loaded
from penstock.scoring.failures import ModelDoesNotLoad
from penstock.scoring.isolated.process import environment_of_engine, load_isolated
from penstock.scoring.live import Live, digest_of
from penstock.scoring.memory import Models
from penstock.scoring.score import Scoring, score

if TYPE_CHECKING:
    import pyarrow as pa


def scoring_udf(asked: Scoring, returns: Any) -> Any:
    """A PySpark UDF that scores as asked.

    Args:
        asked: What the function returns, and its policies.
        returns: The SQL type of the result, as PySpark's type object.
    """
    from pyspark.sql.functions import arrow_udf

    return arrow_udf(_body(asked), returns)


def _body(asked: Scoring) -> Callable[..., Any]:
    def scored(*columns: pa.Array) -> pa.Array:
        # Pickled by reference: the versions in memory are those of the worker process, not of one query.
        return score(asked, in_memory(), *columns)

    import pyarrow as pa

    # PySpark reads the kind of a UDF from real type objects, so the annotations are resolved here.
    scored.__annotations__ = dict.fromkeys(("columns", "return"), pa.Array)
    return scored


def load_live(live: Live) -> Loaded:
    """Load a version whose files are what they were when it was registered, with the engine that was chosen for it.

    Raises:
        ModelDoesNotLoad: when its files are missing, damaged or others.
    """
    fix = "register it anew from its training node, or let the alias point to another version"
    parsed = urlparse(live.source)
    folder = Path(url2pathname(parsed.path)) if parsed.scheme in ("", "file") else None
    if folder is None:
        import mlflow

        folder = Path(mlflow.artifacts.download_artifacts(live.source))
    if not folder.is_dir():
        raise ModelDoesNotLoad("the model does not load: its files are not there", where=live.source, fix=fix)
    if digest_of(folder) != live.digest:
        raise ModelDoesNotLoad(
            "the model does not load: its files are not those that were registered, their digest differs",
            where=live.source,
            fix=fix,
        )
    environment = environment_of_engine(live.engine)
    if environment is not None:
        return load_isolated(environment, folder)
    from penstock.scoring.faster import engine_of
    from penstock.scoring.flavours.load import load

    return engine_of(load(str(folder)), live.engine)


@cache
def in_memory() -> Models:
    """The versions that this process holds."""
    return Models(load_live)
