"""The report of a model of a project: what is read for it, and its page."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from penstock.engines import spark as spark_engine
from penstock.monitoring.gates.decide import GATES, newest_version, unseen_since
from penstock.monitoring.gates.ledger import ledger_of
from penstock.monitoring.record.tables import FEEDBACK, PREDICTIONS
from penstock.monitoring.report.belongs import Belonging, belonging_to, models_in
from penstock.monitoring.report.collected import Collected, Known, State, collect
from penstock.monitoring.report.engine import Engine
from penstock.registry.moves import moves_of
from penstock.registry.promote import CHAMPION
from penstock.scoring.functions import ALIASES, USAGE
from penstock.semantic.as_of import pinned

_AT_ONCE = 4  # queries: most of what each takes is its planning, by one core
_OF_LEDGER = (GATES, PREDICTIONS, FEEDBACK)

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlglot import exp

    from penstock.project import Project
    from penstock.steps import Doing


def collected(project: Project, model: str, *, doing: Doing, at: datetime | None = None) -> Collected:
    """All that a report shows of a model, each Delta table read in one version; Spark is started.

    Args:
        project: The project.
        model: The registered name.
        doing: Shows long steps.
        at: When the report is made; now, if not given.

    Raises:
        UnknownNameError: when the project declares nothing of the model and there is none of that name.
        PenstockError: when a declaration is wrong, or Spark refuses a query.
    """
    manifest = project.dbt_manifest
    belonging = belonging_to(manifest, model)
    spark = project.spark
    if model not in models_in(manifest):
        newest_version(model)  # which says what models there are
    moves = moves_of(spark, model, CHAMPION)
    ledger: list[dict[str, Any]] = []
    with doing("looking at versions", partial(spark_engine.how_far, spark)):
        names = _relations(belonging)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            states = dict(zip(names, pool.map(partial(_state, spark), names), strict=True))
    versions = {name.replace("`", ""): state.version for name, state in states.items()}
    # A first version follows none, so that it has no gain; and where nothing is logged, looking is to make no table.
    if belonging.gate is not None and len(moves) > 1 and all(states[table.name].built for table in _OF_LEDGER):
        with doing("the ledger", partial(spark_engine.how_far, spark)):
            sql = pinned(ledger_of(spark, belonging.gate), versions)
            ledger = spark_engine.run(spark, sql).to_pylist()
    run_id = moves[-1].version.run_id if moves else None
    known = Known(
        (at or datetime.now(UTC)).astimezone(_zone(spark.conf.get("spark.sql.session.timeZone"))),
        moves,
        ledger,
        project.gates.results(),
        unseen_since([run_id]),
        states,
    )

    def ask(query: exp.Query) -> pa.Table:
        return spark_engine.run(spark, pinned(query.sql("spark"), versions))

    def has(relation: str) -> bool:
        return states[relation].built if relation in states else spark.catalog.tableExists(relation)

    return collect(belonging, known, Engine(ask, has, "spark", _AT_ONCE), doing=partial(_with_stage, doing, spark))


def _zone(name: str) -> tzinfo:
    """The session's time zone, in which times are told; UTC where Spark calls it by an offset."""
    try:
        return ZoneInfo(name)
    except (ValueError, ZoneInfoNotFoundError):
        return UTC


def _with_stage(doing: Doing, spark: Any, step: str) -> Any:
    return doing(step, partial(spark_engine.how_far, spark))


def _relations(belonging: Belonging) -> list[str]:
    """All relations that are read or drawn, each once."""
    drifts = [name for each in belonging.drifts for name in (each.relation, each.tiles, each.baseline, each.edges)]
    scored = [belonging.scored.relation] if belonging.scored is not None else []
    drawn = [part.relation for part in belonging.lineage.parts]
    names = [*scored, *drifts, belonging.record, *(table.name for table in _OF_LEDGER), USAGE, ALIASES, *drawn]
    return [name for name in dict.fromkeys(names) if name]


def _state(spark: Any, relation: str) -> State:
    from pyspark.errors import AnalysisException

    if not spark.catalog.tableExists(relation):
        return State(relation, built=False)
    try:
        row = spark.sql(f"DESCRIBE HISTORY {relation} LIMIT 1").first()
    except AnalysisException:  # a view, or a table of another format
        return State(relation)
    return State(relation, int(row["version"]), row["timestamp"].astimezone(UTC))
