from __future__ import annotations

import pytest

from penstock.errors import InvalidRequestError
from penstock.training_sets import ColumnFeature, Duration, MetricFeature, parse_feature


@pytest.mark.parametrize(
    ("text", "name", "window"),
    [
        ("carrier.on_time_rate over 7 days", "carrier__on_time_rate__7d", Duration(7, "day")),
        ("carrier.on_time_rate over 1 day", "carrier__on_time_rate__1d", Duration(1, "day")),
        ("Carrier.On_Time_Rate OVER 90 Seconds AS Recent", "Recent", Duration(90, "second")),
        (" origin.flights\n over  2 weeks ", "origin__flights__2w", Duration(2, "week")),
        ("origin.flights to date", "origin__flights__to_date", None),
        ("origin.flights to date as flights_so_far", "flights_so_far", None),
    ],
)
def test_metric(text: str, name: str, window: Duration | None) -> None:
    feature = parse_feature(text)
    assert isinstance(feature, MetricFeature)
    assert (feature.name, feature.window) == (name, window)
    assert feature.metric == feature.metric.lower()


@pytest.mark.parametrize(
    ("text", "name", "within"),
    [
        ("origin.weather.temperature within 6 hours", "origin__weather__temperature", Duration(6, "hour")),
        ("plane.planes.seats", "plane__planes__seats", None),
        ("plane.planes.seats as places", "places", None),
        ("plane.planes.Seats within 30 minutes as s", "s", Duration(30, "minute")),
    ],
)
def test_column(text: str, name: str, within: Duration | None) -> None:
    feature = parse_feature(text)
    assert isinstance(feature, ColumnFeature)
    assert (feature.name, feature.within) == (name, within)


def test_lengths_in_microseconds() -> None:
    assert [Duration(2, u).microseconds for u in ("second", "minute", "hour", "day", "week")] == [
        2_000_000,
        120_000_000,
        7_200_000_000,
        172_800_000_000,
        1_209_600_000_000,
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "this is no feature"),
        ("carrier", "two parts"),
        ("a.b.c.d", "two parts"),
        ("carrier.on_time_rate", "needs the span of time"),
        ("carrier.on_time_rate within 7 days", "needs the span of time"),
        ("plane.planes.seats over 7 days", "not taken over a span"),
        ("plane.planes.seats to date", "not taken over a span"),
        ("carrier.flights over 1 month", "a month has no fixed length"),
        ("carrier.flights over 2 years", "a year has no fixed length"),
        ("carrier.flights over 0 days", "no time at all"),
        ("carrier.flights over -1 days", "is no length of time"),
        ("carrier.flights over 1.5 days", "is no length of time"),
        ("carrier.flights over seven days", "is no length of time"),
        ("carrier.flights over 7", "is no length of time"),
        ("carrier.flights over 7 dyas", "is no unit of time"),
        ("carrier.flights over 9999999 weeks", "longer than 400 years"),
        ("carrier.flights over 7 days as 7d", "'7d' is no name"),
        ("carrier.flights over 7 days as", "is no length of time"),
        ('carrier.flights" over 7 days', "is no name"),
        ("carrier.flights; drop table x over 7 days", "this is no feature"),
        ("carrier.flights over 7 days as a b", "is no length of time"),
    ],
)
def test_mistakes(text: str, what: str) -> None:
    with pytest.raises(InvalidRequestError) as error:
        parse_feature(text)
    assert what in str(error.value)
    assert f"feature '{text}'" in error.value.where


def test_a_misspelt_unit_has_its_near_miss() -> None:
    with pytest.raises(InvalidRequestError) as error:
        parse_feature("carrier.flights over 7 huors")
    assert error.value.near == ("hour",)
