"""What a node's meta may say of where its rows are logged, and what a model of labels needs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from dbt_common.exceptions import DbtRuntimeError

from dbt_penstock import labels as model_of_labels
from dbt_penstock import logged
from penstock.errors import InvalidDefinitionError, InvalidRequestError
from penstock.monitoring.record.labels import Labels
from penstock.monitoring.record.logged import log_of


def meta(declared: object) -> dict[str, Any]:
    return {"penstock": {"log": declared}}


@pytest.mark.parametrize("table", ["predictions", "feedback", "features.arrivals"])
def test_a_table_of_the_record(table: str) -> None:
    assert log_of(meta(table), where="m.yml") == table


@pytest.mark.parametrize("of", [None, {}, {"penstock": None}, {"penstock": {"functions": []}}])
def test_nothing_is_declared(of: Any) -> None:
    assert log_of(of, where="m.yml") is None


@pytest.mark.parametrize("declared", ["prediction", "features", "features.", "features.a b", {"to": "feedback"}, 3])
def test_something_else_is_refused(declared: object) -> None:
    with pytest.raises(InvalidDefinitionError, match=r"fix: log: predictions, feedback, or features\.<feature set>"):
        log_of(meta(declared), where="m.yml")


def test_a_near_name_is_told() -> None:
    with pytest.raises(InvalidDefinitionError, match="did you mean: predictions"):
        log_of(meta("prediction"), where="m.yml")


def node(**other: Any) -> Any:
    usual = {"name": "m", "resource_type": "model", "is_ephemeral": False, "original_file_path": "models/m.sql"}
    return SimpleNamespace(config=SimpleNamespace(meta=meta("feedback")), **(usual | other))


def test_what_has_no_rows_is_not_logged() -> None:
    logged.check([node()])
    for other in ({"is_ephemeral": True}, {"resource_type": "test"}):
        with pytest.raises(DbtRuntimeError, match="m is none"):
            logged.check([node(**other)])


def test_labels_of_nothing_are_told() -> None:
    def run_query(sql: str) -> Any:
        return SimpleNamespace(rows=[])

    with pytest.raises(InvalidRequestError, match=r"nothing has been logged to ml\.predictions yet"):
        model_of_labels.labels(Labels("late", "1 day"), None, run_query)
