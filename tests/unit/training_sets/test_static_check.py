"""SQL that leaks, as people write it, and SQL that doesn't: each of the first is found, and none of the second."""

from __future__ import annotations

import duckdb
import pytest
from brute_force import ANSWERS
from worlds import TYPES, manifest

from penstock.errors import InvalidRequestError
from penstock.training_sets import Spine, TrainingSetRequest, compile_training_set
from penstock.training_sets.leakage.static_check import as_rows, check_sql

ALL = tuple(ANSWERS)

# labels are a spine; events are known at known_at, readings with a delay, prices valid for a time, places timeless
BAD = [
    ("clock", "select l.*, current_date - at as age from labels l"),
    ("clock", "select l.*, now() as n from labels l"),
    ("chance", "select l.*, rand() as n from labels l"),
    ("clock", "select * from labels where at < current_timestamp()"),
    ("window", "select l.*, avg(e.n) over (partition by l.thing) as m from labels l"),
    (
        "window",
        """select l.*, sum(n) over (partition by thing order by at rows between unbounded preceding and
    unbounded following) m from labels l""",
    ),
    (
        "window",
        """select l.*, sum(n) over (partition by thing order by at rows between 3 preceding and 1 following) m
    from labels l""",
    ),
    ("window", "select l.*, lead(y) over (partition by thing order by at) m from labels l"),
    ("window", "select l.*, lag(y) over (partition by thing order by at desc) m from labels l"),
    ("window", "select l.*, first_value(y) over (partition by thing order by at desc) m from labels l"),
    ("order", "select * from labels limit 100"),
    ("asof", "select * from labels asof join events on labels.at >= events.happened_at"),
    ("join", "select l.*, p.price from labels l left join prices p on p.thing = l.thing"),
    ("join", "select l.*, p.price from labels l left join prices p using (thing)"),
    ("join", "select l.*, p.price from labels l left join prices p on p.thing = l.thing and p.valid_to is null"),
    (
        "join",
        """select l.*, a.m from labels l left join (select thing, avg(n) as m from events group by thing) a on
    a.thing = l.thing""",
    ),
    (
        "join",
        """with f as (select thing, count(*) c from events group by 1) select l.*, f.c from labels l left join
    f on f.thing=l.thing""",
    ),
    (
        "join",
        """with latest as (select *, row_number() over (partition by thing order by happened_at desc) as rn
    from events) select l.*, x.n from labels l join latest x on x.thing = l.thing and x.rn = 1""",
    ),
    ("join", "select l.*, (select avg(n) from events e where e.thing = l.thing) m from labels l"),
    ("join", "select l.*, (select avg(n) from events) m from labels l"),
    ("join", "select l.thing, l.at, avg(e.n) from labels l join events e on e.thing = l.thing group by 1, 2"),
    ("join", "select l.*, e.n from labels l, events e where e.thing = l.thing"),
    (
        "join",
        """select l.*, case when l.thing in (select thing from events where flag) then 1 else 0 end f from
    labels l""",
    ),
    ("join", "select l.*, exists(select 1 from events e where e.thing = l.thing and e.flag) f from labels l"),
    ("chance", "select * from labels tablesample (10 percent)"),
    ("window", "select l.*, avg(y) over w as m from labels l window w as (partition by thing)"),
    ("order", "select l.*, row_number() over (partition by thing) as m from labels l"),
    (
        "join",
        """with e as (select * from events), s as (select * from labels), d as (select thing, max(n) m from e
    group by thing) select s.*, d.m from s left join d on s.thing = d.thing""",
    ),
    (
        "join",
        """select l.*, e.n from labels l left join events e on e.thing = l.thing and e.happened_at >=
    '2024-01-01'""",
    ),
    (
        "join",
        """with byday as (select thing, date(happened_at) d, avg(n) m from events group by 1,2), best as
    (select thing, max(m) m from byday group by 1) select l.*, best.m from labels l left join best using
    (thing)""",
    ),
    (
        "join",
        """select l.*, r.value from labels l left join lateral (select value from readings r where r.thing =
    l.thing order by read_at desc limit 1) r on true""",
    ),
    ("clock", "select l.*, localtimestamp as t from labels l"),
    ("chance", "select l.*, uuid() as u from labels l"),
]

GOOD = [
    "select l.*, e.n from labels l left join events e on e.thing = l.thing and e.known_at < l.at",
    """select l.label_id, l.at, avg(e.n) from labels l left join events e on e.thing = l.thing and
    e.known_at < l.at and e.happened_at >= l.at - interval 7 days group by 1, 2""",
    """select l.*, p.price from labels l left join prices p on p.thing = l.thing and l.at >= p.valid_from
    and (l.at < p.valid_to or p.valid_to is null)""",
    """select l.*, p.price from labels l left join prices p on p.thing = l.thing and l.at between
    p.valid_from and p.valid_to""",
    """with t as (select thing, at, label_id, null as n, 0 as is_event from labels union all select thing,
    known_at, null, n, 1 from events), f as (select *, last_value(n) ignore nulls over (partition by
    thing order by at, is_event rows between unbounded preceding and current row) as last_n from t)
    select label_id, at, last_n from f where is_event = 0""",
    """with i as (select thing, n, known_at as valid_from, lead(known_at) over (partition by thing order by
    known_at) as valid_to from events) select l.*, i.n from labels l left join i on i.thing = l.thing
    and i.valid_from < l.at and (i.valid_to >= l.at or i.valid_to is null)""",
    """with t as (select thing, unix_micros(at) as t, label_id, 0 as n from labels union all select thing,
    unix_micros(known_at), null, n from events) select label_id, sum(n) over (partition by thing order
    by t range between 604800000000 preceding and 1 preceding) as s from t""",
    "select l.*, p.country from labels l left join places p on p.place = l.place",
    """with f as (select l.label_id, sum(e.n) s from labels l join events e on e.thing = l.thing and
    e.known_at < l.at group by 1) select l.*, f.s from labels l left join f on f.label_id = l.label_id""",
    """with ranked as (select l.label_id, e.n, row_number() over (partition by l.label_id order by
    e.known_at desc) rn from labels l join events e on e.thing = l.thing and e.known_at < l.at) select
    l.*, r.n from labels l left join ranked r on r.label_id = l.label_id and r.rn = 1""",
    """select l.*, (select avg(n) from events e where e.thing = l.thing and e.known_at < l.at) m from
    labels l""",
    "select l.*, lag(y) over (partition by thing order by at) m from labels l",
    """select l.*, exists(select 1 from events e where e.thing = l.thing and e.known_at < l.at) f from
    labels l""",
    """with daily as (select thing, date(known_at) as day, sum(n) as n from events group by 1, 2) select
    l.*, d.n from labels l left join daily d on d.thing = l.thing and d.day = date_sub(date(l.at), 1)""",
    """with daily as (select thing, date(known_at) as day, sum(n) as n from events group by 1, 2), run as
    (select thing, day, sum(n) over (partition by thing order by day) as n from daily) select l.*, d.n
    from labels l left join run d on d.thing = l.thing and d.day < date(l.at)""",
    "select * from labels order by label_id limit 100",
    """select l.*, sum(case when e.known_at < l.at then e.n end) from labels l left join events e on
    e.thing = l.thing group by all""",
    """select e.*, w.value from events e left join readings w on w.thing = e.thing and w.read_at <
    e.happened_at""",
    "select l.*, month(at) as m from labels l where at >= '2024-01-01'",
    "select l.*, rand(7) r from labels l",
    """select l.*, r.value from labels l left join lateral (select value from readings r where r.thing =
    l.thing and r.read_at < l.at order by read_at desc limit 1) r on true""",
    # a sample that is the same each time, and rows that are the spine's own
    "select l.*, rand(7) as r from labels as l tablesample (10 percent) repeatable (3)",
]

# told where nothing is said of the spine; a label is made by looking ahead
OF_THE_SPINE = """with spine as (select l.*, lead(at) over (partition by thing order by at) - at as gap,
    lead(kind) over (partition by thing order by at) as next_kind, max(y) over (partition by thing) as best,
    e.flag as label from labels as l join events as e on e.id = l.label_id)
    select s.*, p.country from spine as s left join places as p on p.place = s.place"""


@pytest.mark.parametrize(("kind", "sql"), BAD)
def test_a_mistake_is_found(kind: str, sql: str) -> None:
    found = check_sql(sql, manifest())
    assert kind in {f.kind for f in found}
    assert all(f.place and f.what and f.fix for f in found)


@pytest.mark.parametrize("sql", GOOD)
def test_what_is_right_is_not_found_fault_with(sql: str) -> None:
    assert check_sql(sql, manifest()) == ()


@pytest.mark.parametrize("dialect", ["spark", "duckdb"])
@pytest.mark.parametrize("inclusive", [False, True])
def test_what_the_compiler_makes_passes(dialect: str, inclusive: bool) -> None:
    spine = Spine("labels", at="at", entities={"thing": "thing", "place": "place"})
    for types in (TYPES, {}):
        for texts in [*((text,) for text in ALL), ALL]:
            request = TrainingSetRequest(spine, texts, inclusive=inclusive, types=types)
            sql = compile_training_set(manifest(), request, dialect).sql
            assert check_sql(sql, manifest(), spine=("_spine",), dialect=dialect) == (), texts


def test_a_spine_may_look_ahead() -> None:
    assert {f.kind for f in check_sql(OF_THE_SPINE, manifest())} == {"window", "join"}
    assert check_sql(OF_THE_SPINE, manifest(), spine=("spine",)) == ()


def test_a_spine_is_the_same_each_time() -> None:
    sql = "with spine as (select * from labels where at < current_date limit 5) select * from spine"
    assert [f.kind for f in check_sql(sql, manifest(), spine=("spine",))] == ["order", "clock"]


def test_events_beside_a_spine_need_its_time() -> None:
    sql = "select l.*, e.n from events as e join labels as l on e.thing = l.thing"
    assert [f.kind for f in check_sql(sql, manifest(), spine=("labels",))] == ["join"]
    assert check_sql(f"{sql} and e.known_at < l.at", manifest(), spine=("labels",)) == ()


def test_a_place_is_the_step_and_its_sql() -> None:
    sql = "with f as (select *, lead(n) over (order by id) as m from labels) select * from f"
    (found,) = check_sql(sql, manifest())
    assert found.place == "f: LEAD(n) OVER (ORDER BY id)"


def test_findings_as_rows() -> None:
    found = check_sql("select *, 'it''s' as a from labels limit 3", manifest())
    connection = duckdb.connect()
    rows = connection.execute(as_rows(found, "duckdb")).fetchall()
    assert rows == [(f.kind, f.place, f.what, f.fix) for f in found]
    assert len(rows) == 1
    assert connection.execute(as_rows((), "duckdb")).fetchall() == []


def test_what_is_no_query_is_refused() -> None:
    with pytest.raises(InvalidRequestError):
        check_sql("drop table labels", manifest())
