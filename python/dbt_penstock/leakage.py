"""The tests for leakage, as dbt's generic tests ask for them: what they need of the model that they are on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from dbt_common.exceptions import CompilationError

from dbt_penstock import jinja
from penstock.errors import InvalidRequestError, PenstockError
from penstock.manifest.graph import requests_in
from penstock.training_sets import asked_of, compile_training_set, parse_label, types_of_contracts
from penstock.training_sets.keys import Key, columns_of
from penstock.training_sets.leakage.future_correlation import future_correlation
from penstock.training_sets.leakage.no_leakage import LeakageTest
from penstock.training_sets.leakage.static_check import as_rows, check_sql
from penstock.training_sets.leakage.telltale import telltale_features

if TYPE_CHECKING:
    from penstock.manifest.model import SemanticManifest
    from penstock.training_sets import TrainingSetRequest

_SPINE = "_spine"  # the step of a compiled training set that makes its rows

P = ParamSpec("P")
T = TypeVar("T")


def _told(function: Callable[P, T]) -> Callable[P, T]:
    """A user's error becomes dbt's, with its message."""

    @wraps(function)
    def with_message(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except PenstockError as error:
            raise CompilationError(str(error)) from error

    return with_message


class TestedModel:
    """The model that a generic test is on.

    Args:
        ref: dbt's `ref` in the test, which knows the manifest, the configuration and the test.
        graph: dbt's `graph`.
        definitions: The project's metrics and semantic models.

    Raises:
        InvalidRequestError: The test is on something else.
    """

    def __init__(self, ref: Any, graph: Mapping[str, Any], definitions: SemanticManifest) -> None:
        self._manifest, self._config = ref.manifest, ref.config
        self._node = ref.manifest.nodes.get(ref.model.attached_node)
        if self._node is None or self._node.resource_type != "model":
            raise InvalidRequestError("a test for leakage belongs on a model", where=ref.model.name)
        self._given, self._definitions = definitions, definitions
        self._types = types_of_contracts(graph)
        asked = [r for r in requests_in(self._node.config.meta) if r["kind"] == "training_set"]
        self._request = None
        if len(asked) == 1:  # its spine is known when it is compiled
            self._definitions, self._request = self._asked({**asked[0], "spine": asked[0]["spine"] or "spine"})

    @_told
    def no_leakage(self, at: str | None, key: Any, spine: Any, inclusive: bool | None) -> _NoLeakage:
        """The test that deletes and alters the future; what is not given is taken from the model's own request."""
        request = self._request
        own = request is not None and request.inclusive
        test = LeakageTest(
            self._definitions,
            self._sql_of_features(),
            at=self._at(at),
            key=self._key(key),
            spine=_texts(spine) or ((_SPINE,) if request else ()),
            inclusive=own if inclusive is None else inclusive,
        )
        return _NoLeakage(test, [parse_label(text).name for text in request.labels] if request else [])

    @_told
    def findings(self, spine: Any, allow: Any) -> str:
        """SQL whose rows are what is wrong with the SQL of the model."""
        spine = _texts(spine) or ((_SPINE,) if self._request else ())
        found = check_sql(self._sql(), self._definitions, spine=spine)
        return as_rows([f for f in found if f.kind not in _texts(allow)], "spark")

    @_told
    def telltales(self, relation: Any, columns: Iterable[Any], label: str, leave_out: Any, threshold: float) -> str:
        """SQL whose rows are the features that tell the label by themselves."""
        found = types_of(columns)
        out = _texts(leave_out)
        return telltale_features(str(relation), found, label=label, leave_out=out, threshold=threshold, dialect="spark")

    @_told
    def future_correlation(
        self,
        relation: Any,
        columns: Iterable[Any],
        at: str | None,
        entities: Mapping[str, Key] | None,
        features: Mapping[str, str],
        margin: float,
    ) -> str:
        """SQL whose rows are the columns that are nearer to what came than to what was."""
        return future_correlation(
            self._definitions,
            str(relation),
            at=self._at(at),
            entities=entities or (self._request.spine.entities if self._request else {}),
            features=features,
            columns=list(types_of(columns)),
            margin=margin,
            types=self._types,
            dialect="spark",
        )

    def _at(self, at: str | None) -> str:
        found = at or (self._request and self._request.spine.at)
        if not found:
            raise InvalidRequestError(
                "it is not known which column has the time of each row",
                where=f"model {self._node.name}",
                fix="arguments: {at: predict_at}",
            )
        return str(found)

    def _key(self, key: Any) -> tuple[str, ...]:
        if key:
            return _texts(key)
        if self._request is None:
            raise InvalidRequestError(
                "it is not known which columns tell the rows of the set apart",
                where=f"model {self._node.name}",
                fix="arguments: {key: [flight_id]}",
            )
        spine = self._request.spine
        named = [*columns_of(spine.entities.values()), spine.at]
        return tuple(c for c in dict.fromkeys(named) if c in (spine.columns or named))

    def _asked(self, request: Mapping[str, Any]) -> tuple[SemanticManifest, TrainingSetRequest]:
        return asked_of(self._given, request, self._types)

    def _sql_of_features(self) -> str:
        """The model's SQL; of a training set with labels that of all its rows, for labels are known later."""
        sql = self._sql()
        if self._request is None or not self._request.labels:
            return sql
        [asked] = jinja.training_sets_asked(self._node.unique_id)
        definitions, request = self._asked(asked)
        return compile_training_set(definitions, replace(request, labels=(), labels_until=None), "spark").sql

    def _sql(self) -> str:
        """The model's SQL, as dbt compiles it for a build from nothing."""
        from dbt.compilation import Compiler

        if self._node.language != "sql":
            raise InvalidRequestError("a Python model has no SQL to test", where=f"model {self._node.name}")
        node = type(self._node).from_dict(self._node.to_dict(omit_none=True))
        node.config.materialized = "table"  # an incremental model is not incremental then
        node.compiled, node.extra_ctes, node.extra_ctes_injected = False, [], False
        compiled = Compiler(self._config).compile_node(node, self._manifest, write=False)
        return str(compiled.compiled_code)


class _NoLeakage:
    """What the test needs before it can be written: columns of inputs, and instants to cut at."""

    def __init__(self, test: LeakageTest, labels: Iterable[str]) -> None:
        self._test = test
        self._labels = {name.lower() for name in labels}

    @_told
    def inputs(self) -> list[dict[str, str]]:
        """The relations whose columns have to be known, each as its `name` in the SQL, and its parts."""
        return [{"name": name, **_parts(name)} for name in self._test.inputs()]

    @_told
    def cut_times(self, relation: Any, cuts: int) -> str:
        """SQL for the instants to cut at."""
        return self._test.cut_times(str(relation), cuts)

    @_told
    def statement(self, columns: Iterable[Any], inputs: Mapping[str, Iterable[Any]], cuts: Sequence[Any]) -> str:
        """The test itself."""
        given = {name: types_of(found) for name, found in inputs.items()}
        known = {name: kind for name, kind in types_of(columns).items() if name.lower() not in self._labels}
        return self._test.statement(known, given, [int(cut) for cut in cuts])


def types_of(columns: Iterable[Any]) -> dict[str, str]:
    """The types of dbt's columns, by their names."""
    return {column.name: column.dtype for column in columns}


def _parts(name: str) -> dict[str, str]:
    from sqlglot import exp

    table = exp.to_table(name, dialect="spark")
    return {"schema": table.db, "identifier": table.name}


def _texts(value: Any) -> tuple[str, ...]:
    return () if not value else (value,) if isinstance(value, str) else tuple(map(str, value))
