"""How likely a statistic is to be as large as it is by chance: upper tails of distributions, in arithmetic of SQL.

Neither engine has them built in. Each function gives one expression, the same arithmetic on both engines and under
Spark's ANSI mode on and off. It repeats its arguments many times, so give it columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

from penstock.dialects import Dialect, double
from penstock.errors import UnknownNameError
from penstock.monitoring.words import each, formula, known_dialect, numbers_to, total

# Hart's approximation as West prints it, from the highest power down.
_HART_TOP = (
    3.52624965998911e-02, 0.700383064443688, 6.37396220353165, 33.912866078383,
    112.079291497871, 221.213596169931, 220.206867912376,
)  # fmt: skip
_HART_BOTTOM = (
    8.83883476483184e-02, 1.75566716318264, 16.064177579207, 86.7807322029461,
    296.564248779674, 637.333633378831, 793.826512519948, 440.413735824752,
)  # fmt: skip
# West takes it up to 10/√2, where 3e-9 of the tail is wrong, and then five terms of the continued fraction. From 4 on
# so many terms are right to 1e-13, as Hart's approximation is up to there.
_HART_UP_TO = 4.0
_FRACTION_TERMS = 24

# Stirling's series B(2j) / (2j (2j - 1)), j = 1 … 7; from an argument of 8 on its rest is below 1e-15.
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)

_KOLMOGOROV_TERMS = 20
_KOLMOGOROV_TURN = 1.18  # below it the one series is fast, above it the other
_KOLMOGOROV_ONE = 0.04  # below it the value is 1, to the last bit


def chi2_sf(x: exp.Expr, df: exp.Expr, dialect: Dialect) -> exp.Expr:
    """The probability that a chi-squared variable is above `x`, exact for a whole number of degrees of freedom.

    With h = x/2 the finite series of Abramowitz and Stegun 26.4.4 and 26.4.5: the sum of exp(-h) h^(z-1) / Γ(z) over
    z = 1, 2 … df/2 for an even `df`; over z = 3/2, 5/2 … df/2 for an odd one, and there twice the normal tail beyond
    √x besides. Each term is the exponential of a sum of logarithms, so that none overflows. The work grows with `df`.
    Relative error below 1e-11 up to 1,000 degrees of freedom.

    Args:
        x: The statistic, of type DOUBLE.
        df: Degrees of freedom, of a type of whole numbers.
        dialect: Whose SQL it is.

    Returns:
        DOUBLE: 1 where `x` is 0 or below; NULL where an argument is NULL, `x` is NaN or `df` is below 1.

    Raises:
        UnknownNameError: The dialect is neither of the two.

    Example:
        >>> import duckdb
        >>> p = chi2_sf(exp.column("x"), exp.column("df"), "duckdb").sql("duckdb")
        >>> [(value,)] = duckdb.sql(f"SELECT {p} FROM (VALUES (3.84145882069412e0, 1)) AS t (x, df)").fetchall()
        >>> round(value, 9)
        0.05
    """
    known_dialect(dialect)
    # z = 1, 2, … or 3/2, 5/2, …, of which there are df/2 rounded down.
    terms = formula("CAST(FLOOR(:df / 2e0) AS BIGINT)", df=df)
    first = formula("k + CASE WHEN :df % 2 = 1 THEN 5e-1 ELSE 0e0 END", df=df)
    values = each(numbers_to(terms, dialect), "k", first, dialect)
    rest = log_gamma(exp.column("z"))
    term = formula("EXP((z - 1e0) * (LN(:x) - :ln2) - :x / 2e0 - :rest)", x=x, ln2=math.log(2), rest=rest)
    tail = _normal_tail(formula("SQRT(:x)", x=x))
    value = formula(
        # The sum may be above 1 by its rounding.
        "LEAST(1e0, CASE WHEN :df % 2 = 1 THEN 2e0 * :tail ELSE 0e0 END + CASE WHEN :df > 1 THEN :series ELSE 0e0 END)",
        df=df, tail=tail, series=total(values, "z", term, dialect),
    )  # fmt: skip
    # No comparison is true of NULL, and none here of NaN.
    return formula(
        """
        CASE WHEN :df >= 1 THEN
          CASE WHEN :x <= 0e0 THEN 1e0
               WHEN :x < CAST('Infinity' AS DOUBLE) THEN :value
               WHEN :x = CAST('Infinity' AS DOUBLE) THEN 0e0 END
        END
        """,
        x=x, df=df, value=value,
    )  # fmt: skip


def norm_sf(z: exp.Expr, dialect: Dialect) -> exp.Expr:
    """The probability that a standard normal variable is above `z`.

    Hart's rational approximation (Computer Approximations, 1968) with the coefficients of West, "Better approximations
    to cumulative normal functions", Wilmott Magazine, May 2005; beyond 4 the continued fraction of Mills' ratio
    (Abramowitz and Stegun 26.2.14). Relative error of the result below 1e-12.

    Args:
        z: The statistic, of type DOUBLE.
        dialect: Whose SQL it is; both have the same.

    Returns:
        DOUBLE; NULL where `z` is NULL or NaN.

    Raises:
        UnknownNameError: The dialect is neither of the two.
    """
    known_dialect(dialect)
    tail = _normal_tail(formula("ABS(:z)", z=z))
    # 1 - tail below 0 and tail above it, with the long expression written once.
    return formula("ABS(CASE WHEN :z < 0e0 THEN 1e0 ELSE 0e0 END - :tail)", z=z, tail=tail)


def ks_sf(x: exp.Expr, dialect: Dialect) -> exp.Expr:
    """Kolmogorov's Q: how likely √en · D of a two-sample test is to be above `x` in the limit of many rows.

    en = n m / (n + m), and D is the greatest distance of the two distribution functions. Below 1.18 the series
    1 - √(2π)/x Σ exp(-(2k-1)² π² / (8 x²)), from there on 2 Σ (-1)^(k-1) exp(-2 k² x²) (Marsaglia, Tsang and Wang,
    "Evaluating Kolmogorov's distribution", Journal of Statistical Software 8 (18), 2003).

    Args:
        x: √en · D, of type DOUBLE.
        dialect: Whose SQL it is.

    Returns:
        DOUBLE: 1 where `x` is 0 or below; NULL where `x` is NULL or NaN.

    Raises:
        UnknownNameError: The dialect is neither of the two.
    """
    known_dialect(dialect)
    numbers = numbers_to(exp.Literal.number(_KOLMOGOROV_TERMS), dialect)
    small = formula("EXP(:factor * (2e0 * k - 1e0) * (2e0 * k - 1e0) / (:x * :x))", factor=-(math.pi**2) / 8, x=x)
    large = formula("(1e0 - 2e0 * ((k - 1) % 2)) * EXP(-2e0 * k * k * :x * :x)", x=x)
    # Near 0 the square would be 0, and a division by it an error under ANSI mode.
    return formula(
        """
        CASE WHEN :x < :one THEN 1e0
             WHEN :x < :turn THEN 1e0 - :factor / :x * :small
             WHEN :x < CAST('Infinity' AS DOUBLE) THEN 2e0 * :large
             WHEN :x = CAST('Infinity' AS DOUBLE) THEN 0e0 END
        """,
        x=x, one=_KOLMOGOROV_ONE, turn=_KOLMOGOROV_TURN, factor=math.sqrt(2 * math.pi),
        small=total(numbers, "k", small, dialect), large=total(numbers, "k", large, dialect),
    )  # fmt: skip


TAILS: Mapping[str, tuple[str, ...]] = {"chi2_sf": ("x", "df"), "norm_sf": ("z",), "ks_sf": ("x",)}
_MADE: Mapping[str, Callable[..., exp.Expr]] = {"chi2_sf": chi2_sf, "norm_sf": norm_sf, "ks_sf": ks_sf}


def body(name: str, dialect: Dialect = "spark") -> str:
    """The body of the SQL function of this name, over its arguments as `TAILS` names them.

    Raises:
        UnknownNameError: There is no such function or dialect.
    """
    if name not in TAILS:
        raise UnknownNameError.of("tail of a distribution", name, TAILS)
    return _MADE[name](*(exp.column(each) for each in TAILS[name]), dialect).sql(dialect)


def _normal_tail(z: exp.Expr) -> exp.Expr:
    """The normal tail beyond a `z` of 0 or above; NULL for NULL and NaN."""
    fraction = z
    for term in range(_FRACTION_TERMS, 0, -1):
        fraction = formula(":z + :term / :fraction", z=z, term=term, fraction=fraction)
    return formula(
        """
        EXP(-5e-1 * :z * :z) *
          CASE WHEN :z < :up_to THEN :top / :bottom
               WHEN :z <= CAST('Infinity' AS DOUBLE) THEN :height / :fraction END
        """,
        z=z, up_to=_HART_UP_TO, top=_polynomial(_HART_TOP, z), bottom=_polynomial(_HART_BOTTOM, z),
        height=1 / math.sqrt(2 * math.pi), fraction=fraction,
    )  # fmt: skip


def log_gamma(z: exp.Expr) -> exp.Expr:
    """ln Γ(z) for z ≥ 1: Stirling's series (Abramowitz and Stegun 6.1.41) of z + 7; Γ(z+7) = Γ(z) z (z+1) … (z+6)."""
    shifted = formula(":z + 7e0", z=z)
    product = formula(":z * (:z + 1e0) * (:z + 2e0) * (:z + 3e0) * (:z + 4e0) * (:z + 5e0) * (:z + 6e0)", z=z)
    series = _polynomial(_STIRLING[::-1], formula("1e0 / (:s * :s)", s=shifted))
    return formula(
        "(:s - 5e-1) * LN(:s) - :s + :constant + :series / :s - LN(:product)",
        s=shifted, constant=math.log(2 * math.pi) / 2, series=series, product=product,
    )  # fmt: skip


def _polynomial(coefficients: Sequence[float], x: exp.Expr) -> exp.Expr:
    """By Horner's rule, the coefficient of the highest power first."""
    first, *others = coefficients
    value: exp.Expr = double(first)
    for coefficient in others:
        value = formula(":value * :x + :coefficient", value=value, x=x, coefficient=coefficient)
    return value
