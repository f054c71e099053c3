"""The conformance cases' largest manifest, which lies beside the checkout and not in it: its tables, and requests."""

from __future__ import annotations

import json
import random
from typing import Any

import duckdb

from benchmarks.peers import ROOT, Worker

HOME = ROOT.parent / "shared" / "conformance"
MANIFEST = HOME / "manifests" / "simple_manifest" / "semantic_manifest.json"


def connection() -> duckdb.DuckDBPyConnection:
    """A database with the cases' tables."""
    con = duckdb.connect()
    con.execute("CREATE SCHEMA mf_src")
    for file in sorted((HOME / "parquet").glob("*.parquet")):
        con.execute(f"CREATE TABLE mf_src.{file.stem} AS FROM '{file}'")
    return con


# Semi-additive: MetricFlow joins the picked moment back, which doubles the rows of users that are repeated in their
# table, and those of moments that another time of the same name (`user__ds`) has picked too.
_NOT_COMPARED = frozenset(
    {"current_account_balance_by_user", "total_account_balance_first_day", "total_account_balance_first_day_of_month"}
)


class Names:
    """What can be asked together, as MetricFlow itself tells.

    Args:
        peer: MetricFlow, with the manifest loaded.
    """

    def __init__(self, peer: Worker) -> None:
        self._peer = peer
        self._known: dict[str, frozenset[str]] = {}
        raw = json.loads(MANIFEST.read_text())
        self._by_type: dict[str, list[str]] = {}
        for metric in raw["metrics"]:
            if metric["name"] in _NOT_COMPARED:
                continue
            self._by_type.setdefault(metric["type"], []).append(metric["name"])

    def draw(self, shape: str, rnd: random.Random) -> dict[str, Any] | None:
        """A request of the shape; None where what was drawn can't be asked for together."""
        if shape == "one":
            return self._request(rnd, self._by_type["simple"], 1, 1)
        if shape == "cumulative":
            return self._request(rnd, self._by_type["cumulative"], 1, rnd.choice([0, 0, 1]), time=True)
        if shape == "ratios":
            return self._request(rnd, self._by_type["ratio"] + self._plain_derived(), 3, 3, far=1)
        return self._request(rnd, self._by_type["simple"] + self._by_type["ratio"], 10, 4, time=True)

    def _request(
        self, rnd: random.Random, metrics: list[str], count: int, dimensions: int, *, far: int = 0, time: bool = False
    ) -> dict[str, Any] | None:
        asked = rnd.sample(metrics, count)
        common = sorted(frozenset.intersection(*(self._dimensions(m) for m in asked)))
        if len(common) < dimensions:
            return None
        group = rnd.sample(common, dimensions)
        if sum(name.count("__") >= 2 for name in group) < far:
            return None
        if time:
            group.append(f"metric_time__{rnd.choice(['day', 'month', 'quarter', 'year'])}")
        return {"metrics": asked, "group_by": group}

    def _dimensions(self, metric: str) -> frozenset[str]:
        if metric not in self._known:
            names = self._peer.ask("dimensions", metrics=[metric])["names"]
            self._known[metric] = frozenset(n for n in names if not _left_out(n))
        return self._known[metric]

    def _plain_derived(self) -> list[str]:
        return [n for n in self._by_type["derived"] if "offset" not in n and "growth" not in n]


def _left_out(name: str) -> bool:
    """Metric time has a part of its own in a request; and partitioned users behind listings are not compared.

    MetricFlow joins these users to the listings before it compares the partitions with the bookings', so that a listing
    without a user in the booking's partition loses its own attributes too: its rows change with what else is asked for.
    """
    return name.startswith("metric_time") or ("__user__" in name and not name.endswith("_latest"))
