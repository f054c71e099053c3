"""What a training set was made from, in its table; and that it can be made again, whatever became of its inputs.

One small project (`sets`) is built, its inputs are changed in every way, and commands run as a user runs them: in one
process, and in another one where something must not depend on what the first one knows.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from places import SHORT_LIVED, Place, make_place

sys.path.append(str(Path(__file__).parents[1] / "errors"))

from outcomes import Commands, Outcome

HERE = Path(__file__).parent
Files = dict[str, bytes]


@dataclass
class Told:
    """How each command ended, by a name for what it is to show; and what lay in tables' folders at some moments."""

    place: Place
    running: Commands
    by_name: dict[str, Outcome] = field(default_factory=dict)
    files: dict[str, Files] = field(default_factory=dict)

    def json(self, name: str) -> list[dict[str, Any]]:
        found = self.by_name[name]
        assert found.code == 0, found.said
        return json.loads(found.said)

    def said(self, name: str, code: int) -> str:
        found = self.by_name[name]
        assert found.code == code, found.said
        return " ".join(found.said.split())


def sql_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def run_all(told: Told, commands: dict[str, tuple[str, ...]]) -> None:
    """Run commands in the process that runs, each one's name by what it is to show."""
    for name, command in commands.items():
        told.by_name[name] = told.running.run(*command)


def dbt(told: Told, *words: str) -> Outcome:
    return told.running.run("dbt", *words, "--no-use-colors")


def change_profile(place: Place, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    file = place.folder / "profiles.yml"
    profile = yaml.safe_load(file.read_text())
    profile["penstock"]["outputs"] = change(profile["penstock"]["outputs"])
    file.write_text(yaml.safe_dump(profile))


def with_seven_partitions(outputs: dict[str, Any]) -> dict[str, Any]:
    outputs["embedded"]["server_side_parameters"]["spark.sql.shuffle.partitions"] = "7"
    return outputs


def files_of(place: Place, *tables: str, schema: str = "penstock.db") -> Files:
    """All files of tables, logs too."""
    folder = Path(place.environment["PENSTOCK_HOME"]) / "warehouse" / schema
    found = [file for table in tables for file in (folder / table).rglob("*") if file.is_file()]
    return {str(file.relative_to(folder)): file.read_bytes() for file in found}


CHANGES = (
    "INSERT INTO {} SELECT * FROM {}",
    "UPDATE {} SET shop_id = 2 WHERE shop_id = 3",
    "DELETE FROM {} WHERE shop_id = 4",
    "OPTIMIZE {}",
)
# Of a table with a key, which stays one.
CHANGES_OF_KEYS = (
    "INSERT INTO {} SELECT shop_id + 100, city FROM {}",
    "UPDATE {} SET city = 'elsewhere' WHERE shop_id = 3",
    *CHANGES[2:],
)
REBUILD = ("training", "rebuild", "training", "--verify", "--json")
PIECES = "SELECT count(*) AS n, sum(pieces) AS pieces, sum(weight) AS weight FROM orders"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    place = make_place(tmp_path_factory.mktemp("sets"), HERE / "sets")
    place = place.with_variables(SHORT_LIVED)
    told = Told(place, process_of(place))
    told.by_name["build"] = dbt(told, "build")
    assert told.by_name["build"].code == 0, told.by_name["build"].said
    yield told
    told.running.end()


def process_of(place: Place) -> Commands:
    return Commands(place, place.folder / "mark")


@pytest.fixture(scope="module")
def changed(built: Told) -> Told:
    """The tables after each input has been appended to, updated, deleted from and optimized."""
    commands: dict[str, tuple[str, ...]] = {
        "properties": ("sql", "SHOW TBLPROPERTIES training", "--json"),
        "list": ("training", "list", "--json"),
        "explain": ("training", "explain", "training", "--versions", "--json"),
        "same rows": ("sql", "SELECT * FROM training EXCEPT ALL SELECT * FROM training_in_yaml", "--json"),
        "before": ("sql", PIECES, "--json"),
        "at once": REBUILD,
        "partitions": ("sql", "SET spark.sql.shuffle.partitions = 13"),
    }
    for table in ("orders", "shops", "visits"):
        changes = CHANGES_OF_KEYS if table == "shops" else CHANGES
        commands |= {f"{table} {i}": ("sql", change.format(table, table)) for i, change in enumerate(changes)}
    commands |= {
        "after": REBUILD,
        "partitions as before": ("sql", "SET spark.sql.shuffle.partitions = 4"),
        "into": ("training", "rebuild", "training", "--into", "training_again"),
        "into, missing": ("sql", "SELECT * FROM training EXCEPT ALL SELECT * FROM training_again", "--json"),
        "into, added": ("sql", "SELECT * FROM training_again EXCEPT ALL SELECT * FROM training", "--json"),
        "of a view": ("training", "rebuild", "training_of_view", "--verify"),
        "incremental": ("training", "rebuild", "training_added", "--verify"),
        "misspelt": ("training", "rebuild", "trainig", "--verify"),
    }
    run_all(built, commands)
    for name in commands:
        if re.fullmatch(r"\w+ \d", name):
            assert built.by_name[name].code == 0, built.by_name[name].said
    return built


@pytest.fixture(scope="module")
def experiment(changed: Told) -> Told:
    """A training set that is built on shallow clones in another schema, which are written to and dropped."""
    place = changed.place
    shutil.copytree(place.folder / "target", place.folder / "state")
    change_profile(place, lambda outputs: outputs | {"experiment": outputs["embedded"] | {"schema": "experiment"}})
    sources = ("orders", "shops", "visits")
    changed.files = {"before": files_of(place, *sources)}
    for name, words in {
        "clone": ("clone", "--state", "state", "--target", "experiment", "--select", *sources),
        "run on clones": ("run", "--target", "experiment", "--select", "training"),
    }.items():
        changed.by_name[name] = dbt(changed, *words)
    changed.files["cloned"] = {**files_of(place, *sources, schema="experiment.db")}
    commands: dict[str, tuple[str, ...]] = {
        "clone is written": ("sql", "UPDATE experiment.orders SET pieces = 0"),
        "on clones": ("sql", "SELECT count(*) AS n FROM experiment.training", "--json"),
        "made of clones": ("sql", "SHOW TBLPROPERTIES experiment.training", "--json"),
        "drop": ("sql", "DROP SCHEMA experiment CASCADE"),
        "sources": ("sql", "SELECT count(*) AS n, sum(pieces) AS pieces FROM penstock.orders", "--json"),
    }
    run_all(changed, commands)
    changed.files["after"] = files_of(place, *sources)
    assert dbt(changed, "parse").code == 0
    return changed


@pytest.fixture(scope="module")
def tampered(experiment: Told) -> Told:
    """Rebuilds of a table whose record says something else than what it was built by."""
    record = {row["key"]: row["value"] for row in experiment.json("properties")}
    sql = record["penstock.training_set.sql"]
    spine = json.loads(record["penstock.training_set.spine"])
    others = {
        "a row less": f"SELECT * FROM (\n{sql}\n) WHERE visit_id <> 3",
        "a row twice": f"SELECT * FROM (\n{sql}\n) UNION ALL SELECT * FROM (\n{sql}\n) WHERE visit_id = 3",
        "another double": re.sub(r"AS `last_weight`", "+ 1e-6 AS `last_weight`", sql),
        "last digits": re.sub(r"AS `last_weight`", "* (1 + 1e-15D) AS `last_weight`", sql),
        "another text": re.sub(r"AS `city`", "|| ' ' AS `city`", sql),
    }
    commands: dict[str, tuple[str, ...]] = {}
    for name, other in others.items():
        change = f"ALTER TABLE training_in_yaml SET TBLPROPERTIES ('penstock.training_set.sql' = '{sql_text(other)}')"
        commands |= {f"set {name}": ("sql", change), name: ("training", "rebuild", "training_in_yaml", "--verify")}
    wrong = json.dumps({**spine, "checksum": "0" * 32})
    change = f"ALTER TABLE training_in_yaml SET TBLPROPERTIES ('penstock.training_set.spine' = '{sql_text(wrong)}')"
    commands |= {"set spine": ("sql", change), "spine": ("training", "rebuild", "training_in_yaml", "--verify")}
    commands |= {
        "double a row": ("sql", "INSERT INTO training_in_yaml SELECT * FROM training WHERE visit_id = 3"),
        "written since": ("training", "rebuild", "training_in_yaml", "--verify"),
        # a key that is not unique fails the next build
        "double a shop": ("sql", "INSERT INTO shops SELECT * FROM shops WHERE shop_id = 5"),
    }
    run_all(experiment, commands)
    return experiment


@pytest.fixture(scope="module")
def rebuilt(tampered: Told) -> Told:
    """A build that fails, and a rebuild in a process of its own, with other partitions and other definitions."""
    place = tampered.place
    models = place.folder / "models" / "orders.yml"
    tampered.by_name["tests"] = dbt(tampered, "test")
    tampered.by_name["failing build"] = dbt(tampered, "run", "--select", "training")
    models.write_text(models.read_text().replace("agg: sum\n        expr: pieces", "agg: max\n        expr: pieces"))
    assert dbt(tampered, "parse").code == 0
    tampered.running.end()
    change_profile(place, with_seven_partitions)
    tampered.running = process_of(place)
    tampered.by_name["fresh"] = tampered.running.run(*REBUILD)
    return tampered


@pytest.fixture(scope="module")
def gone(rebuilt: Told) -> Told:
    """After penstock maintain, then after a VACUUM that knows nothing of records, then without the training sets."""
    sets = ("training", "training_in_yaml", "training_of_view", "training_again")
    commands: dict[str, tuple[str, ...]] = {
        "before maintain": ("sql", f"{PIECES} VERSION AS OF 1", "--json"),
        "dry run": ("maintain", "--dry-run"),
        "maintain": ("maintain", "--json"),
        "after maintain": ("sql", f"{PIECES} VERSION AS OF 1", "--json"),
        "rebuilt after maintain": REBUILD,
        "no check": ("sql", "SET spark.databricks.delta.retentionDurationCheck.enabled = false"),
        "age counts": ("sql", "SET spark.databricks.delta.vacuum.retentionWindowIgnore.enabled = false"),
        "vacuum": ("sql", "VACUUM orders RETAIN 0 HOURS"),
        "gone": REBUILD[:-1],
        **{f"drop {name}": ("sql", f"DROP TABLE {name}") for name in sets},
        "maintain for a model": ("maintain", "--json"),
        "drop an input": ("sql", "DROP TABLE orders"),
    }
    run_all(rebuilt, commands)
    return rebuilt


def test_a_build_runs_the_generated_tests(built: Told) -> None:
    said = built.said("build", 0)
    passed = re.findall(r"PASS (\w+_has_the_rows_of_its_spine)", said)
    # not of a filtered set, nor of one that is added to
    assert sorted(passed) == [f"{name}_has_the_rows_of_its_spine" for name in ("training", "training_in_yaml")]
    assert "training_of_view: penstock.visits_seen has no versions" in said


def test_the_table_says_what_it_was_made_from(changed: Told) -> None:
    found = {row["key"]: row["value"] for row in changed.json("properties")}
    assert found["team"] == "shops"
    assert json.loads(found["penstock.training_set.inputs"]) == dict.fromkeys(
        ("penstock.orders", "penstock.shops", "penstock.visits"), 0
    )
    sql = found["penstock.training_set.sql"]
    for table in ("orders", "shops", "visits"):
        assert re.findall(rf"penstock\.{table}\b(.{{15}})", sql) == [" VERSION AS OF "] * sql.count(f"penstock.{table}")
    spine = json.loads(found["penstock.training_set.spine"])
    assert spine["rows"] == 601
    used = json.loads(found["penstock.training_set.definitions"])["of"]
    metrics = ("order_count", "pieces", "pieces_an_order", "weight")
    assert sorted(used) == [*(f"metric {m}" for m in metrics), "semantic model orders", "semantic model shops"]
    assert json.loads(found["penstock.training_set.request"])["spine"] == "penstock.visits"


def test_yaml_asks_for_the_same_as_the_macro(changed: Told) -> None:
    assert changed.json("same rows") == []
    nodes = json.loads((changed.place.folder / "target" / "manifest.json").read_text())["nodes"]
    macro, yaml = (nodes[f"model.penstock.{name}"] for name in ("training", "training_in_yaml"))
    assert set(macro["depends_on"]["nodes"]) == set(yaml["depends_on"]["nodes"])
    assert "model.penstock.visits" in yaml["depends_on"]["nodes"]


def test_the_list_tells_what_is_built(changed: Told) -> None:
    found = {row["name"]: row for row in changed.json("list")}
    assert found.keys() == {"training", "training_in_yaml", "training_of_view", "training_added"}
    assert (found["training"]["rows"], found["training"]["version"]) == (601, 0)
    assert found["training_of_view"]["inputs"] == {"penstock.orders": 0, "penstock.visits_seen": None}
    assert found["training_added"]["inputs"] is None


def test_explain_tells_how_each_feature_is_computed(changed: Told) -> None:
    [told] = changed.json("explain")
    shapes = {feature["name"]: list(feature["shapes"]) for feature in told["features"]}
    assert shapes["shop__pieces__7d"] == ["lifetimes"]
    assert shapes["shop__weight__7d"] == ["rows"]
    assert {i["semantic_model"]: i["known"] for i in told["inputs"]} == {"orders": "at paid_at", "shops": "always"}
    assert told["versions"]["penstock.visits"] == 0


def test_a_rebuild_is_the_same_after_every_change_of_every_input(changed: Told) -> None:
    [first], [after] = changed.json("at once"), changed.json("after")
    assert first["checksum"] == after["checksum"] == after["rebuilt"]
    assert (after["rows"], after["version"], after["changed"], after["last_digits"]) == (601, 0, [], {})


def test_a_rebuild_into_a_table_has_its_rows(changed: Told) -> None:
    assert "training_again" in changed.said("into", 0)
    assert changed.json("into, missing") == changed.json("into, added") == []


def test_a_rebuild_is_the_same_in_a_fresh_process(rebuilt: Told) -> None:
    [first], [fresh] = rebuilt.json("at once"), rebuilt.json("fresh")
    assert fresh["checksum"] == fresh["rebuilt"] == first["checksum"]
    assert fresh["changed"] == ["metric pieces"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("of a view", "penstock.visits_seen has no versions"),
        ("incremental", "penstock.training_added does not say what it was made from"),
        ("misspelt", "unknown training set 'trainig' did you mean: training"),
        ("a row less", "its record makes other rows: 1 rows are on one side only"),
        ("a row twice", "its record makes other rows: 1 rows are on one side only"),
        ("another double", "values of last_weight differ"),
        ("another text", "rows are on one side only"),
        ("spine", "the spine is not what it was: 601 rows"),
        ("written since", "penstock.training_in_yaml has been written to since it was built"),
    ],
)
def test_what_is_not_the_same_is_told(tampered: Told, name: str, message: str) -> None:
    assert message in tampered.said(name, 1)


def test_doubles_that_were_added_in_another_order_are_the_same_set(tampered: Told) -> None:
    said = tampered.said("last digits", 0)
    assert re.search(r"\d+ values of last_weight differ in their last digits", said)
    checksums = re.findall(r"checksum (\w+)", said)
    assert len(set(checksums)) == 2


def test_the_generated_test_finds_a_row_too_many(rebuilt: Told) -> None:
    said = rebuilt.said("tests", 1)
    assert "PASS training_has_the_rows_of_its_spine" in said
    assert "FAIL 1 training_in_yaml_has_the_rows_of_its_spine" in said


def test_a_failed_build_leaves_the_former_version(rebuilt: Told) -> None:
    assert "shops has several rows of one shop" in rebuilt.said("failing build", 1)
    [fresh] = rebuilt.json("fresh")
    assert (fresh["version"], fresh["rows"]) == (0, 601)


def test_an_experiment_runs_on_clones_and_leaves_the_sources_as_they_were(experiment: Told) -> None:
    assert experiment.said("clone", 0)
    assert experiment.said("run on clones", 0)
    assert experiment.said("clone is written", 0)
    cloned = experiment.files["cloned"]
    assert {name.split("/")[0] for name in cloned} == {"orders", "shops", "visits"}
    assert not [name for name in cloned if name.endswith(".parquet") and "_delta_log" not in name], "data was copied"
    [rows] = experiment.json("on clones")
    assert rows["n"] > 601
    made = {row["key"]: row["value"] for row in experiment.json("made of clones")}
    assert set(json.loads(made["penstock.training_set.inputs"])) == {
        f"experiment.{table}" for table in ("orders", "shops", "visits")
    }
    assert experiment.said("drop", 0) == ""
    assert experiment.files["after"] == experiment.files["before"]
    assert experiment.json("sources")[0]["pieces"] > 0


def test_maintain_takes_what_is_old_but_not_what_a_set_was_made_from(gone: Told) -> None:
    [before] = gone.json("before maintain")
    assert before["n"] == 4000
    assert "VACUUM penstock.orders" in gone.said("dry run", 0)
    [done] = gone.json("maintain")
    assert done["table"] == "penstock.orders"
    assert [what.split()[0] for what in done["done"]] == ["ALTER", "OPTIMIZE", "VACUUM"]
    [kept] = done["kept"]
    assert kept.startswith("version 0 for ")
    assert "training set penstock.training," in kept
    assert gone.by_name["after maintain"].code == 1, "an old version that nobody has recorded is still there"
    [first], [after] = gone.json("at once"), gone.json("rebuilt after maintain")
    assert after["checksum"] == after["rebuilt"] == first["checksum"]


def test_a_version_that_vacuum_took_is_told(gone: Told) -> None:
    said = gone.said("gone", 1)
    assert re.search(r"version 0 of penstock.orders is gone: \d of its \d files are not there, VACUUM took them", said)
    assert "fix: dbt build --select training" in said


def test_a_run_says_what_its_set_was_made_from_and_maintain_heeds_it(gone: Told) -> None:
    folder = Path(gone.place.environment["PENSTOCK_HOME"]) / "mlflow"
    tags = dict(sqlite3.connect(folder / "mlflow.db").execute("SELECT key, value FROM tags").fetchall())
    record = {row["key"]: row["value"] for row in gone.json("properties")}
    assert {k: v for k, v in tags.items() if k.startswith("penstock.input.")} == {
        f"penstock.input.penstock.{table}": "0" for table in ("orders", "shops", "visits")
    }
    spine = json.loads(record["penstock.training_set.spine"])
    assert tags["penstock.training_set.spine_checksum"] == spine["checksum"]
    definitions = json.loads(record["penstock.training_set.definitions"])
    assert tags["penstock.training_set.definitions_hash"] == definitions["hash"]
    [logged] = folder.rglob("training_set.json")
    assert json.loads(logged.read_text())["penstock.training_set.sql"] == record["penstock.training_set.sql"]
    [done] = gone.json("maintain for a model")
    assert done["kept"] == ["version 0 for model guess version 1"]
