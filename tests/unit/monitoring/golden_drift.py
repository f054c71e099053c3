"""Numbers of scipy, NannyML and Evidently over real data, and the counts that they are of.

`employment.csv` has how often each age and marital status is in employment_MA of the wheel of NannyML 0.13.1 (people of
the US census, Massachusetts): of the reference, of the first 5,000 rows of the analysis and of all of it. It was made
of the files of `pip download nannyml==0.13.1 --no-deps`, unzipped, by

    import pandas as pd

    data = "nannyml/datasets/data/employment_MA_"
    r, a = pd.read_parquet(data + "reference.pq"), pd.read_parquet(data + "analysis.pq")
    tables = []
    for name in ("AGEP", "MAR"):
        sides = {"reference": r[name], "first_5000": a[name][:5000], "analysis": a[name]}
        table = pd.DataFrame({side: rows.value_counts() for side, rows in sides.items()}).fillna(0).astype(int)
        table.index = table.index.astype(float).astype(int)
        table = table.sort_index().reset_index(names="value")
        table.insert(0, "feature", name)
        tables.append(table)
    pd.concat(tables).to_csv("employment.csv", index=False)

and the numbers, with scipy 1.17.1, c = a[:5000], by

    k = stats.ks_2samp(r.AGEP, c.AGEP, method="asymp")  # statistic; its p-value is not of the limit, but .018409
    special.kolmogorov(np.sqrt(68785 * 5000 / 73785) * k.statistic)
    stats.wasserstein_distance(r.AGEP, c.AGEP)
    stats.chi2_contingency([r.MAR.value_counts(), c.MAR.value_counts()], correction=False)

NannyML's own chi2, Jensen-Shannon (base 2), L-infinity and Hellinger of MAR; the stability index is Evidently's.
"""

from __future__ import annotations

import csv
from pathlib import Path

from sqlglot import exp

# (the pair, the statistic) -> the number
GOLDEN = {
    ("age", "ks"): 0.022389081921930676,
    ("age", "ks_upper"): 0.022389081921930676,
    ("age", "ks_p"): 0.018687881832060774,
    ("age", "wasserstein"): 0.7568235807225414,
    ("age_all", "ks"): 0.010422469307946658,
    ("age_all", "wasserstein"): 0.33173298599941914,
    ("marital", "chi2"): 4.171079761614413,
    ("marital", "chi2_p"): 0.38334755887282274,
    ("marital", "df"): 4,
    ("marital", "psi"): 0.0009082876450327566,
    ("marital", "js"): 0.012797385508153403,
    ("marital", "l_infinity"): 0.012089641636984838,
    ("marital", "hellinger"): 0.010654923720120765,
}

# scipy.stats: chi2.sf(x, df) and norm.sf(z)
CHI2_TAILS = {
    (50.0, 7): 1.4444852779215397e-08,
    (700.0, 10): 6.280146699235733e-144,
    (120.0, 99): 0.07424385580596692,
}
NORMAL_TAILS = {5.0: 2.866515718791933e-07}

# What the functions are where there is nothing to compute: (x, df) -> the value, on both engines.
CHI2_EDGES = {
    ("NULL", "1"): None,
    ("1e0", "NULL"): None,
    ("'NaN'", "3"): None,
    ("1e0", "0"): None,
    ("-1e0", "0"): None,
    ("1e0", "-2"): None,
    ("0e0", "1"): 1.0,
    ("-3e0", "4"): 1.0,
    ("5e-324", "1"): 1.0,
    ("5e-324", "2"): 1.0,
    ("1e300", "5"): 0.0,
    ("'Infinity'", "1"): 0.0,
    ("'Infinity'", "2"): 0.0,
}
NORMAL_EDGES = {"NULL": None, "'NaN'": None, "0e0": 0.5, "'Infinity'": 0.0, "'-Infinity'": 1.0, "-1e300": 1.0}
KOLMOGOROV_EDGES = {
    "NULL": None,
    "'NaN'": None,
    "-1e0": 1.0,
    "0e0": 1.0,
    "1e-200": 1.0,
    "1e200": 0.0,
    "'Infinity'": 0.0,
}


def employment() -> exp.Select:
    """The pairs `age`, `age_all` (of all rows of the analysis) and `marital`, whose values have no order."""
    rows = []
    with (Path(__file__).parent / "employment.csv").open() as file:
        for row in csv.DictReader(file):
            value, reference = int(row["value"]), int(row["reference"])
            if row["feature"] == "MAR":
                rows.append(("marital", None, reference, int(row["first_5000"])))
            else:
                rows.append(("age", value, reference, int(row["first_5000"])))
                rows.append(("age_all", value, reference, int(row["analysis"])))
    columns = ("feature", "position", "n", "m")
    return exp.select("*").from_(exp.values(rows, alias="t", columns=columns))
