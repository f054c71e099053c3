"""`--json`: every value of Spark's types as valid JSON, and errors as an object."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from click.testing import CliRunner

from penstock.cli import command_line
from penstock.cli.as_json import of_rows
from penstock.errors import InvalidRequestError

if TYPE_CHECKING:
    from pathlib import Path

UTC_STAMP = pa.timestamp("us", tz="UTC")
NOON = dt.datetime(2026, 1, 31, 12)

VALUES: list[tuple[str, pa.DataType, Any, Any]] = [
    ("null", pa.int32(), None, None),
    ("boolean", pa.bool_(), True, True),
    ("whole", pa.int64(), 2**63 - 1, 2**63 - 1),
    ("double", pa.float64(), 0.1, 0.1),
    ("nan", pa.float64(), float("nan"), "NaN"),
    ("infinity", pa.float64(), float("inf"), "Infinity"),
    ("minus infinity", pa.float32(), float("-inf"), "-Infinity"),
    ("decimal", pa.decimal128(38, 2), Decimal("390.00"), "390.00"),
    ("tiny decimal", pa.decimal128(38, 10), Decimal("0.0000000001"), "0.0000000001"),
    ("text", pa.string(), 'Zürich "x"\n', 'Zürich "x"\n'),
    ("date", pa.date32(), dt.date(2026, 1, 31), "2026-01-31"),
    ("timestamp", UTC_STAMP, NOON.replace(tzinfo=dt.UTC), "2026-01-31T12:00:00+00:00"),
    ("timestamp_ntz", pa.timestamp("us"), NOON.replace(microsecond=5), "2026-01-31T12:00:00.000005"),
    ("binary", pa.binary(), b"\x00\xff", "AP8="),
    ("interval", pa.duration("us"), dt.timedelta(days=1, microseconds=5), "PT86400.000005S"),
    ("array", pa.list_(pa.decimal128(4, 1)), [Decimal("1.0"), None], ["1.0", None]),
    ("struct", pa.struct({"x": pa.date32(), "y": pa.float64()}), {"x": dt.date(2026, 1, 1), "y": float("nan")},
     {"x": "2026-01-01", "y": "NaN"}),
    ("map", pa.map_(pa.string(), pa.decimal128(3, 1)), [("a", Decimal("1.5"))], {"a": "1.5"}),
    ("map of numbers", pa.map_(pa.int32(), pa.binary()), [(1, b"x")], [[1, "eA=="]]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "value", "expected"), VALUES, ids=[v[0] for v in VALUES])
def test_a_value(name: str, kind: pa.DataType, value: Any, expected: Any) -> None:
    text = of_rows(pa.table({name: pa.array([value], kind)}))

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    assert json.loads(text, parse_constant=refuse) == [{name: expected}]


def test_rows_are_a_list_of_objects_one_a_line() -> None:
    assert of_rows(pa.table({"a": [1, 2], "b": ["x", None]})) == '[{"a": 1, "b": "x"},\n {"a": 2, "b": null}]'
    assert of_rows(pa.table({"a": pa.array([], pa.int32())})) == "[]"


def test_two_columns_of_one_name_are_refused() -> None:
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(InvalidRequestError, match="two columns are named 'a'"):
        of_rows(twice)


def test_an_error_is_an_object_on_stderr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for command in (["list", "metrics", "--json"], ["query", "--json"], ["sql", "SELECT 1", "--json"]):
        done = CliRunner().invoke(command_line(), command)
        assert (done.exit_code, done.stdout) == (1, "")
        assert json.loads(done.stderr) == {
            "error": {
                "what": "there is no dbt project here",
                "where": str(tmp_path),
                "near": [],
                "fix": "run it in the folder of dbt_project.yml",
            }
        }
    assert CliRunner().invoke(command_line(), ["list", "metrics"]).stderr.startswith("Error: there is no")


def test_doctor_answers_json_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    done = CliRunner().invoke(command_line(), ["doctor", "--json"])
    assert done.exit_code == 1
    found = {each["check"]: each for each in json.loads(done.stdout)}
    assert list(found) == ["python", "versions", "java", "profile", "folders", "jars"]
    assert found["python"]["ok"]
    assert (found["java"]["ok"], found["java"]["what"]) == (False, "Java was not found")
