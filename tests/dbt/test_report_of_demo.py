"""The page of the demo's model: made by the command, with the numbers that queries of the tables give."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from sqlglot import parse_one

from penstock.cli import command_line
from penstock.monitoring.performance.metrics import performance
from penstock.monitoring.performance.scores import Scores
from penstock.monitoring.report.figures import between, chance, number

if TYPE_CHECKING:
    from penstock.project import Project

DOCS = Path(__file__).parents[2] / "docs" / "report.md"


@pytest.fixture(scope="module")
def page(flights: Project, tmp_path_factory: pytest.TempPathFactory) -> ET.Element:
    """What the command of the docs makes."""
    [command] = re.findall(r"^penstock (report arrival_delay --to )(?:\S+)$", DOCS.read_text(), re.M)
    file = tmp_path_factory.mktemp("report") / "arrival_delay.html"
    before = flights.spark.sql("SHOW TABLES IN ml").count()
    done = CliRunner().invoke(command_line(), [*command.split(), str(file)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert flights.spark.sql("SHOW TABLES IN ml").count() == before  # looking makes nothing
    assert file.stat().st_size < 500_000
    return ET.fromstring(file.read_text().removeprefix("<!doctype html>\n"))


def text_of(page: ET.Element, id_: str) -> str:
    [section] = [each for each in page.iter("section") if each.get("id") == id_]
    return re.sub(r"\s+", " ", " ".join(section.itertext()))


def test_every_section_has_something_to_show(page: ET.Element) -> None:
    for section in ("performance", "calibration", "slices", "drift", "lineage", "tests", "usage", "read"):
        assert "Nothing to show" not in text_of(page, section), section


def test_performance_is_that_of_a_query(flights: Project, page: ET.Element) -> None:
    [(since,)] = flights.spark.sql("SELECT held_out_from FROM arrival_delay ORDER BY version DESC LIMIT 1").collect()
    rows = parse_one(
        "SELECT *, DATE_TRUNC('WEEK', predict_at) AS week FROM flight_predictions"
        f" WHERE predict_at >= TIMESTAMP'{since}' AND predict_at < TIMESTAMP'2013-11-11'",
        dialect="spark",
    )
    query = performance(Scores(rows, score="p_late", label="is_late", keys=("week",)), "spark")  # type: ignore[arg-type]
    told = text_of(page, "performance")
    found = flights.sql(f"SELECT * FROM ({query.sql('spark')}) WHERE metric IN ('auc', 'log_loss')").to_pylist()
    assert len(found) == 8
    for each in found:
        assert f"{number(each['value'])} {between(each['low'], each['high'])}" in told


def test_drift_is_that_of_its_table(flights: Project, page: ET.Element) -> None:
    told = text_of(page, "drift")
    newest = "window_end = (SELECT MAX(window_end) FROM flight_drift) AND js > 0.1 AND p_adjusted <= 0.01"
    rows = flights.spark.sql(f"SELECT * FROM flight_drift WHERE {newest}").collect()
    drifted = [each for each in rows if each["segment"] == "all"]
    assert f"{len(drifted)} of 6 features drifted" in told
    for each in rows:
        if each["segment"] == "origin":
            assert (
                f"{each['feature']} origin = {each['value']} {number(each['js'])} {chance(each['p_adjusted'])}" in told
            )


def test_versions_are_those_of_the_tables(flights: Project, page: ET.Element) -> None:
    told, read = text_of(page, "versions"), text_of(page, "read")
    for row in flights.spark.sql("SELECT version, auc, log_loss FROM arrival_delay").collect():
        assert number(row["auc"]) in told
        assert number(row["log_loss"]) in told
    for relation in ("penstock.flight_drift", "nycflights13.flights"):
        [newest] = flights.spark.sql(f"DESCRIBE HISTORY {relation} LIMIT 1").select("version").collect()
        assert re.search(rf"{relation} {newest['version']} \d{{4}}-", read), relation
