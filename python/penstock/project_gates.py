"""The gates of a project's models: decide, promote, go back, and what promotions were worth."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from penstock.engines import spark as spark_engine
from penstock.errors import InvalidDefinitionError, UnknownNameError
from penstock.manifest.meta import declared_in
from penstock.manifest.owners import Owner, owner_of
from penstock.manifest.results import last_run
from penstock.monitoring.gates.definition import Gate, parse_gate
from penstock.scoring.functions import literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from penstock.monitoring.gates.decide import Decision
    from penstock.monitoring.gates.promotion import Promoted
    from penstock.project import Project
    from penstock.steps import Doing


class Gates:
    """The gates that the nodes of a project declare.

    Args:
        project: The project.
        doing: Shows long steps.
    """

    def __init__(self, project: Project, doing: Doing) -> None:
        self._project = project
        self._doing = doing

    @cached_property
    def declared(self) -> Mapping[str, Gate]:
        """The gates by model.

        Raises:
            UnknownNameError: when a gate names a model or a test that the project has not.
            InvalidDefinitionError: when a gate is none, or a model has two.
        """
        found: dict[str, Gate] = {}
        tests = [each["name"] for each in self._nodes("test")]
        for unique_id, gate in self.of_nodes.items():
            where = self._project.dbt_manifest["nodes"][unique_id]["original_file_path"]
            if gate.model in found:
                raise InvalidDefinitionError(f"model '{gate.model}' has two gates", where=where, fix="declare one")
            for test in gate.tests:
                if test not in tests:
                    raise UnknownNameError.of("test", test, tests, where=f"{where}, gate", fix="dbt ls -s test_type:*")
            self._relation(gate, where)
            found[gate.model] = gate
        return found

    def gate_of(self, model: str) -> Gate:
        """The gate of a model.

        Raises:
            UnknownNameError: when none is declared; or as for `declared`.
        """
        if model not in self.declared:
            fix = "declare meta: {penstock: {gate: …}} at the node that trains it"
            raise UnknownNameError.of("gate", model, self.declared, where="the nodes of the project", fix=fix)
        return self.declared[model]

    def decide(
        self,
        model: str,
        challenger: int | None = None,
        *,
        approved_by: str | None = None,
        results: Mapping[str, str] | None = None,
    ) -> Decision:
        """Decide whether a version may go live; Spark is started.

        Args:
            model: The registered name.
            challenger: The version; the newest when None.
            approved_by: Who approves it.
            results: What came of dbt's tests, by name; that of dbt's last invocation if not given.

        Raises:
            PenstockError: as for `gate_of` and `monitoring.gates.decide`.
        """
        from penstock.monitoring.gates.decide import decide

        gate = self.gate_of(model)
        results = self.results() if results is None else results
        spark, relation = self._project.spark, self._relation(gate, f"gate of {model}")

        return decide(
            spark, gate, relation=relation, challenger=challenger,
            results=results, approved_by=approved_by, doing=self._steps(spark),
        )  # fmt: skip

    def behave(self, model: str, version: int | None = None) -> Sequence[Mapping[str, Any]]:
        """Look at how a version behaves, the newest when None; Spark is started.

        Raises:
            PenstockError: as for `gate_of` and `monitoring.gates.decide.behave`.
        """
        from penstock.monitoring.gates.decide import behave

        gate = self.gate_of(model)
        spark, relation = self._project.spark, self._relation(gate, f"gate of {model}")
        return behave(spark, gate, relation=relation, version=version, doing=self._steps(spark))

    @cached_property
    def of_nodes(self) -> Mapping[str, Gate]:
        """The gates by the dbt ids of the nodes that declare them.

        Raises:
            UnknownNameError, InvalidDefinitionError: when a gate is none.
        """
        nodes = self._project.dbt_manifest["nodes"]
        given = {unique_id: declared_in(node["config"].get("meta"), "gate") for unique_id, node in nodes.items()}
        return {
            unique_id: parse_gate(gate, model=nodes[unique_id]["name"], where=nodes[unique_id]["original_file_path"])
            for unique_id, gate in given.items()
            if gate is not None
        }

    def owner(self, model: str) -> str:
        """Who owns a model: the owner of the group of the node with its gate; empty where nobody is told."""
        return str(self._owners.get(model) or "")

    def owners_of_failed(self, decision: Decision) -> dict[str, str]:
        """Who owns each test for which a decision is a refusal, by the test's name; 'none' where nobody is told."""
        asked = {f"test {each['name']}": each for each in self._nodes("test")}
        failed = [each.name for each in decision.conditions if not each.passed and each.name in asked]
        manifest = self._project.dbt_manifest
        return {asked[name]["name"]: str(owner_of(manifest, asked[name]["unique_id"]) or "none") for name in failed}

    @cached_property
    def _owners(self) -> dict[str, Owner | None]:
        manifest = self._project.dbt_manifest
        return {gate.model: owner_of(manifest, unique_id) for unique_id, gate in self.of_nodes.items()}

    def kept(self, decision: Decision) -> pa.Table:
        """The row of `ml.gates` of a decision, and who owns the model."""
        from penstock.monitoring.gates.decide import GATES

        owner = literal(self.owner(decision.row["model"]))
        return self._project.sql(f"SELECT *, {owner} AS owner FROM {GATES.name} WHERE gate_id = '{decision.id}'")

    def promote(self, model: str, version: int) -> Promoted:
        """Let a version go live on its gate; Spark is started. Errors as for `monitoring.promotion.promote_by_gate`."""
        from penstock.monitoring.gates.promotion import GateRefuses, promote_by_gate

        gate, spark = self.declared.get(model), self._project.spark
        try:
            with self._doing(f"promoting version {version} of {model}"):
                return promote_by_gate(spark, model, version, gate)
        except GateRefuses as refusal:
            owner = f", owned by {self.owner(model)}" if self.owner(model) else ""
            raise GateRefuses(refusal.what, where=f"{refusal.where}{owner}", fix=refusal.fix) from refusal

    def force(self, model: str, version: int, *, reason: str) -> Promoted:
        """Let a version go live whatever its gate says. Errors as for `monitoring.promotion.promote_by_force`."""
        from penstock.monitoring.gates.promotion import promote_by_force

        spark = self._project.spark
        with self._doing(f"promoting version {version} of {model}"):
            return promote_by_force(spark, model, version, reason=reason)

    def roll_back(self, model: str, *, reason: str = "") -> int:
        """Let the version before the last promotion be live again, and tell which. Errors as for `registry.promote`."""
        from penstock.registry.promote import roll_back

        spark = self._project.spark
        with self._doing(f"rolling {model} back"):
            return roll_back(spark, model, reason=reason).version

    def ledger(self, model: str) -> pa.Table:
        """What each promotion of a model promised, and what it was worth: see `monitoring.ledger.ledger_sql`."""
        from penstock.monitoring.gates.ledger import ledger_of

        gate = self.gate_of(model)
        return self._project.sql(ledger_of(self._project.spark, gate))

    def _steps(self, spark: Any) -> Doing:
        """Shows long steps with how far Spark is."""

        def doing(step: str, how_far: Callable[[], str] = lambda: spark_engine.how_far(spark)) -> Any:
            return self._doing(step, how_far)

        return doing

    def _nodes(self, *kinds: str) -> list[Mapping[str, Any]]:
        return [each for each in self._project.dbt_manifest["nodes"].values() if each["resource_type"] in kinds]

    def _relation(self, gate: Gate, where: str) -> str:
        known = {each["name"]: each["relation_name"] for each in self._nodes("model", "seed", "snapshot")}
        if gate.evaluate not in known:
            raise UnknownNameError.of("model", gate.evaluate, known, where=f"{where}, evaluate")
        return str(known[gate.evaluate])

    def results(self) -> dict[str, str]:
        """What came of the tests of dbt's last invocation, by name."""
        names = {each["unique_id"]: each["name"] for each in self._nodes("test")}
        run = last_run(self._project.target_folder)
        return {names[each.unique_id]: each.status for each in (run.results if run else ()) if each.unique_id in names}
