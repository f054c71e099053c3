"""Who asks for scores in the statement that Spark analyses now. This is internal API of Spark 4.2."""

from __future__ import annotations

import json
import re

from penstock.engines.java import CATALYST, Java
from penstock.scoring.usage import NODE, Asker

# What dbt puts into each statement that it sends to a server.
_COMMENT = re.compile(r"/\*\s*(\{.*?\})\s*\*/", re.S)


def asker(java: Java) -> Asker:
    """The user of the session, and the dbt node: that of this process's build, or that of which the statement tells.

    Args:
        java: The JVM.
    """
    from pyspark import SparkContext

    context = SparkContext._active_spark_context
    user = str(java.call(f"{CATALYST}.CurrentUserContext", "getCurrentUser"))
    node = context.getLocalProperty(NODE)
    # The Thrift server describes a job by the text of its statement.
    return Asker(user, node or node_in(context.getLocalProperty("spark.job.description") or ""))


def node_in(statement: str) -> str:
    """The id of the node in dbt's comment; empty where there is none.

    Example:
        >>> node_in('/* {"app": "dbt", "node_id": "model.shop.orders"} */ SELECT 1')
        'model.shop.orders'
    """
    for text in _COMMENT.findall(statement):
        try:
            told = json.loads(text)
        except ValueError:  # somebody else's comment
            continue
        if told.get("app") == "dbt":
            return str(told.get("node_id") or "")
    return ""
