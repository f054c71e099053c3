"""The class path of a JVM whose sessions come and go: Delta's jars on it, and classes of ours."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from penstock.engines.spark import java_version, starting


def with_class_path(
    settings: Mapping[str, str], java_sources: Sequence[Path], *, classes: Path, log: Path
) -> dict[str, str]:
    """The settings with the jars of `spark.jars.packages` in `spark.driver.extraClassPath` too, and these classes.

    Spark puts such jars into a class loader of its own, and Hive's part of the Thrift server closes that loader
    when the first session ends: from then on no class of Delta is found. The class path of the JVM stays open, and it
    is where each of Hive's threads finds a class that a setting names.

    Args:
        settings: Spark's settings from the profile.
        java_sources: Java files, one class of the package `penstock` each.
        classes: The folder for what they are compiled to.
        log: The file that takes what Ivy prints.

    Raises:
        EnvironmentProblem: when Java is missing or wrong, or the jars cannot be fetched.
    """
    from pyspark import SparkConf
    from pyspark.find_spark_home import _find_spark_home
    from pyspark.java_gateway import launch_gateway

    java_version()
    # A JVM without a Spark in it, because only Spark's launcher knows where Ivy puts the jars.
    with starting(log):
        gateway: Any = launch_gateway(conf=SparkConf(loadDefaults=False).setAll(list(settings.items())))
    try:
        jars = [jar.removeprefix("file:") for jar in (gateway.jvm.System.getProperty("spark.jars") or "").split(",")]
        for source in java_sources:
            _compile(gateway.jvm, source, classes)
    finally:
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait()
    # Spark's own first, as everywhere else: the packages bring other versions of some of its jars.
    own = str(Path(_find_spark_home()) / "jars" / "*")
    given = settings.get("spark.driver.extraClassPath")
    ours = [str(classes)] if java_sources else []
    paths = [own, *([given] if given else []), *ours, *(f"/{jar.lstrip('/')}" for jar in jars if jar)]
    return {**settings, "spark.driver.extraClassPath": os.pathsep.join(paths)}


def _compile(jvm: Any, source: Path, classes: Path) -> None:
    """Compile by Janino, which Spark brings along for its own code: a Java for running programs has no compiler."""
    compiler = jvm.org.codehaus.janino.SimpleCompiler()
    compiler.cook(source.read_text())
    for name, code in compiler.getBytecodes().items():
        file = classes / f"{name.replace('.', '/')}.class"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(code)
