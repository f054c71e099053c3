"""A table by the name that the project gives it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from penstock.errors import EnvironmentProblem, UnknownNameError
from penstock.project import Project

PROFILE = """
shops:
  target: embedded
  outputs:
    embedded:
      type: spark
      method: session
      host: NA
      schema: Shops
      server_side_parameters: {{spark.sql.warehouse.dir: "{warehouse}"}}
    cluster: {{type: spark, method: thrift, host: somewhere, schema: shops}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "dbt_project.yml").write_text("name: shops\nprofile: shops\n")
    (tmp_path / "profiles.yml").write_text(PROFILE.format(warehouse=tmp_path / "warehouse"))
    for number, place in enumerate(("shops.db/orders", "other.db/orders", "orders")):
        write_deltalake(tmp_path / "warehouse" / place, pa.table({"place": [number]}))
    write_deltalake(tmp_path / "warehouse" / "shops.db/orders", pa.table({"place": [9]}), mode="append")
    (tmp_path / "warehouse" / "shops.db" / "a_csv").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("orders", [0, 9]),
        ("Orders", [0, 9]),
        ("shops.orders", [0, 9]),
        ("OTHER.orders", [1]),
        ("default.orders", [2]),
        ("spark_catalog.other.orders", [1]),
    ],
)
def test_a_table_by_name(project: Path, name: str, places: list[int]) -> None:
    assert sorted(Project(project).read_training_set(name).to_arrow()["place"].to_pylist()) == places


def test_a_version_by_name(project: Path) -> None:
    assert Project(project).read_training_set("orders", 0).to_arrow()["place"].to_pylist() == [0]


@pytest.mark.parametrize("name", ["order", "a_csv", "shops.order"])
def test_no_such_table(project: Path, name: str) -> None:
    with pytest.raises(UnknownNameError, match=f"unknown Delta table '{name}'") as caught:
        Project(project).read_training_set(name)
    assert caught.value.near == ("orders",)
    assert "dbt build --select" in caught.value.fix
    assert "open_training_set" in caught.value.fix


def test_a_server_knows_its_tables(project: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="connects to a server") as caught:
        Project(project, "cluster").read_training_set("orders")
    assert "open_training_set takes its path" in caught.value.fix
