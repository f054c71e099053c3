"""The loops of a project's models: train, test, decide, promote, each step once."""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from penstock.dbt_runs import BuildFailed, run_dbt
from penstock.engines import spark as spark_engine
from penstock.errors import UnknownNameError
from penstock.manifest.meta import declared_in
from penstock.monitoring.gates.definition import Gate
from penstock.monitoring.loop import runs, triggers
from penstock.monitoring.loop.alone import alone
from penstock.monitoring.loop.definition import Labels, Loop, parse_loop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.monitoring.gates.decide import Decision
    from penstock.monitoring.loop.runs import Run
    from penstock.monitoring.loop.triggers import Trigger
    from penstock.project import Project
    from penstock.steps import Doing

BUILD, TESTS, GATE, PROMOTE = "build", "tests", "gate", "promote"


@dataclass(frozen=True)
class Declared:
    """A loop with what it is made of.

    Attributes:
        loop: When it starts.
        gate: What decides.
        node: The dbt node that trains.
    """

    loop: Loop
    gate: Gate
    node: str


class Loops:
    """The loops that the nodes of a project declare.

    Args:
        project: The project.
        doing: Shows long steps.
    """

    def __init__(self, project: Project, doing: Doing) -> None:
        self._project = project
        self._doing = doing
        self._runner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"

    @cached_property
    def declared(self) -> Mapping[str, Declared]:
        """The loops by model.

        Raises:
            UnknownNameError: when a loop names a model or a test that the project has not.
            InvalidDefinitionError: when a loop is none, or has no gate.
            PenstockError: as for the gates of the project.
        """
        gates = self._project.gates.declared
        found = {}
        for unique_id, node in self._project.dbt_manifest["nodes"].items():
            given, where = declared_in(node["config"].get("meta"), "loop"), node["original_file_path"]
            if given is None:
                continue
            gate = self._project.gates.of_nodes.get(unique_id)
            loop = parse_loop(given, gate, where=where)
            assert gate is not None, "a loop without one is refused"
            if loop.drift and loop.drift not in self._tests:
                fix = "dbt ls -s resource_type:test"
                raise UnknownNameError.of("test", loop.drift, self._tests, where=f"{where}, loop, drift", fix=fix)
            if loop.labels:
                self._relation(loop.labels.relation, f"{where}, loop, labels")
            found[gate.model] = Declared(loop, gates[gate.model], node["name"])
        return found

    def run(self, model: str, *, now: bool = False, approved_by: str | None = None) -> Run:
        """Train, decide and promote, if it is time; what an earlier one has begun is brought to its end first.

        Each step finds what it has done before, so that a loop which was killed ends, run again, as it would have.

        Args:
            model: The registered name.
            now: Whether it starts though nothing asks for it.
            approved_by: Who approves the version that waits for that, or will.

        Returns:
            What became of it; one that is not due is in no table.

        Raises:
            UnknownNameError: when no loop is declared for the model.
            LoopRuns: when another process runs one.
            BuildFailed: when dbt ends with errors. Run again it goes on there.
            PenstockError: as for the gate and the promotion.
        """
        if model not in self.declared:
            fix = "declare meta: {penstock: {loop: …}} at the node that trains it"
            raise UnknownNameError.of("loop", model, self.declared, where="the nodes of the project", fix=fix)
        declared = self.declared[model]
        with alone(model):
            last = runs.newest_run(self._project.spark, model)
            if last is not None and last.state == runs.RUNNING:
                return self._steps(declared, self._taken_over(last), approved_by)
            if last is not None and last.state == runs.WAITING and approved_by:
                return self._steps(declared, self._taken_over(last), approved_by)
            looked = self._looked(declared, last, now)
            if not any(each.due for each in looked.triggers):
                if last is not None and last.state == runs.WAITING:
                    return self._steps(declared, last, None)
                return looked
            if last is not None and last.state == runs.WAITING:
                told = runs.Step("approval", "nobody approved it before the next one began", _now())
                self._save(self._ended(self._taken_over(last), runs.LEFT, told))
            runs.begin(self._project.spark, looked)
            return self._steps(declared, looked, approved_by)

    def _looked(self, declared: Declared, last: Run | None, now: bool) -> Run:
        """A loop that may begin: what asks for it."""
        from penstock.registry import mlflow_store

        loop, model = declared.loop, declared.gate.model
        found = mlflow_store.client().search_model_versions(f"name = '{model}'")
        newest = max(found, key=lambda each: int(each.version), default=None)
        looked: list[Trigger] = [triggers.asked()] if now else []
        if newest is None:
            looked.append(triggers.first())
        elif loop.every:
            made = datetime.fromtimestamp(newest.creation_timestamp / 1000, UTC)
            since = made if last is None else max(made, last.started_at)
            looked.append(triggers.by_time(loop.every, since, _now()))
        if loop.labels:
            before = (last.labels if last else None) or 0
            looked.append(triggers.by_labels(loop.labels, self._count(loop.labels), before))
        if loop.drift and not any(each.due for each in looked):
            looked.append(self._drift(loop.drift, last.drift_read if last else {}))
        due = any(each.due for each in looked)
        return runs.Run(
            model=model,
            state=runs.RUNNING if due else runs.NOT_DUE,
            triggers=tuple(looked),
            started_at=_now(),
            loop_id=runs.id_after(model, last) if due else "",
            newest=None if newest is None else int(newest.version),
            runner=self._runner,
        )

    def _steps(self, declared: Declared, run: Run, approved_by: str | None) -> Run:
        if not run.has(BUILD):
            run = self._save(self._built(declared, run))
        if declared.gate.tests and not run.has(TESTS):
            run = self._save(self._tested(declared, run))
        return self._decided(declared, run, approved_by)

    def _built(self, declared: Declared, run: Run) -> Run:
        from penstock.monitoring.gates.decide import newest_version

        loop, gate = declared.loop, declared.gate
        above = "+" if loop.upstream else ""
        selected = list(dict.fromkeys(f"{above}{name}" for name in (declared.node, gate.evaluate)))
        # A test of drift that fails is why it trains, and the gate asks for its tests itself.
        apart = [name for name in (*gate.tests, loop.drift) if name]
        arguments = ["--select", *selected, *(["--exclude", *apart] if apart else [])]
        self._dbt(f"training {gate.model}", "build", *arguments, "--indirect-selection", "buildable")
        challenger = newest_version(gate.model)
        told = f"version {challenger} was trained"
        if challenger == run.newest:
            told = f"nothing was to be trained, version {challenger} is the newest"
        return replace(
            run,
            challenger=challenger,
            labels=self._count(loop.labels) if loop.labels else None,
            drift_read=self._read_by(loop.drift) if loop.drift else {},
            steps=_and(run, runs.Step(BUILD, told, _now())),
        )

    def _tested(self, declared: Declared, run: Run) -> Run:
        done = self._dbt(f"testing {run.model}", "test", "--select", *declared.gate.tests)
        results = {each.node.name: str(each.status) for each in done}
        came = {name: results.get(name, "not run") for name in declared.gate.tests}
        passed = sum(each == "pass" for each in came.values())
        step = runs.Step(TESTS, f"{passed} of {len(came)} passed", _now())
        return replace(run, tests=came, steps=_and(run, step))

    def _decided(self, declared: Declared, run: Run, approved_by: str | None) -> Run:
        from penstock.monitoring.gates.conditions import PASSED
        from penstock.monitoring.gates.promotion import GateRefuses
        from penstock.registry.promote import live_version

        gates, spark, challenger = self._project.gates, self._project.spark, run.challenger
        assert challenger is not None
        for last_try in (False, True):
            if live_version(spark, run.model) != challenger:
                run = self._asked(run, gates.decide(run.model, challenger, approved_by=approved_by, results=run.tests))
                if run.state != runs.RUNNING:
                    return run
            elif run.verdict != PASSED:
                state = runs.NOTHING_NEW if challenger == run.newest else runs.PROMOTED
                told = f"version {challenger} is live, no gate was asked"
                return self._save(self._ended(run, state, runs.Step(GATE, told, _now())))
            try:
                done = gates.promote(run.model, challenger)
                break
            except GateRefuses:
                # Somebody has built the table anew, or moved the alias, since the gate passed.
                if last_try:
                    raise
        before = run.live if done.before == challenger else done.before
        told = f"version {challenger} is live" + (f", before it {before} was" if before else "")
        return self._save(self._ended(run, runs.PROMOTED, runs.Step(PROMOTE, told, _now())))

    def _asked(self, run: Run, decision: Decision) -> Run:
        """The loop after its gate has decided; still running if it passed."""
        failed = [each for each in decision.conditions if not each.passed]
        before = decision.row["decided_at"].timestamp() < run.started_at.timestamp()
        told = f"{decision.row['verdict']}{', as it was before on the same rows' if before else ''}"
        told += "".join(f"; {each.name}: {each.told}" for each in failed)
        known = {"gate_id": decision.id, "verdict": decision.row["verdict"], "live": decision.row["champion"]}
        step = runs.Step(GATE, told, _now())
        if failed and all(each.name == "approval" for each in failed):
            waiting = replace(run, **known, state=runs.WAITING)
            same = run.state == runs.WAITING and run.gate_id == decision.id
            return run if same else self._save(replace(waiting, steps=_and(run, step)))
        if failed:
            return self._save(self._ended(replace(run, **known), runs.REFUSED, step))
        return self._save(replace(run, **known, state=runs.RUNNING, steps=_and(run, step)))

    def _ended(self, run: Run, state: str, step: runs.Step) -> Run:
        from penstock.registry.promote import live_version

        live = live_version(self._project.spark, run.model)
        return replace(run, state=state, live=live, steps=_and(run, step), ended_at=_now())

    def _taken_over(self, run: Run) -> Run:
        taken = replace(run, runner=self._runner, state=runs.RUNNING)
        runs.save(self._project.spark, taken, held_by=run.runner)
        return taken

    def _save(self, run: Run) -> Run:
        runs.save(self._project.spark, run)
        return run

    def _count(self, labels: Labels) -> int:
        from pyspark.sql import functions as f

        relation = self._relation(labels.relation, "loop, labels")
        if not self._project.spark.catalog.tableExists(relation.replace("`", "")):
            return 0
        rows = self._project.spark.table(relation)
        if labels.label not in rows.columns:
            raise UnknownNameError.of("column", labels.label, rows.columns, where=f"loop, labels in {labels.relation}")
        return int(rows.select(f.count(f.col(f"`{labels.label}`"))).first()[0])

    def _drift(self, test: str, answered: Mapping[str, int]) -> Trigger:
        read = self._read_by(test)
        [done] = self._dbt(f"testing {test}", "test", "--select", test) or [None]
        status = "not run" if done is None else str(done.status)
        if done is None or status not in ("pass", "warn", "fail"):
            what = f"the test of drift ended with: {status}"
            raise BuildFailed(what, where=f"loop, drift: {test}", fix=f"dbt test --select {test}")
        return triggers.by_drift(test, status, done.failures, read, answered)

    def _dbt(self, step: str, command: str, *arguments: str) -> list[Any]:
        """Run dbt in this process; what it says of each node."""
        spark = self._project.spark
        running: list[str] = []
        place = ["--project-dir", str(self._project.folder)]

        def ended(name: str) -> None:
            if name in running:  # one that is skipped never began
                running.remove(name)

        target = ["--target", self._project.target] if self._project.target else []
        with self._doing(step, lambda: ", ".join(running) or spark_engine.how_far(spark)):
            done = run_dbt(
                command, *arguments, *place, *target, log_level="none", tests_may_fail=command == "test",
                on_start=lambda node: running.append(node.node_info.node_name),
                on_node=lambda node: ended(node.node_info.node_name),
            )  # fmt: skip
        return list(done.results)

    @cached_property
    def _tests(self) -> Mapping[str, Mapping[str, Any]]:
        nodes = self._project.dbt_manifest["nodes"].values()
        return {each["name"]: each for each in nodes if each["resource_type"] == "test"}

    def _read_by(self, test: str) -> dict[str, int]:
        """The versions of the Delta tables that a test reads."""
        nodes = self._project.dbt_manifest["nodes"]
        read = [nodes[each]["relation_name"] for each in self._tests[test]["depends_on"]["nodes"] if each in nodes]
        found = self._project.versions(read)
        return {name: version for name, version in found.items() if version is not None}

    def _relation(self, name: str, where: str) -> str:
        nodes = self._project.dbt_manifest["nodes"].values()
        known = {
            each["name"]: each["relation_name"]
            for each in nodes
            if each["resource_type"] in ("model", "seed", "snapshot")
        }
        if name not in known:
            raise UnknownNameError.of("model", name, known, where=where)
        return str(known[name])


def _now() -> datetime:
    return datetime.now(UTC)


def _and(run: Run, step: runs.Step) -> tuple[runs.Step, ...]:
    """The steps of a loop with this one done, in place of what it came to before."""
    return (*(each for each in run.steps if each.step != step.step), step)
