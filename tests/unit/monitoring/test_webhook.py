"""Alerts are posted to a real server of HTTP that takes them, refuses them, is slow, or is not there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from penstock.errors import EnvironmentProblem
from penstock.monitoring.alerts.states import Alert
from penstock.monitoring.alerts.webhook import VARIABLE, address, document, post
from webhooks import SECRET, Webhook

ALERT = Alert(
    test_id="test.p.t", subject="feature=x", monitor="no_drift", model="drift", owner="flights (Ada)", severity="error",
    state="open", reason="new", effect=float("inf"), p=1e-9, evidence='{"size": "Infinity"}', message="Got 1 result",
    invocation_id="run", at=datetime(2026, 1, 1, tzinfo=UTC), opened_at=datetime(2026, 1, 1, tzinfo=UTC),
)  # fmt: skip


@pytest.fixture
def server() -> Iterator[Webhook]:
    server = Webhook()
    yield server
    server.close()


def test_alerts_arrive_once_as_json(server: Webhook) -> None:
    post(server.url, document([ALERT]), waits=())
    [(path, kind, content)] = server.got
    assert (path, kind) == (f"/{SECRET}", "application/json")
    [told] = content["alerts"]
    assert told["alert_id"] == ALERT.id
    assert (told["effect"], told["evidence"], told["at"]) == (
        "Infinity", {"size": "Infinity"}, "2026-01-01T00:00:00+00:00",
    )  # fmt: skip
    assert content["text"] == ("open (new) error: no_drift [feature=x], effect inf, p 1e-09; owner flights (Ada)")


def test_what_may_pass_is_tried_again(server: Webhook) -> None:
    server.codes = [503, 429]
    post(server.url, document([ALERT]), waits=(0, 0))
    assert len(server.got) == 3


@pytest.mark.parametrize(("codes", "tries", "why"), [([404], 1, "404"), ([500] * 3, 3, "500"), ([302], 1, "302")])
def test_what_does_not_pass_is_told_without_the_address(
    server: Webhook, codes: list[int], tries: int, why: str
) -> None:
    server.codes = codes
    with pytest.raises(EnvironmentProblem, match=f"it answered {why}") as error:
        post(server.url, document([ALERT]), waits=(0, 0))
    assert [path for path, *_ in server.got] == [f"/{SECRET}"] * tries, "nor does it follow to another address"
    assert SECRET not in str(error.value)
    assert VARIABLE in str(error.value)


def test_a_server_that_is_slow_or_not_there_is_told(server: Webhook) -> None:
    server.blocked.clear()
    with pytest.raises(EnvironmentProblem, match="did not take the alerts") as error:
        post(server.url, document([ALERT]), waits=(), timeout=0.2)
    assert SECRET not in str(error.value)
    server.close()
    with pytest.raises(EnvironmentProblem, match="Connection refused") as error:
        post(server.url, document([ALERT]), waits=())
    assert SECRET not in str(error.value)


@pytest.mark.parametrize("url", ["", "  "])
def test_no_address_is_no_webhook(url: str) -> None:
    assert address({}) is None
    assert address({VARIABLE: url}) is None


@pytest.mark.parametrize("url", ["hooks.example.com/secret", "file:///etc/secret", "http:///secret", "http://[secret"])
def test_an_address_that_is_none_of_http_is_told_and_not_shown(url: str) -> None:
    with pytest.raises(EnvironmentProblem, match=VARIABLE) as error:
        address({VARIABLE: url})
    assert "secret" not in str(error.value)
