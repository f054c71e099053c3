"""Tails of distributions on DuckDB, against scipy."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from dbt_common.exceptions import CompilationError
from golden_drift import CHI2_EDGES, CHI2_TAILS, KOLMOGOROV_EDGES, NORMAL_EDGES, NORMAL_TAILS
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import special, stats
from sqlglot import parse_one

from dbt_penstock.jinja import functions
from penstock.errors import UnknownNameError
from penstock.monitoring.tails import TAILS, body, chi2_sf, ks_sf, norm_sf

CONNECTION = duckdb.connect()
ROOT = Path(__file__).parents[3]
SMALLEST = 1e-290  # below it a double soon loses its digits


@cache
def sql_of(name: str) -> str:
    return body(name, "duckdb")


def asked(name: str, **arguments: list[float] | list[int]) -> np.ndarray:
    CONNECTION.register("given", pa.table(arguments))
    return np.array(CONNECTION.execute(f"SELECT {sql_of(name)} AS p FROM given").fetchnumpy()["p"])


def asked_once(name: str, *arguments: str) -> float | None:
    values = ", ".join(f"CAST({value} AS {'BIGINT' if at else 'DOUBLE'})" for at, value in enumerate(arguments))
    rows = f"(VALUES ({values})) AS t ({', '.join(TAILS[name])})"
    [(value,)] = CONNECTION.execute(f"SELECT {sql_of(name)} FROM {rows}").fetchall()
    return value


def compare(got: np.ndarray, expected: np.ndarray, rtol: float) -> None:
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=SMALLEST)
    assert ((got >= 0) & (got <= 1)).all()


def test_golden_tails() -> None:
    for (x, df), expected in CHI2_TAILS.items():
        assert asked_once("chi2_sf", repr(x), str(df)) == pytest.approx(expected, rel=1e-11)
    for z, expected in NORMAL_TAILS.items():
        assert asked_once("norm_sf", repr(z)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("arguments", "expected"), CHI2_EDGES.items())
def test_chi2_where_there_is_nothing_to_compute(arguments: tuple[str, str], expected: float | None) -> None:
    assert asked_once("chi2_sf", *arguments) == expected


@pytest.mark.parametrize(("argument", "expected"), NORMAL_EDGES.items())
def test_normal_where_there_is_nothing_to_compute(argument: str, expected: float | None) -> None:
    got = asked_once("norm_sf", argument)
    assert got == (expected if expected is None else pytest.approx(expected, abs=1e-15))


@pytest.mark.parametrize(("argument", "expected"), KOLMOGOROV_EDGES.items())
def test_kolmogorov_where_there_is_nothing_to_compute(argument: str, expected: float | None) -> None:
    assert asked_once("ks_sf", argument) == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(1e-9, 1e4), st.integers(1, 1_000)), min_size=1, max_size=50))
@example([(1.0, df) for df in range(1, 60)])
@example([(x * x, 1) for x in (3.999999, 4.0, 4.000001, 30.0)])
def test_chi2(asked_for: list[tuple[float, int]]) -> None:
    x, df = [x for x, _ in asked_for], [df for _, df in asked_for]
    compare(asked("chi2_sf", x=x, df=df), stats.chi2.sf(x, df), 1e-11)


def test_chi2_of_many_degrees_of_freedom() -> None:
    df = [10_000, 99_999, 250_000]
    x = [n + 3 * math.sqrt(2 * n) for n in df]
    compare(asked("chi2_sf", x=x, df=df), stats.chi2.sf(x, df), 1e-9)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-40, 40), min_size=1, max_size=50))
@example([-4.0, 3.999999, 4.0, 4.000001, 7.07, 36.0])
def test_normal(z: list[float]) -> None:
    compare(asked("norm_sf", z=z), stats.norm.sf(z), 1e-12)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-1, 12), min_size=1, max_size=50))
@example([0.03999, 0.04, 1.1799999, 1.18, 1.1800001])
def test_kolmogorov(x: list[float]) -> None:
    compare(asked("ks_sf", x=x), special.kolmogorov(np.maximum(x, 0)), 1e-13)


def test_arguments_are_expressions() -> None:
    x, df = parse_one("a - 1e0"), parse_one("CAST(b AS BIGINT) - 1")
    p = [chi2_sf(x, df, "duckdb"), norm_sf(x, "duckdb"), ks_sf(x, "duckdb")]
    select = ", ".join(each.sql("duckdb") for each in p)
    [got] = CONNECTION.execute(f"SELECT {select} FROM (SELECT 2e0 AS a, 3 AS b)").fetchall()
    assert got == pytest.approx([stats.chi2.sf(1, 2), stats.norm.sf(1), special.kolmogorov(1)])


@pytest.mark.parametrize("name", TAILS)
def test_sql_functions_have_the_generated_bodies(name: str) -> None:
    assert (ROOT / "udfs" / f"{name}.sql").read_text() == f"{{{{ modules.penstock.tail('{name}') }}}}\n"
    assert functions()["tail"](name) == body(name, "spark")


def test_unknown_names() -> None:
    with pytest.raises(UnknownNameError, match="chi2_sf"):
        body("chi_sf")
    with pytest.raises(CompilationError, match="did you mean: chi2_sf"):
        functions()["tail"]("chi_sf")
    with pytest.raises(UnknownNameError, match="dialect 'postgres'"):
        body("ks_sf", "postgres")  # type: ignore[arg-type]
