"""What scoring takes: counted exactly by model, user and node, kept in Delta, and told before a statement runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from test_model_functions import declared, regressor

from penstock.engines import usage
from penstock.engines.price import price
from penstock.engines.spark import run
from penstock.errors import PenstockError
from penstock.registry.promote import promote
from penstock.scoring.usage import NODE, Figures, Use, marked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

ROWS, NULLS, DAYS = 240, 30, 4


@pytest.fixture(scope="module", autouse=True)
def worked(spark: SparkSession) -> None:
    """A linear model that workers score too, and rows in partitions, some of which have no value."""
    promote(spark, "worked", regressor("worked", 2.0), expected=None, reason="first")
    checks = {"on_null": "error", "on_error": "skip"}
    split = {"canary": {"alias": "champion", "share": 0.5}, "on_error": "skip"}
    declared(
        spark,
        "worked",
        {"name": "worked_skip", **checks},
        {"name": "worked_told", "returns": ["base"]},
        {"name": "worked_in_plan", "on_error": "skip"},
        {"name": "worked_split", **split},
    )
    spark.sql(
        "CREATE OR REPLACE TABLE default.days (id BIGINT, day INT, a DOUBLE, b DOUBLE) USING DELTA PARTITIONED BY (day)"
        " TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')"
    )
    spark.sql(
        f"INSERT INTO default.days SELECT id, id % {DAYS}, IF(id < {NULLS}, NULL, 1D), 0D FROM RANGE(0, {ROWS}, 1, 2)"
    )


@pytest.fixture
def ann(spark: SparkSession) -> Iterator[SparkSession]:
    """A session of another user's, as the Thrift server makes one known to Spark."""
    current: Any = spark._jvm.org.apache.spark.sql.catalyst.CurrentUserContext.CURRENT_USER()
    current.set("ann")
    yield spark.newSession()
    current.remove()


def kept(spark: SparkSession) -> dict[tuple[str, str, str], tuple[Any, ...]]:
    """What the table has of the model, by function, user and node."""
    usage.ledger().write()
    sums = "SUM(statements), SUM(rows), SUM(errors), SUM(seconds)"
    select = f"SELECT function, user, node, {sums} FROM ml.usage WHERE model = 'worked' GROUP BY ALL"
    return {tuple(row)[:3]: tuple(row)[3:] for row in spark.sql(select).collect()}


def added(spark: SparkSession, before: dict[tuple[str, str, str], tuple[Any, ...]]) -> dict[Any, list[Any]]:
    """What came since, where something did."""
    nothing = (0, 0, 0, 0.0)
    return {
        key: [(new or 0) - (old or 0) for new, old in zip(values, before.get(key, nothing), strict=True)]
        for key, values in kept(spark).items()
        if values != before.get(key)
    }


def test_rows_and_errors_arrive_by_function_user_and_node(spark: SparkSession, ann: SparkSession) -> None:
    before = kept(spark)
    run(ann, "SELECT ml.worked_skip(a, b), ml.worked_skip(a, b) + 1 FROM default.days")
    run(ann, "SELECT COUNT(predict('worked_skip', a, b)) FROM default.days WHERE day = 0")
    with marked(spark, NODE, "model.shop.scored"):
        run(
            spark,
            "CREATE OR REPLACE TABLE default.scored USING DELTA AS"
            " SELECT predict('worked_told', 1D, b) AS s FROM default.days",
        )
        run(spark, "SELECT predict('worked', a, b) FROM default.days WHERE a > 0")
    found = added(spark, before)
    whole = found[("worked_skip", "ann", "")]
    assert whole[:3] == [2, ROWS + ROWS // DAYS, NULLS + len(range(0, NULLS, DAYS))], "equal calls run once"
    assert 0 < whole[3] < 60
    assert found[("worked_told", "ann", "model.shop.scored")][:3] == [1, ROWS, 0]
    assert found[("worked", "ann", "model.shop.scored")] == [1, ROWS - NULLS, 0, 0.0], "in the plan as SQL"
    assert len(found) == 3
    [[unknown]] = spark.sql("SELECT COUNT(seconds) FROM ml.usage WHERE function = 'worked'").collect()
    assert unknown == 0


def test_plans_count_the_rows_that_they_score(spark: SparkSession, ann: SparkSession) -> None:
    days, skip, split = "default.days", "worked_in_plan", "worked_split"
    for rows, errors, select in (
        (ROWS, NULLS, f"SELECT predict('{skip}', a, b) FROM {days}"),
        (ROWS, NULLS, f"SELECT predict('{skip}', a, b), predict('{skip}', a, b) + 1 FROM {days}"),
        (2 * ROWS, 2 * NULLS, f"SELECT predict('{skip}', a, b), predict('{skip}', a * 2, b) FROM {days}"),
        (ROWS // DAYS, len(range(0, NULLS, DAYS)), f"SELECT ml.{skip}(a, b) FROM {days} WHERE day = 0"),
        (2 * ROWS, 2 * NULLS, f"SELECT ml.{skip}(a, b) FROM {days} UNION ALL SELECT ml.{skip}(a, b) FROM {days}"),
        (ROWS, NULLS, f"SELECT day, SUM(predict('{skip}', a, b)) FROM {days} GROUP BY day"),
        (ROWS, NULLS, f"SELECT COUNT(*) FROM {days} WHERE COALESCE(predict('{skip}', a, b), 0) > -1"),
        (0, 0, f"SELECT COUNT(*) FROM (SELECT predict('{skip}', a, b) AS p FROM {days})"),
        (3, 0, f"SELECT predict('{skip}', 1D, 2D) FROM RANGE(3)"),
        (ROWS, NULLS, f"SELECT predict('{split}', a, b) FROM {days}"),
    ):
        before = kept(spark)
        run(ann, select)
        ((key, found),) = added(spark, before).items()
        assert (key[0] in (skip, split), found[1:3]) == (True, [rows, errors]), select


def test_a_filter_on_a_score_does_not_score_again(spark: SparkSession, ann: SparkSession) -> None:
    scored = "SELECT id, day, predict('worked_skip', a, b) AS p FROM default.days"
    for rows, select in (
        (ROWS, f"SELECT p FROM ({scored}) WHERE p > 0"),
        (ROWS // DAYS, f"SELECT p, p + 1 FROM ({scored}) WHERE p > 0 AND day = 1 AND id >= 0"),
        (
            ROWS,
            f"WITH s AS ({scored}) SELECT day, SUM(p) FROM s WHERE p BETWEEN 0 AND 9 GROUP BY day HAVING SUM(p) > 0",
        ),
    ):
        before = kept(spark)
        assert run(ann, select).num_rows > 0
        assert added(spark, before)[("worked_skip", "ann", "")][1] == rows, select


def test_a_write_that_fails_loses_nothing_and_counts_nothing_twice(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, append = usage.Ledger(), usage.append

    def fails_before(*_: Any, **__: Any) -> None:
        raise ConnectionError("no disk")

    def fails_after(*given: Any, **more: Any) -> None:
        append(*given, **more)
        raise ConnectionError("no answer")

    def held() -> list[tuple[int, int]]:
        rows = spark.sql("SELECT version, rows FROM ml.usage WHERE model = 'lost'").collect()
        return [(row["version"], row["rows"]) for row in rows]

    for version, failing in enumerate((fails_before, fails_after)):
        ledger.counted.add({Use("lost", version, "f", "e", "u", ""): Figures(1, 10, 0, 0.5)})
        monkeypatch.setattr(usage, "append", failing)
        ledger.write_quietly()
        ledger.counted.add({Use("lost", version, "f", "e", "u", ""): Figures(1, 5, 0, 0.5)})
        monkeypatch.setattr(usage, "append", append)
        ledger.write()
        ledger.write()
    assert sorted(held()) == [(0, 5), (0, 10), (1, 5), (1, 10)]


# Of a table of 240 rows, of which two are deleted, of days 2 and 3; the rows, and how well they are known.
PRICED = (
    ("SELECT {} FROM default.days", 238, "exact"),
    ("SELECT {} FROM default.days WHERE day IN (1, 2)", 119, "exact"),
    ("SELECT day, AVG({}) FROM default.days GROUP BY day", 238, "exact"),
    ("SELECT * FROM (SELECT day, {} AS s FROM default.days) WHERE day = 1", 60, "exact"),
    ("SELECT {} FROM default.days WHERE day = 1 UNION ALL SELECT 1D FROM RANGE(3)", 60, "exact"),
    ("SELECT {} FROM default.days WHERE day = 1 AND id % 3 = 0", 60, "at most"),
    ("SELECT {} FROM default.days WHERE day = 1 AND RAND(1) < 0.5", 60, "at most"),
    ("SELECT {} FROM default.days WHERE id < 0", 0, "at most"),
    ("SELECT {} FROM (SELECT day, SUM(a) AS a, 0D AS b FROM default.days GROUP BY day)", 238, "at most"),
    ("SELECT {} FROM default.days WHERE id IN (SELECT id FROM RANGE(5))", 238, "at most"),
    ("SELECT {} FROM (SELECT x.a, y.b FROM default.days x JOIN default.days y USING (id))", None, "unknown"),
    ("SELECT COUNT(*) FROM (SELECT {} FROM default.days)", 0, "exact"),
    ("SELECT {} FROM VALUES (1D, 2D), (3D, 4D) AS t(a, b)", 2, "exact"),
)


def test_the_rows_of_a_call_are_known_before_it_runs(spark: SparkSession) -> None:
    spark.sql("DELETE FROM default.days WHERE id >= 238")
    before = kept(spark)
    statements = [statement.format("ml.worked_skip(a, b)") for statement, *_ in PRICED]
    prices = [price(spark, statement) for statement in statements]
    for node, statement in enumerate(statements):
        with marked(spark, NODE, str(node)):
            run(spark, statement)
    found = added(spark, before)
    for node, ((_, rows, bound), [told]) in enumerate(zip(PRICED, prices, strict=True)):
        assert (told.rows, told.bound) == (rows, bound), statements[node]
        assert (told.function, told.version, told.alias, told.engine) == ("worked_skip", 1, "champion", "linear")
        assert told.microseconds is not None
        assert told.seconds == (None if rows is None else pytest.approx(rows * told.microseconds / 1e6))
        [counted] = [values[1] for key, values in found.items() if key[2] == str(node)]
        assert rows is None or (counted == rows if bound == "exact" else counted <= rows), statements[node]


def test_formulas_averages_and_writes_have_a_price_and_nothing_runs(spark: SparkSession) -> None:
    before = kept(spark)
    write = "CREATE TABLE default.unmade AS SELECT ml.worked_skip(a, b) AS s FROM default.days WHERE day = 1"
    for statement, expected in (
        ("SELECT predict('worked', a, b), ml.worked(a, b) FROM default.days WHERE day = 1", [(60, "exact")] * 2),
        ("SELECT predict('worked', a, b) AS s FROM default.days WHERE day = 1 ORDER BY s", [(60, "at most")]),
        ("SELECT predict_avg('worked', a, b) FROM default.days", [(0, "exact")]),
        (write, [(60, "exact")]),
        ("UPDATE default.days SET a = predict('worked_skip', a, b)", [(None, "unknown")]),
        ("SELECT 1", []),
    ):
        assert [(told.rows, told.bound) for told in price(spark, statement)] == expected
    assert not spark.catalog.tableExists("default.unmade")
    assert kept(spark) == before, "a price is no usage"
    with pytest.raises(PenstockError, match="did you mean: worked"):
        price(spark, "SELECT predict('worket', a, b) FROM default.days")
