"""The formulas: what each statistic is as an aggregate over the bins of a key.

A row of `shares` is a bin: counts `n` and `m`, their sums over the key `all_n` and `all_m`, over the bins with a
position `placed_n` and `placed_m`; shares `p` and `q` of the former, `placed_p` and `placed_q` of the latter; `gap`,
the distance F - G of the distribution functions at the bin's upper edge; `step` to the next position, `width`, and
`bins`, how many bins of the key have rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sqlglot import exp

from penstock.monitoring.words import column, formula

_COUNTS = {"reference_rows": "all_n", "current_rows": "all_m", "bins": "bins"}

_PSI = """
SUM(CASE WHEN n + m = 0 THEN 0e0
         WHEN :p = 0e0 OR :q = 0e0 THEN CAST('Infinity' AS DOUBLE)
         ELSE (:q - :p) * LN(:q / :p) END)
"""
_JS = """
SUM(CASE WHEN p > 0e0 THEN p * LN(2e0 * p / (p + q)) ELSE 0e0 END
  + CASE WHEN q > 0e0 THEN q * LN(2e0 * q / (p + q)) ELSE 0e0 END)
"""
# Of both sides of a bin (O-E)²/E together is N M (p-q)² / (n+m), and O/E the share p or q over that of both sides.
_CHI2 = """
SUM(CASE WHEN n + m = 0 THEN 0e0
         ELSE (p - q) * (p - q) * CAST(all_n AS DOUBLE) * CAST(all_m AS DOUBLE) / CAST(n + m AS DOUBLE) END)
"""
_G = """
2e0 * SUM(CASE WHEN n > 0 THEN n * LN(p * CAST(all_n + all_m AS DOUBLE) / CAST(n + m AS DOUBLE)) ELSE 0e0 END
        + CASE WHEN m > 0 THEN m * LN(q * CAST(all_n + all_m AS DOUBLE) / CAST(n + m AS DOUBLE)) ELSE 0e0 END)
"""
_OVER_ALL = {
    "hellinger": "SQRT(SUM((SQRT(p) - SQRT(q)) * (SQRT(p) - SQRT(q))) / 2e0)",
    "total_variation": "SUM(ABS(p - q)) / 2e0",
    "l_infinity": "MAX(ABS(p - q))",
    "chi2": _CHI2,
    "df": "CAST(MAX(bins) AS BIGINT) - 1",
}

_KS = "MAX(CASE WHEN NOT position IS NULL THEN ABS(gap) END)"
# Within a bin the rows of one side may all come before those of the other.
_KS_UPPER = """
LEAST(1e0, MAX(CASE WHEN position IS NULL THEN NULL
                    WHEN width = 0e0 THEN ABS(gap)
                    ELSE GREATEST(gap + placed_q, placed_p - gap) END))
"""
_KS_SCALED = f"""
SQRT(CAST(MAX(placed_n) AS DOUBLE) / CAST(MAX(placed_n) + MAX(placed_m) AS DOUBLE) * CAST(MAX(placed_m) AS DOUBLE))
* {_KS}
"""
# From the last position there is no step; beyond it both distribution functions are 1.
_WASSERSTEIN = "COALESCE(SUM(CASE WHEN NOT position IS NULL THEN ABS(gap) * step END), 0e0)"
_WASSERSTEIN_ERROR = """
SUM(CASE WHEN position IS NULL OR n + m = 0 THEN 0e0
         WHEN width IS NULL THEN CAST('Infinity' AS DOUBLE)
         ELSE width / 2e0 * (placed_p + placed_q) END)
"""
_OVER_PLACED = {
    "ks": _KS,
    "ks_upper": _KS_UPPER,
    "ks_scaled": _KS_SCALED,
    "wasserstein": _WASSERSTEIN,
    "wasserstein_error": _WASSERSTEIN_ERROR,
}


def statistics(keys: Sequence[str], pseudo_count: float) -> exp.Select:
    """One row a key of the relation `shares`: all but the p-values, for which `ks_scaled` is √(nm/(n+m)) `ks`.

    Args:
        keys: The columns of the key.
        pseudo_count: What is added to each count for the population stability index.
    """
    over_all = {
        "psi": _psi(pseudo_count),
        "js": formula("SQRT(:js)", js=_not_below_0(formula(":js / :bits", js=formula(_JS), bits=2 * math.log(2)))),
        "g": _not_below_0(formula(_G)),
        **{name: formula(text) for name, text in _OVER_ALL.items()},
    }
    both = "CASE WHEN MAX(all_n) > 0 AND MAX(all_m) > 0 THEN :value END"
    both_placed = "CASE WHEN MAX(placed_n) > 0 AND MAX(placed_m) > 0 THEN :value END"
    columns = {
        **{name: formula(f"CAST(MAX({counted}) AS BIGINT)") for name, counted in _COUNTS.items()},
        **{name: formula(both, value=value) for name, value in over_all.items()},
        **{name: formula(both_placed, value=formula(text)) for name, text in _OVER_PLACED.items()},
    }
    own = [column(key) for key in keys]
    answer = exp.select(*own, *(exp.alias_(value, name) for name, value in columns.items())).from_("shares")
    return answer.group_by(*own) if own else answer


def _psi(pseudo_count: float) -> exp.Expr:
    if not pseudo_count:
        return formula(_PSI, p=exp.column("p"), q=exp.column("q"))
    smoothed = "(CAST({0} AS DOUBLE) + :more) / (CAST(all_{0} AS DOUBLE) + :more * bins)"
    p, q = (formula(smoothed.format(side), more=pseudo_count) for side in ("n", "m"))
    return formula(_PSI, p=p, q=q)


def _not_below_0(value: exp.Expr) -> exp.Expr:
    """0 where rounding made less of a value that is 0 or above."""
    return formula("CASE WHEN :value < 0e0 THEN 0e0 ELSE :value END", value=value)
