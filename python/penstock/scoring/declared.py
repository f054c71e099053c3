"""A function of a model as it is declared in YAML, checked before any model is looked at."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from penstock.errors import InvalidDefinitionError, UnknownNameError
from penstock.scoring.contract import Description
from penstock.scoring.returns import ERROR, SHADOW, returned_type, usual_part

LOCAL, ISOLATED = "local", "isolated"
# Not `null`, which YAML reads as nothing.
_CHOICES = {
    "on_null": ("model", "skip", "error"),
    "on_unknown": ("model", "skip", "error"),
    "on_error": ("fail", "skip"),
    "environment": (LOCAL, ISOLATED),
}
_KEYS = ("name", "model", "alias", "version", "returns", "top", *_CHOICES, "canary", "shadow", "as_of", "description")


@dataclass(frozen=True)
class Canary:
    """A share of the rows that another alias of the model scores.

    Attributes:
        alias: The other alias.
        share: From 0 to 1, in steps of 1/10000.
        key: The input by whose hash a row is assigned; all inputs when empty.
    """

    alias: str
    share: float
    key: str = ""


@dataclass(frozen=True)
class Function:
    """One SQL function of a model.

    Attributes:
        name: Its name in the schema `ml`, and in `predict('name', …)`.
        model: The registered model.
        alias: Which version scores: an alias, or `v3` for version 3 whatever happens.
        returns: The parts that it returns; the usual one of the version when empty.
        top: How many classes the part `top` lists.
        on_null: What a NULL in an input means: what the model makes of it, a row that is not scored (its result is
            NULL), or a failed row.
        on_unknown: The same for a level that the model has not seen in training, in an input whose levels it says.
        on_error: What a failed row does: the query fails, or its result is NULL, with the reason in the part `error`.
        canary: The share of rows that another alias scores.
        shadow: An alias that scores all rows too, for the part `shadow`.
        as_of: The instant whose alias table is read (`VERSION AS OF` by time); the present one when empty.
        description: What it returns, for people; the model's own words when empty.
        environment: Whose libraries score: the session's, or those of an environment of the version's own.
    """

    name: str
    model: str
    alias: str = "champion"
    returns: tuple[str, ...] = ()
    top: int = 3
    on_null: str = "model"
    on_unknown: str = "model"
    on_error: str = "fail"
    canary: Canary | None = None
    shadow: str = ""
    as_of: str = ""
    description: str = ""
    environment: str = LOCAL

    def as_json(self) -> dict[str, Any]:
        """For a JSON text; `parse_function` reads it."""
        return {key: value for key, value in asdict(self).items() if value not in (None, "", ())}

    @property
    def aliases(self) -> tuple[str, ...]:
        """All aliases whose versions score for it."""
        others = [self.canary.alias if self.canary else "", self.shadow]
        return (self.alias, *filter(None, others))

    @property
    def where(self) -> str:
        """How errors name it."""
        return f"function {self.name}"

    def parts(self, description: Description) -> tuple[str, ...]:
        """The parts that it returns of a version with this description."""
        return self.returns or (usual_part(description),)

    def type(self, description: Description) -> str:
        """Its SQL type for a version with this description.

        Raises:
            PenstockError: when the version gives no such parts.
        """
        return returned_type(self.parts(description), description, self.where)

    def check_levels(self, description: Description) -> None:
        """See that a version with this description can tell levels that it has not seen, if the policy asks for them.

        Raises:
            InvalidDefinitionError: when the version says the levels of no input.
        """
        if self.on_unknown != "model" and not any(each.levels for each in description.inputs):
            raise InvalidDefinitionError(
                f"on_unknown is {self.on_unknown!r}, and the model says of no input which levels it knows",
                where=self.where,
                fix="leave on_unknown out, or train with an encoder of scikit-learn in the pipeline, or with pandas' "
                "type category in LightGBM or XGBoost",
            )

    def reads(self, description: Description, used: Container[str]) -> tuple[str, ...]:
        """The inputs that workers have to get: what the engine uses, and what a policy looks at.

        Args:
            description: Of the version.
            used: The inputs that its engine uses.
        """
        return tuple(
            each.name
            for each in description.inputs
            if each.name in used or self.on_null != "model" or (each.levels and self.on_unknown != "model")
        )


def parse_function(declared: Mapping[str, Any], *, model: str = "", where: str = "") -> Function:
    """Read a declaration.

    Args:
        declared: The mapping in YAML.
        model: The model that it is declared beside, for one that names none.
        where: The file or node in which it stands, for errors.

    Raises:
        UnknownNameError: when it has a key that is not known.
        InvalidDefinitionError: when a value is wrong, or two of them contradict each other.

    Example:
        >>> parse_function({"returns": ["label", "error"], "on_error": "skip"}, model="delay").returns
        ('label', 'error')
    """
    if not isinstance(declared, Mapping):
        raise InvalidDefinitionError(f"a function is declared as a mapping, not as {declared!r}", where=where)
    for key in declared:
        if key not in _KEYS:
            raise UnknownNameError.of("key", str(key), _KEYS, where=where)
    given: dict[str, Any] = dict(declared)
    given["model"] = str(given.get("model") or model)
    given["name"] = str(given.get("name") or given["model"])
    where = f"{where}, function {given['name']}" if where else f"function {given['name']}"
    for key in ("name", "model"):
        if not re.fullmatch(r"\w+", given[key], re.ASCII):
            raise InvalidDefinitionError(
                f"'{given[key]}' cannot be the {key} of a SQL function",
                where=where,
                fix="letters, digits and underscores; register the model under such a name",
            )
    for key, choices in _CHOICES.items():
        if given.get(key, choices[0]) not in choices:
            raise InvalidDefinitionError(
                f"{key} is {given[key]!r}", where=where, near=choices, fix=f"one of {', '.join(choices)}"
            )
    given["returns"] = _names(given.get("returns") or (), where)
    given["alias"] = _alias(given, where)
    given.pop("version", None)
    given["canary"] = _canary(given.get("canary"), where)
    if not isinstance(given.get("top", 1), int) or given.get("top", 1) < 1:
        raise InvalidDefinitionError(f"top is {given['top']!r}", where=where, fix="a whole number from 1 on")
    _instant(given.get("as_of"), where)
    given |= {key: str(given[key]) for key in ("as_of", "shadow") if key in given}
    function = Function(**given)
    _agree(function, where)
    return function


def _agree(function: Function, where: str) -> None:
    if function.on_error == "fail" and ERROR in function.returns:
        raise InvalidDefinitionError("a row that fails ends the query", where=where, fix="on_error: skip")
    if bool(function.shadow) != (SHADOW in function.returns):
        raise InvalidDefinitionError(
            "a shadow is an alias that scores too, and the part that shows it",
            where=where,
            fix="shadow: challenger, and returns: […, shadow]",
        )
    if len(set(function.returns)) != len(function.returns):
        raise InvalidDefinitionError(f"returns names a part twice: {', '.join(function.returns)}", where=where)


def _names(given: Any, where: str) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else given
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) and name for name in names):
        raise InvalidDefinitionError(f"returns is {given!r}", where=where, fix="a name, or a list of names")
    return tuple(names)


def _alias(given: Mapping[str, Any], where: str) -> str:
    version, alias = given.get("version"), given.get("alias")
    if version is None:
        if not isinstance(alias or "champion", str):
            raise InvalidDefinitionError(f"alias is {alias!r}", where=where, fix="the name of an alias")
        return alias or "champion"
    if alias is not None or not isinstance(version, int) or version < 1:
        raise InvalidDefinitionError(
            f"version is {version!r}" + (f" and alias {alias!r}" if alias is not None else ""),
            where=where,
            fix="either an alias, or the whole number of a version",
        )
    return f"v{version}"


def _canary(given: Any, where: str) -> Canary | None:
    if given is None or isinstance(given, Canary):
        return given
    fix = "canary: {alias: challenger, share: 0.1}, with key: input, if rows of one key shall stay together"
    if not isinstance(given, Mapping) or not {"alias", "share"} <= set(given) <= {"alias", "share", "key"}:
        raise InvalidDefinitionError(f"canary is {given!r}", where=where, fix=fix)
    share = given["share"]
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise InvalidDefinitionError(f"the share of the canary is {share!r}", where=where, fix="from 0 to 1")
    return Canary(str(given["alias"]), float(share), str(given.get("key") or ""))


def _instant(given: Any, where: str) -> None:
    try:
        if given is not None:
            datetime.fromisoformat(str(given))
    except ValueError:
        raise InvalidDefinitionError(
            f"as_of is {given!r}", where=where, fix="a time as in 2026-05-03 or 2026-05-03T12:00"
        ) from None
