from __future__ import annotations

import pytest

from penstock.training_sets.history import last_build

BUILD = "CREATE OR REPLACE TABLE AS SELECT"


@pytest.mark.parametrize(
    ("operations", "built", "since"),
    [
        ([BUILD], 0, None),
        ([BUILD, "WRITE", BUILD], 2, None),
        ([BUILD, "CHANGE COLUMN", "SET TBLPROPERTIES", "OPTIMIZE", "VACUUM START", "VACUUM END"], 0, None),
        ([BUILD, "WRITE"], 0, "version 1, WRITE"),
        ([BUILD, "DELETE", "OPTIMIZE", "UPDATE"], 0, "version 1, DELETE"),
        ([BUILD, "RESTORE"], 0, "version 1, RESTORE"),
        (["CREATE TABLE AS SELECT", "REPLACE TABLE AS SELECT"], 1, None),
        (["CLONE", "MERGE"], 0, "version 1, MERGE"),
        (["CREATE TABLE", "WRITE"], None, "version 0, CREATE TABLE"),
    ],
)
def test_the_last_build_and_what_came_after(operations: list[str], built: int | None, since: str | None) -> None:
    assert last_build(reversed(list(enumerate(operations)))) == (built, since)
