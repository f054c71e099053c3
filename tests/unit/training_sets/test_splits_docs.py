"""The example of docs/splits.md, run as it stands there, and its hash."""

from __future__ import annotations

import re
from typing import Any

import duckdb
from doc_pages import DOCS, create, shown, table
from examples import number

import penstock.training_sets
from penstock.manifest.model import Aggregation, Dimension, Entity, Metric, Relation, SemanticManifest, SemanticModel

PAGE = (DOCS / "splits.md").read_text()


def _manifest() -> SemanticManifest:
    visits = SemanticModel(
        "visits",
        Relation("visits", "visits", ""),
        entities=(
            Entity("visit", "primary", "id"),
            Entity("user", "foreign", "user"),
            Entity("shop", "foreign", "shop"),
        ),
        dimensions=(Dimension("at", "time", "at", grain="minute"),),
        time_dimension="at",
        meta={"penstock": {"delay": "0 seconds"}},
    )
    counted = Metric("visits", "simple", aggregation=Aggregation("visits", "sum", "1", "at"))
    return SemanticManifest(models={"visits": visits}, metrics={"visits": counted})


def test_the_example() -> None:
    connection = duckdb.connect()
    create(
        connection, "visits", table(PAGE, "| id | user | shop | at |"), {"id": "INT", "user": "TEXT", "shop": "TEXT"}
    )
    code = next(c for c in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if c.startswith("request_of("))
    request: Any = eval(code, vars(penstock.training_sets))
    compiled = penstock.training_sets.compile_training_set(_manifest(), request, "duckdb")
    found = shown(connection.execute(f"SELECT * FROM ({compiled.sql}) ORDER BY id, visited DESC"))
    assert found == table(PAGE, f"| {' | '.join(compiled.columns)} |")


def test_the_macro_call_is_a_request() -> None:
    (call,) = re.findall(r"penstock\.training_set\((.*?)\) }}", PAGE, re.DOTALL)
    given = eval(f"dict({call})", {"ref": lambda name: f"main.{name}"})
    request = penstock.training_sets.request_of(given, {})
    (negatives,) = re.findall(r"^negatives=(.*)$", PAGE, re.MULTILINE)
    both = penstock.training_sets.request_of({**given, "negatives": eval(negatives)}, {})
    assert (request.negatives, both.sample) == (None, request.sample)
    assert None not in (both.negatives, request.split, request.sample, request.balance)


def test_parts_of_the_hash_have_one_length() -> None:
    """As the page says, so that no two keys have one text."""
    assert number(["a", None], "sample", 1) == number_of_page("sample:1:0cc175b9c0f1b6a831c399e269772661-")


def number_of_page(text: str) -> int:
    # fetchall: an unfinished result would keep the process's own connection from whoever asks it next
    [(found,)] = duckdb.execute("SELECT CAST('0x' || substr(md5(?), 1, 15) AS BIGINT)", [text]).fetchall()
    return int(found)
