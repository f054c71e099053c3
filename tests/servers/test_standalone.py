"""The demo, built through a server on a Spark standalone cluster of two workers, equals the demo of one process."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import pytest
from standalone import cluster, python_without_penstock

from penstock.semantic import MetricRequest
from places import Place, Server, beeline, outside, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from penstock.project import Project

LOAD = """
from penstock.demo.load import load
from penstock.profile import load_target
from penstock.sessions import start_spark
from pathlib import Path
spark = start_spark(load_target(Path.cwd()).settings, [])
load(spark)
"""

# They tell when a row was loaded and which run made it, so they differ between two builds.
OF_ONE_BUILD = {"loaded_at", "run_id", "fingerprint"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, second_project: Path) -> Iterator[Server]:
    """The demo, loaded on the cluster and built through a server on the cluster by a dbt that cannot start Java."""
    folder = tmp_path_factory.mktemp("cluster")
    with cluster(folder) as master:
        python = python_without_penstock(folder / "python")
        place = Place(
            second_project,
            {
                **outside(),
                "PENSTOCK_HOME": str(folder / "home"),
                "PENSTOCK_SPARK_MASTER": master,
                "PENSTOCK_DRIVER_MEMORY": "2g",
                "PYSPARK_PYTHON": str(python),
            },
        )
        loaded = place.run(sys.executable, "-c", LOAD)
        assert loaded.returncode == 0, loaded.stderr
        with serving(place) as server:
            variables = {"PENSTOCK_SERVER_PORT": str(server.port), "JAVA_HOME": "/no/java", "PATH": "/usr/sbin"}
            # Without the data tests, which run on the other build: their statements are like those of models.
            nodes = ("--exclude", "resource_type:test", "resource_type:unit_test")
            built = place.with_variables(variables).dbt("build", "--target", "cluster", *nodes)
            assert built.returncode == 0, built.stdout
            yield server


def rows(server: Server, statement: str) -> list[tuple[Any, ...]]:
    cursor = server.session()
    cursor.execute(statement)
    return [tuple(row) for row in cursor.fetchall()]


def checksum(table: str, columns: list[str]) -> str:
    hashed = f"xxhash64({', '.join(columns)})"
    return f"SELECT count(*), bit_xor({hashed}), sum(CAST({hashed} AS DECIMAL(20,0))) FROM penstock.{table}"


def test_every_table_has_the_rows_of_the_embedded_build(served: Server, flights: Project) -> None:
    tables = sorted(t.name for t in flights.spark.catalog.listTables("penstock") if t.tableType == "MANAGED")
    assert {"fct_flights", "arrival_delay_training", "arrival_delay", "flight_predictions"} <= set(tables)
    assert {row[1] for row in rows(served, "SHOW TABLES IN penstock")} >= set(tables)
    differing = []
    for table in tables:
        columns = [c for c in flights.spark.table(f"penstock.{table}").columns if c not in OF_ONE_BUILD]
        embedded = tuple(flights.sql(checksum(table, columns)).to_pylist()[0].values())
        [there] = rows(served, checksum(table, columns))
        if there != embedded or not there[0]:
            small = f"SELECT {', '.join(columns)} FROM penstock.{table} LIMIT 3"  # to see how
            differing.append((table, there, embedded, rows(served, small), flights.sql(small).to_pylist()))
    assert not differing


def test_executors_are_other_processes_in_other_folders(served: Server) -> None:
    where = "reflect('java.lang.System', 'getProperty', 'user.dir')"
    # A scan of many files, so that both workers have a part.
    found = rows(served, f"SELECT {where}, count(*) FROM nycflights13.flights GROUP BY 1")
    folders = {re.search(r"/(worker[12])/applications/app-", row[0]).group(1) for row in found}  # type: ignore[union-attr]
    assert folders == {"worker1", "worker2"}


def test_an_analyst_calls_model_and_functions(served: Server) -> None:
    [[scored, lowest, highest]] = rows(
        served,
        "SELECT count(p), min(p), max(p) FROM (SELECT predict('arrival_delay', t.*) AS p"
        " FROM penstock.arrival_delay_training AS t)",
    )
    assert scored == 327_346
    assert 0 < lowest < highest < 1
    [[differing]] = rows(
        served,
        "SELECT count(*) FROM penstock.arrival_delay_training AS t JOIN penstock.flight_predictions AS p"
        " USING (flight_id) WHERE predict('arrival_delay', t.*) <> p.p_late",
    )
    assert differing == 0
    [[miles, local]] = rows(
        served,
        "SELECT penstock.great_circle_miles(40.64, -73.78, 33.94, -118.41),"
        " penstock.airport_local_time(TIMESTAMP '2013-07-01 12:00:00', 'America/New_York')",
    )
    assert miles == pytest.approx(2470, abs=10)
    assert "08:00" in str(local)


def test_a_model_tells_what_it_is(served: Server) -> None:
    told = "\n".join(row[0] for row in rows(served, "DESCRIBE FUNCTION EXTENDED ml.arrival_delay"))
    assert "Probability that a flight arrives more than 15 minutes late" in told
    assert re.search(r"carrier +STRING 'Two-letter code of the carrier\.'", told), told


def test_a_wrong_call_fails_before_a_row_is_read(served: Server) -> None:
    from pyhive.exc import OperationalError

    with pytest.raises(OperationalError) as caught:
        rows(served, "SELECT predict('arival_delay', t.*) FROM penstock.arrival_delay_training AS t")
    assert "unknown model 'arival_delay'" in str(caught.value)
    assert "did you mean: arrival_delay" in str(caught.value)


MEASURED = "SELECT carrier, MEASURE(on_time_rate) AS rate FROM penstock.flights_metrics GROUP BY carrier"


def test_a_measure_is_the_metric(served: Server, flights: Project) -> None:
    asked = flights.query(MetricRequest(metrics=("on_time_rate",), group_by=("carrier",)))
    expected = dict(zip(*(asked.column(c).to_pylist() for c in ("carrier", "on_time_rate")), strict=True))
    assert len(expected) == 16
    assert dict(rows(served, MEASURED)) == expected


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "SELECT round(avg(predict('arrival_delay', t.*)), 3) AS p FROM penstock.arrival_delay_training AS t",
            r"\| 0\.2\d+ +\|",
        ),
        (f"SELECT round(rate, 2) AS rate FROM ({MEASURED}) WHERE carrier = 'HA'", r"\| 0\.\d+ +\|"),
    ],
)
def test_beeline(served: Server, statement: str, expected: str) -> None:
    done = beeline(f"jdbc:hive2://127.0.0.1:{served.port}/penstock", statement)
    assert done.returncode == 0, done.stderr
    assert re.search(expected, done.stdout), done.stdout
