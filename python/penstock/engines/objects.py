"""Java objects within expressions: Spark neither computes what they give beforehand, nor writes it into its code.

This is internal API of Spark 4.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.engines.java import CATALYST, Java

EXPRESSIONS = f"{CATALYST}.expressions"
TYPES = "org.apache.spark.sql.types"


def held(java: Java, value: Any, setters: Mapping[str, Any] | None = None) -> Any:
    """An object, of which methods are called for each row with the values of expressions.

    Args:
        java: The JVM.
        value: Serializable; expressions of equal objects are equal.
        setters: The expression that each method gets.
    """
    kind = java.new(f"{TYPES}.ObjectType", value.getClass())
    literal = java.new(f"{EXPRESSIONS}.Literal", value, kind)
    return java.new(f"{EXPRESSIONS}.objects.InitializeJavaBean", literal, java.map(setters or {}))


def given_by(java: Java, holder: Any, method: str, kind: str) -> Any:
    """What a method of a held object gives, which takes nothing.

    Args:
        java: The JVM.
        holder: Of `held`.
        method: Its name.
        kind: The type of what it gives, as the name of Spark's object.
    """
    nothing = java.seq([])
    gives = java.the(f"{TYPES}.{kind}")
    return java.new(f"{EXPRESSIONS}.objects.Invoke", holder, method, gives, nothing, nothing, True, True, True)
