"""Spark's own classes over py4j. Each is looked up once: py4j asks the JVM for every part of a dotted name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

CATALYST = "org.apache.spark.sql.catalyst"
_TO_SCALA = "org.apache.spark.api.python.PythonUtils"


class Java:
    """What is made and called in a JVM.

    Args:
        jvm: py4j's view of it.
    """

    def __init__(self, jvm: Any) -> None:
        self.jvm = jvm

    def new(self, name: str, *arguments: Any) -> Any:
        """An object of a class, or what the companion of a Scala case class makes."""
        return _class(self.jvm, name)(*arguments)

    def call(self, name: str, method: str, *arguments: Any) -> Any:
        """What a static method gives."""
        return _method(self.jvm, name, method)(*arguments)

    def the(self, name: str) -> Any:
        """A Scala object."""
        return _object(self.jvm, name)

    def seq(self, items: Sequence[Any]) -> Any:
        """A Scala sequence."""
        values = self.new("java.util.ArrayList")
        for item in items:
            values.append(item)
        return self.call(_TO_SCALA, "toSeq", values)

    def map(self, items: Mapping[Any, Any]) -> Any:
        """A Scala map, which is a partial function, too."""
        values = self.new("java.util.HashMap")
        for key, value in items.items():
            values.put(key, value)
        return self.call(_TO_SCALA, "toScalaMap", values)

    def nothing(self) -> Any:
        """Scala's `None`."""
        return self.the("scala.None")


@cache
def java(jvm: Any) -> Java:
    """The one of a JVM."""
    return Java(jvm)


@cache
def _class(jvm: Any, name: str) -> Any:
    from py4j.java_gateway import JavaClass

    return JavaClass(name, jvm._gateway_client)


@cache
def _method(jvm: Any, name: str, method: str) -> Any:
    return getattr(_class(jvm, name), method)


@cache
def _object(jvm: Any, name: str) -> Any:
    return getattr(_class(jvm, f"{name}$"), "MODULE$")
