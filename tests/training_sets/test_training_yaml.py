"""Training sets in YAML, and the tests that they get: what dbt knows of them before anything is built."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from places import Place, make_place

SETS = Path(__file__).parent / "sets"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return make_place(tmp_path_factory.mktemp("yaml"), SETS)


def said(place: Place, *words: str) -> tuple[int, str]:
    done = place.dbt(*words, "--no-use-colors")
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.fixture
def declared(place: Place) -> dict[str, object]:
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
    place: Place, declared: dict[str, object], key: str, value: object, message: str
) -> None:
    file = place.folder / "models" / "training_in_yaml.yml"
    before = file.read_text()
    try:
        request = declared["models"][0]["config"]["meta"]["penstock"]["training_set"]  # type: ignore[index]
        request.pop(key)
        request.update({} if value is None else {key: value})
        file.write_text(yaml.safe_dump(declared))
        code, text = said(place, "parse")
    finally:
        file.write_text(before)
    assert code != 0
    assert message in text


def test_lineage_and_tests_are_known_before_a_build(place: Place) -> None:
    _, text = said(place, "ls", "--quiet", "--select", "+training_in_yaml", "--resource-type", "model")
    assert set(text.split()) == {f"penstock.{name}" for name in ("orders", "shops", "visits", "training_in_yaml")}
    _, text = said(place, "ls", "--quiet", "--resource-type", "test")
    wanted = {f"penstock.{name}_has_the_rows_of_its_spine" for name in ("training", "training_in_yaml")}
    assert set(text.split()) == wanted
    _, text = said(place, "ls", "--quiet", "--select", "training", "--resource-type", "test")
    assert text == "penstock.training_has_the_rows_of_its_spine"


def test_the_project_compiles_what_dbt_parsed(place: Place) -> None:
    assert said(place, "parse")[0] == 0
    compiled = {name: place.penstock("training", "compile", name) for name in ("training", "training_in_yaml")}
    assert compiled["training"].returncode == 0, compiled["training"].stderr
    assert compiled["training"].stdout == compiled["training_in_yaml"].stdout
    assert "FROM penstock.visits AS _source" in compiled["training"].stdout
    # the types of a contract make a sum of integers exact and quick
    explained = json.loads(place.penstock("training", "explain", "training", "--json").stdout)
    assert list(explained[0]["features"][0]["shapes"]) == ["lifetimes"]
