"""The wheel in a fresh environment, and two projects of other people that install it.

`consumers/shops` writes its metrics in dbt's newer YAML and takes the dbt package from the wheel; its `dbt_project.yml`
and `packages.yml` are those printed in docs/package.md. `consumers/kiosk` is a Semantic Layer project in the older YAML
that adds the package, here the checkout, and nothing else. The rows expected of both are worked out by hand.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from places import SHORT_LIVED

ROOT = Path(__file__).parents[2]
CONSUMERS = Path(__file__).parent / "consumers"

# What may lead a child process back to this environment, its Spark or its state.
_OURS = ("PYTHON", "PYSPARK_", "SPARK_", "PENSTOCK_", "DBT_", "MLFLOW_", "VIRTUAL_ENV")


def run(*command: str | Path, at: Path, **environment: str) -> str:
    """Run a command to its end and give its output."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    done = subprocess.run(command, cwd=at, env=clean | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass(frozen=True)
class Built:
    """A consumer after `dbt build`."""

    folder: Path
    home: Path

    def artifact(self, name: str) -> dict[str, Any]:
        return json.loads((self.folder / "target" / name).read_text())

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """The rows of a table that was written once, read from its files; nothing of Penstock or Spark is asked."""
        found = pq.read_table(next(self.home.glob(f"warehouse/*/{table}")))
        return sorted((tuple(row.values()) for row in found.to_pylist()), key=repr)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # With this process's own environment: the build backend is one of its packages.
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(ROOT),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("penstock-*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel in it, and everything else as it is here."""
    venv = tmp_path_factory.mktemp("environment") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", venv, at=venv.parent)
    interpreter = venv / "bin" / "python"
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        interpreter,
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        wheel,
        at=venv.parent,
    )
    # Only now, or pip would find this very version installed already. Python does not read the .pth files of a folder
    # that it knows from a .pth file, so that an editable Penstock stays out of reach.
    site = Path(run(interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", at=venv).strip())
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return interpreter


@pytest.fixture(scope="module")
def build(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Built]:
    def build_consumer(name: str, package: str) -> Built:
        scratch = tmp_path_factory.mktemp(name)
        folder, home = scratch / "project", scratch / "home"
        shutil.copytree(CONSUMERS / name, folder)
        for file, text in printed_files().items():
            if not (folder / file).exists():
                (folder / file).write_text(text)
        profile = Path(package, "profiles.example.yml").read_text()
        (folder / "profiles.yml").write_text(re.sub(r"^penstock:", f"{name}:", profile, flags=re.M))
        environment = {
            "PENSTOCK_PACKAGE": package,
            "PENSTOCK_HOME": str(home),
            "PENSTOCK_DRIVER_MEMORY": "1g",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            **SHORT_LIVED,
        }
        for command in ("deps", "build"):
            run(python, "-m", "dbt.cli.main", command, "--no-use-colors", at=folder, **environment)
        return Built(folder, home)

    return build_consumer


def printed_files() -> dict[str, str]:
    """The files that docs/package.md prints, by the name in their first line."""
    page = (ROOT / "docs" / "package.md").read_text()
    return dict(re.findall(r"^```yaml\n# (\S+)\n(.*?)^```$", page, re.M | re.S))


@pytest.fixture(scope="module")
def package(python: Path) -> str:
    """What `penstock package-path` prints in the new environment."""
    return run(python.with_name("penstock"), "package-path", at=python.parent).strip()


@pytest.fixture(scope="module")
def shops(build: Callable[[str, str], Built], package: str) -> Built:
    return build("shops", package)


@pytest.fixture(scope="module")
def kiosk(build: Callable[[str, str], Built]) -> Built:
    return build("kiosk", str(ROOT))


def test_the_wheel_has_the_python_and_the_dbt_package_without_the_demo(wheel: Path) -> None:
    found = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    kinds = ("*.py", "*.java", "*.html.jinja", "*.css", "*.js")
    ours = [path for kind in kinds for path in (ROOT / "python").rglob(kind)]
    python = {str(path.relative_to(ROOT / "python")) for path in ours}
    wanted = [*(ROOT / "macros").rglob("*.sql"), *(ROOT / "tests/data/generic").glob("*.sql")]
    wanted += [ROOT / "dbt_project.yml", ROOT / "profiles.example.yml"]
    assert found == python | {f"penstock/_project/{path.relative_to(ROOT)}" for path in wanted}


def test_the_environment_has_the_wheel_and_not_the_checkout(python: Path, package: str) -> None:
    code = "import penstock, dbt_penstock; print(penstock.__file__); print(dbt_penstock.__file__)"
    found = run(python, "-c", code, at=python.parent).splitlines()
    assert all(Path(file).is_relative_to(python.parents[1]) for file in (*found, package))
    assert package == str(Path(found[0]).parent / "_project")


def test_metrics_on_other_data(shops: Built) -> None:
    assert shops.rows("revenue_by_city") == [
        ("Oslo", datetime(2026, 1, 1), Decimal("5.25"), 1, 5.25),
        ("Oslo", datetime(2026, 2, 1), Decimal("11.00"), 2, 5.5),
        ("Turin", datetime(2026, 1, 1), Decimal("30.50"), 2, 15.25),
        (None, datetime(2026, 2, 1), Decimal("1.00"), 1, 1.0),
    ]


def test_a_metric_view_on_other_data(shops: Built) -> None:
    assert shops.rows("measured") == sorted(
        [("Oslo", Decimal("16.25"), 16.25 / 3), ("Turin", Decimal("30.50"), 15.25), (None, Decimal("1.00"), 1.0)],
        key=repr,
    )
    needed = shops.artifact("manifest.json")["nodes"]["model.shops.order_metrics"]["depends_on"]["nodes"]
    assert {"model.shops.orders", "model.shops.shops", "metric.shops.average_order"} <= set(needed)


def test_a_training_set_on_other_data(shops: Built) -> None:
    assert shops.rows("visits_training") == [
        # order 2 isn't paid yet
        (1, Decimal("10.00"), 1, 1000, "Turin"),
        (2, Decimal("30.50"), 2, 2050, "Turin"),
        # order 1 is over a week old, order 2 exactly a week
        (3, Decimal("20.50"), 2, 2050, "Turin"),
        # order 5 of last week was never paid
        (4, None, 1, 525, "Oslo"),
        # a shop without orders
        (5, None, None, None, None),
    ]


def test_a_training_set_with_rows_that_did_not_happen(shops: Built) -> None:
    cities = {1: "Turin", 2: "Oslo", 3: "Oslo"}
    # the shop that was visited, the other shops, and those others that had sold something by then
    visits = {
        1: ("train", 1, (2, 3), (2,)),
        2: ("train", 1, (2, 3), (2,)),
        3: (None, 1, (2, 3), (2,)),
        4: ("test", 2, (1, 3), (1, 3, 9)),
        5: ("test", 7, (1, 2, 3), (1, 2, 3, 9)),
    }
    expected = []
    for visit, (part, visited, *others) in visits.items():
        for candidates, not_visited in zip(("shops", "later"), others, strict=True):
            came = [(visited, 1), *((shop, 0) for shop in not_visited)]
            expected += [(candidates, visit, shop, label, part, cities.get(shop)) for shop, label in came]
    assert shops.rows("visits_with_negatives") == sorted(expected, key=repr)


def test_a_model_is_trained_and_scores(shops: Built) -> None:
    # Two or three visits mean a purchase, in every example: one split of a tree says so.
    assert shops.rows("scores") == sorted(((i, float(i % 4 > 1)) for i in range(80)), key=repr)


def test_functions_and_comments_by_dispatch(shops: Built) -> None:
    assert shops.rows("greetings") == [(1, "TURIN!"), (2, "OSLO!"), (3, "OSLO!")]
    assert {row[-1] for row in shops.rows("orders")} == {1000, 2050, 525, 700, 400, 100}
    log = next(shops.home.glob("warehouse/*/orders/_delta_log"))
    # the table and all its comments: one version each
    assert len(list(log.glob("*.json"))) == 2


def test_an_older_semantic_layer_needs_the_package_alone(kiosk: Built) -> None:
    assert kiosk.rows("takings_by_kind") == [
        ("paper", 1.5, 0.0, 1.5, 0.0, 1),
        ("sweets", 10.0, 8.0, 2.0, 0.8, 2),
        (None, 1.5, 1.5, 0.5, 1.0, 1),
    ]
    assert kiosk.rows("takings_so_far") == [
        (datetime(2025, 12, 31), 3.0),
        (datetime(2026, 1, 1), 4.5),
        (datetime(2026, 1, 2), 14.5),
        (datetime(2026, 1, 3), 16.0),
        (datetime(2026, 1, 4), 16.0),
    ]


@pytest.mark.parametrize("consumer", ["shops", "kiosk"])
def test_a_consumer_builds_its_own_nodes_and_no_other(consumer: str, request: pytest.FixtureRequest) -> None:
    built: Built = request.getfixturevalue(consumer)
    results = built.artifact("run_results.json")["results"]
    assert {r["status"] for r in results} <= {"success", "pass"}
    assert {r["unique_id"].split(".")[1] for r in results} == {consumer}
    manifest = built.artifact("manifest.json")
    kinds = ("nodes", "sources", "metrics", "semantic_models", "functions", "unit_tests", "saved_queries", "exposures")
    assert {node.split(".")[1] for kind in kinds for node in manifest[kind]} == {consumer}


def test_requests_are_edges_of_the_consumers_graph(shops: Built) -> None:
    nodes = shops.artifact("manifest.json")["nodes"]
    metrics = {"metric.shops.revenue", "metric.shops.order_count", "metric.shops.average_order"}
    models = {"model.shops.orders", "model.shops.shops"}
    assert set(nodes["model.shops.revenue_by_city"]["depends_on"]["nodes"]) >= metrics | models
    assert "seed.shops.visits" in nodes["model.shops.visits_training"]["depends_on"]["nodes"]
    drawn_from = {"seed.shops.visits", "model.shops.shops", "model.shops.orders"}
    assert drawn_from <= set(nodes["model.shops.visits_with_negatives"]["depends_on"]["nodes"])


def test_the_package_comes_from_git_too(python: Path, tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout of git")
    folder = tmp_path / "kiosk"
    shutil.copytree(CONSUMERS / "kiosk", folder)
    commit = run("git", "rev-parse", "HEAD", at=ROOT).strip()
    (folder / "packages.yml").write_text(f"packages:\n  - git: {ROOT.as_uri()}\n    revision: {commit}\n")
    profile = (ROOT / "profiles.example.yml").read_text()
    (folder / "profiles.yml").write_text(re.sub(r"^penstock:", "kiosk:", profile, flags=re.M))
    for command in ("deps", "parse"):
        run(python, "-m", "dbt.cli.main", command, "--no-use-colors", at=folder, PENSTOCK_HOME=str(tmp_path / "home"))
    manifest = Built(folder, tmp_path / "home").artifact("manifest.json")
    assert "macro.penstock.metrics" in manifest["macros"]
    assert not [name for name in manifest["nodes"] if name.split(".")[1] == "penstock"]
