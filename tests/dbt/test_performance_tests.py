"""The generic tests of performance on the demo's predictions: green as its YAML has them, red where more is asked."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sklearn import metrics

if TYPE_CHECKING:
    from penstock.project import Project

SCORES = "ref('flight_predictions'), 'p_late', 'is_late'"
ASKED = {
    "labels": """{{ test_labels_mature(
        '(select *, nullif(is_late, 0) as only_yes from ' ~ ref('flight_predictions') ~ ')',
        'only_yes', at='predict_at', horizon='1 day', at_least=0.9) }}""",
    "calibration": f"{{{{ test_calibrated({SCORES}, alpha=0.5, by=['origin']) }}}}",
    "least": f"{{{{ test_slice_metric_at_least({SCORES}, 'auc', ['origin'], at_least=0.99) }}}}",
    "gap": f"{{{{ test_slice_gap_at_most({SCORES}, 'positives', ['carrier', 'origin'], at_most=0.05) }}}}",
    "performance": f"{{{{ penstock.performance({SCORES}, by='origin') }}}}",
    "slices": f"{{{{ penstock.performance_by_slice({SCORES}, ['origin']) }}}}",
    "proxies": "{{ penstock.proxies(ref('flight_predictions'), leave_out='flight_id') }}",
    "stable": """{{ test_stable_under(
        '(select * from ' ~ ref('arrival_delay_training') ~ " where predict_at >= '2013-12-20') newest",
        predict='arrival_delay', change={'distance': 'distance + 1'}, within=0) }}""",
    "tail": """{{ test_long_tail_at_least(
        ref('flight_predictions'), column_name='p_late', label='is_late', entity='dest', rare_below=5000, at_least=0.99,
        threshold=0.5) }}""",
    "refused": f"{{{{ test_slice_metric_at_least({SCORES}, 'acuracy', ['origin'], at_least=0.9) }}}}",
}
TAG = """
      - name: carrier
        description: Who flies, tagged for the test.
        config: {meta: {penstock: {protected: true}}}
"""


@pytest.fixture(scope="module")
def results(flights: Project, project_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """By name what a `dbt test` of the built demo says of each of `ASKED`, and of the tests of its YAML."""
    from dbt.cli.main import dbtRunner

    folder = tmp_path_factory.mktemp("asked") / "project"
    shutil.copytree(project_folder, folder, ignore=shutil.ignore_patterns("target", "logs"))
    yml = folder / "models/predictions/flight_predictions.yml"
    yml.write_text(yml.read_text() + TAG)
    for name, sql in ASKED.items():
        (folder / "tests/data" / f"asked_{name}.sql").write_text(sql)
    with contextlib.chdir(folder):
        done = dbtRunner().invoke(["--quiet", "test", "--select", "flight_predictions", "asked_stable"])
    return {each.node.name: each for each in done.result.results}


def rows(flights: Project, results: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The rows for which a test failed."""
    result = results[f"asked_{name}"]
    assert result.status == "fail", result.message
    found = flights.sql(result.node.compiled_code).to_pylist()
    assert len(found) == result.failures
    return found


def test_the_tests_of_the_demo_pass(results: dict[str, Any]) -> None:
    own = {name: result.status for name, result in results.items() if not name.startswith("asked_")}
    assert set(own.values()) == {"pass"}
    for kind in ("labels_mature", "calibrated", "slice_metric_at_least", "slice_gap_at_most", "long_tail_at_least"):
        assert any(name.startswith(kind) for name in own), kind


def test_what_fails_says_where_and_by_how_much(flights: Project, results: dict[str, Any]) -> None:
    [labels] = rows(flights, results, "labels")
    assert labels["mature"] > 300_000
    assert labels["short_by"] == pytest.approx(0.9 - labels["labelled"] / labels["mature"])
    assert all(
        row["p"] < 0.5 and row["origin"] in {"EWR", "JFK", "LGA"} for row in rows(flights, results, "calibration")
    )
    least = rows(flights, results, "least")
    assert {row["slice_value"] for row in least} == {None, "EWR", "JFK", "LGA"}
    assert all(row["short_by"] == pytest.approx(0.99 - row["value"]) for row in least)
    gaps = rows(flights, results, "gap")
    assert all(row["worse_by"] > 0.05 and row["p_adjusted"] <= 0.05 for row in gaps)
    assert ("carrier", "EV") in {(row["slice"], row["slice_value"]) for row in gaps}


def test_values_are_those_of_scikit_learn(flights: Project, results: dict[str, Any]) -> None:
    found = {(row["origin"], row["metric"]): row for row in rows(flights, results, "performance")}
    scored = flights.sql("SELECT origin, p_late, is_late FROM flight_predictions").to_pandas()
    for origin, own in scored.groupby("origin"):
        wanted = metrics.roc_auc_score(own["is_late"], own["p_late"])
        assert found[origin, "auc"]["value"] == pytest.approx(wanted, rel=1e-9)
        assert found[origin, "auc"]["rows"] == len(own)
        wanted = metrics.log_loss(own["is_late"], own["p_late"])
        assert found[origin, "log_loss"]["value"] == pytest.approx(wanted, rel=1e-9)
    sliced = {(row["slice_value"], row["metric"]): row for row in rows(flights, results, "slices")}
    assert sliced["EWR", "accuracy"]["value"] == pytest.approx(found["EWR", "accuracy"]["value"], rel=1e-9)
    near = sliced["EWR", "auc"]["binned_error"]
    assert sliced["EWR", "auc"]["value"] == pytest.approx(found["EWR", "auc"]["value"], abs=near)


def test_behaviour_of_the_live_version(flights: Project, results: dict[str, Any]) -> None:
    [stable] = rows(flights, results, "stable")
    newest = flights.sql("""
        SELECT predict('arrival_delay', *) AS p FROM arrival_delay_training WHERE predict_at >= '2013-12-20'
        ORDER BY flight_id""")["p"]
    moved = flights.sql("""
        SELECT predict('arrival_delay', *) AS p
        FROM (SELECT * EXCEPT (distance), distance + 1 AS distance FROM arrival_delay_training)
        WHERE predict_at >= '2013-12-20' ORDER BY flight_id""")["p"]
    differ = [one != other for one, other in zip(newest.to_pylist(), moved.to_pylist(), strict=True)]
    assert 0 < sum(differ) < len(differ) == stable["rows"]
    assert stable["value"] == pytest.approx(sum(differ) / len(differ), rel=1e-9)
    scored = flights.sql("SELECT dest, p_late, is_late FROM flight_predictions").to_pandas()
    rare = scored.groupby("dest")["dest"].transform("size") < 5000
    right = (scored["p_late"] >= 0.5) == (scored["is_late"] == 1)
    [tail] = rows(flights, results, "tail")
    assert (tail["value"], tail["rest"]) == (pytest.approx(right[rare].mean()), pytest.approx(right[~rare].mean()))


def test_proxies_of_the_column_that_is_tagged(flights: Project, results: dict[str, Any]) -> None:
    found = {row["feature"]: row for row in rows(flights, results, "proxies")}
    assert found.keys() == {"origin", "dest", "p_late", "is_late"}
    assert {row["protected"] for row in found.values()} == {"carrier"}
    assert found["dest"]["cramers_v"] > found["is_late"]["cramers_v"] > 0


def test_what_makes_no_sense_is_told_as_elsewhere(results: dict[str, Any]) -> None:
    refused = results["asked_refused"]
    assert refused.status == "error"
    assert "unknown metric 'acuracy'\n  where: metric\n  did you mean: accuracy" in refused.message.replace(
        "\n    ", "\n  "
    )
