"""An expression that Spark takes for expensive, so that a filter on its result does not compute it once more.

Spark pushes a filter below the projection that computes what is filtered, and so computes that twice, unless it holds
it for expensive; calls of Python it does not. This is internal API of Spark 4.2
(`spark.sql.optimizer.avoidDoubleFilterEval`).
"""

from __future__ import annotations

from typing import Any

from penstock.engines.java import Java
from penstock.engines.objects import EXPRESSIONS, TYPES, given_by, held


def expensive(java: Java, expression: Any) -> Any:
    """The expression, with an expensive one beside it that is never evaluated.

    Args:
        java: The JVM.
        expression: Of any type, analysed.
    """
    one = java.new("java.util.ArrayList")
    one.append("one")
    never = given_by(java, held(java, one), "isEmpty", "BooleanType")
    text = java.the(f"{EXPRESSIONS}.Cast").apply(never, java.the(f"{TYPES}.StringType"), False)
    matched = java.new(f"{EXPRESSIONS}.RLike", text, java.the(f"{EXPRESSIONS}.Literal").apply("-"))
    unmet = java.new(f"{EXPRESSIONS}.And", never, matched)
    nothing = java.new(f"{EXPRESSIONS}.Literal", None, expression.dataType())
    return java.new(f"{EXPRESSIONS}.If", unmet, nothing, expression)
