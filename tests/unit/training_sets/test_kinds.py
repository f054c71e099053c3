from __future__ import annotations

import pytest
import sqlglot

from penstock.training_sets import types_of_contracts
from penstock.training_sets.kinds import declared_types, is_narrow, kind_of

TYPES = {
    "n": "bigint",
    "i": "INT",
    "d": "decimal(10,2)",
    "x": "double",
    "f": "float",
    "s": "string",
    "v": "no such type",
}


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("n", "integer"),
        ("N", "integer"),
        ("t.i", "integer"),
        ("d", "decimal"),
        ("x", "double"),
        ("f", "double"),
        ("s", "other"),
        ("v", None),
        ("unheard_of", None),
        ("1", "integer"),
        ("1.5", "decimal"),
        ("1e3", "double"),
        ("-n", "integer"),
        ("(n + 1) * i", "integer"),
        ("n * 0.5", "decimal"),
        ("n * x", "double"),
        ("n / 2", None),
        ("n + unheard_of", None),
        ("coalesce(n, 0)", "integer"),
        ("coalesce(n, x)", "double"),
        ("nullif(n, 0)", "integer"),
        ("cast(x as bigint)", "integer"),
        ("cast(n as double)", "double"),
        ("CASE WHEN x > 1 THEN 1 ELSE 0 END", "integer"),
        ("CASE WHEN x > 1 THEN n END", "integer"),
        ("CASE WHEN x > 1 THEN n ELSE NULL END", "integer"),
        ("CASE WHEN n > 1 THEN 1 ELSE x END", "double"),
        ("CASE WHEN n > 1 THEN 1 ELSE some_function(n) END", None),
        ("some_function(n)", None),
        ("n > 1", None),
        ("NULL", None),
    ],
)
def test_kind(sql: str, kind: str | None) -> None:
    assert kind_of(sqlglot.parse_one(sql, read="spark"), TYPES) == kind


def test_relations_are_found_however_they_are_quoted() -> None:
    types = {'"Lake"."Main"."Events"': {"N": "bigint"}}
    assert declared_types(types, "`lake`.`main`.`events`") == {"n": "bigint"}
    assert declared_types(types, "main.events") is None


def test_only_enforced_contracts_say_types() -> None:
    columns = {"n": {"name": "n", "data_type": "bigint"}, "s": {"name": "s", "data_type": "string"}}
    enforced = {"relation_name": "`m`.`a`", "contract": {"enforced": True}, "columns": columns}
    nodes = {
        "model.p.a": enforced,
        "model.p.b": {**enforced, "relation_name": "`m`.`b`", "contract": {"enforced": False}},
        "model.p.c": {**enforced, "relation_name": "`m`.`c`", "columns": {"n": {"name": "n"}}},
        "test.p.d": {**enforced, "relation_name": None},
    }
    assert types_of_contracts({"nodes": nodes}) == {"`m`.`a`": {"n": "bigint", "s": "string"}}


@pytest.mark.parametrize(
    ("sql", "narrow"),
    [
        ("i", True),
        ("-i * (i + 1)", True),
        ("CASE WHEN n > 0 THEN 1 ELSE 0 END", True),
        ("CASE WHEN n > 0 THEN i END", True),
        ("CAST(n AS SMALLINT)", True),
        ("2147483647", True),
        ("2147483648", False),
        ("n", False),
        ("i + n", False),
        ("COALESCE(i, n)", False),
        ("d", False),
        ("x", False),
        ("'1'", False),
        ("1.5", False),
        ("v", False),
        ("unheard_of", False),
        ("NULL", False),
        ("i / 2", False),
    ],
)
def test_only_32_bits_are_narrow(sql: str, narrow: bool) -> None:
    types = declared_types({"t": TYPES}, "t")
    assert types is not None
    assert is_narrow(sqlglot.parse_one(sql), types) is narrow
