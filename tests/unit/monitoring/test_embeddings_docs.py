"""The examples of docs/embeddings.md, and what its macros ask of the compiler, on DuckDB and without dbt."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from dbt_common.exceptions import CompilationError
from threadpoolctl import threadpool_limits

from dbt_penstock import jinja

PAGE = (Path(__file__).parents[3] / "docs" / "embeddings.md").read_text()


def test_the_python_of_the_page() -> None:
    names: dict[str, Any] = {}
    with threadpool_limits(1):  # more of them wait for each other where other tests run
        for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
            exec(block, names)
    con = duckdb.connect()
    con.execute("CREATE TABLE reviews (review_id INT, embedding DOUBLE[])")
    con.executemany("INSERT INTO reviews VALUES (?, ?)", list(enumerate(names["baseline"].tolist())))
    found = con.execute(names["places"].sql("duckdb")).df()
    assert found["embedding_1"].std() == pytest.approx(4, rel=0.1), "along the direction that varies most"
    assert np.allclose(found[["embedding_1", "embedding_2"]].mean(), 0, atol=1e-9), "0 is the middle of the baseline"
    assert len(con.execute(names["rows"].sql("duckdb")).fetchall()) == 1000


def test_what_the_macros_ask_for() -> None:
    functions, con = jinja.functions(), duckdb.connect()
    con.execute(f"CREATE TABLE directions AS {functions['projection'](3, 2, 5, 'duckdb')}")
    con.execute("CREATE TABLE reviews AS SELECT 7 AS id, [1.0, 0.0, 0.0] AS e")
    [(id_, first)] = con.execute(functions["projected"]("reviews", "e", "directions", 1, "duckdb")).fetchall()
    assert (id_, first) == (7, con.execute("SELECT weights[1] FROM directions WHERE component = 1").fetchall()[0][0])
    with pytest.raises(CompilationError, match="9 directions"):
        functions["projection"](3, 9, 5, "duckdb")
    assert "EXCEPT (`e`)" in functions["projected"]("reviews", "e", "directions", 1, "spark")
