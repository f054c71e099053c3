"""What the clocks at an airport show at an instant."""

import pandas as pd


def main(at: pd.Series, time_zone: pd.Series) -> pd.Series:
    """Convert each instant (session time zone UTC) to the wall clock of its time zone; NULL where either is NULL."""
    local = pd.Series(pd.NaT, index=at.index, dtype="datetime64[ns]")
    for zone, instants in at.groupby(time_zone):
        local[instants.index] = instants.dt.tz_localize("UTC").dt.tz_convert(zone).dt.tz_localize(None)
    return local
