"""Training sets in YAML, and the tests that they get: what dbt knows of them before anything is built."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from places import make_place

sys.path.append(str(Path(__file__).parents[1] / "errors"))

from outcomes import Commands

SETS = Path(__file__).parent / "sets"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """A process for all commands; none of them starts Spark."""
    place = make_place(tmp_path_factory.mktemp("yaml"), SETS)
    commands = Commands(place, place.folder / "mark")
    yield commands
    commands.end()


def dbt(running: Commands, *words: str) -> tuple[int, str]:
    done = running.run("dbt", *words, "--no-use-colors")
    return done.code, " ".join(done.said.split())


@pytest.fixture
def declared() -> dict[str, object]:
    """The YAML of the set, to be changed; it is put back afterwards."""
    return yaml.safe_load((SETS / "models" / "training_in_yaml.yml").read_text())


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "spine",
            "vists",
            "unknown model 'vists' where: training_in_yaml, meta.penstock.training_set, spine did",
        ),
        ("spine", None, "spine is missing"),
        ("features", None, "features is missing"),
        ("features", ["shop.piecs to date"], "unknown metric 'piecs'"),
        ("entities", {"shp": "shop_id"}, "unknown entity 'shop'"),
    ],
)
def test_what_is_wrong_in_it_is_told_when_dbt_parses(
    running: Commands, declared: dict[str, object], key: str, value: object, message: str
) -> None:
    file = running.place.folder / "models" / "training_in_yaml.yml"
    before = file.read_text()
    try:
        request = declared["models"][0]["config"]["meta"]["penstock"]["training_set"]  # type: ignore[index]
        request.pop(key)
        request.update({} if value is None else {key: value})
        file.write_text(yaml.safe_dump(declared))
        code, text = dbt(running, "parse")
    finally:
        file.write_text(before)
    assert code != 0
    assert message in text


def test_lineage_and_tests_are_known_before_a_build(running: Commands) -> None:
    _, text = dbt(running, "ls", "--quiet", "--select", "+training_in_yaml", "--resource-type", "model")
    assert set(text.split()) == {f"penstock.{name}" for name in ("orders", "shops", "visits", "training_in_yaml")}
    _, text = dbt(running, "ls", "--quiet", "--resource-type", "test")
    wanted = {f"penstock.{name}_has_the_rows_of_its_spine" for name in ("training", "training_in_yaml")}
    assert set(text.split()) == wanted
    _, text = dbt(running, "ls", "--quiet", "--select", "training", "--resource-type", "test")
    assert text == "penstock.training_has_the_rows_of_its_spine"


def test_the_project_compiles_what_dbt_parsed(running: Commands) -> None:
    assert dbt(running, "parse")[0] == 0
    compiled = {name: running.run("training", "compile", name) for name in ("training", "training_in_yaml")}
    assert compiled["training"].code == 0, compiled["training"].said
    assert compiled["training"].said == compiled["training_in_yaml"].said
    assert "FROM penstock.visits AS _source" in compiled["training"].said
    # the types of a contract make a sum of integers exact and quick
    explained = json.loads(running.run("training", "explain", "training", "--json").said)
    assert list(explained[0]["features"][0]["shapes"]) == ["lifetimes"]
