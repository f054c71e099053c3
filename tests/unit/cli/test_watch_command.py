"""`penstock watch`: what the page shows, at widths of terminals, and how it ends."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from penstock.cli import command_line, watch
from penstock.engines.row_counts import EXACT, UNKNOWN, Rows
from penstock.monitoring.alerts.states import Alert
from penstock.monitoring.watched import Watched
from penstock.project import Project
from penstock.project_watch import ModelNow, Page, TableNow, Watch

if TYPE_CHECKING:
    from pathlib import Path

AT = datetime(2026, 1, 10, 12, tzinfo=UTC)
OWNER = "delays (Delay model, delays@example.com)"
ALERT = Alert(
    test_id="test.p.no_drift", subject="feature=carrier segment=all", monitor="no_drift_flight_drift_0_1__carrier",
    model="flight_drift", owner=OWNER, severity="error", state="open", reason=None, effect=0.31, p=1e-9, evidence="{}",
    message="", invocation_id="run", at=AT - timedelta(hours=1), opened_at=AT - timedelta(days=2, hours=3),
)  # fmt: skip
PAGE = Page(
    AT,
    [
        ModelNow(
            Watched("arrival_delay", "arrival_delay"), OWNER, 3, AT - timedelta(days=1, hours=5), "gate e4d0694c",
            [{"window_end": datetime(2026, 1, 5), "feature": "origin__weather__temperature_f", "js": 0.4321,
              "p_adjusted": 1e-12, "segment": "origin", "value": "JFK"},
             {"window_end": datetime(2026, 1, 5), "feature": "distance", "js": 0.01, "p_adjusted": None,
              "segment": "all", "value": None}],
            [{"metric": "auc", "value": 0.7213, "low": 0.71, "high": 0.733, "rows": 5120},
             {"metric": "ece", "value": 0.01, "low": None, "high": None, "rows": 5120}],
            {"predictions": 6000, "final": 5200, "labelled": 5120},
        ),
        ModelNow(Watched("other", "other", drift="gone"), "", missing=["gone"]),
    ],
    [ALERT],
    [TableNow("fct_flights", OWNER, Rows(336_776, EXACT), AT - timedelta(seconds=75)),
     TableNow("odd", "", Rows(None, UNKNOWN), AT - timedelta(days=400)), TableNow("not_there", "")],
)  # fmt: skip


def shown(page: Page, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, record=True)
    console.print(watch.view(page))
    return console.export_text().splitlines()


@pytest.mark.parametrize("width", [80, 120])
def test_the_page_fits_and_has_all_that_is_known(width: int) -> None:
    lines = shown(PAGE, width)
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    for told in (
        "version 3, live for 1 d 5 h (gate e4d0694c)", "auc 0.7213 0.71 to 0.733 5,120",
        "6,000 predictions, 5,200 old enough for a label, 5,120 have one (98.5%)",
        "origin__weather__temperature_f 0.4321",
        "drift by 2026-01-05", "no version is live", "gone is not built: dbt build --select gone", "0.31 1e-09 2 d 3 h",
        "336,776", "1 min 15 s ago", "unknown", "not built",
    ):  # fmt: skip
        assert told in text, told
    if width == 120:
        assert OWNER in text


def test_where_nothing_is_there_is_a_page_too() -> None:
    text = "\n".join(shown(Page(AT, [], [], []), 80))
    assert "no model is watched" in text
    assert "none is open" in text


def test_where_there_is_no_terminal_the_page_is_printed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(Watch, "page", lambda _, model: asked.append(model) or PAGE)
    done = CliRunner().invoke(command_line(), ["watch", "arrival_delay"])
    assert (done.exit_code, asked) == (0, ["arrival_delay"])
    assert "fct_flights" in done.stdout
    assert CliRunner().invoke(command_line(), ["watch", "--every", "0"]).exit_code == 2


def test_on_a_terminal_it_is_renewed_until_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    pages, waited = [PAGE, Page(AT, [], [], [])], list[float]()
    monkeypatch.setattr(Watch, "page", lambda *_: pages.pop(0))

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if not pages:
            raise KeyboardInterrupt

    monkeypatch.setattr("penstock.cli.watch.time.sleep", sleep)
    console = Console(file=io.StringIO(), width=100, height=60, force_terminal=True)
    watch._keep_showing(console, Project(), None, 7.0)
    assert waited == [7.0, 7.0]
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "arrival_delay" in text
    assert "no model is watched" in text


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"drift": "drfit"}, "unknown model 'drfit'\n  where: models/delay.yml, watch\n  did you mean: drift"),
        ({"metric": ["auc"]}, "unknown key 'metric'\n  where: models/delay.yml, watch\n  did you mean: metrics"),
        ({"metrics": ["acu"]}, "unknown metric 'acu'"),
        ({"metrics": "auc"}, "metrics is 'auc'"),
        ({"numbers": "yes"}, "numbers is 'yes'"),
        ({"labels": 3}, "labels is 3"),
        ([], "watch is []"),
        ({}, "unknown watched model 'dely'\n  where: the nodes of the project\n  did you mean: delay"),
    ],
)
def test_what_is_declared_wrongly_is_told_before_spark_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, declared: Any, told: str
) -> None:
    monkeypatch.chdir(tmp_path)

    def node(name: str, **penstock: Any) -> dict[str, Any]:
        config = {"meta": {"penstock": penstock}}
        return {"name": name, "resource_type": "model", "original_file_path": f"models/{name}.yml", "config": config}

    nodes = {"model.p.delay": node("delay", watch=declared), "model.p.drift": node("drift")}
    monkeypatch.setattr(Project, "dbt_manifest", {"nodes": nodes})
    done = CliRunner().invoke(command_line(), ["watch", "dely"])
    assert done.exit_code == 1
    assert told in done.stderr


def test_the_flow_of_a_model_is_what_it_and_what_is_watched_of_it_are_made_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def node(name: str, *uses: str, kind: str = "model", **penstock: Any) -> tuple[str, dict[str, Any]]:
        depends_on = {"macros": []} if kind == "seed" else {"macros": [], "nodes": list(uses)}
        config = {"meta": {"penstock": penstock}}
        return f"{kind}.p.{name}", {
            "name": name, "resource_type": kind, "original_file_path": "x.yml", "config": config,
            "depends_on": depends_on,
        }  # fmt: skip

    nodes = dict(
        [
            node("raw", kind="seed"), node("rows", "seed.p.raw", "source.p.s"), node("other", "seed.p.raw"),
            node("delay", "model.p.rows", watch={"drift": "drift"}), node("drift", "model.p.tiles"),
            node("tiles", "model.p.rows"), node("test", "model.p.other", kind="test"),
        ]
    )  # fmt: skip
    monkeypatch.setattr(Project, "dbt_manifest", {"nodes": nodes})
    found = Project(tmp_path).watch
    flow = found._flow(found.declared["delay"])
    assert {each.rpartition(".")[2] for each in flow} == {"raw", "rows", "delay", "drift", "tiles"}
