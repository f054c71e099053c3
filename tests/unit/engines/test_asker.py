"""The dbt node that a statement tells of in dbt's comment."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.engines.asker import node_in


@pytest.mark.parametrize(
    ("statement", "node"),
    [
        ("SELECT 1", ""),
        ("", ""),
        ('/* {"app": "dbt", "node_id": "model.a.b"} */ CREATE TABLE t AS SELECT 1', "model.a.b"),
        ('SELECT 1 /* {"app": "dbt", "dbt_version": "1.12", "node_id": "test.a.b"} */', "test.a.b"),
        ('/* {"app": "dbt", "connection_name": "list_x"} */ SHOW SCHEMAS', ""),
        ('/* {"app": "other", "node_id": "model.a.b"} */ SELECT 1', ""),
        ('/* {broken} */ /* {"app": "dbt", "node_id": "model.a.b"} */ SELECT 1', "model.a.b"),
    ],
)
def test_the_node_of_a_statement(statement: str, node: str) -> None:
    assert node_in(statement) == node


@given(st.text(), st.text(), st.text())
def test_any_text_around_it(node: str, before: str, after: str) -> None:
    comment = f"/* {json.dumps({'app': 'dbt', 'node_id': node})} */"
    assert isinstance(node_in(before + comment + after), str)
    assert node_in(f"{comment} SELECT 1 /* {{x}} */") == node or "*/" in node
