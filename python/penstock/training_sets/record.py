"""What a training set was made from, as the properties of its table: enough to make it again, and to tell what changed.

| property | value |
|---|---|
| `penstock.training_set.sql` | the statement, in which each input is read `VERSION AS OF` |
| `penstock.training_set.inputs` | JSON: each table that it reads, with its version; null where it has none |
| `penstock.training_set.spine` | JSON: the query of the spine at its version, its rows and its checksum |
| `penstock.training_set.definitions` | JSON: the hash of all definitions that are used, and of each |
| `penstock.training_set.session` | JSON: the settings of Spark that its answer depends on |
| `penstock.training_set.request` | JSON: the arguments of the macro |
| `penstock.training_set.version` | the version of Penstock that compiled it |
| `penstock.training_set.merged` | of a set that was refreshed, the version of its table that the refresh made |
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from penstock.semantic.resolve import inputs_of
from penstock.training_sets.features import ColumnFeature, parse_feature
from penstock.training_sets.labels import parse_label

if TYPE_CHECKING:
    from penstock.manifest.model import Metric, SemanticManifest
    from penstock.training_sets.request import TrainingSetRequest

_PREFIX = "penstock.training_set."
# The settings by which one statement means different things.
SETTINGS = ("spark.sql.ansi.enabled", "spark.sql.session.timeZone")
_NOT_IN_SQL = ("description", "label", "node_id", "private")


@dataclass(frozen=True)
class SpineRecord:
    """The spine of a training set: its rows as a query at their version, how many, and their checksum."""

    sql: str
    rows: int
    checksum: str


@dataclass(frozen=True)
class Record:
    """What a training set was made from.

    Args:
        sql: The statement, in which each input is read at its version.
        inputs: The tables that it reads, each with its Delta version; None of a view or a table of another format.
        spine: The rows that it began with.
        definitions: The hash of each definition that is used.
        session: The settings of Spark under which the statement ran.
        request: What was asked for, as the macro's arguments.
        penstock: The version of Penstock.
        merged: Of a set that was refreshed, the version of its own table that came of it.
    """

    sql: str
    inputs: Mapping[str, int | None]
    spine: SpineRecord
    definitions: Mapping[str, str]
    session: Mapping[str, str]
    request: Mapping[str, Any]
    penstock: str
    merged: int | None = None

    @property
    def definitions_hash(self) -> str:
        """One hash of all the definitions."""
        return _hash(dict(self.definitions))

    @property
    def sql_hash(self) -> str:
        """A hash of the statement."""
        return hashlib.sha256(self.sql.encode()).hexdigest()[:32]

    @property
    def unpinned(self) -> tuple[str, ...]:
        """The inputs that have no versions."""
        return tuple(name for name, version in self.inputs.items() if version is None)

    def properties(self) -> dict[str, str]:
        """The record as properties of a table."""
        found = {
            "sql": self.sql,
            "inputs": _json(dict(self.inputs)),
            "spine": _json(asdict(self.spine)),
            "definitions": _json({"hash": self.definitions_hash, "of": dict(self.definitions)}),
            "session": _json(dict(self.session)),
            "request": _json(dict(self.request)),
            "version": self.penstock,
            **({} if self.merged is None else {"merged": str(self.merged)}),
        }
        return {_PREFIX + name: value for name, value in found.items()}


def record_of(properties: Mapping[str, str]) -> Record | None:
    """The record among a table's properties; None where there is none."""
    found = {name.removeprefix(_PREFIX): v for name, v in properties.items() if name.startswith(_PREFIX)}
    if "sql" not in found:
        return None
    return Record(
        sql=found["sql"],
        inputs=json.loads(found["inputs"]),
        spine=SpineRecord(**json.loads(found["spine"])),
        definitions=json.loads(found["definitions"])["of"],
        session=json.loads(found["session"]),
        request=json.loads(found["request"]),
        penstock=found["version"],
        merged=int(found["merged"]) if "merged" in found else None,
    )


def definitions_used(manifest: SemanticManifest, request: TrainingSetRequest) -> dict[str, str]:
    """The hash of each definition that features and labels are made of: what changes their SQL changes one of them.

    Raises:
        UnknownNameError: when a feature names a metric or a semantic model that is not there.
        InvalidRequestError: when a text is no feature.
    """
    parsed = [*map(parse_feature, request.features), *map(parse_label, request.labels)]
    metrics = metrics_under(manifest, [f.metric for f in parsed if not isinstance(f, ColumnFeature)])
    read = [f.model for f in parsed if isinstance(f, ColumnFeature)]
    read += [metric.aggregation.semantic_model for metric in metrics if metric.aggregation]
    found = {f"metric {metric.name}": _hash(_plain(asdict(metric))) for metric in metrics}
    found |= {f"semantic model {name}": _hash(_plain(asdict(manifest.model(name)))) for name in read}
    return dict(sorted(found.items()))


def metrics_under(manifest: SemanticManifest, names: Iterable[str]) -> list[Metric]:
    """Metrics with all that they are made of, each once.

    Raises:
        UnknownNameError: when there is no metric of a name.
    """
    found: dict[str, Metric] = {}
    wanted = list(names)
    while wanted:
        metric = manifest.metric(wanted.pop())
        if metric.name not in found:
            found[metric.name] = metric
            wanted += inputs_of(metric)
    return list(found.values())


def _plain(value: Any) -> Any:
    """A definition without what people read of it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items() if key not in _NOT_IN_SQL}
    return [_plain(part) for part in value] if isinstance(value, (list, tuple)) else value


def _hash(value: Any) -> str:
    return hashlib.sha256(_json(value).encode()).hexdigest()[:32]


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str, separators=(",", ":"))
