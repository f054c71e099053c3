"""What YAML says to Penstock."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.manifest.meta import declared_in


@pytest.mark.parametrize(
    "meta", [None, {}, {"penstock": None}, {"penstock": "gate"}, {"penstock": {"log": "feedback"}}]
)
def test_nothing_is_declared(meta: Any) -> None:
    assert declared_in(meta, "gate") is None


def test_what_is_declared_is_told() -> None:
    assert declared_in({"penstock": {"gate": {"label": "y"}, "log": "feedback"}}, "gate") == {"label": "y"}
