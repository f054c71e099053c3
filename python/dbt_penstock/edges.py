"""DAG edges from requests: a model that asks for metrics, features or predictions depends on what those are made of.

While dbt parses, Penstock's macros put each request into the model's `config.meta` under a key that starts with
`penstock.`; dbt keeps it, with partial parsing too. When the manifest is complete, each request is resolved and the
models, metrics and training nodes under it are added to `depends_on`. This happens for every command that loads a
manifest, also where no artifact is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dbt_common.exceptions import DbtRuntimeError

from penstock.errors import InvalidDefinitionError, PenstockError, UnknownNameError
from penstock.manifest.graph import YAML_REQUEST, manifest_from_graph, requests_in

# The arguments that a training set in YAML must have.
_NEEDED = ("spine", "at", "entities", "features")


def add_edges(manifest: Any) -> None:
    """Add the edges to every node with requests, and remember the project's functions for the session."""
    from dbt_penstock import declarations, functions, generated_tests, logged, session, trained

    session.remember_functions([function.to_dict() for function in manifest.functions.values()])
    declarations.check(manifest.nodes.values())
    trained.check(manifest)
    declaring = functions.check(manifest.nodes.values())
    logged.check(manifest.nodes.values())
    has_usual = generated_tests.add_usual(manifest)
    asking = [node for node in manifest.nodes.values() if _asks(node)]
    if not asking:
        if has_usual:
            manifest.build_flat_graph()
        return
    definitions = manifest_from_graph(manifest.flat_graph)
    for node in asking:
        try:
            _find_spines(node, manifest)
            for request in requests_in(node.config.meta):
                _extend(node.depends_on.nodes, _needed(request, definitions, manifest, node, declaring))
        except PenstockError as error:
            raise DbtRuntimeError(f"{node.original_file_path}: {error}") from error
    generated_tests.add_tests(manifest, [node for node in asking if _sets_of(node)])
    manifest.build_flat_graph()


def _asks(node: Any) -> bool:
    return _in_yaml(node) is not None or any(True for _ in requests_in(node.config.meta))


def _sets_of(node: Any) -> list[Mapping[str, Any]]:
    return [request for request in requests_in(node.config.meta) if request["kind"] == "training_set"]


def _in_yaml(node: Any) -> Any:
    section = node.config.meta.get("penstock")
    return section.get("training_set") if isinstance(section, Mapping) else None


def _find_spines(node: Any, manifest: Any) -> None:
    """Put the spine's relation into the requests for training sets, also into the one that is made of YAML.

    While dbt parses, `ref` gives a relation that means nothing yet. A model with one `ref` or `source` has that for its
    spine; where there are more, only the SQL that dbt compiles tells.
    """
    given = _in_yaml(node)
    if given is not None:
        relation = _spine_in_yaml(node, given, manifest)
        node.config.meta[YAML_REQUEST] = {"kind": "training_set", **given, "spine": relation}
    requests = _sets_of(node)
    named = [n for n in node.depends_on.nodes if n in manifest.nodes or n in manifest.sources]
    only = manifest.nodes.get(named[0]) or manifest.sources.get(named[0]) if len(named) == 1 else None
    for key, request in list(node.config.meta.items()):
        if request in requests and request["spine"] is None and only is not None:
            node.config.meta[key] = {**request, "spine": only.relation_name}


def _spine_in_yaml(node: Any, given: Any, manifest: Any) -> str | None:
    where = f"{node.name}, meta.penstock.training_set"
    needed = () if isinstance(given, Mapping) and given.get("predict") else _NEEDED
    missing = [key for key in needed if not isinstance(given, Mapping) or key not in given]
    if missing:
        fix = f"it needs {', '.join(_NEEDED)}, or predict"
        raise InvalidDefinitionError(f"{missing[0]} is missing", where=where, fix=fix)
    if given.get("spine") is None:
        return None
    package, _, name = str(given["spine"]).rpartition(".")
    known = {n.name: n for n in manifest.nodes.values() if n.resource_type in ("model", "seed", "snapshot")}
    spine = manifest.resolve_ref(node, name, package or None, None, node.package_name, node.package_name)
    if not hasattr(spine, "relation_name"):  # none, or a disabled one
        raise UnknownNameError.of("model", name, known, where=f"{where}, spine", fix="spine names a dbt model")
    _extend(node.depends_on.nodes, [spine.unique_id])
    relation: str | None = spine.relation_name
    return relation


def _needed(
    request: Mapping[str, Any], definitions: Any, manifest: Any, node: Any, declaring: Mapping[str, str]
) -> Iterable[str]:
    if request["kind"] == "trained":  # `trained.check` has made its edge
        return ()
    if request["kind"] == "predict":
        declares = declaring.get(str(request["model"]).lower())
        return [declares] if declares else _training_node(request["model"], manifest)
    from dbt_penstock import requests

    if request["kind"] == "definitions":  # what is wrong with them is said by the test, not by every command
        return requests.described_nodes(definitions)
    if request["kind"] == "training_set":  # whatever its spine is called, dbt's own ref makes that edge
        request = {**request, "spine": request["spine"] or ("spine" if _has_spine(request) else None)}
    # While dbt parses, a ref is the model itself, whose contract says nothing of what is read.
    others = {name: n for name, n in manifest.flat_graph["nodes"].items() if name != node.unique_id}
    compiled = requests.compiled(request, definitions, {**manifest.flat_graph, "nodes": others})
    named = requests.metric_names(request, compiled, definitions)
    return [*compiled.node_ids, *(m.unique_id for m in manifest.metrics.values() if m.name in named)]


def _has_spine(request: Mapping[str, Any]) -> bool:
    """Whether the rows come from a relation that is given; a predictive query may say its own."""
    from penstock.training_sets import parse_predictive
    from penstock.training_sets.predictive import Times

    if not request.get("predict"):
        return True
    at = parse_predictive(str(request["predict"])).at
    return isinstance(at, Times) and at.relation is None


def _training_node(model: str, manifest: Any) -> list[str]:
    """The dbt model of the same name trains it; a model trained elsewhere has no node here."""
    return [n.unique_id for n in manifest.nodes.values() if n.resource_type == "model" and n.name == model]


def _extend(known: list[str], more: Iterable[str]) -> None:
    known.extend(node for node in dict.fromkeys(more) if node not in known)
