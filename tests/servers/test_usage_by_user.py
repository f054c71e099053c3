"""What a server counts: by the user of each connection, and by the node in dbt's comment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.servers.client import Client
from penstock.servers.client import Server as Address

if TYPE_CHECKING:
    import pytest

    from places import Server

REGISTERED = """
import mlflow, pandas as pd
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression
from penstock.registry import mlflow_store
from penstock.registry.promote import promote
from penstock.registry.sync import sync

frame = pd.DataFrame({"a": [1.0, 2.0, 4.0, 8.0]})
store = mlflow_store.client()
store.create_registered_model("counted")
native = LinearRegression().fit(frame, frame.a)
with mlflow.start_run(experiment_id=mlflow_store.open_experiment("counted")):
    logged = mlflow.sklearn.log_model(
        native, name="model", signature=infer_signature(frame, native.predict(frame)),
        serialization_format="cloudpickle", pip_requirements=["mlflow"],
    )
store.create_model_version("counted", logged.model_uri)
promote(spark, "counted", 1, expected=None, reason="first")
checks = {"name": "counted_skip", "on_null": "error", "on_error": "skip"}
sync(spark, [checks], model="counted", declared_by="model.tests.counted", where="counted.yml")
"""
WRITTEN = "from penstock.engines.usage import ledger\nledger().write()\n"
SCORED = "spark.sql('SELECT ml.counted_skip(1D) FROM RANGE(4)').collect()"
COMMENT = '/* {"app": "dbt", "dbt_version": "1.12", "node_id": "model.penstock.numbers"} */'


def test_rows_are_counted_by_connected_user_and_node(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from pyhive import hive

    monkeypatch.setenv("PENSTOCK_HOME", server.place.environment["PENSTOCK_HOME"])
    jobs = Client(Address("127.0.0.1", server.port))
    jobs.run_python_model(REGISTERED, name="counted", file="counted.py", settings={})
    for user, comment, rows in (("ann", "", 5), ("bob", COMMENT, 3), ("ann", "", 2)):
        cursor = hive.connect("127.0.0.1", server.port, username=user).cursor()
        cursor.execute(f"{comment} SELECT SUM(ml.counted_skip(IF(id = 0, NULL, 1D))) FROM RANGE({rows})")
        cursor.fetchall()
    jobs.run_python_model(SCORED, name="scored", file="scored.py", settings={}, node="model.penstock.seen")
    jobs.run_python_model(WRITTEN, name="written", file="written.py", settings={})
    asked = server.session()
    asked.execute(
        "SELECT user, node, SUM(statements), SUM(rows), SUM(errors) FROM ml.usage WHERE function = 'counted_skip'"
        " GROUP BY ALL ORDER BY node"
    )
    ann, bob, (_, *seen) = asked.fetchall()
    assert ann == ("ann", "", 2, 7, 2)
    assert bob == ("bob", "model.penstock.numbers", 1, 3, 1)
    assert seen == ["model.penstock.seen", 1, 4, 0]
