import os
import time
from pathlib import Path

import pandas as pd


def main(x: pd.Series) -> pd.Series:
    # A file by which the test sees that rows are being written, and which it removes to let them be written.
    mark = Path(os.environ.get("SLOWLY_FROM_200", "/no/such/file"))
    if mark.parent.exists() and (x >= 200).any():
        mark.touch()
        until = time.monotonic() + 300
        while mark.exists() and time.monotonic() < until:
            time.sleep(0.1)
    return x * 2.0
