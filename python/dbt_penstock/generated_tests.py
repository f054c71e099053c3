"""The data tests that models get without naming them: a training set, that its rows are those of its spine; a table
whose meta says `penstock: {as_usual: true}`, as a whole folder's may, that it is as usual.

The nodes are added when the manifest is complete, so that every command sees them: `dbt build` runs them after their
model, `dbt test` and `dbt ls` know their names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dbt_common.exceptions import CompilationError, DbtRuntimeError

from penstock.errors import UnknownNameError

_ENDING = "has_the_rows_of_its_spine"
_USUAL = "is_as_usual"
_KINDS = ("model", "seed", "snapshot")
_NO_TABLE = ("view", "ephemeral", "metric_view")


def add_tests(manifest: Any, models: list[Any]) -> None:
    """Add the test of each of these models that is a training set in a Delta table, and nothing else.

    Args:
        manifest: dbt's manifest, in which nothing has been selected yet.
        models: Nodes that ask for training sets.
    """
    for model in models:
        config = model.config
        built = config.materialized == "table" or is_merged(model)
        if built and config.get("file_format") == "delta" and is_nothing_else(model.raw_code):
            _add(manifest, model, _ENDING, "rows_of_spine")


def add_usual(manifest: Any) -> bool:
    """Add the test `as_usual` to each table that declares it, and tell whether there was one.

    Args:
        manifest: dbt's manifest, in which nothing has been selected yet.

    Raises:
        DbtRuntimeError: when a declaration is wrong.
    """
    tables = []
    for node in manifest.nodes.values():
        section = node.config.meta.get("penstock") if node.resource_type in _KINDS else None
        given = section.get("as_usual") if isinstance(section, Mapping) else None
        # One that holds for a folder meets its views, too.
        if given not in (None, False) and node.config.materialized not in _NO_TABLE:
            tables.append((node, {} if given is True else given))
    for node, given in tables:
        from dbt_penstock.usual import ARGUMENTS

        where = f"{node.original_file_path}: {node.name}, meta.penstock.as_usual"
        if not isinstance(given, Mapping):
            raise DbtRuntimeError(f"as_usual is {given!r}\n  where: {where}\n  fix: true, or the arguments of the test")
        for name in given:
            if name not in ARGUMENTS:
                raise DbtRuntimeError(str(UnknownNameError.of("argument", str(name), ARGUMENTS, where=where)))
        told = {name: value for name, value in given.items() if value is not None}
        _add(manifest, node, _USUAL, "as_usual", json.dumps(told, default=str))
    return bool(tables)


def is_merged(model: Any) -> bool:
    """Whether a model is incremental and merged by a key; what is only appended to is no set of ours."""
    config = model.config
    return config.materialized == "incremental" and config.incremental_strategy == "merge" and bool(config.unique_key)


def is_nothing_else(code: str) -> bool:
    """Whether a model's code is one call of `training_set`, beside `config` and what Jinja sets."""
    from jinja2 import Environment, TemplateSyntaxError, nodes

    try:
        body = Environment(extensions=["jinja2.ext.do"]).parse(code).body
    except TemplateSyntaxError:
        return False
    shown = []
    for part in body:
        if isinstance(part, nodes.Output):
            shown += [n for n in part.nodes if not (isinstance(n, nodes.TemplateData) and not n.data.strip())]
        elif not isinstance(part, (nodes.Assign, nodes.ExprStmt)):
            return False
    asked = [node for node in shown if not (isinstance(node, nodes.Call) and _called(node) == "config")]
    return len(asked) == 1 and isinstance(asked[0], nodes.Call) and _called(asked[0]) == "training_set"


def _called(call: Any) -> str:
    name: str = getattr(call.node, "attr", getattr(call.node, "name", ""))
    return name


def _add(manifest: Any, model: Any, ending: str, macro: str, arguments: str = "") -> None:
    """A test of a model that is a call of a macro, with the model's relation before these arguments of Jinja."""
    from dbt.artifacts.resources import DependsOn, TestConfig
    from dbt.artifacts.resources.types import NodeType
    from dbt.contracts.files import FileHash
    from dbt.contracts.graph.nodes import SingularTestNode

    name = f"{model.name}_{ending}"
    given = f", {arguments}" if arguments else ""
    code = f"{{{{ penstock.{macro}(ref('{model.package_name}', '{model.name}'){given}) }}}}"
    macros = [id_ for id_ in manifest.macros if id_.endswith(f".penstock.{macro}")]
    node = SingularTestNode(
        name=name,
        resource_type=NodeType.Test,
        package_name=model.package_name,
        path=f"{name}.sql",
        original_file_path="",  # in no file
        unique_id=f"test.{model.package_name}.{name}",
        fqn=[*model.fqn[:-1], name],
        database=model.database,
        schema=model.schema,
        alias=name,
        checksum=FileHash.from_contents(code),
        raw_code=code,
        language="sql",
        config=TestConfig(),
        depends_on=DependsOn(macros=macros, nodes=[model.unique_id]),
    )
    manifest.nodes[node.unique_id] = node


def differing_rows(relation: str, run_query: Any) -> str:
    """The query of the test: rows that a training set's table has more or less often than its spine.

    Args:
        relation: The table.
        run_query: dbt's macro.

    Raises:
        CompilationError: when the table does not say what it was made from.
    """
    from penstock.training_sets.record import record_of
    from penstock.training_sets.rows import differing_rows_of

    properties = {row[0]: row[1] for row in run_query(f"SHOW TBLPROPERTIES {relation}").rows}
    record = record_of(properties)
    if record is None:
        raise CompilationError(f"{relation} does not say what it was made from\n  fix: build it again")
    columns = [(row["col_name"], row["data_type"]) for row in run_query(f"DESCRIBE QUERY {record.spine.sql}").rows]
    return differing_rows_of(relation, record.spine.sql, columns)
