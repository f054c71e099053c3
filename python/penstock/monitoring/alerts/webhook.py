"""Alerts as one JSON document that is posted to a webhook, whose address is known to an environment variable alone."""

from __future__ import annotations

import http.client
import json
import math
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from penstock.errors import EnvironmentProblem
from penstock.monitoring.alerts.states import Alert

VARIABLE = "PENSTOCK_ALERT_WEBHOOK"
"""The environment variable that has the address."""
_TIMEOUT = 10.0  # seconds
_WAITS = (0.5, 2.0)  # seconds before a second and a third try
_TRY_AGAIN = {408, 425, 429}


def address(environment: Mapping[str, str]) -> str | None:
    """The address of the webhook; None where none is set.

    Raises:
        EnvironmentProblem: when it is none of HTTP; the message does not tell it, for it may be a secret.
    """
    url = environment.get(VARIABLE, "").strip()
    if not url:
        return None
    try:
        parts = urlsplit(url)
        is_known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_known = False
    if not is_known:
        raise EnvironmentProblem(
            "the webhook's address is none", where=f"environment variable {VARIABLE}", fix="https://…"
        )
    return url


def document(alerts: Sequence[Alert]) -> dict[str, Any]:
    """What is posted: `alerts`, each with its columns, and `text`, the same for people, as chat programs show it."""
    return {"text": "\n".join(map(line, alerts)), "alerts": [object_of(each) for each in alerts]}


def line(alert: Alert) -> str:
    """An alert in one line."""
    about = f" [{alert.subject}]" if alert.subject else ""
    numbers = [f"{name} {value:.4g}" for name, value in (("effect", alert.effect), ("p", alert.p)) if value is not None]
    told = f", {', '.join(numbers)}" if numbers else ""
    return (
        f"{alert.state} ({alert.reason}) {alert.severity}: {alert.monitor}{about}{told}; owner {alert.owner or 'none'}"
    )


def object_of(alert: Alert) -> dict[str, Any]:
    """An alert as JSON has it."""
    told = {"alert_id": alert.id, **alert.__dict__, "evidence": json.loads(alert.evidence)}
    for name in ("at", "opened_at"):
        told[name] = told[name].isoformat()
    for name in ("effect", "p"):
        if told[name] is not None and not math.isfinite(told[name]):
            told[name] = "Infinity" if told[name] > 0 else "-Infinity"
    return told


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """What is posted goes to the address that was given, and to no other."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def post(url: str, content: Mapping[str, Any], *, waits: Sequence[float] = _WAITS, timeout: float = _TIMEOUT) -> None:
    """Post a document, with a second and a third try where that may help.

    Args:
        url: The address.
        content: The document.
        waits: Seconds before each further try.
        timeout: Seconds that an answer may take.

    Raises:
        EnvironmentProblem: when it did not arrive; the message does not tell the address.
    """
    body = json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    request = urllib.request.Request(
        url, data=body, method="POST", headers={"Content-Type": "application/json", "User-Agent": "penstock"}
    )
    opener = urllib.request.build_opener(_NoRedirect)
    why = ""
    for wait in (*waits, None):
        try:
            with opener.open(request, timeout=timeout):
                return
        except urllib.error.HTTPError as error:
            why = f"it answered {error.code}"
            if error.code < 500 and error.code not in _TRY_AGAIN:
                break
        except urllib.error.URLError as error:
            # A reason is of the system's, such as "Connection refused"; the address is not in it.
            why = str(getattr(error.reason, "strerror", None) or type(error.reason).__name__)
        except (OSError, ValueError, http.client.HTTPException) as error:
            why = type(error).__name__
        if wait is not None:
            time.sleep(wait)
    raise EnvironmentProblem(
        f"the webhook did not take the alerts: {why}",
        where=f"environment variable {VARIABLE}",
        fix="they are sent by the next `penstock alerts`",
    )
