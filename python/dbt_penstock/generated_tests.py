"""The data test that each training set gets without asking: its rows are those of its spine.

The nodes are added when the manifest is complete, so that every command sees them: `dbt build` runs them after their
model, `dbt test` and `dbt ls` know their names.
"""

from __future__ import annotations

from typing import Any

from dbt_common.exceptions import CompilationError

_ENDING = "has_the_rows_of_its_spine"


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
            node = _node(model, manifest)
            manifest.nodes[node.unique_id] = node


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


def _node(model: Any, manifest: Any) -> Any:
    from dbt.artifacts.resources import DependsOn, TestConfig
    from dbt.artifacts.resources.types import NodeType
    from dbt.contracts.files import FileHash
    from dbt.contracts.graph.nodes import SingularTestNode

    name = f"{model.name}_{_ENDING}"
    code = f"{{{{ penstock.rows_of_spine(ref('{model.package_name}', '{model.name}')) }}}}"
    macros = [id_ for id_ in manifest.macros if id_.endswith(".penstock.rows_of_spine")]
    return SingularTestNode(
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
