import os
import time
from pathlib import Path

import pandas as pd


def main(x: pd.Series) -> pd.Series:
    mark = os.environ.get("SLOWLY_FROM_200")  # a file that tells the test that rows are being written
    if mark and (x >= 200).any():
        Path(mark).touch()
        time.sleep(120)
    return x * 2.0
