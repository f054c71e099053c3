"""What the tables of models say, as Spark's analyser asks for it: read when they changed, and once for a statement.

A statement pins the versions of the Delta tables that it reads when it is analysed, and this does it likewise. This is
internal API of Spark 4.2 and Delta 4.4, kept to this file.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from penstock.engines.java import CATALYST, Java
from penstock.registry.alias_table import aliases_in
from penstock.registry.functions import functions_in
from penstock.registry.versions import Version
from penstock.scoring.bodies import body
from penstock.scoring.declared import Function, parse_function
from penstock.scoring.functions import ALIASES, FUNCTIONS
from penstock.scoring.live import Held
from penstock.scoring.usage import Asker, Use

_STATEMENTS = 64  # that may be analysed at once
_BODIES = 1000  # that are kept of a state of the tables


@dataclass(frozen=True)
class Tables:
    """One state of the tables.

    Attributes:
        functions: Those that are declared, by name in lower case.
        aliases: What each alias points to, by model and alias.
        bodies: What calls stand for, as text, where that has been worked out for this state already.
        uses: For which the statement is counted already.
    """

    functions: Mapping[str, Function]
    aliases: Mapping[tuple[str, str], Version]
    bodies: dict[tuple[Function, tuple[str, ...], Asker], str] = field(default_factory=dict)
    uses: set[Use] = field(default_factory=set)

    def body(self, function: Function, held: Mapping[str, Held], given: Iterable[str], asker: Asker) -> str:
        """What a call stands for, see `penstock.scoring.bodies.body`."""
        key = function, tuple(given), asker
        if key not in self.bodies:
            if len(self.bodies) >= _BODIES:
                self.bodies.clear()
            self.bodies[key] = body(function, held, key[1], asker)
        return self.bodies[key]

    def function(self, name: str) -> Function | None:
        """A declared function, or the usual one of a model; None when there is no such model."""
        declared = self.functions.get(name.lower())
        if declared is not None:
            return declared
        model = next((model for model, _ in self.aliases if model.lower() == name.lower()), None)
        return None if model is None else parse_function({}, model=model)


@lru_cache(maxsize=1)
def model_tables(java: Java) -> ModelTables:
    """The one view of the tables that all functions of a JVM share, so that they agree within a statement."""
    return ModelTables(java)


class ModelTables:
    """The tables, for the statement that Spark analyses now.

    Args:
        java: The JVM.
    """

    def __init__(self, java: Java) -> None:
        self._java = java
        self._lock = threading.Lock()
        self._states: dict[str, tuple[tuple[str, int] | None, Any]] = {}
        self._state = Tables({}, {})
        self._statements: OrderedDict[int, Tables] = OrderedDict()
        self._earlier: dict[str, Mapping[tuple[str, str], Version]] = {}

    def now(self) -> Tables:
        """As the statement has met them first."""
        with self._lock:
            statement = self._statement()
            found = self._statements.get(statement)
            if found is None:
                functions, aliases = self._current(FUNCTIONS, functions_in), self._current(ALIASES, aliases_in)
                if functions is not self._state.functions or aliases is not self._state.aliases:
                    self._state = Tables(functions, aliases)
                found = Tables(functions, aliases, self._state.bodies)
                self._statements[statement] = found
                while len(self._statements) > _STATEMENTS:
                    self._statements.popitem(last=False)
            return found

    def held(self, function: Function) -> dict[str, Held]:
        """What the aliases point to that a function names, at the time that it names."""
        aliases = self.now().aliases if not function.as_of else self._then(function.as_of)
        names = {function.alias, function.shadow, function.canary.alias if function.canary else ""}
        found = {name: aliases.get((function.model, name)) for name in names}
        return {name: version.held(name) for name, version in found.items() if version is not None}

    def _statement(self) -> int:
        """Which statement it is: Spark keeps one cache of relations for all the views and functions of a statement."""
        context = self._java.call(f"{CATALYST}.analysis.AnalysisContext", "get")
        return int(self._java.call("java.lang.System", "identityHashCode", context.relationCache()))

    def _current(self, table: str, read: Any) -> Any:
        state = self._state_of(table)
        held, value = self._states.get(table, (None, {}))
        if state != held:
            value = {} if state is None else read(self._session().read.option("versionAsOf", state[1]).table(table))
            self._states[table] = (state, value)
        return value

    def _then(self, as_of: str) -> Mapping[tuple[str, str], Version]:
        with self._lock:
            if as_of not in self._earlier:
                table = self._session().read.option("timestampAsOf", as_of).table(ALIASES)
                self._earlier[as_of] = aliases_in(table)
            return self._earlier[as_of]

    def _state_of(self, table: str) -> tuple[str, int] | None:
        """The identity and the newest version of a Delta table; None when there is no such table."""
        schema, name = table.split(".")
        session = self._java.call("org.apache.spark.sql.SparkSession", "active")
        if not session.sessionState().catalog().externalCatalog().tableExists(schema, name):
            return None
        named = self._java.new(f"{CATALYST}.TableIdentifier", name, self._java.new("scala.Some", schema))
        log = self._java.call("org.apache.spark.sql.delta.DeltaLog", "forTable", session, named)
        snapshot = log.update(False, self._java.nothing(), self._java.nothing())
        return str(snapshot.metadata().id()), int(snapshot.version())

    def _session(self) -> Any:
        from pyspark import SparkContext
        from pyspark.sql import SparkSession

        active = self._java.call("org.apache.spark.sql.SparkSession", "active")
        return SparkSession(SparkContext._active_spark_context, active)
