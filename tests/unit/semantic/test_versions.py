"""Rows that are versions of things: a request sees those known last, wherever it reads a model's rows.

The shop's tables become histories: what they hold comes last, among corrections, deletes and rows that are never known.
Every question has to have the answer that it has over a table of the right versions, which plain SQL picks.
"""

from __future__ import annotations

import copy
import datetime as dt
from dataclasses import replace
from random import Random
from typing import Any

import duckdb
import pytest
import shop
import sqlglot
import yaml
from naive import ordered
from questions import QUESTIONS

from penstock.errors import InvalidDefinitionError, PenstockError, UnknownNameError
from penstock.manifest.load import load_manifest
from penstock.manifest.model import SemanticManifest
from penstock.semantic import MetricRequest, compile_request, metric_view, reasons_against
from penstock.semantic.explain import explain
from penstock.semantic.key_checks import key_checks

MODELS = ("orders", "refunds", "visits", "balances", "customers", "regions", "prices")
VERSIONS = {"known_at": "v_known", "version_of": "v_id", "tie_break": "v_tie", "deleted": "v_gone"}
MOMENTS = ("2024-01-02 12:00:00", "2024-01-20", "2024-02-15", "2024-04-01")


def _manifest(section: dict[str, Any], *metrics: dict[str, Any], **by_model: dict[str, Any]) -> SemanticManifest:
    """The shop's, with this in `meta` of all models, or what is given for one, and with more metrics."""
    raw = copy.deepcopy(shop.MANIFEST)
    for model in raw["semantic_models"]:
        model["config"] = {"meta": {"penstock": by_model.get(model["name"], section)}}
    for metric in raw["metrics"]:
        metric.pop("config", None)
    raw["metrics"] += metrics
    return load_manifest(raw)


PLAIN = _manifest({"known_at": "v_known"})
VERSIONED = _manifest(VERSIONS)


def _histories(rng: Random) -> dict[str, tuple[list[str], list[tuple[Any, ...]]]]:
    """For each table its columns and rows: versions known at random times, in random order."""
    con = shop.connection()
    found = {}
    for table in MODELS:
        cursor = con.execute(f"SELECT * FROM shop.{table}")
        names, rows = [d[0] for d in cursor.description or ()], cursor.fetchall()
        versions: list[tuple[Any, ...]] = []
        for number, row in enumerate([*rows, *rows]):
            known = dt.datetime(2023, 12, 1) + dt.timedelta(hours=rng.randint(0, 24 * 120))
            back = rng.random() < 0.3
            for _ in range(rng.randint(0, 3)):  # what was said before, or at the same time
                earlier = known - dt.timedelta(hours=rng.choice((0, 1, 100, 1000)))
                said = (rng.choice(both) for both in zip(rng.choice(rows), rng.choice(rows), strict=True))
                versions.append((*said, number, earlier, rng.randint(0, 4), rng.random() < 0.3))
            # the second copy of each row is deleted in the end, or becomes known only never
            gone = number >= len(rows)
            versions.append((*row, number, known, 5, gone or (None if rng.random() < 0.5 else False)))
            if back and gone:
                versions.append((*row, number, None, 6, False))
        versions.append((*rows[0], None, None, 0, False))
        rng.shuffle(versions)
        found[table] = ([*names, "v_id", "v_known", "v_tie", "v_gone"], _told_apart(versions))
    return found


def _told_apart(versions: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """One version of each thing, time and tie-break."""
    return list({(*v[-4:-1], v[-4] is None): v for v in versions}.values())


HISTORIES = _histories(Random(11))


def _database(before: str | None) -> duckdb.DuckDBPyConnection:
    """The shop's tables as histories; with a moment, or '' for the end of time, only the versions known last."""
    con = shop.connection()
    for table, (names, rows) in HISTORIES.items():
        con.execute(
            f"CREATE OR REPLACE TABLE shop.{table} AS SELECT *, 0 AS v_id, TIMESTAMP '2024-01-01' AS v_known, "
            f"0 AS v_tie, FALSE AS v_gone FROM shop.{table} LIMIT 0"
        )
        con.executemany(f"INSERT INTO shop.{table} VALUES ({', '.join('?' * len(names))})", rows)
        if before is not None:
            test = f"v_known < TIMESTAMP '{before}'" if before else "v_known IS NOT NULL"
            con.execute(
                f"CREATE OR REPLACE TABLE shop.{table} AS SELECT * EXCLUDE (latest) FROM (SELECT *, ROW_NUMBER() OVER "
                f"(PARTITION BY v_id ORDER BY v_known DESC, v_tie DESC) AS latest FROM shop.{table} WHERE {test}) "
                "WHERE latest = 1 AND v_gone IS NOT TRUE"
            )
    return con


HISTORY = _database(None)
KNOWN = {before: _database(before) for before in ("", *MOMENTS)}


def _rows(con: duckdb.DuckDBPyConnection, manifest: SemanticManifest, request: MetricRequest) -> Any:
    return ordered(con.execute(compile_request(manifest, request, "duckdb").sql).fetchall())


@pytest.mark.parametrize("title", QUESTIONS)
def test_without_a_moment_the_present_versions_count(title: str) -> None:
    request = replace(QUESTIONS[title].request, known_at=None)
    assert _rows(HISTORY, VERSIONED, request) == _rows(KNOWN[""], PLAIN, request)


@pytest.mark.parametrize("title", [t for t, q in QUESTIONS.items() if q.request.metrics or q.request.saved_query])
def test_at_a_moment_those_count_that_were_known_last(title: str) -> None:
    for moment in MOMENTS:
        request = replace(QUESTIONS[title].request, known_at=moment)
        assert _rows(HISTORY, VERSIONED, request) == _rows(KNOWN[moment], PLAIN, request), moment


def test_the_histories_tell_the_answers_apart() -> None:
    """Read as they are, the tables of versions give other answers; so do other moments."""
    answers = {m: [_rows(con, PLAIN, q.request) for q in _plain_questions()] for m, con in KNOWN.items()}
    naive = [_rows(HISTORY, PLAIN, q.request) for q in _plain_questions()]
    for moment, found in answers.items():
        assert sum(a != b for a, b in zip(found, naive, strict=True)) > 0.6 * len(naive), moment
    assert answers[""] != answers[MOMENTS[1]] != answers[MOMENTS[2]]


def _plain_questions() -> list[Any]:
    return [q for q in QUESTIONS.values() if q.request.known_at is None]


def test_models_that_declare_no_versions_are_read_as_they_are() -> None:
    """Only the model that declares them has another text; a metric's own clock orders the versions for that metric."""
    request = MetricRequest(("revenue", "refunded"), ("customer__region__region_name",))
    some = _manifest({"known_at": "v_known"}, customers=VERSIONS)
    sql = compile_request(some, request, "duckdb").sql
    assert sql.count("LEAD(") == 2  # customers, joined to orders and to refunds
    assert "LEAD(" not in compile_request(PLAIN, request, "duckdb").sql


CLOCK = "v_known - INTERVAL 1 DAY * v_tie"


def test_a_metric_with_a_clock_of_its_own_orders_versions_by_it() -> None:
    clock = CLOCK
    own = shop._simple("own", "orders", "sum", "amount", meta={"penstock": {"known_at": clock}})
    manifest = _manifest(VERSIONS, own)
    sql = compile_request(manifest, MetricRequest(("own", "revenue")), "duckdb").sql
    (wanted,) = HISTORY.execute(
        "SELECT SUM(amount) FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY v_id ORDER BY "
        f"{clock} DESC, v_tie DESC) AS latest FROM shop.orders WHERE {clock} IS NOT NULL) "
        "WHERE latest = 1 AND v_gone IS NOT TRUE"
    ).fetchall()
    (found,) = HISTORY.execute(sql).fetchall()
    assert found == (wanted[0], _rows(KNOWN[""], PLAIN, MetricRequest(("revenue",)))[0][0])
    assert found[0] != found[1]
    assert "known at other times" in (reasons_against(manifest, "orders")["own"] or "")


def test_so_does_one_that_is_converted_to() -> None:
    conversion = copy.deepcopy(next(m for m in shop.MANIFEST["metrics"] if m["name"] == "visit_to_order"))
    conversion["type_params"]["conversion_type_params"]["conversion_metric"] = {"name": "bought"}
    plain = shop._simple("bought", "orders", "count", "order_id")
    own = shop._simple("bought", "orders", "count", "order_id", meta={"penstock": {"known_at": CLOCK}})
    wanted = _manifest(VERSIONS, plain, {**conversion, "name": "m"}, orders={**VERSIONS, "known_at": CLOCK})
    found = _manifest(VERSIONS, own, {**conversion, "name": "m"})
    other = _manifest(VERSIONS, plain, {**conversion, "name": "m"})
    differ = 0
    for moment in (None, "2024-01-20", "2024-02-15", "2024-03-01"):
        request = MetricRequest(("m",), ("customer", "metric_time__week"), known_at=moment)
        assert _rows(HISTORY, found, request) == _rows(HISTORY, wanted, request)
        differ += _rows(HISTORY, found, request) != _rows(HISTORY, other, request)
    assert differ


def test_a_metric_view_has_the_present_versions() -> None:
    view = metric_view(VERSIONED, "orders", metrics=("revenue", "buyers"), dimensions=("customer__name",))
    made = yaml.safe_load(view.yaml)
    measures = ", ".join(c["expr"] for c in (*made["dimensions"], *made["measures"]))
    sql = sqlglot.transpile(f"SELECT {measures} FROM ({made['source']}) GROUP BY 1", read="spark", write="duckdb")[0]
    request = MetricRequest(("revenue", "buyers"), ("customer__name",))
    assert ordered(HISTORY.execute(sql).fetchall()) == _rows(KNOWN[""], PLAIN, request)


def test_an_explanation_says_that_versions_are_read() -> None:
    told = explain(VERSIONED, MetricRequest(("revenue",), ("customer__name",)), "duckdb")
    text = "sum of amount over the rows of orders, of each v_id the version known last, by ordered_at"
    assert told.parts["revenue"] == text
    assert {s.table for s in told.scans} == set(told.query.relations) == {"shop.orders", "shop.customers"}


def test_versions_known_at_one_time_fail_without_a_tie_break() -> None:
    untold = {name: text for name, text in VERSIONS.items() if name != "tie_break"}
    manifest = _manifest({"known_at": "v_known"}, orders=untold)
    sql = compile_request(manifest, MetricRequest(("revenue",)), "duckdb").sql
    with pytest.raises(duckdb.Error, match="orders has versions of one thing that are known at one time"):
        HISTORY.execute(sql).fetchall()
    assert KNOWN[""].execute(sql).fetchall()  # where no two are, nothing is to be told apart
    blunt = _manifest({"known_at": "v_known"}, orders={**VERSIONS, "tie_break": "v_tie > 9"})
    for told in (manifest, blunt):  # a tie-break that tells nothing apart is one for the check only
        assert _checks(HISTORY, told)["semantic model orders, version_of"] > 0


def test_keys_are_checked_among_the_last_versions() -> None:
    before, after = _checks(HISTORY, PLAIN), _checks(HISTORY, VERSIONED)
    assert "semantic model orders, entity order" in before
    # the shop's own tables hold their keys, and these are the last versions of them
    assert "semantic model orders, entity order" not in after
    assert not any("version_of" in place for place in after)


def _checks(con: duckdb.DuckDBPyConnection, manifest: SemanticManifest) -> dict[str, int]:
    return {place: count for place, _, count in con.execute(key_checks(manifest, "duckdb")).fetchall()}


@pytest.mark.parametrize(
    ("section", "error", "words"),
    [
        ({"version_of": "v_id"}, InvalidDefinitionError, "not declared when a row is known"),
        ({"version_of": "v_id", "known_at": "always"}, InvalidDefinitionError, "no row is known at any time"),
        (
            {"known_at": "v_known", "deleted": "v_gone"},
            InvalidDefinitionError,
            "what rows are versions of",
        ),
        ({"known_at": "v_known", "version_of": []}, InvalidDefinitionError, "version_of is empty"),
        ({"known_at": "v_known", "version_of": 7}, InvalidDefinitionError, "7 is no SQL text"),
        ({"known_at": "v_known", "version_of": ["v_id", None]}, InvalidDefinitionError, "None is no SQL text"),
        ({"known_at": "v_known", "version_of": "max(v_id)"}, InvalidDefinitionError, "holds an aggregate"),
        ({"known_at": "v_known", "version_of": "v_id", "deleted": "v_gone)"}, InvalidDefinitionError, "no SQL expr"),
        ({"known_at": "v_known", "versions_of": "v_id"}, UnknownNameError, "did you mean: version_of"),
        ({"known_at": "v_known", "version-of": "v_id"}, UnknownNameError, "did you mean: version_of"),
        ({"known_at": "v_known", "version_of": "v_id", "Deleted": "v_gone"}, UnknownNameError, "did you mean: deleted"),
        ({"known_at": "v_known", "version_of": "v_id", "is_deleted": "v"}, UnknownNameError, "did you mean: deleted"),
        ({"known_at": "v_known", "tie_breaks": "v_tie"}, UnknownNameError, "did you mean: tie_break"),
    ],
)
def test_bad_declarations(section: dict[str, Any], error: type[PenstockError], words: str) -> None:
    with pytest.raises(error) as found:
        compile_request(_manifest({}, orders=section), MetricRequest(("revenue",)), "duckdb")
    assert words in str(found.value)
    assert "semantic model orders" in str(found.value)


@pytest.mark.parametrize("of_model", [VERSIONS, {"known_at": "v_known"}, {}])
def test_a_metric_says_nothing_of_versions(of_model: dict[str, Any]) -> None:
    raw = copy.deepcopy(shop.MANIFEST)
    raw["semantic_models"][0]["config"] = {"meta": {"penstock": of_model}}
    raw["metrics"].append(shop._simple("m", "orders", "sum", "amount", meta={"penstock": {"version_of": "v_id"}}))
    with pytest.raises(InvalidDefinitionError, match="the same for all metrics"):
        compile_request(load_manifest(raw), MetricRequest(("m",)), "duckdb")
