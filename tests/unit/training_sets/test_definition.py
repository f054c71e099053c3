"""A mapping, as a macro or YAML gives it, is the request that Python would write."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from dbt_common.exceptions import DbtRuntimeError
from worlds import manifest

from dbt_penstock import edges, requests
from penstock.errors import PenstockError, UnknownNameError
from penstock.training_sets import (
    Balance,
    Candidates,
    EntitySplit,
    HashSplit,
    Negatives,
    Sample,
    Spine,
    TimeSplit,
    TrainingSetRequest,
    compile_training_set,
    request_of,
)

ROWS: dict[str, Any] = {
    "spine": "labels",
    "at": "at",
    "entities": {"thing": "thing", "place": "place"},
    "features": ["thing.total to date"],
}
SHARES = {"train": 0.8, "test": 0.2}


@pytest.mark.parametrize(
    ("part", "given", "expected"),
    [
        ("split", {"by": "time", "test_from": "2020-01-01"}, TimeSplit("2020-01-01")),
        (
            "split",
            {"by": "time", "test_from": "2020-01-03", "validation_from": "2020-01-01", "gap": "1 day", "as": "part"},
            TimeSplit("2020-01-03", "2020-01-01", "1 day", "part"),
        ),
        ("split", {"by": "entity", "entity": "place", "shares": SHARES}, EntitySplit("place", SHARES)),
        (
            "split",
            {"by": "hash", "columns": ["a", "b"], "shares": SHARES, "seed": 7, "as": "part"},
            HashSplit(("a", "b"), SHARES, 7, "part"),
        ),
        ("sample", {"share": "0.1", "by": ["a"], "seed": 2}, Sample("0.1", ("a",), 2)),
        (
            "balance",
            {"label": "late", "by": ["a"], "ratio": 2, "splits": ["train"], "as": "weight"},
            Balance("late", ("a",), 0, 2, ("train",), "weight"),
        ),
        ("negatives", {"entity": "place", "per_row": 4, "label": "hit"}, Negatives("place", 4, "hit")),
        (
            "negatives",
            {"entity": "place", "per_row": 4, "label": "hit", "seed": 1, "candidates": "items"},
            Negatives("place", 4, "hit", 1, Candidates("items")),
        ),
        (
            "negatives",
            {
                "entity": "place", "per_row": 4, "label": "hit",
                "candidates": {"relation": "items", "column": "id", "since": "listed_at"},
            },
            Negatives("place", 4, "hit", 0, Candidates("items", "id", "listed_at")),
        ),
    ],
)  # fmt: skip
def test_parts(part: str, given: dict[str, Any], expected: Any) -> None:
    spine = Spine("labels", "at", {"thing": "thing", "place": "place"})
    plain = TrainingSetRequest(spine, ("thing.total to date",))
    others = dict.fromkeys(("split", "sample", "balance", "negatives"))
    request = request_of({**ROWS, **others, part: given}, {})
    assert request == TrainingSetRequest(**{**vars(plain), part: expected})


def test_all_of_a_request() -> None:
    types = {"labels": {"label_id": "int"}}
    request = request_of({**ROWS, "columns": ["label_id"], "inclusive": True}, types)
    spine = Spine("labels", "at", {"thing": "thing", "place": "place"}, ("label_id",))
    assert request == TrainingSetRequest(spine, ("thing.total to date",), inclusive=True, types=types)


def test_what_the_macro_passes_is_compiled() -> None:
    sample = {"share": 0.1, "by": ["label_id"]}
    passed = {"kind": "training_set", "columns": [], **ROWS, "split": None, "sample": sample}
    compiled = requests.compiled(passed, manifest(), {})
    assert compiled == compile_training_set(manifest(), request_of({**ROWS, "sample": sample}, {}), "spark")


def test_a_models_own_contract_is_not_that_of_its_spine() -> None:
    """While dbt parses, every ref is the model itself; the columns of its contract are those that come out."""
    relation = "`main`.`training`"
    columns = {name: {"name": name, "data_type": "string"} for name in ("id", "split", "city")}
    contracted = {"relation_name": relation, "contract": {"enforced": True}, "columns": columns}
    places: dict[str, Any] = {
        "name": "places",
        "node_relation": {"alias": "places", "relation_name": "places", "schema_name": "main"},
        "entities": [{"name": "place", "type": "primary", "expr": "place"}],
        "dimensions": [{"name": "city", "type": "categorical"}],
        "config": {"meta": {"penstock": {"known_at": "always"}}},
    }
    asked = {**ROWS, "kind": "training_set", "spine": relation, "features": ["place.places.city"]}
    asked["split"] = {"by": "hash", "columns": ["key"], "shares": SHARES}
    node = SimpleNamespace(
        unique_id="model.p.training",
        resource_type="model",
        original_file_path="models/training.sql",
        config=SimpleNamespace(meta={"penstock.1": asked}, materialized="view"),
        depends_on=SimpleNamespace(nodes=[]),
    )
    graph: dict[str, Any] = {"nodes": {node.unique_id: contracted}, "semantic_models": {"places": places}}
    parsed = SimpleNamespace(
        nodes={node.unique_id: node},
        sources={},
        functions={},
        metrics={},
        flat_graph=graph,
        build_flat_graph=lambda: None,
    )
    edges.add_edges(parsed)
    graph["nodes"] = {"model.p.spine": contracted}
    with pytest.raises(DbtRuntimeError, match="unknown column 'at'"):
        edges.add_edges(parsed)


@pytest.mark.parametrize(
    ("more", "where", "what", "near"),
    [
        ({"sampel": {}}, "", "unknown key 'sampel'", "sample"),
        ({"split": {"by": "time", "test_form": "2020-01-01"}}, ", split", "unknown key 'test_form'", "test_from"),
        ({"split": {"by": "time", "test_from": "2020-01-01", "name": "x"}}, ", split", "unknown key 'name'", "as"),
        ({"sample": {"share": 0.1, "by": ["a"], "sed": 1}}, ", sample", "unknown key 'sed'", "seed"),
        ({"balance": {"lable": "x", "by": ["a"]}}, ", balance", "unknown key 'lable'", "label"),
        ({"negatives": {"entitty": "x"}}, ", negatives", "unknown key 'entitty'", "entity"),
        (
            {"negatives": {"candidates": {"relatoin": "x"}}},
            ", negatives, candidates",
            "unknown key 'relatoin'",
            "relation",
        ),
    ],
)
def test_unknown_keys(more: dict[str, Any], where: str, what: str, near: str) -> None:
    with pytest.raises(UnknownNameError) as error:
        request_of({**ROWS, **more}, {})
    assert (error.value.what, error.value.where) == (what, f"penstock.training_set{where}")
    assert near in error.value.near


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"split": {"test_from": "2020-01-01"}}, "whose 'by' is one of time, entity, hash"),
        ({"split": {"by": "tim"}}, "whose 'by' is one of time, entity, hash"),
        ({"split": {"by": ["time"]}}, "whose 'by' is one of time, entity, hash"),
        ({"split": "time"}, "whose 'by' is one of time, entity, hash"),
        ({"split": {"by": "entity", "entity": "place"}}, "'shares' is missing"),
        ({"sample": 0.1}, "must be a mapping, not 0.1"),
        ({"sample": {"share": 0.1}}, "'by' is missing"),
        ({"balance": ["late"]}, "must be a mapping"),
        ({"negatives": 4}, "must be a mapping, not 4"),
        ({"negatives": {"entity": "place", "label": "hit"}}, "'per_row' is missing"),
        ({"negatives": {"candidates": {"column": "x"}}}, "'relation' is missing"),
        ({"features": "thing.total to date"}, "features must be a list of texts"),
        ({"columns": [1]}, "columns must be a list of texts"),
        ({"columns": 1}, "columns must be a list of texts"),
        ({"entities": ["thing"]}, "entities must be a mapping"),
        ({"inclusive": "yes"}, "inclusive must be true or false"),
        ({"at": None}, "'at' is missing"),
    ],
)
def test_mistakes(more: dict[str, Any], what: str) -> None:
    with pytest.raises(PenstockError) as error:
        request_of({**ROWS, **more}, {})
    assert what in error.value.what
    assert error.value.where.startswith("penstock.training_set")
