import pandas as pd


def main(x: pd.Series) -> pd.Series:
    if (x > 6).any():
        raise ValueError("more than six")
    return x
