"""Checks of behaviour as generic tests ask for them: dbt's relations and arguments in, SQL out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlglot import exp, parse_one

from penstock.dialects import call
from penstock.errors import InvalidRequestError
from penstock.monitoring.behaviour.definition import Movement, check_of
from penstock.monitoring.behaviour.judged import Scored, changed, judged
from penstock.monitoring.words import column, inside

if TYPE_CHECKING:
    from penstock.dialects import Dialect


def sql(kind: str, relation: str, arguments: Mapping[str, Any], dialect: Dialect) -> str:
    """The SQL of a data test: the row of `judged`, if the check is not passed.

    Args:
        kind: Of the check.
        relation: The relation as dbt writes it, a table or a query in parentheses.
        arguments: Those of the check, None where they are not given, and `score`, the column of scores, or `predict`,
            the model that scores; `second`, the column of a second score; `label`; `threshold`; and `distances`, a
            relation.
        dialect: dbt's `target.type`.

    Raises:
        PenstockError: The arguments are no check, or it is not said whose scores are looked at.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    own = {name: given.pop(name, None) for name in ("score", "predict", "second", "label", "threshold", "distances")}
    where = f"data test of {relation}"
    check = check_of(kind, given, where=where, apart=own["second"] is not None)
    score = _score(own["score"], own["predict"], where)
    query = _query(relation, dialect)
    scored = Scored(
        query,
        score,
        second=column(own["second"]) if own["second"] else None,
        label=column(own["label"]) if own["label"] else None,
        threshold=own["threshold"],
        distances=_query(own["distances"], dialect) if own["distances"] else None,
    )
    if isinstance(check, Movement) and check.change:
        if own["predict"] is None:
            raise InvalidRequestError(
                "a column of scores stays what it is when inputs are changed",
                where=f"{where}, {kind}",
                fix="predict: the model that scores; or second: the column of the scores of changed inputs",
            )
        forms = changed(query, check.changes(), score, dialect)
        scored = Scored(
            forms, column("__score"), column("__second"), column("__changed"), scored.label, threshold=own["threshold"]
        )
    found = judged(check, scored, dialect)
    return exp.select("*").from_(inside(found), copy=False).where("NOT passed").sql(dialect, pretty=True)


def _score(name: str | None, model: str | None, where: str) -> exp.Expr:
    if (name is None) == (model is None):
        what = "it is not said whose scores are looked at" if name is None else "a column and a model are given"
        raise InvalidRequestError(what, where=where, fix="test a column of scores, or give predict: a model")
    return column(str(name)) if model is None else call("predict", exp.Literal.string(model), exp.Star())


def _query(relation: Any, dialect: Dialect) -> exp.Query:
    query = parse_one(f"SELECT * FROM {relation}", dialect=dialect)
    assert isinstance(query, exp.Query)
    return query
