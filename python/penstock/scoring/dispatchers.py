"""The UDF that runs a function's models inside Spark: one for each way in which functions ask."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlparse
from urllib.request import url2pathname

from penstock.scoring.contract import Loaded
from penstock.scoring.failures import ModelDoesNotLoad
from penstock.scoring.isolated.process import environment_of_engine, load_isolated
from penstock.scoring.live import Live, digest_of
from penstock.scoring.memory import Models
from penstock.scoring.score import Scoring, score
from penstock.scoring.usage import Asker, Figures, Use

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Call:
    """A call of the workers: what is the same for all rows.

    Attributes:
        scoring: What the function returns, and its policies.
        versions: The version that scores, or the two between which a first column chooses by 0 and 1, each as the text
            of `live.Live`.
        shadow: The version that scores beside; empty without one.
        inputs: The names of the columns that follow.
        params: Of those after them.
        model: Whose versions they are.
        asker: Who asks.
    """

    scoring: Scoring
    versions: tuple[str, ...]
    shadow: str
    inputs: tuple[str, ...]
    params: tuple[str, ...]
    model: str
    asker: Asker

    @classmethod
    def of(cls, told: Mapping[str, Any], kind: pa.DataType) -> Self:
        """From what `bodies` writes into the text of a call.

        Args:
            told: The JSON object.
            kind: The Arrow type of the result.
        """
        scoring = Scoring(
            told["function"],
            told["model"],
            tuple(told["parts"]),
            kind,
            **{key: told[key] for key in ("top", "on_null", "on_unknown", "on_error")},
            shadowed=bool(told["shadow"]),
            params=bool(told["params"]),
        )
        return cls(
            scoring,
            tuple(told["versions"]),
            told["shadow"],
            tuple(told["inputs"]),
            tuple(told["params"]),
            told["model"],
            Asker(told["user"], told["node"]),
        )

    def use(self, text: str) -> Use:
        """By what the rows are counted that a version scores.

        Args:
            text: The version, as the text of `live.Live`.
        """
        live = Live.parse(text)
        asker = self.asker
        return Use(self.model, live.version, self.scoring.function, live.engine, asker.user, asker.node)

    def arguments(self, columns: Sequence[pa.Array]) -> list[pa.Array]:
        """The arguments of `score`, without a copy of the columns."""
        import pyarrow as pa

        given = list(columns)
        rows = len(given[0])
        which = given.pop(0) if len(self.versions) > 1 else _zeros(rows)
        inputs, params = given[: len(self.inputs)], given[len(self.inputs) :]
        made = [pa.DictionaryArray.from_arrays(which, list(self.versions)), _struct(inputs, self.inputs)]
        if self.params:
            made.append(_struct(params, self.params))
        if self.shadow:
            made.append(pa.DictionaryArray.from_arrays(_zeros(rows), [self.shadow]))
        return made


def scoring_udf(call: Call, returns: Any, counted: Any) -> Any:
    """A PySpark UDF that scores as asked.

    Args:
        call: What the call asks.
        returns: The SQL type of the result, as PySpark's type object.
        counted: PySpark's accumulator of what is counted.
    """
    from pyspark.sql.functions import arrow_udf

    return arrow_udf(_body(call, counted), returns)


def _body(call: Call, counted: Any) -> Callable[..., Any]:
    def count(text: str, rows: int, errors: int, seconds: float) -> None:
        counted.add({call.use(text): Figures(0, rows, errors, seconds)})

    def scored(*columns: pa.Array) -> pa.Array:
        # Pickled by reference: the versions in memory are those of the worker process, not of one query.
        return score(call.scoring, in_memory(), *call.arguments(columns), count=count)

    import pyarrow as pa

    # PySpark reads the kind of a UDF from real type objects, so the annotations are resolved here.
    scored.__annotations__ = dict.fromkeys(("columns", "return"), pa.Array)
    return scored


def _zeros(rows: int) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    return pa.array(np.zeros(rows, np.int32))


def _struct(columns: Sequence[pa.Array], names: Sequence[str]) -> pa.StructArray:
    import pyarrow as pa

    return pa.StructArray.from_arrays(columns, list(names))


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
    return Models(lambda live: left_out_of_collection(load_live(live)))


def left_out_of_collection(loaded: Loaded) -> Loaded:
    """Keep what lives by now out of garbage collection: PySpark collects after each task, and would look through all
    that the libraries hold.
    """
    gc.unfreeze()
    gc.collect()  # of a version that has left
    gc.freeze()
    return loaded
