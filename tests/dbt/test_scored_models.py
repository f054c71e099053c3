"""A dbt model that scores incrementally, its quarantine and the test of its rate of errors, on a registered model."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.local_project import LocalProject

SCHEMA = "scored_models"
ROWS = 60
FUNCTIONS = """
  - name: doubled
    config:
      meta:
        penstock:
          functions:
            - {name: doubled_checked, returns: [prediction, version, error], on_error: skip}
"""
FILES = {
    "models/sources.yml": f"""
sources:
  - {{name: raw, schema: {SCHEMA}, tables: [{{name: to_score}}]}}
""",
    "models/doubled.sql": "select 'declares the functions of a model that was trained elsewhere' as note",
    "models/doubled.yml": "models:" + FUNCTIONS,
    "models/scores.sql": """
{{ config(materialized='incremental', incremental_strategy='merge', unique_key='id') }}
{{ penstock.scored(source('raw', 'to_score'), 'doubled_checked') }}
""",
    "models/scores.yml": """
models:
  - name: scores
    columns:
      - {name: id, data_tests: [unique, not_null]}
      - name: error
        data_tests:
          - error_rate: {name: rate, arguments: {max_rate: 0.1}}
          - error_rate: {name: rate_by_version, arguments: {max_rate: 0.1, group_by: [version]}}
""",
    "models/quarantined.sql": """
select r.*, s.error, s.version, s.scored_at
from {{ ref('scores') }} as s join {{ source('raw', 'to_score') }} as r using (id)
where s.error is not null
""",
}


def register(factor: float) -> int:
    """A version that gives `factor` times `a`, and that no row without `a` passes."""
    import mlflow
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn.linear_model import LinearRegression

    from penstock.registry import mlflow_store

    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [1.0, 0.0, 0.0]})
    native = LinearRegression().fit(frame, factor * frame.a)
    store = mlflow_store.client()
    with mlflow.start_run(experiment_id=mlflow_store.open_experiment("doubled")):
        signature = infer_signature(frame, native.predict(frame))
        logged = mlflow.sklearn.log_model(
            native, name="model", signature=signature, pip_requirements=["mlflow"], serialization_format="cloudpickle"
        )
    if not store.search_registered_models("name = 'doubled'"):
        store.create_registered_model("doubled")
    return int(store.create_model_version("doubled", logged.model_uri).version)


class Project(LocalProject):
    """The project, and what its builds left."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, FILES, SCHEMA)

    def history(self) -> list[Any]:
        return self.spark.sql(f"DESCRIBE HISTORY {SCHEMA}.scores").orderBy("version").collect()

    def scored_again(self) -> int:
        """Build, in one commit or none; how many rows that scored."""
        before = len(self.history())
        self.build("scores")
        new = self.history()[before:]
        assert [commit["operation"] for commit in new] in ([], ["MERGE"])
        return sum(int(commit["operationMetrics"]["numSourceRows"]) for commit in new)

    def stored(self) -> dict[int, tuple[Any, ...]]:
        rows = self.spark.sql(f"SELECT id, prediction, version, error, row_hash FROM {SCHEMA}.scores").collect()
        return {row["id"]: tuple(row) for row in rows}

    def whole(self) -> dict[int, tuple[Any, ...]]:
        """What a full run would store, by the same SQL as dbt compiles it for one."""
        code = FILES["models/scores.sql"]
        compiled = self.dbt("compile", "--full-refresh", "--inline", code).result.results[0].node.compiled_code
        rows = self.spark.sql(f"SELECT id, prediction, version, error, row_hash FROM ({compiled})").collect()
        return {row["id"]: tuple(row) for row in rows}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Version 1 is live, version 2 waits, and all rows are scored."""
    from penstock.registry.promote import promote

    project = Project(tmp_path_factory.mktemp("scored"))
    spark = project.spark
    spark.sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    spark.sql(
        f"CREATE OR REPLACE TABLE {SCHEMA}.to_score USING DELTA AS"
        f" SELECT id, IF(id % 20 = 0, NULL, CAST(id AS DOUBLE)) AS a, 1 AS b, 'note' AS other FROM range({ROWS})"
    )
    for factor in (2.0, 3.0):
        register(factor)
    promote(spark, "doubled", 1, expected=None, reason="first")
    project.build("doubled", "scores")
    return project


def test_the_first_run_scores_all_and_each_row_tells_what_it_was_made_of(project: Project) -> None:
    assert [commit["operation"] for commit in project.history()][-1].endswith("TABLE AS SELECT")
    spark = project.spark
    rows = {row["id"]: row for row in spark.table(f"{SCHEMA}.scores").collect()}
    assert len(rows) == ROWS
    assert rows[7]["prediction"] == pytest.approx(14.0)
    assert {(row["version"], row["scored_by"], row["source"], row["source_version"]) for row in rows.values()} == {
        (1, "doubled_checked", f"{SCHEMA}.to_score", 0)
    }
    failed = {key for key, row in rows.items() if row["error"] is not None}
    assert failed == {0, 20, 40}
    assert all(rows[key]["prediction"] is None for key in failed)


def test_random_changes_are_scored_and_nothing_else(project: Project) -> None:
    from penstock.registry.promote import live_version, promote

    spark, rng = project.spark, random.Random(1)
    assert project.scored_again() == 0, "nothing changed, and nothing is committed"
    for step in range(4):
        edited = ", ".join(map(str, rng.sample(range(ROWS), rng.randrange(1, 9))))
        change = rng.choice(["a = a + 1000", "a = NULL", "b = b + 1", "other = 'edited'"])
        spark.sql(f"UPDATE {SCHEMA}.to_score SET {change} WHERE id IN ({edited})")
        first = 1000 * (step + 1)
        spark.sql(f"INSERT INTO {SCHEMA}.to_score SELECT id, id / 2, 0, NULL FROM range({first}, {first + step})")
        moved = step == 2
        if moved:
            promote(spark, "doubled", 2, expected=live_version(spark, "doubled"), reason="better")
        wanted, held = project.whole(), project.stored()
        differing = sum(held.get(key) != row for key, row in wanted.items())
        assert moved or differing < 20
        assert project.scored_again() == differing
        assert project.stored() == wanted


def test_rows_that_the_table_no_longer_has_are_kept(project: Project) -> None:
    project.spark.sql(f"DELETE FROM {SCHEMA}.to_score WHERE id = 59")
    assert project.scored_again() == 0
    assert 59 in project.stored()


def test_another_declaration_scores_all_rows(project: Project) -> None:
    declared = project.folder / "models" / "doubled.yml"
    declared.write_text(declared.read_text().replace("on_error: skip", "on_error: skip, on_null: skip"))
    project.build("doubled")
    rows = project.spark.table(f"{SCHEMA}.to_score").count()
    assert project.scored_again() == rows
    declared.write_text(declared.read_text().replace(", on_null: skip", ""))
    project.build("doubled")
    assert project.scored_again() == rows


def test_rows_that_fail_are_quarantined_and_their_rate_is_tested(project: Project) -> None:
    spark = project.spark
    spark.sql(f"UPDATE {SCHEMA}.to_score SET a = IF(id IN (3, 4), NULL, 1)")
    project.build("scores", "quarantined")
    rows = spark.table(f"{SCHEMA}.quarantined").collect()
    assert {row["id"] for row in rows} == {3, 4}
    assert all(row["error"] and row["a"] is None and row["version"] == 2 for row in rows)
    assert project.dbt("test", "--select", "scores").success
    spark.sql(f"UPDATE {SCHEMA}.to_score SET a = NULL WHERE id < 30")
    project.build("scores")
    done = project.dbt("test", "--select", "scores")
    told = {result.node.name: (str(result.status), result.failures) for result in done.result.results}
    assert told["rate"] == ("fail", 30)
    assert told["rate_by_version"] == ("fail", 30)
    assert told["unique_scores_id"] == ("pass", 0)


def test_the_training_node_or_the_declaring_one_comes_first(project: Project) -> None:
    assert project.dbt("parse").success
    manifest = json.loads((project.folder / "target" / "manifest.json").read_text())
    needed = manifest["nodes"]["model.penstock.scores"]["depends_on"]["nodes"]
    assert set(needed) == {"source.penstock.raw.to_score", "model.penstock.doubled"}


def test_an_empty_build_compiles(project: Project) -> None:
    """`--empty` puts a subquery of no rows in the table's place, which has no versions."""
    before = project.stored()
    assert project.dbt("run", "--empty", "--select", "scores").success
    assert project.stored() == before


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("doubled_chekked", "unknown function 'doubled_chekked' where: penstock.scored did you mean: doubled_checked"),
        ("doubled", "unknown function 'doubled'"),
    ],
)
def test_a_wrong_function_is_told(project: Project, function: str, message: str) -> None:
    code = FILES["models/scores.sql"].replace("doubled_checked", function)
    done = project.dbt("compile", "--inline", code)
    assert not done.success
    told = " ".join(str(done.exception or done.result.results[0].message).split())
    assert message in told, told
