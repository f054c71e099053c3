"""Which way a name is reached: roles, several models for one entity, long chains of joins."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from penstock.errors import InvalidRequestError
from penstock.manifest.load import load_manifest
from penstock.semantic import MetricRequest, compile_request
from penstock.semantic.listing import dimensions_for

# Sales have a buyer and a payer, who are both people; two tables tell where a person lives; a chain of six tables
# hangs on what was sold.
CHAIN = ("item", "shelf", "room", "floor", "house", "street")
TABLES = """
CREATE TABLE sales AS FROM (VALUES (1, 1, 2, 1, 10.0), (2, 2, 2, 2, 20.0), (3, 3, 1, NULL, 40.0), (4, NULL, 9, 1, 80.0))
  t(sale_id, buyer_id, payer_id, item_id, amount);
CREATE TABLE people AS FROM (VALUES (1, 'ann', 1), (2, 'bob', 2), (3, NULL, NULL)) t(person_id, name, town_id);
CREATE TABLE mail AS FROM (VALUES (1, 'ann@x', 2), (2, 'bob@x', 1)) t(person_id, name, town_id);
CREATE TABLE towns AS FROM (VALUES (1, 'Ulm'), (2, 'Bonn')) t(town_id, town);
""" + "".join(
    f"CREATE TABLE {name} AS FROM (VALUES (1, 1, '{name} 1'), (2, 2, '{name} 2')) t({name}_id, {after}_id, label);"
    for name, after in zip(CHAIN, (*CHAIN[1:], "end"), strict=True)
)


def _model(name: str, entities: dict[str, tuple[str, str]], *dimensions: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "node_relation": {"alias": name, "schema_name": "main", "relation_name": f"main.{name}"},
        "entities": [{"name": e, "type": kind, "expr": expr} for e, (kind, expr) in entities.items()],
        "dimensions": [{"name": d, "type": "categorical", "expr": None, "type_params": None} for d in dimensions],
        "measures": [],
        "description": None,
        **more,
    }


def _manifest(*, mail: bool) -> Any:
    people = {"buyer": ("primary", "person_id"), "payer": ("unique", "person_id"), "town": ("foreign", "town_id")}
    chain = [
        _model(name, {name: ("primary", f"{name}_id"), after: ("foreign", f"{after}_id")}, "label")
        for name, after in zip(CHAIN, (*CHAIN[1:], "end"), strict=True)
    ]
    sold = {
        "sale": ("primary", "sale_id"), "buyer": ("foreign", "buyer_id"), "payer": ("foreign", "payer_id"),
        "item": ("foreign", "item_id"),
    }  # fmt: skip
    models = [
        _model("sales", sold, measures=[{"name": "amount", "agg": "sum", "create_metric": True}]),
        _model("people", people, "name"),
        _model("towns", {"town": ("primary", "town_id")}, "town"),
        *chain,
    ]
    if mail:
        models.append(_model("mail", {"buyer": ("unique", "person_id"), "town": ("foreign", "town_id")}, "name"))
    return load_manifest({"semantic_models": models, "metrics": [], "project_configuration": {}})


CON = duckdb.connect()
CON.execute(TABLES)
PEOPLE, TWO_WAYS = _manifest(mail=False), _manifest(mail=True)


def rows(manifest: Any, *group_by: str, where: tuple[str, ...] = ()) -> list[Any]:
    sql = compile_request(manifest, MetricRequest(("amount",), group_by, where=where), "duckdb").sql
    return sorted(CON.execute(sql).fetchall(), key=str)


def refused(manifest: Any, name: str) -> str:
    with pytest.raises(InvalidRequestError) as error:
        compile_request(manifest, MetricRequest(("amount",), (name,)), "duckdb")
    return str(error.value)


def test_a_name_that_two_roles_have_is_refused_with_both() -> None:
    message = refused(PEOPLE, "name")
    assert "buyer__name or payer__name" in message
    assert "from sales" in message


def test_both_roles_at_once_are_two_joins_to_one_table() -> None:
    assert rows(PEOPLE, "buyer__name", "payer__name") == sorted(
        [("ann", "bob", 10.0), ("bob", "bob", 20.0), (None, "ann", 40.0), (None, None, 80.0)], key=str
    )
    where = ("{{ Dimension('buyer__town__town') }} = 'Ulm' AND {{ Dimension('town', ['payer', 'town']) }} = 'Bonn'",)
    assert rows(PEOPLE, where=where) == [(10.0,)]


def test_two_models_of_one_entity_are_refused_and_chosen_by_name() -> None:
    message = refused(TWO_WAYS, "buyer__name")
    assert "buyer__people__name or buyer__mail__name" in message
    assert rows(TWO_WAYS, "buyer__mail__name") == [("ann@x", 10.0), ("bob@x", 20.0), (None, 120.0)]
    assert rows(TWO_WAYS, "buyer__people__name") == [("ann", 10.0), ("bob", 20.0), (None, 120.0)]
    assert rows(TWO_WAYS, "payer__name") == [("ann", 40.0), ("bob", 30.0), (None, 80.0)]
    found = compile_request(TWO_WAYS, MetricRequest(("amount",), ("buyer__mail__name",)), "duckdb")
    assert found.columns == ("buyer__mail__name", "amount")


def test_two_models_in_the_middle_are_refused_and_chosen_by_name() -> None:
    message = refused(TWO_WAYS, "buyer__town__town")
    assert "buyer__people__town__towns__town or buyer__mail__town__towns__town" in message
    assert rows(TWO_WAYS, "buyer__mail__town__town") == [("Bonn", 10.0), ("Ulm", 20.0), (None, 120.0)]
    assert rows(TWO_WAYS, "buyer__people__town__towns__town") == [("Bonn", 20.0), ("Ulm", 10.0), (None, 120.0)]
    both = rows(TWO_WAYS, "buyer__mail__town__town", "buyer__people__town__town")
    assert both == sorted([("Bonn", "Ulm", 10.0), ("Ulm", "Bonn", 20.0), (None, None, 120.0)], key=str)
    where = ("{{ Dimension('buyer__mail__town__town') }} = 'Ulm'",)
    assert rows(TWO_WAYS, where=where) == [(20.0,)]


def test_what_is_listed_means_one_thing() -> None:
    names = {d.name for d in dimensions_for(TWO_WAYS, ("amount",))}
    assert "payer__name" in names
    assert not names & {"buyer__name", "buyer__town__town"}
    for name in names - {"metric_time"}:
        assert rows(TWO_WAYS, name)


def test_six_joins_in_a_row() -> None:
    end = "__".join((*CHAIN, "label"))
    assert rows(PEOPLE, end) == [("street 1", 90.0), ("street 2", 20.0), (None, 40.0)]
    assert rows(PEOPLE, "street__label") == rows(PEOPLE, end)
    found = compile_request(PEOPLE, MetricRequest(("amount",), (end,)), "duckdb")
    assert found.join_paths[-1] == "sales" + "".join(f" -{name}-> {name}" for name in CHAIN)
