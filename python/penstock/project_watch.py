"""How a project's models and tables are now: what is live, how it does, which alerts are open, how old tables are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from penstock.engines.row_counts import Rows, rows_of
from penstock.errors import UnknownNameError
from penstock.manifest.owners import owner_of
from penstock.monitoring.alerts.states import Alert
from penstock.monitoring.watched import Watched, label_counts, realised, watched_in, worst_features

if TYPE_CHECKING:
    from penstock.project import Project
    from penstock.steps import Doing

_KINDS = ("model", "seed", "snapshot")
_NO_TABLE = ("view", "ephemeral", "metric_view")
_COMMITS = 20  # looked through for the newest that wrote rows
_WROTE = ("numOutputRows", "numTargetRowsInserted")


@dataclass(frozen=True)
class TableNow:
    """A table of the flow.

    Attributes:
        name: The dbt node's.
        owner: Who owns it; empty where nobody is told.
        rows: How many it has, from what Delta knows of its files; None where it is not built, or no Delta table.
        written_at: When rows were written last.
    """

    name: str
    owner: str
    rows: Rows | None = None
    written_at: datetime | None = None


@dataclass(frozen=True)
class ModelNow:
    """A model.

    Attributes:
        watched: What of it is watched.
        owner: Who owns it; empty where nobody is told.
        version: What is live; None where nothing is.
        since: Since when.
        reason: Why it went live.
        drift: The features that are farthest from the baseline: `feature`, `js`, `p_adjusted`, `segment`, `value`.
        metrics: The metrics with their intervals: `metric`, `value`, `low`, `high`, `rows`.
        labels: How many predictions there are, `final` and `labelled`; None where no labels are watched.
        missing: What is watched and is not built.
    """

    watched: Watched
    owner: str
    version: int | None = None
    since: datetime | None = None
    reason: str = ""
    drift: list[Mapping[str, Any]] = field(default_factory=list)
    metrics: list[Mapping[str, Any]] = field(default_factory=list)
    labels: Mapping[str, Any] | None = None
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Page:
    """What `penstock watch` shows, as of `at`."""

    at: datetime
    models: list[ModelNow]
    alerts: list[Alert]
    tables: list[TableNow]


class Watch:
    """How a project's models and tables are.

    Args:
        project: The project.
        doing: Shows long steps.
    """

    def __init__(self, project: Project, doing: Doing) -> None:
        self._project = project
        self._doing = doing

    @cached_property
    def declared(self) -> Mapping[str, Watched]:
        """What is watched of each model: of those with `watch` or a gate.

        Raises:
            UnknownNameError: when a key, a metric or a model is not known.
            InvalidDefinitionError: when a declaration is wrong.
        """
        found = {}
        for node in self._nodes.values():
            where = node["original_file_path"]
            watched = watched_in(node["config"].get("meta"), node=node["name"], where=where)
            if watched is None:
                continue
            for name in filter(None, (watched.drift, watched.labels)):
                if name not in self._by_name:
                    raise UnknownNameError.of("model", name, self._by_name, where=f"{where}, watch")
            found[watched.model] = watched
        return found

    def page(self, model: str | None = None) -> Page:
        """How things are now; Spark is started.

        Args:
            model: The registered model; all that are watched when None.

        Raises:
            UnknownNameError: when it is not watched; or as for `declared`.
        """
        if model is not None and model not in self.declared:
            fix = "declare meta: {penstock: {watch: …}} at the node that trains it"
            raise UnknownNameError.of("watched model", model, self.declared, where="the nodes of the project", fix=fix)
        watched = list(self.declared.values()) if model is None else [self.declared[model]]
        flow = set(self._nodes) if model is None else self._flow(watched[0])
        names = {self._nodes[each]["name"] for each in flow}
        models = []
        for each in watched:
            with self._doing(f"looking at {each.model}"):
                models.append(self._model(each))
        with self._doing("looking at alerts"):
            alerts = [each for each in self._project.alerts.open() if model is None or each.model in names]
        return Page(datetime.now(UTC), models, alerts, list(self._tables(flow)))

    @cached_property
    def _nodes(self) -> dict[str, Mapping[str, Any]]:
        nodes = self._project.dbt_manifest["nodes"]
        return {id_: node for id_, node in nodes.items() if node["resource_type"] in _KINDS}

    @cached_property
    def _by_name(self) -> dict[str, str]:
        return {node["name"]: id_ for id_, node in self._nodes.items()}

    def _flow(self, watched: Watched) -> set[str]:
        """The nodes that a model, its drift and its labels are made from, and these."""
        found: set[str] = set()
        rest = [self._by_name[name] for name in (watched.node, watched.drift, watched.labels) if name]
        while rest:
            node = rest.pop()
            if node in self._nodes and node not in found:
                found.add(node)
                rest += (self._nodes[node].get("depends_on") or {}).get("nodes") or []  # a seed has none
        return found

    def _model(self, watched: Watched) -> ModelNow:
        from penstock.registry.moves import moves_of
        from penstock.registry.promote import CHAMPION

        spark = self._project.spark
        owner = str(owner_of(self._project.dbt_manifest, self._by_name[watched.node]) or "")
        drift, missing = self._relation(watched.drift)
        labels, missing_too = self._relation(watched.labels)
        missing = [*missing, *missing_too]
        worst = self._rows(worst_features(drift)) if drift else []
        moves = moves_of(spark, watched.model, CHAMPION)
        if not moves:
            return ModelNow(watched, owner, drift=worst, missing=missing)
        live = moves[-1]
        version = live.version.version
        counts, metrics = None, []
        if labels:
            [counts] = self._rows(label_counts(labels, watched.model, version))
            told = {row["metric"]: row for row in self._rows(realised(labels, watched, version))}
            metrics = [told[name] for name in watched.metrics if name in told]
        return ModelNow(watched, owner, version, live.at, live.reason, worst, metrics, counts, missing)

    def _relation(self, name: str) -> tuple[str | None, list[str]]:
        """The relation of a node, if it is built; else its name."""
        if not name:
            return None, []
        relation = str(self._nodes[self._by_name[name]]["relation_name"])
        return (relation, []) if self._project.spark.catalog.tableExists(relation) else (None, [name])

    def _rows(self, statement: str) -> list[Mapping[str, Any]]:
        return [row.asDict(recursive=True) for row in self._project.spark.sql(statement).collect()]

    def _tables(self, flow: Iterable[str]) -> Iterable[TableNow]:
        from pyspark.errors import AnalysisException

        spark: Any = self._project.spark
        for id_ in sorted(flow, key=lambda each: str(self._nodes[each]["name"])):
            node = self._nodes[id_]
            if node["config"].get("materialized") in _NO_TABLE:
                continue
            relation, owner = node["relation_name"], str(owner_of(self._project.dbt_manifest, id_) or "")
            with self._doing(f"looking at {node['name']}"):
                try:
                    history = spark.sql(f"DESCRIBE HISTORY {relation} LIMIT {_COMMITS}").collect()
                    rows = rows_of(spark.table(relation)._jdf.queryExecution().optimizedPlan())
                except AnalysisException:  # not built, or no Delta table
                    yield TableNow(node["name"], owner)
                    continue
            wrote = [each for each in history if any(name in (each["operationMetrics"] or {}) for name in _WROTE)]
            newest = (wrote or history)[0]
            yield TableNow(node["name"], owner, rows, newest["timestamp"].astimezone(UTC))
