"""Embeddings as a few numbers: their places along directions that are chosen once and stored, which tiles can count.

Along random directions two clouds of points that differ have different places with probability 1 (Cramér and Wold
1936; by how much, Johnson and Lindenstrauss 1984). Principal directions of a baseline are those along which it varies
most, so that bins are not spent on noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlglot import exp

from penstock.dialects import Dialect, call, double
from penstock.errors import InvalidRequestError
from penstock.monitoring.words import formula, known_dialect, source

if TYPE_CHECKING:
    import numpy as np

    Numbers = np.ndarray[Any, Any]

MOST_ROWS = 20_000
"""From how many rows at most principal directions are taken: they come to this process."""
_MOST = 256  # components: beyond, an embedding is not made shorter


@dataclass(frozen=True)
class Projection:
    """Directions in the space of an embedding.

    Attributes:
        kind: `random` or `principal`.
        weights: The directions, each as long as an embedding.
        shifts: What is taken from the place along each, so that 0 is the middle of the baseline.
    """

    kind: Literal["random", "principal"]
    weights: tuple[tuple[float, ...], ...]
    shifts: tuple[float, ...]


def random_projection(dimensions: int, into: int, *, seed: int = 0) -> Projection:
    """Directions that are drawn at random, and depend on nothing but these arguments.

    Distances are kept on average: the weights are normal, of variance 1 / `into`.

    Args:
        dimensions: How long an embedding is.
        into: How many directions.
        seed: Which.

    Raises:
        InvalidRequestError: There are no dimensions or directions, or very many.

    Example:
        >>> projection = random_projection(384, 8)
        >>> len(projection.weights), len(projection.weights[0])
        (8, 384)
    """
    import numpy as np

    _check(into, dimensions)
    # Not `default_rng`, whose stream numpy may change.
    drawn = np.random.RandomState(seed).standard_normal((into, dimensions)) / np.sqrt(into)
    return Projection("random", tuple(map(tuple, drawn.tolist())), (0.0,) * into)


def principal_projection(sample: Numbers, into: int) -> Projection:
    """The directions along which a sample of the baseline varies most, each of length 1 and unrelated to the others.

    Args:
        sample: A row an embedding, without NaN; at most `MOST_ROWS` of them, such as `two_sample.sampled` takes.
        into: How many directions.

    Raises:
        InvalidRequestError: The sample is none, has too many rows, or has fewer than `into` directions.
    """
    import numpy as np

    rows = np.asarray(sample, dtype=float)
    if rows.ndim != 2 or not np.isfinite(rows).all() or len(rows) > MOST_ROWS:
        raise InvalidRequestError(
            f"a sample is up to {MOST_ROWS:,} embeddings of one length, of finite numbers",
            where="sample",
            fix="leave rows without an embedding out, and take a sample",
        )
    _check(into, min(rows.shape))
    centre = rows.mean(axis=0)
    _, _, directions = np.linalg.svd(rows - centre, full_matrices=False)
    kept = directions[:into]
    # A direction and its opposite are the same one: the weight that is greatest is above 0.
    kept = kept * np.sign(kept[np.arange(into), np.abs(kept).argmax(axis=1)])[:, None]
    return Projection("principal", tuple(map(tuple, kept.tolist())), tuple((kept @ centre).tolist()))


def stored(projection: Projection, dialect: Dialect) -> exp.Select:
    """The query of a table of directions: `component` from 1 on, `kind`, `weights` and `shift`.

    Raises:
        UnknownNameError: The dialect is neither of the two.
    """
    known_dialect(dialect)
    kind = "array<double>" if dialect == "spark" else "double[]"
    parts: list[exp.Query] = []
    for at, (weights, shift) in enumerate(zip(projection.weights, projection.shifts, strict=True), 1):
        listed = exp.cast(exp.Array(expressions=[double(each) for each in weights]), kind, dialect=dialect)
        columns = {
            "component": exp.cast(exp.Literal.number(at), "int"),
            "kind": exp.Literal.string(projection.kind),
            "weights": listed,
            "shift": double(shift),
        }
        parts.append(exp.select(*(exp.alias_(value, name, copy=False) for name, value in columns.items()), copy=False))
    query = parts[0]
    for other in parts[1:]:
        query = exp.union(query, other, distinct=False, copy=False)
    return exp.select("*").from_(query.subquery("directions", copy=False), copy=False)


def projected(
    relation: str | exp.Query, embedding: str, directions: str | exp.Query, into: int, dialect: Dialect
) -> exp.Select:
    """Rows with the places of an embedding: `<embedding>_1`, `<embedding>_2`, … as DOUBLE, instead of the embedding.

    An embedding that is NULL, has another length or has a NULL in it, has no place: NULL, which has a bin of its own.

    Args:
        relation: A query, or the name of a table as the dialect writes it.
        embedding: The column, a list of numbers.
        directions: The table of `stored`, or a query.
        into: How many directions are taken, from the first on.
        dialect: Whose SQL it is.

    Raises:
        UnknownNameError: The dialect is neither of the two.
        InvalidRequestError: There are no directions, or very many.

    Example:
        >>> import duckdb
        >>> directions = stored(Projection("random", ((1.0, 0.0), (0.5, 0.5)), (0.0, 1.0)), "duckdb")
        >>> query = projected("given", "e", directions, 2, "duckdb").sql("duckdb")
        >>> duckdb.sql(f"WITH given AS (SELECT 7 AS id, [2.0, 4.0] AS e) {query}").fetchall()
        [(7, 2.0, 2.0)]
    """
    known_dialect(dialect)
    _check(into, _MOST)
    by_component = "MAX(CASE WHEN component = {} THEN {} END)"
    told = [
        exp.alias_(formula(by_component.format(at, name)), f"__{name}_{at}")
        for at in range(1, into + 1)
        for name in ("weights", "shift")
    ]
    one = exp.select(*told).from_(source(directions, dialect))
    kind = "array<double>" if dialect == "spark" else "double[]"
    numbers = exp.cast(exp.column(embedding, table="given", quoted=True), kind, dialect=dialect)
    rows = exp.select("*").from_(source(relation, dialect))
    places = [
        exp.alias_(
            formula(
                ":place - :shift",
                place=_dot(numbers, exp.column(f"__weights_{at}"), dialect),
                shift=exp.column(f"__shift_{at}"),
            ),
            f"{embedding}_{at}",
            quoted=True,
        )
        for at in range(1, into + 1)
    ]
    but = [exp.to_identifier(embedding, quoted=True)]
    every = exp.Column(this=exp.Star(except_=but), table=exp.to_identifier("given"))
    return exp.select(every, *places).from_(rows.subquery("given")).join(one.subquery("directions"), join_type="cross")


def _dot(one: exp.Expr, other: exp.Expr, dialect: Dialect) -> exp.Expr:
    """The inner product of two lists; NULL where they are not of one length, or have a NULL."""
    if dialect == "duckdb":
        whole = "LEN(:one) = LEN(:other) AND LIST_COUNT(:one) = LEN(:one)"
        # It refuses a NULL in any list of those that lie together, also in those that CASE leaves out.
        value = exp.Lambda(this=formula("COALESCE(x, 0e0)"), expressions=[exp.to_identifier("x")])
        product = call("LIST_INNER_PRODUCT", call("LIST_TRANSFORM", one, value), other)
        return formula(f"CASE WHEN {whole} THEN :product END", one=one, other=other, product=product)
    names = [exp.to_identifier("x"), exp.to_identifier("y")]
    products = call("ZIP_WITH", one, other, exp.Lambda(this=formula("x * y"), expressions=names))
    return call("AGGREGATE", products, double(0.0), exp.Lambda(this=formula("x + y"), expressions=names))


def _check(into: int, most: int) -> None:
    if not 1 <= into <= min(most, _MOST):
        raise InvalidRequestError(f"{into} directions", where="into", fix=f"from 1 to {min(most, _MOST)}")
