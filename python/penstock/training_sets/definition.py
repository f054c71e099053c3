"""A training set as a mapping, as a macro's arguments or YAML give it, to a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, TypeVar

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.training_sets.keys import Key
from penstock.training_sets.negatives import Candidates, Negatives
from penstock.training_sets.predict import part_of, predictive_request
from penstock.training_sets.request import Spine, TrainingSetRequest, Types
from penstock.training_sets.sampling import Balance, Sample
from penstock.training_sets.splits import EntitySplit, HashSplit, Split, TimeSplit

if TYPE_CHECKING:
    from penstock.manifest.model import SemanticManifest

T = TypeVar("T")
_REQUIRED = ("spine", "at", "entities", "features")
_SPLITS: dict[str, type[Split]] = {"time": TimeSplit, "entity": EntitySplit, "hash": HashSplit}


def request_of(
    definition: Mapping[str, Any], types: Types, *, where: str = "penstock.training_set"
) -> TrainingSetRequest:
    """The request that a mapping stands for.

    Args:
        definition: `spine`, `at`, `entities` and `features`; and, where they are wanted, `columns`, `labels`,
            `labels_until`, `inclusive`, `split`, `sample`, `balance` and `negatives`. What is None is not wanted.
        types: The types of columns by relation.
        where: What errors call the place.

    Raises:
        UnknownNameError: A key is none of these.
        InvalidRequestError: A value is not of the kind that its key has.

    Example:
        >>> rows = {"spine": "labels", "at": "at", "entities": {"shop": "shop_id"}}
        >>> sample = {"share": 0.1, "by": ["label_id"]}
        >>> request_of({**rows, "features": ["shop.revenue to date"], "sample": sample}, {}).sample
        Sample(share=0.1, by=('label_id',), seed=0)
    """
    given = {key: value for key, value in definition.items() if value is not None}
    _check_keys(given, (*_REQUIRED, "columns", "labels", "labels_until", "inclusive", *_PARTS), _REQUIRED, where)
    if not isinstance(given["entities"], Mapping):
        raise InvalidRequestError("entities must be a mapping", where=where, fix="entities={'carrier': 'carrier_code'}")
    if not isinstance(given.get("inclusive", False), bool):
        raise InvalidRequestError(f"inclusive must be true or false, not {given['inclusive']!r}", where=where)
    entities = {str(name): _key(key, str(name), where) for name, key in given["entities"].items()}
    spine = Spine(given["spine"], given["at"], entities, _texts(given.get("columns", ()), "columns", where))
    return TrainingSetRequest(
        spine=spine,
        features=_texts(given["features"], "features", where),
        labels=_texts(given.get("labels", ()), "labels", where),
        labels_until=None if given.get("labels_until") is None else str(given["labels_until"]),
        inclusive=given.get("inclusive", False),
        types=types,
        **{key: parse(given[key], f"{where}, {key}") for key, parse in _PARTS.items() if key in given},
    )


def asked_of(
    manifest: SemanticManifest, definition: Mapping[str, Any], types: Types, dialect: str = "spark"
) -> tuple[SemanticManifest, TrainingSetRequest]:
    """The request that a mapping stands for, and the definitions that it is compiled with.

    Args:
        manifest: The project's definitions. Those of a predictive query have what it predicts too.
        definition: As for `request_of`; or `predict`, a predictive query, in place of `at`, `entities`, `features` and
            `labels`, and `part`, one of `training_set`, `features` and `label`. Other keys of it, such as `kind`, are
            those of a macro and left alone.
        types: The types of columns by relation.
        dialect: `spark` or `duckdb`.

    Raises:
        PenstockError: As for `request_of` and `predictive_request`.
    """
    given = {key: value for key, value in definition.items() if key != "kind" and value is not None}
    text, part = given.pop("predict", None), given.pop("part", None)
    where = "penstock.training_set"
    if text is None:
        if part is not None:
            raise InvalidRequestError("part is of a predictive query", where=where, fix="give predict='PREDICT …'")
        return manifest, request_of(given, types)
    for key in ("at", "entities", "features", "labels"):
        if given.pop(key, None):
            raise InvalidRequestError(f"the query says it, and so does {key}", where=where, fix=f"drop {key}")
    definitions, request = predictive_request(manifest, str(text), dialect, spine=given.pop("spine", None), types=types)
    rows = {"spine": request.spine.relation, "at": request.spine.at, "entities": request.spine.entities}
    rest = request_of({**rows, "features": list(request.features), "labels": list(request.labels), **given}, types)
    return definitions, part_of(rest, part or "training_set")


def _key(given: Any, entity: str, where: str) -> Key:
    if isinstance(given, str):
        return given
    if isinstance(given, (list, tuple)) and given and all(isinstance(c, str) for c in given):
        return tuple(given) if len(given) > 1 else str(given[0])
    raise InvalidRequestError(
        f"the key of '{entity}' must be a column or a list of columns, not {given!r}",
        where=where,
        fix=f"entities={{'{entity}': 'column'}}",
    )


def _texts(values: Any, argument: str, where: str) -> tuple[str, ...]:
    if not isinstance(values, (list, tuple)) or not all(isinstance(value, str) for value in values):
        raise InvalidRequestError(
            f"{argument} must be a list of texts, not {values!r}", where=where, fix=f"{argument}=['…']"
        )
    return tuple(values)


def _split(given: Any, where: str) -> Split:
    by = given.get("by") if isinstance(given, Mapping) else None
    if not isinstance(by, str) or by not in _SPLITS:
        raise InvalidRequestError(
            f"a split must be a mapping whose 'by' is one of {', '.join(_SPLITS)}, not {given!r}",
            where=where,
            fix="split={'by': 'time', 'test_from': '2013-11-01'}",
        )
    return _built(_SPLITS[by], {key: value for key, value in given.items() if key != "by"}, where)


def _negatives(given: Any, where: str) -> Negatives:
    candidates = given.get("candidates") if isinstance(given, Mapping) else None
    if candidates is None:
        return _built(Negatives, given, where)
    if not isinstance(candidates, Mapping):
        candidates = {"relation": candidates}
    parsed = _built(Candidates, candidates, f"{where}, candidates")
    return _built(Negatives, {**given, "candidates": parsed}, where)


def _built(kind: type[T], given: Any, where: str) -> T:
    """An object whose fields the keys are; the name of a new column is given as `as`."""
    if not isinstance(given, Mapping):
        raise InvalidRequestError(f"this must be a mapping, not {given!r}", where=where)
    keys = {"as" if f.name == "name" else f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    _check_keys(given, keys, [key for key, f in keys.items() if f.default is MISSING], where)
    values = {keys[key].name: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    return kind(**values)


def _check_keys(given: Mapping[str, Any], known: Any, required: Any, where: str) -> None:
    for key in given:
        if key not in known:
            raise UnknownNameError.of("key", str(key), known, where=where)
    for key in required:
        if key not in given:
            raise InvalidRequestError(f"'{key}' is missing", where=where)


_PARTS: dict[str, Callable[[Any, str], Any]] = {
    "split": _split,
    "sample": lambda given, where: _built(Sample, given, where),
    "balance": lambda given, where: _built(Balance, given, where),
    "negatives": _negatives,
}
