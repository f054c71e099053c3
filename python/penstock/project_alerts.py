"""The alerts of a project: what came of dbt's last tests, who owns it, and who has to hear of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.errors import EnvironmentProblem
from penstock.manifest.owners import owner_of
from penstock.manifest.results import Result, last_run
from penstock.monitoring.alerts import record, webhook
from penstock.monitoring.alerts.findings import MOST_ROWS, Finding, findings_of
from penstock.monitoring.alerts.rules import rules_in
from penstock.monitoring.alerts.states import ERROR, WARN, Alert, Outcome, alerts_of

if TYPE_CHECKING:
    from penstock.project import Project
    from penstock.steps import Doing

_SEVERITIES = {"fail": ERROR, "error": ERROR, "runtime error": ERROR, "warn": WARN}
_PASSED = {"pass"}


@dataclass(frozen=True)
class Told:
    """What `tell` did.

    Attributes:
        alerts: Of dbt's last run.
        sent: How many were sent, those of earlier runs that could not be sent then too; None where there is no webhook.
    """

    alerts: list[Alert]
    sent: int | None

    @property
    def is_urgent(self) -> bool:
        """Whether an error is open of which somebody has to hear now."""
        return any(each.is_urgent for each in self.alerts)


class Alerts:
    """The alerts of a project.

    Args:
        project: The project.
        doing: Shows long steps.
    """

    def __init__(self, project: Project, doing: Doing) -> None:
        self._project = project
        self._doing = doing

    def record(self) -> list[Alert]:
        """Add the alerts of dbt's last run to `ml.alerts`, once, and give them. Spark is started.

        Raises:
            EnvironmentProblem: when dbt has not run, or its artifacts cannot be read.
            UnknownNameError: as for `rules_in`.
            InvalidDefinitionError: as for `rules_in`.
        """
        folder = self._project.target_folder
        run = last_run(folder)
        if run is None or not run.invocation_id:
            raise EnvironmentProblem(
                "dbt has run no tests yet", where=str(folder / "run_results.json"), fix="dbt build, or dbt test"
            )
        nodes = self._tests()
        # What is declared wrongly is told before anything is read.
        rules = {id_: rules_in(node["config"].get("meta"), where=f"test {node['name']}") for id_, node in nodes.items()}
        spark = self._project.spark
        with self._doing("looking for alerts"):
            held = record.alerts_of_run(spark, run.invocation_id)
        if held:
            return held
        tested = []
        for result in run.results:
            if result.unique_id in nodes and result.status in {*_SEVERITIES, *_PASSED}:
                with self._doing(f"looking at {nodes[result.unique_id]['name']}"):
                    tested.append(self._tested(nodes[result.unique_id], result, rules[result.unique_id]))
        with self._doing("keeping alerts"):
            before = record.open_alerts(spark, before=run.at)
            alerts = alerts_of(run.invocation_id, run.at, tested, before, nodes)
            record.log_alerts(spark, alerts)
        return sorted(alerts, key=lambda each: (each.monitor, each.subject))

    def tell(self, environment: Mapping[str, str] = os.environ) -> Told:
        """Record the alerts of dbt's last run, and send what was not sent to the webhook, where there is one.

        Args:
            environment: Has the webhook's address.

        Raises:
            EnvironmentProblem: as for `record`; and when the webhook does not take them: they stay unsent.
        """
        url = webhook.address(environment)
        alerts = self.record()
        if url is None:
            return Told(alerts, None)
        spark = self._project.spark
        due = record.unsent(spark)
        if due:
            with self._doing(f"sending {len(due)} alerts"):
                webhook.post(url, webhook.document(due))
                record.log_sent(spark, due)
        return Told(alerts, len(due))

    def open(self) -> list[Alert]:
        """The alerts that are open, errors first. Spark is started."""
        found = [each.last for each in record.open_alerts(self._project.spark).values()]
        return sorted(found, key=lambda each: (each.severity, each.opened_at, each.monitor, each.subject))

    def _tests(self) -> dict[str, Mapping[str, Any]]:
        nodes = self._project.dbt_manifest["nodes"]
        return {id_: node for id_, node in nodes.items() if node["resource_type"] == "test"}

    def _tested(self, node: Mapping[str, Any], result: Result, rules: Any) -> Outcome:
        manifest = self._project.dbt_manifest
        about = node.get("attached_node") or next(iter((node.get("depends_on") or {}).get("nodes") or []), "")
        on = next((kind[about] for kind in (manifest["nodes"], manifest.get("sources") or {}) if about in kind), None)
        severity = _SEVERITIES.get(result.status)
        findings, is_whole = self._findings(result) if severity is not None else ([], True)
        return Outcome(
            test_id=result.unique_id, monitor=node["name"], model="" if on is None else on["name"],
            owner=str(owner_of(manifest, result.unique_id) or ""), severity=severity, findings=findings,
            is_whole=is_whole, message=result.message, rules=rules,
        )  # fmt: skip

    def _findings(self, result: Result) -> tuple[list[Finding], bool]:
        """What a test found, and whether that is all: its query is asked again, for a bounded number of rows."""
        from pyspark.errors import PySparkException

        rows: list[dict[str, Any]] = []
        if result.sql and result.status != "error":
            try:
                asked = self._project.spark.sql(result.sql).limit(MOST_ROWS)
                rows = [row.asDict(recursive=True) for row in asked.collect()]
            except PySparkException:  # the table is another one by now: dbt's own message is what there is to tell
                rows = []
        return findings_of(rows, result.failures), 0 < len(rows) < MOST_ROWS
