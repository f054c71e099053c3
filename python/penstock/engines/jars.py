"""Delta's jars on the JVM's own class path, for a JVM whose sessions come and go."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.engines.spark import java_version, starting


def on_class_path(settings: Mapping[str, str], *, log: Path) -> dict[str, str]:
    """The settings with the jars of `spark.jars.packages` in `spark.driver.extraClassPath` too.

    Spark puts such jars into a class loader of its own, and Hive's part of the Thrift server closes that loader
    when the first session ends: from then on no class of Delta is found. The class path of the JVM stays open.

    Args:
        settings: Spark's settings from the profile.
        log: The file that takes what Ivy prints.

    Raises:
        EnvironmentProblem: when Java is missing or wrong, or the jars cannot be fetched.
    """
    from pyspark import SparkConf
    from pyspark.find_spark_home import _find_spark_home
    from pyspark.java_gateway import launch_gateway

    if not settings.get("spark.jars.packages"):
        return dict(settings)
    java_version()
    # A JVM without a Spark in it, because only Spark's launcher knows where Ivy puts the jars.
    with starting(log):
        gateway: Any = launch_gateway(conf=SparkConf(loadDefaults=False).setAll(list(settings.items())))
    try:
        jars = [jar.removeprefix("file:") for jar in gateway.jvm.System.getProperty("spark.jars").split(",")]
    finally:
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait()
    # Spark's own first, as everywhere else: the packages bring other versions of some of its jars.
    own = str(Path(_find_spark_home()) / "jars" / "*")
    given = settings.get("spark.driver.extraClassPath")
    paths = [own, *([given] if given else []), *(f"/{jar.lstrip('/')}" for jar in jars)]
    return {**settings, "spark.driver.extraClassPath": os.pathsep.join(paths)}
